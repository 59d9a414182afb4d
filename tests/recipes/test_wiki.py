"""recipes/wiki.sh: from dumps to shards, again, with other input, with damage."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from fairseq_xling_preprocess.wiki.entities.shards import open_shards
from tests.conftest import ROOT, Run

EXAMPLES = ROOT / "examples" / "data"


def test_from_dumps_to_shards(recipe: Callable[..., Run], tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = recipe("wiki.sh", out, VOCAB_SIZE=1500)
    assert run.returncode == 0, run.log
    shards = open_shards(out / "data-bin" / "wiki", out / "data-bin" / "dict.txt")
    assert shards.languages == ["de", "en", "es", "fr", "zh"]
    assert len(shards.entities) == 48
    for language in shards.languages:
        assert sum(len(shards.splits[language, split].mentions) for split in ("train", "valid")) == 261

    # each mention is the link's surface: one of English, looked up in the source by hand
    pieces = [line.split(" ")[0] for line in (out / "data-bin" / "dict.txt").read_text(encoding="utf-8").splitlines()]
    split = shards.splits["en", "train"]
    row = split.mentions[0]
    tokens = split.window(0)
    text = "".join(pieces[token - 4] for token in tokens).replace("▁", " ")
    shown = "".join(pieces[token - 4] for token in tokens[row["begin"] : row["end"]]).replace("▁", " ").strip()
    assert text.startswith(" The Rhine is a river that rises in the Swiss Alps and flows into the North Sea.")
    assert shown.rstrip(".,") == "Alps"

    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file() and path.suffix == ".npy"}
    assert recipe("wiki.sh", out, VOCAB_SIZE=1500).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_damaged_dump_and_a_vocabulary_of_ones_own(recipe: Callable[..., Run], tmp_path: Path) -> None:
    first = tmp_path / "first"
    assert recipe("wiki.sh", first, DUMPS=EXAMPLES / "wiki" / "de.xml", VOCAB_SIZE=500).returncode == 0
    cut = tmp_path / "en.xml"
    cut.write_bytes((EXAMPLES / "wiki" / "en.xml").read_bytes()[:30_000])
    second = tmp_path / "second"
    settings = {"DUMPS": f"{cut} {EXAMPLES}/wiki/d*.xml", "DATA_BIN": first / "data-bin", "LANGUAGES": "en"}
    run = recipe("wiki.sh", second, **settings)
    assert run.returncode == 0, run.log
    assert "a dump was damaged" in run.stderr
    meta = json.loads((second / "data-bin" / "wiki" / "meta.json").read_text(encoding="utf-8"))
    assert meta["languages"] == ["en"]
    cut.write_bytes((EXAMPLES / "wiki" / "en.xml").read_bytes())  # fetched again
    assert recipe("wiki.sh", second, **settings).returncode == 0
    repaired = json.loads((second / "data-bin" / "wiki" / "meta.json").read_text(encoding="utf-8"))
    assert repaired["lengths"] != meta["lengths"]
    made = (second / "data-bin" / "wiki" / "meta.json").stat().st_mtime_ns
    assert recipe("wiki.sh", second, **settings).returncode == 0
    assert (second / "data-bin" / "wiki" / "meta.json").stat().st_mtime_ns == made
    run = recipe("wiki.sh", tmp_path / "third", MAX_TOKENS=2)
    assert (run.returncode, run.stderr.strip()) == (2, "wiki.sh: error: MAX_TOKENS=2: expected a number from 3 on")
    run = recipe("wiki.sh", "--help")
    assert (run.returncode, run.log.count("usage:"), run.stderr) == (0, 1, "")
    run = recipe("wiki.sh", tmp_path / "third", DATA_BIN=tmp_path)
    assert (run.returncode, run.stderr.strip()) == (2, f"wiki.sh: error: DATA_BIN={tmp_path}: has no dict.txt")


def test_a_dump_that_was_repaired_is_read_again(recipe: Callable[..., Run], tmp_path: Path) -> None:
    whole, dump, out = EXAMPLES / "wiki" / "en.xml", tmp_path / "en.xml", tmp_path / "out"
    dump.write_bytes(whole.read_bytes()[:30_000])
    shards = out / "data-bin" / "wiki"
    found = []
    for content in (dump.read_bytes(), dump.read_bytes(), whole.read_bytes()):
        if content != dump.read_bytes():
            dump.write_bytes(content)
        run = recipe("wiki.sh", out, DUMPS=dump, VOCAB_SIZE=500)
        assert run.returncode == 0, run.log
        found.append(json.loads((shards / "results.json").read_text(encoding="utf-8"))["totals"]["articles"])
        found.append((shards / "meta.json").stat().st_mtime_ns)
        assert ("a dump was damaged" in run.stderr) == (len(content) == 30_000)
    assert found[0] == found[2] < found[4] == 48
    assert found[1] == found[3] < found[5]
