"""xling wikidata from dumps to tables: repeated and merged items, damage, resumption, number of processes, wrong input."""

from __future__ import annotations

import bz2
import errno
import gzip
import json
import lzma
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from fairseq_xling_preprocess import cli
from fairseq_xling_preprocess.errors import UserError
from fairseq_xling_preprocess.wiki import schemas
from fairseq_xling_preprocess.wiki.wikidata import line_batches
from fairseq_xling_preprocess.wiki.wikidata import run as run_module
from fairseq_xling_preprocess.wiki.wikidata.run import convert

from .test_parse import item, statement

ROOT = Path(__file__).parents[4]


def linked(number: int, *objects: str) -> dict[str, Any]:
    """Item ``number`` with an English page and statements of P1."""
    return item(
        f"Q{number}",
        {"P1": [statement(name) for name in objects]},
        sitelinks={"enwiki": {"title": f"Page {number}"}},
        labels={"en": {"value": f"item {number}"}},
    )


def dump(path: Path, entities: Sequence[Any]) -> str:
    text = "[\n" + ",\n".join(json.dumps(entity) for entity in entities) + "\n]\n"
    path.write_bytes(
        {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}.get(path.suffix, bytes)(text.encode())
    )
    return str(path)


def rows(folder: Path) -> list[tuple[str, ...]]:
    tables = [pq.read_table(path) for path in sorted(folder.glob("*.parquet"))]
    return [row for table in tables for row in zip(*[column.to_pylist() for column in table.columns], strict=True)]


def contents(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def run(*args: str) -> int:
    with pytest.raises(SystemExit) as end:
        cli.main(["wikidata", *args])
    return int(end.value.code or 0)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of a line or two."""
    monkeypatch.setattr(line_batches, "BATCH_BYTES", 500)


@pytest.mark.usefixtures("small_batches")
def test_the_same_rows_whatever_the_number_of_processes(tmp_path: Path) -> None:
    entities = [linked(number, "Q1", "Q2") for number in range(1, 60)]
    paths = [dump(tmp_path / "a.json.gz", entities), dump(tmp_path / "b.json.bz2", [*entities[30:], linked(99)])]
    for workers in (1, 2):
        parts = convert(paths, tmp_path / str(workers), workers=workers)
        assert [part.damage for part in parts] == [[], []]
    one, two = (contents(tmp_path / name) for name in "12")
    assert one.keys() == two.keys()
    for name in one.keys() - {"parts/000.npz", "parts/001.npz"}:  # these hold their times
        assert one[name] == two[name], name
    assert [row[2] for row in rows(tmp_path / "1/sitelinks")] == [f"Q{number}" for number in [*range(1, 60), 99]]
    assert parts[1].counts["left out"] == {"entities: repeated": 29}
    assert parts[1].counts["entities"] == {"items": 1}
    for table, schema in (("sitelinks", schemas.SITELINKS), ("triples", schemas.TRIPLES), ("labels", schemas.LABELS)):
        assert pq.read_schema(tmp_path / "1" / table / "000.parquet") == schema


@pytest.mark.usefixtures("small_batches")
def test_repeated_within_a_dump(tmp_path: Path) -> None:
    entities = [linked(number) for number in (1, 2, 3, 4, 5, 6, 2, 2, 7)]
    entities[6]["labels"]["en"]["value"] = "another"
    (part,) = convert([dump(tmp_path / "a.json", entities)], tmp_path / "out")
    assert [row[0] for row in rows(tmp_path / "out/labels")] == [f"Q{number}" for number in range(1, 8)]
    assert ("Q2", "en", "item 2") in rows(tmp_path / "out/labels")
    assert part.counts["left out"] == {"entities: repeated": 2}


def test_merged_items(tmp_path: Path) -> None:
    redirects = tmp_path / "redirects.tsv"
    redirects.write_text("Q20\tQ21\nQ22\tQ20\nQ30\tQ31\nQ31\tQ30\n")
    path = dump(tmp_path / "a.json", [linked(1, "Q20", "Q21", "Q22", "Q30"), linked(20, "Q1")])
    parts = convert([path], tmp_path / "out", redirects=[str(redirects)])
    assert rows(tmp_path / "out/triples") == [("Q1", "P1", "Q21"), ("Q1", "P1", "Q30"), ("Q21", "P1", "Q1")]
    assert rows(tmp_path / "out/sitelinks") == [("en", "Page 1", "Q1"), ("en", "Page 20", "Q21")]
    assert rows(tmp_path / "out/merged") == [("Q20", "Q21"), ("Q22", "Q21")]
    counts = {part.name: part.counts for part in parts}
    assert counts["merged"] == {"merged": {"items": 2}, "left out": {"redirects: into a loop": 2}}
    assert counts["000"]["left out"] == {"triples: the same after merging": 2}


def test_without_redirects_merged_items_stay(tmp_path: Path) -> None:
    convert([dump(tmp_path / "a.json", [linked(1, "Q20")])], tmp_path / "out")
    assert rows(tmp_path / "out/triples") == [("Q1", "P1", "Q20")]


@pytest.mark.parametrize("suffix", ["", ".gz", ".bz2", ".xz"])
def test_what_comes_before_the_damage_stays(
    suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_batches, "BATCH_BYTES", 1 << 14)
    path = Path(dump(tmp_path / f"cut.json{suffix}", [linked(n, f"Q{n * n * 7919 % 10007}") for n in range(1, 6000)]))
    whole = dump(tmp_path / "whole.json", [linked(9001)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 7 // 8])
    out = tmp_path / "out"
    assert run(str(path), whole, "--out", str(out), "--workers", "1") == 3
    entities = [int(row[2][1:]) for row in rows(out / "sitelinks")]
    assert entities == [*range(1, len(entities)), 9001]
    assert len(entities) > 1000
    said = capsys.readouterr().err
    assert f"{path}: " in said
    assert " byte " in said
    assert said.count("warning") == 1
    assert f"line {len(entities)}" in said or f"line {len(entities) + 1}" in said
    # again: nothing is read, and the damage is not forgotten
    assert run(str(path), whole, "--out", str(out), "--resume") == 3


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
def test_every_line_before_the_damage_is_taken(suffix: str, tmp_path: Path) -> None:
    path = Path(dump(tmp_path / f"cut.json{suffix}", [linked(n, f"Q{n * n * 7919 % 10007}") for n in range(1, 6000)]))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 7 // 8])
    decompressor = {".gz": zlib.decompressobj(31), ".bz2": bz2.BZ2Decompressor(), ".xz": lzma.LZMADecompressor()}[
        suffix
    ]
    lines = decompressor.decompress(path.read_bytes()).count(b"\n")
    (part,) = convert([str(path)], tmp_path / "out")
    assert len(rows(tmp_path / "out/sitelinks")) == lines - 1 == part.counts["read"]["lines"] - 1


def test_bad_lines_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(dump(tmp_path / "a.json", [linked(1), linked(2), linked(3)]))
    lines = path.read_text().split("\n")
    lines[2] = lines[2][:50]
    path.write_text("\n".join(lines))
    assert run(str(path), "--out", str(tmp_path / "out")) == 3
    assert "a.json: 1 lines of no use: line 3: not JSON" in capsys.readouterr().err
    assert [row[0] for row in rows(tmp_path / "out/labels")] == ["Q1", "Q3"]


def test_an_array_without_its_bracket_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("[\n" + json.dumps(linked(1)) + ",\n")
    assert run(str(path), "--out", str(tmp_path / "out"), "--workers", "1") == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"<!DOCTYPE html>\n", r"not a JSON dump of Wikidata: it begins with b'<!DOCTYPE"),
        ('[\n{"id": "Q1"}\n]\n'.encode("utf-16"), r"in UTF-8"),
        (b"[\n]\n", "a.json: holds no entity"),
        (json.dumps([linked(1)], indent=1).encode(), r"no line of it is an entity \(line 3: not JSON"),
    ],
)
def test_no_dump(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        convert([str(path)], tmp_path / "out")
    assert not list(tmp_path.rglob("*.parquet"))
    # and once it is mended
    path.write_text(json.dumps(linked(1)))
    convert([str(path)], tmp_path / "out")


def test_a_line_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_batches, "BATCH_BYTES", 1 << 18)
    monkeypatch.setattr(line_batches, "MAX_LINE_BYTES", 1 << 20)
    path = dump(tmp_path / "a.json", [linked(1), linked(2), "x" * (5 << 20), linked(3)])
    (part,) = convert([path], tmp_path / "out")
    assert "a.json: a line of more than 1 MB after line 3, byte " in part.damage[0]
    assert [row[0] for row in rows(tmp_path / "out/labels")] == ["Q1", "Q2"]


def test_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (dump(tmp_path / f"{n}.json", [linked(n), linked(5)]) for n in (1, 2))
    out = tmp_path / "out"
    convert([first], out)
    (out / "sitelinks/.4711.001.parquet").write_bytes(b"half-written")
    (out / "mine.txt").write_text("mine")
    before = contents(out)
    with pytest.raises(UserError, match="holds a result; give --resume"):
        convert([second], out)
    with pytest.raises(UserError, match="was begun with other label languages"):
        convert([first, second], out, label_languages=["de"], resume=True)
    convert([first, second], out, resume=True)
    after = contents(out)
    assert "sitelinks/.4711.001.parquet" not in after
    del before["sitelinks/.4711.001.parquet"]
    assert {name: after[name] for name in before} == before
    assert [row[2] for row in rows(out / "sitelinks")] == ["Q1", "Q5", "Q2"]
    # a file that has changed is read anew, in its place
    dump(tmp_path / "1.json", [linked(1), linked(7), linked(2)])
    convert([second, first], out, resume=True)
    parts = convert([second, first], out, resume=True)
    assert [row[2] for row in rows(out / "sitelinks")] == ["Q1", "Q7", "Q2", "Q5"]
    assert [part.notes for part in parts] == [[], []]  # of an earlier run


def test_what_came_after_a_changed_file_is_made_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [dump(tmp_path / f"{name}.json", [linked(1), linked(n)]) for name, n in (("a", 2), ("b", 3), ("c", 4))]
    out = str(tmp_path / "out")
    assert run(*paths, "--out", out, "--workers", "1") == 0
    dump(tmp_path / "b.json", [linked(3), linked(4)])
    assert run(paths[1], "--out", out, "--workers", "1", "--resume") == 2
    assert "b.json is to be read anew, and " in capsys.readouterr().err
    assert len(rows(tmp_path / "out/sitelinks")) == 4
    assert run(*paths[::-1], "--out", out, "--workers", "1", "--resume") == 0
    assert [row[2] for row in rows(tmp_path / "out/sitelinks")] == ["Q1", "Q2", "Q3", "Q4"]
    dump(tmp_path / "a.json", [linked(2)])
    assert run(*paths, "--out", out, "--workers", "1", "--resume") == 0
    assert [row[2] for row in rows(tmp_path / "out/sitelinks")] == ["Q2", "Q3", "Q4", "Q1"]
    said = capsys.readouterr().err
    assert "a.json: made anew: its input has changed" in said
    assert "c.json: made anew: part 000 was" in said
    assert "made anew: part 000 was" in (tmp_path / "out/report.md").read_text(encoding="utf-8")


def test_what_was_made_anew_and_interrupted_is_not_taken_as_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [dump(tmp_path / f"{name}.json", [linked(1), linked(n)]) for name, n in (("a", 2), ("b", 3))]
    convert(paths, tmp_path / "out")
    dump(tmp_path / "a.json", [linked(2)])
    convert_one = run_module.convert_dump

    def interrupt(path: str, *args: Any) -> Any:
        if path == paths[1]:
            raise KeyboardInterrupt
        return convert_one(path, *args)

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "convert_dump", interrupt)
        with pytest.raises(KeyboardInterrupt):
            convert(paths, tmp_path / "out", resume=True)
    convert(paths, tmp_path / "out", resume=True)
    assert [row[2] for row in rows(tmp_path / "out/sitelinks")] == ["Q2", "Q1", "Q3"]


@pytest.mark.parametrize("name", ["triples/000.parquet", "parts/000.npz", "triples/lists.parquet"])
def test_a_missing_file_is_made_anew(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.tsv").write_text("Q1\tP2\tQ3\n")
    path = dump(tmp_path / "a.json", [linked(1, "Q2")])
    args = [path, "--triples", str(tmp_path / "t.tsv"), "--out", str(tmp_path / "out"), "--workers", "1"]
    assert run(*args) == 0
    (tmp_path / "out" / name).unlink()
    assert run(*args, "--resume") == 0
    assert rows(tmp_path / "out/triples") == [("Q1", "P1", "Q2"), ("Q1", "P2", "Q3")]
    assert f"made anew: {tmp_path / 'out' / name} was missing" in capsys.readouterr().err


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(*args: Any, **options: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = dump(tmp_path / "a.json", [linked(1)])
    with monkeypatch.context() as patch:
        patch.setattr(pq.ParquetWriter, "write_table", full)
        assert run(path, "--out", str(tmp_path / "out"), "--workers", "1") == 2
    assert "no space left on device; make room, then give --resume" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.parquet"))
    assert run(path, "--out", str(tmp_path / "out"), "--workers", "1", "--resume") == 0


def test_the_files_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "report.md").write_text("of another command")
    with pytest.raises(UserError, match=r"report.md is in the way"):
        convert([dump(tmp_path / "a.json", [linked(1)])], tmp_path)
    assert (tmp_path / "report.md").read_text() == "of another command"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "nothing to read"),
        (["--sql", "en=x.sql"], "expected the database name of a Wikipedia"),
        (["--sql", "enwikivoyage=x.sql"], "expected the database name of a Wikipedia"),
        (["--triples", "nix", "--label-language", ""], "--label-language '': expected a code"),
        (["nix.json"], "nix.json: no such file"),
    ],
)
def test_wrong_arguments(args: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*args, "--out", str(tmp_path / "out")) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_mini_encyclopedia(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(ROOT / "examples/data/wikidata.json"), "--out", str(tmp_path), "--workers", "1") == 0
    assert "sitelinks: 240" in capsys.readouterr().out  # 48 articles in five languages
    assert {("en", "Rhine", "Q584"), ("zh", "莱茵河", "Q584")} <= set(rows(tmp_path / "sitelinks"))
    assert len(rows(tmp_path / "triples")) == 239
    assert len(rows(tmp_path / "properties")) == 26
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert results["totals"]["sitelinks"] == 240
    assert results["counts"]["entities"] == {"items": 91, "properties": 26}
    assert results["counts"]["items"] == {"without sitelinks": 43}
    assert "| sitelinks to Wikipedias | 240 |" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_real_dumps(shared_data: Path, tmp_path: Path) -> None:
    parts = convert([str(shared_data / "wikidata/*.json.*")], tmp_path)
    assert sum(part.counts["entities"]["items"] for part in parts) == 464
    assert [part.damage for part in parts] == [[]] * 4
    berlin = [row for row in rows(tmp_path / "sitelinks") if row[2] == "Q64"]
    assert {("de", "Berlin", "Q64"), ("be-tarask", "Бэрлін", "Q64"), ("zh-min-nan", "Berlin", "Q64")} <= set(berlin)
    # the pages that tests/preprocess/wiki/wikitext/test_real_pages.py reads
    assert {("sw", "Berlin"), ("hi", "बर्लिन"), ("mn", "Берлин"), ("bn", "বার্লিন")} <= {row[:2] for row in berlin}
    # 242 of its 286 sites are named as wikis, and one of these is Commons
    assert len(berlin) == len({row[0] for row in berlin}) == 241
    claims = [row for row in rows(tmp_path / "triples") if row[0] == "Q64"]
    assert [row for row in claims if row[1] in ("P6", "P17")] == [("Q64", "P17", "Q183"), ("Q64", "P6", "Q102844")]
    # two of eleven are deprecated
    assert len([row for row in claims if row[1] == "P31"]) == 9


def test_triples_from_lists(tmp_path: Path) -> None:
    first, second = tmp_path / "train.txt.gz", tmp_path / "valid.txt"
    first.write_bytes(gzip.compress(b"Q1\tP2\tQ3\nQ1\tP2\tQ20\n"))
    second.write_text("Q20\tP2\tQ1\n")
    (tmp_path / "merged").write_text("Q20\tQ21\n")
    source = dump(tmp_path / "dump.json", [linked(1, "Q2")])
    parts = convert([source], tmp_path / "out", redirects=[str(tmp_path / "merged")], triples=[str(first), str(second)])
    assert rows(tmp_path / "out" / "triples") == [
        ("Q1", "P1", "Q2"), ("Q1", "P2", "Q3"), ("Q1", "P2", "Q21"), ("Q21", "P2", "Q1"),
    ]  # fmt: skip
    counts = {part.name: part.counts for part in parts}["lists"]
    assert counts == {"triples": {"P2": 3}, "merged items replaced": {"triples": 2}}


@pytest.mark.parametrize("option", ["dumps", "sql", "redirects", "triples"])
def test_no_regular_file(tmp_path: Path, option: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    pipe: Any = str(tmp_path / "pipe")
    given = {"dumps": [dump(tmp_path / "a.json", [linked(1)])]}
    given[option] = [("en", pipe)] if option == "sql" else [pipe]
    with pytest.raises(UserError, match="pipe: not a regular file"):
        convert(out=tmp_path / "out", **given)
    assert not (tmp_path / "out").exists()


def test_a_language_without_labels_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--label-language", "xx", "--label-language", "en", "--workers", "1", "--out", str(tmp_path / "out")]
    assert run(dump(tmp_path / "a.json", [linked(1)]), *options) == 0
    warnings = [line for line in capsys.readouterr().err.split("\n") if "warning" in line]
    assert warnings == ["warning: --label-language xx: there is no label in it"]


@pytest.mark.parametrize("line", ["Q1\tP2", "Q1\tP2\tQ3\tQ4"])
def test_lists_are_checked_before_the_dumps_are_read(tmp_path: Path, line: str) -> None:
    (tmp_path / "t.tsv").write_text(f"Q1\tP2\tQ3\n{line}\n")
    path = dump(tmp_path / "a.json", [linked(1)])
    with pytest.raises(UserError, match=r"t.tsv:2: Q1 P2.* is no triple; a line has an item, a property and"):
        convert([path], tmp_path / "out", triples=[str(tmp_path / "t.tsv")])
    assert not (tmp_path / "out").exists()


def test_a_line_that_is_no_triple(tmp_path: Path) -> None:
    lists = tmp_path / "triples.tsv"
    lists.write_text("Q1\tP2\tQ3\nQ1\tis\tQ3\n")
    with pytest.raises(UserError, match=r"triples.tsv:2: Q1 is Q3 is no triple"):
        convert([], tmp_path / "out", triples=[str(lists)])
    assert not (tmp_path / "out" / "triples" / "lists.parquet").exists()
