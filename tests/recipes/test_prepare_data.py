"""recipes/ernie_m/prepare_data.sh on small files in the layout of the public corpora."""

from __future__ import annotations

import gzip
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from fairseq_xling.data.databin import DataBin
from tests.conftest import ROOT, Run

TEXT = ROOT / "examples" / "data" / "text"


def lines(lang: str) -> list[str]:
    return (TEXT / f"train.{lang}").read_text(encoding="utf-8").splitlines()


@pytest.fixture
def mirror(tmp_path: Path, command: Callable[..., Run]) -> Path:
    """The corpora of English, German and Chinese as their homes serve them."""
    home = tmp_path / "mirror"
    made = command(
        "xling", "vocab", *(f"--input={lang}={TEXT / f'train.{lang}'}" for lang in ("en", "de", "zh")), "--size", "2000",
        "--output", tmp_path / "xlmr.small",
    )  # fmt: skip
    assert made.returncode == 0, made.log
    (tmp_path / "xlmr.small" / "model.pt").write_bytes(b"weights")
    home.mkdir()
    with tarfile.open(home / "xlmr.small.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "xlmr.small", "xlmr.small")
    (home / "cc100").mkdir()
    for name, lang in (("en", "en"), ("de", "de"), ("zh-Hans", "zh"), ("zh-Hant", "zh")):
        documents = "\n\n".join("\n".join(lines(lang)[i : i + 7]) for i in range(0, 280, 7))
        (home / "cc100" / f"{name}.txt.xz").write_bytes(lzma.compress(f"{documents}\n".encode()))
    for corpus, pair in (
        ("EUbookshop/v2", "de-en"),
        ("OpenSubtitles/v2018", "de-en"),
        ("MultiUN/v1", "en-zh"),
    ):
        folder = home / f"OPUS-{corpus}" / "moses"
        folder.mkdir(parents=True)
        with zipfile.ZipFile(folder / f"{pair}.txt.zip", "w") as archive:
            for lang in pair.split("-"):
                archive.writestr(f"{corpus.split('/')[0]}.{pair}.{lang}", "\n".join(lines(lang)) + "\n")
            archive.writestr("LICENSE", "")
    for pair in ("de-en", "en-zh"):
        a, b = pair.split("-")
        rows = [f"{1.0 + 0.001 * i:.3f}\t{x}\t{y}" for i, (x, y) in enumerate(zip(lines(a), lines(b), strict=True))]
        (home / f"WikiMatrix.{pair}.tsv.gz").write_bytes(gzip.compress("\n".join(rows).encode()))
    return home


@pytest.mark.slow
def test_from_downloads_to_shards(recipe: Callable[..., Run], mirror: Path, tmp_path: Path) -> None:
    url = mirror.as_uri()
    settings = {
        "OUT": tmp_path / "out", "LANGUAGES": "de en zh", "PAIRS": "de zh", "SHARDS": "2", "HOLD_OUT": "10", "XLMR_SIZES": "small",
        "XLMR_HOME": url, "CC100": f"{url}/cc100", "OPUS": url, "WIKIMATRIX": url,
    }  # fmt: skip
    run = recipe("ernie_m/prepare_data.sh", **settings)
    assert run.returncode == 0, run.log
    shards = [tmp_path / "out" / "data-bin" / f"shard{i}" for i in range(2)]
    data = DataBin(":".join(map(str, shards)))
    assert data.languages == ["de", "en", "zh"]
    mono = {lang: sum(len(data.open_mono("train", epoch)[lang]) for epoch in (1, 2)) for lang in ("de", "zh")}
    # 40 documents of 7 lines and a blank one, 4 of them held out; zh has both scripts: 80, 8 held out
    assert mono == {"de": 36 * 8, "zh": 72 * 8}
    assert len(data.open_mono("valid", 2)["de"]) == 4 * 8
    pairs = [{str(pair): sides for pair, sides in data.open_pairs("train", epoch).items()} for epoch in (1, 2)]
    every = {name: sum(len(shard[name][0]) for shard in pairs) for name in ("de-en", "en-zh")}
    kept = sum(1.0 + 0.001 * i >= 1.04 for i in range(286))
    for name, total in (("de-en", 2 * 286 + kept), ("en-zh", 286 + kept)):
        assert every[name] == total - len(range(1, total + 1, 10))

    again = recipe(
        "ernie_m/prepare_data.sh",
        **settings | {"XLMR_HOME": "file:///none", "CC100": "file:///none", "OPUS": "file:///none"},
    )
    assert again.returncode == 0, again.log


def test_every_language_of_the_tables_is_downloaded(recipe: Callable[..., Run]) -> None:
    run = recipe("ernie_m/prepare_data.sh", DRY_RUN=1, SHARDS=1)
    assert run.returncode == 0, run.log
    mono = {line.split("/cc-100/")[1] for line in run.stdout.splitlines() if "statmt.org/cc-100/" in line}
    assert len(mono) == 96
    assert {"zh-Hans.txt.xz", "zh-Hant.txt.xz", "ur_rom.txt.xz"} <= mono
    encoded = {
        word for line in run.stdout.splitlines() if " --pair " in line for word in line.split() if "/all." in word
    }
    assert {word.split("/all.")[1] for word in encoded} == {
        "ar-en", "bg-en", "de-en", "el-en", "en-es", "en-fr", "en-hi", "en-ru", "en-sw", "en-th", "en-tr", "en-ur", "en-vi", "en-zh",
    }  # fmt: skip


def test_a_pair_needs_its_language(recipe: Callable[..., Run]) -> None:
    run = recipe("ernie_m/prepare_data.sh", DRY_RUN=1, LANGUAGES="en fr", PAIRS="de")
    assert run.returncode == 2
    assert "BTMLM" in run.stderr
    run = recipe("ernie_m/prepare_data.sh", DRY_RUN=1, PAIRS="xx")
    assert run.returncode == 2
    assert "'xx'" in run.stderr
