"""recipes/demo.sh and recipes/mini/ernie_m.sh: the whole chain, the user's files, starting again."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Run

TEXT = ROOT / "examples" / "data" / "text"


def results(out: Path) -> Any:
    return json.loads((out / "results.json").read_text(encoding="utf-8"))


def make_folder(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.slow
def test_from_raw_text_to_a_report(recipe: Callable[..., Run], tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    for lang in ("en", "de", "fr"):  # without valid.*: the last tenth is held out
        shutil.copy(TEXT / f"train.{lang}", data)
    small = {"DATA": data, "OUT": out, "BUDGET": "smoke", "UPDATES": 4, "TUNING_UPDATES": 4}
    run = recipe("demo.sh", **small)
    assert run.returncode == 0, run.log
    report = (out / "report.md").read_text(encoding="utf-8")
    assert "| de – en | 29 |" in report
    assert "fairseq-train $OUT/data-bin --task btmlm" in report
    assert str(ROOT) not in report
    rows = results(out)["rows"]
    assert {row["row"] for row in rows} == {"before", "after"}
    directions = {"de_en", "en_de", "fr_en", "en_fr", "xx_en", "en_xx"}
    assert {row["metric"] for row in rows} == {f"retrieval_acc_{direction}" for direction in directions}
    assert all(0 <= row["value"] <= 1 for row in rows)
    for picture in ("curves-pretrain.png", "curves-tune.png", "before/layers.png", "after/layers.png"):
        assert (out / picture).stat().st_size > 1000
    assert (out / "data-bin" / "languages.txt").read_text() == "de\nen\nfr\n"

    # again: nothing is made anew
    files = {path: path.stat().st_mtime_ns for path in out.rglob("*.*") if path.suffix in (".pt", ".bin", ".png")}
    assert recipe("demo.sh", **small).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in files} == files

    # interrupted before the evaluation: only what is missing is made
    (out / "after" / "results.json").unlink()
    assert recipe("demo.sh", **small).returncode == 0
    assert results(out)["rows"] == rows

    # other settings: the run is kept under another name
    run = recipe("demo.sh", **small | {"VOCAB_SIZE": "100000"})
    assert run.returncode == 2
    assert "--size 100000 is too large" in run.stderr
    assert len(list(tmp_path.glob("out.*/report.md"))) == 1


@pytest.mark.slow
def test_pairs_of_the_user(recipe: Callable[..., Run], tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for split in ("train", "valid"):
        for a, b in (("de", "en"), ("en", "es")):
            for side in (a, b):
                shutil.copy(TEXT / f"{split}.{side}", data / f"{split}.{a}-{b}.{side}")
    out = tmp_path / "out"
    run = recipe("demo.sh", DATA=data, OUT=out, BUDGET="smoke", UPDATES=2, TUNING_UPDATES=2)
    assert run.returncode == 0, run.log
    metrics = {row["metric"] for row in results(out)["rows"]}
    assert {"retrieval_acc_de_en", "retrieval_acc_en_es"} <= metrics
    assert sorted(path.name for path in (out / "data-bin" / "para").iterdir()) == ["de-en", "en-es"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no training text in it"),
        ({"train.en": "a\nb\n"}, "only one language, en"),
        ({"train.en": "a\nb\n", "train.de": "a\nb\nc\n"}, "train.de has 3: line i of one must translate"),
        ({"train.en": "a\nb\n", "train.de": ""}, "train.de is empty"),
        ({"train.en": "a\n", "train.de": "b\n"}, "one line is too little"),
        ({"train.en": "a\nb\n", "train.de": "a\nb\n", "valid.en": "a\n"}, "valid.de is missing"),
        ({"train.de-en.de": "a\nb\n"}, "train.de-en.en is missing"),
        ({"train.en": "a\nb\n", "train.de": "a\nb\n", "valid.en": "a\n", "valid.de": "a\nb\n"}, "valid.de has 2"),
    ],
)
def test_wrong_files_are_one_message(
    recipe: Callable[..., Run], tmp_path: Path, files: dict[str, str], message: str
) -> None:
    run = recipe("demo.sh", DATA=make_folder(tmp_path / "data", files), OUT=tmp_path / "out")
    assert run.returncode == 2
    assert message in run.stderr
    assert run.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_wrong_folder_and_budget(recipe: Callable[..., Run], tmp_path: Path) -> None:
    for variables, message in (({"DATA": tmp_path / "none"}, "no such folder"), ({"BUDGET": "tiny"}, "smoke or full")):
        run = recipe("demo.sh", OUT=tmp_path / "out", **variables)
        assert run.returncode == 2
        assert message in run.stderr


def test_invalid_text_is_named(recipe: Callable[..., Run], tmp_path: Path) -> None:
    data = make_folder(tmp_path / "data", {"train.en": "a b\n" * 20})
    (data / "train.de").write_bytes(b"ok\n" * 19 + b"\xff\xfe\n")
    (data / "valid.en").write_text("a\n")
    (data / "valid.de").write_text("a\n")
    run = recipe("demo.sh", DATA=data, OUT=tmp_path / "out")
    assert run.returncode == 2
    assert "de:20" in run.stderr


def small_treebanks(folder: Path, shared_data: Path) -> Path:
    """The first sentences of real treebanks."""
    ud = folder / "ud"
    ud.mkdir()
    for name in ("en_ewt-ud-train", "en_ewt-ud-dev", "de_gsd-ud-dev", "fr_gsd-ud-dev"):
        with gzip.open(shared_data / "downstream" / "ud" / f"{name}.conllu.gz", "rt", encoding="utf-8") as stream:
            (ud / f"{name}.conllu").write_text("\n\n".join(stream.read().split("\n\n")[:40]) + "\n\n", encoding="utf-8")
    return ud


@pytest.mark.slow
def test_the_ladder(recipe: Callable[..., Run], tmp_path: Path, shared_data: Path) -> None:
    out = tmp_path / "out"
    settings = {"BUDGET": "smoke", "PAIRS": "100", "ROWS": "mmlm camlm_btmlm", "DATA": shared_data / "parallel"}
    run = recipe("mini/ernie_m.sh", out, **settings)
    assert run.returncode == 0, run.log
    rows = results(out)["rows"]
    assert all(set(row) == {"row", "metric", "layer", "seed", "value"} for row in rows)
    assert {row["row"] for row in rows} == {"mmlm", "camlm_btmlm"}
    metrics = {row["metric"] for row in rows}
    ways = ("xx_en", "en_xx", "de_en", "en_cs")
    assert {f"retrieval_acc_{way}{kind}" for way in ways for kind in ("", "_centred")} <= metrics
    keys = [(row["row"], row["metric"], row["layer"], row["seed"]) for row in rows]
    assert len(set(keys)) == len(keys)
    assert "| + CAMLM + BTMLM |" in (out / "report.md").read_text(encoding="utf-8")

    lines = {
        file: len((out / "encoded" / file).read_text().splitlines())
        for file in ("mono/train.de", "para/train.en-de.de")
    }
    assert lines == {"mono/train.de": 500, "para/train.en-de.de": 100}

    # another row is added to the finished ones
    done = (out / "mmlm-1" / "checkpoint_last.pt").stat().st_mtime_ns
    treebanks = {
        "TRANSFER_DATA": small_treebanks(tmp_path, shared_data),
        "TRANSFER_EPOCHS": "1",
        "TRANSFER_SEEDS": "1 2",
    }
    run = recipe("mini/ernie_m.sh", out, **settings | treebanks | {"ROWS": "mmlm ernie_m"})
    assert run.returncode == 0, run.log
    rows = results(out)["rows"]
    assert {row["row"] for row in rows} == {"mmlm", "ernie_m"}
    scores = {
        (row["row"], row["metric"], row["tuning_seed"]): row["value"]
        for row in rows
        if row["metric"].startswith("pos_f1")
    }
    assert len(scores) == 2 * 4 * 2  # rows, languages and their average, seeds
    for row in ("mmlm", "ernie_m"):
        german, french, average = (scores[row, f"pos_f1_{language}", 1] for language in ("de", "fr", "xx"))
        assert average == pytest.approx((german + french) / 2)
    assert "## Cross-lingual transfer" in (out / "report.md").read_text(encoding="utf-8")
    assert (out / "mmlm-1" / "checkpoint_last.pt").stat().st_mtime_ns == done


def test_the_ladder_says_where_its_data_is(recipe: Callable[..., Run], tmp_path: Path) -> None:
    run = recipe("mini/ernie_m.sh", tmp_path / "out", DATA=tmp_path)
    assert run.returncode == 2
    assert "github.com/multi30k/dataset" in run.stderr


def test_an_unknown_row_is_refused(recipe: Callable[..., Run], tmp_path: Path) -> None:
    run = recipe("mini/ernie_m.sh", tmp_path / "out", ROWS="mmlm xlm")
    assert run.returncode == 2
    assert "'xlm' is unknown" in run.stderr
