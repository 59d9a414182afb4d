"""xling wiki from dumps to tables."""

from __future__ import annotations

import bz2
import errno
import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from fairseq_xling_preprocess import cli
from fairseq_xling_preprocess.errors import UserError
from fairseq_xling_preprocess.wiki import tables
from fairseq_xling_preprocess.wiki.dumps import chunks, extract, run
from fairseq_xling_preprocess.wiki.dumps.report import PAGES_LEFT_OUT
from fairseq_xling_preprocess.wiki.dumps.run import extract_dumps
from fairseq_xling_preprocess.wiki.lock import hold
from fairseq_xling_preprocess.wiki.schemas import ANCHORS, ARTICLES, REDIRECTS
from tests.preprocess.wiki.dumps.exports import export, page


def write(path: Path, pages: Sequence[str] | bytes) -> str:
    path.write_bytes(pages if isinstance(pages, bytes) else export(pages))
    return str(path)


def rows(folder: Path, table: str, name: str = "*") -> list[dict[str, Any]]:
    files = sorted((folder / table).glob(f"{name}.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def links(folder: Path) -> list[tuple[str, str]]:
    """Surface and target."""
    return [(row["surface"], row["target"]) for row in rows(folder, "anchors")]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def test_tables(tmp_path: Path, out: Path) -> None:
    pages = [
        page(7, "rye", "''Rye'' is a [[grass]]. See [[Ha_ber#Ro|oats]] and [[Ha ber]]s."),
        page(8, "Ha ber", "#REDIRECT [[oat]]", redirect="oat"),
        page(9, "Oat", "An oat."),
    ]
    result = extract_dumps([write(tmp_path / "en.xml", pages)], str(out))
    text = "Rye is a grass. See oats and Ha bers."
    assert rows(out, "articles") == [
        {"language": "en", "page_id": 7, "title": "Rye", "text": text},
        {"language": "en", "page_id": 9, "title": "Oat", "text": "An oat."},
    ]
    expected = [("grass", "Grass", "Grass", ""), ("oats", "Ha ber", "Oat", "Ro"), ("Ha bers", "Ha ber", "Oat", "")]
    found = rows(out, "anchors")
    assert [tuple(row[name] for name in ("surface", "link", "target", "fragment")) for row in found] == expected
    assert all(text[row["start"] : row["end"]] == row["surface"] for row in found)
    assert {(row["language"], row["page_id"]) for row in found} == {("en", 7)}
    assert rows(out, "redirects") == [{"language": "en", "title": "Ha ber", "target": "Oat"}]
    for table, schema in (("articles", ARTICLES), ("anchors", ANCHORS), ("redirects", REDIRECTS)):
        assert pq.read_schema(out / table / "en-000.parquet").equals(schema)
    assert result["en"][0]["counts"] == {
        "pages": 3, "articles": 2, "anchors": 3, "redirects": 1, "characters": len(text) + 7,
        "anchors.redirected": 2, "anchors.without article": 1,
    }  # fmt: skip
    assert sorted(path.name for path in out.iterdir()) == [
        "anchors", "articles", "redirects", "report.md", "results.json",
    ]  # fmt: skip


def test_what_is_left_out_is_counted(tmp_path: Path, out: Path) -> None:
    pages = [
        page(1, "A", "text"),
        page(2, "Talk:A", "text", ns=1),
        page(3, "A (meanings)", "{{disambig}} [[A]]"),
        page(4, "Data", "{}", model="json"),
        page(5, "Nothing", "{{stub}}"),
        page(6, "Out", redirect="Category:Things"),
        page(7, "Bad", "x").replace("</title>", ""),
        page(8, "A", "again"),
        page(1, "B", "the same number"),
        page(9, "Category:Old", "text").replace("<ns>0</ns>", ""),
    ]
    result = extract_dumps([write(tmp_path / "en.xml", pages)], str(out))
    assert [row["title"] for row in rows(out, "articles")] == ["A"]
    counts = result["en"][0]["counts"]
    assert {name: count for name, count in counts.items() if name in PAGES_LEFT_OUT} == {
        "other namespace": 2, "disambiguation": 1, "not wikitext": 1, "no text": 1, "redirect to no article": 1,
        "damaged": 1, "repeated": 2,
    }  # fmt: skip
    assert counts["characters"] == len("text")
    report = (out / "report.md").read_text(encoding="utf-8")
    assert "| `en.xml` | en | 2 | 1 | 1 | 1 | 1 | 1 | 2 |" in report
    assert "the page at byte " in report


def test_redirects_in_chains_and_loops(tmp_path: Path, out: Path) -> None:
    chain = [page(100 + number, f"R{number}", redirect=f"R{number + 1}") for number in range(20)]
    pages = [
        page(1, "C", "[[A]] [[D]] [[Q]] [[F]] [[C]] [[B|c]] [[R0]] [[c]] [[Aa]]"),
        page(2, "A", redirect="B"), page(3, "B", redirect="C"),
        page(4, "D", redirect="E"), page(5, "E", redirect="D"), page(6, "F", redirect="F"), page(7, "Q", redirect="D"),
        *chain,
    ]  # fmt: skip
    result = extract_dumps([write(tmp_path / "en.xml", pages)], str(out))
    assert links(out) == [("R0", "R20"), ("Aa", "Aa")]  # R20 is no page; A, B and C are this page
    counts = result["en"][0]["counts"]
    assert (counts["anchors.into a loop"], counts["anchors.to the own page"]) == (3, 4)
    assert (counts["anchors.redirected"], counts["anchors.without article"]) == (1, 2)
    assert counts["redirect in a loop"] == 4
    assert [(row["title"], row["target"]) for row in rows(out, "redirects")] == [
        ("A", "C"), ("B", "C"), *((f"R{number}", "R20") for number in range(20)),
    ]  # fmt: skip


def test_of_pages_that_come_twice_the_first_given_stays(tmp_path: Path, out: Path) -> None:
    one = write(
        tmp_path / "enwiki-1.xml", [page(1, "A", "old [[B]]"), page(2, "B", "old b"), page(3, "R", redirect="A")]
    )
    two = write(
        tmp_path / "enwiki-2.xml",
        [
            page(1, "A", "new [[R]]"),
            page(3, "R", "now an article [[a]]"),
            page(4, "N", "new [[R|r]] [[S]]"),
            page(5, "S", redirect="B"),
        ],
    )
    other = write(tmp_path / "de.xml", export([page(1, "A", "[[R]]")], dbname="dewiki"))
    result = extract_dumps([one, two, other], str(out), workers=2)
    assert [(row["title"], row["text"]) for row in rows(out, "articles", "en-*")] == [
        ("A", "old B"), ("B", "old b"), ("N", "new r S"),
    ]  # fmt: skip
    assert links(out) == [
        ("R", "R"),
        ("B", "B"),
        ("r", "A"),
        ("S", "B"),
    ]  # redirects hold over dumps, not over languages
    assert [record["counts"].get("repeated", 0) for record in result["en"]] == [0, 2]
    assert result["en"][1]["counts"]["characters"] == len("new r S")


@pytest.fixture
def many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Dumps of two languages in small parts: plain, multistream as of MediaWiki, and with streams that end anywhere."""
    monkeypatch.setattr(chunks, "CHUNK", 1 << 10)
    monkeypatch.setattr(chunks, "RANGE", 1)
    monkeypatch.setattr("fairseq_xling_preprocess.wiki.dumps.decompress.MAX_OUTPUT", 500)
    pages = [page(number, f"T{number}", f"[[T{number // 2}]] " + "word " * number) for number in range(1, 120)]
    whole = export(pages)
    (tmp_path / "en.xml").write_bytes(whole)
    groups = ["".join(pages[begin : begin + 7]).encode() for begin in range(0, len(pages), 7)]
    head = whole[: whole.index(b"  <page>")]
    (tmp_path / "de.xml.bz2").write_bytes(b"".join(map(bz2.compress, [head, *groups, b"</mediawiki>\n"])))
    pieces = [whole[begin : begin + 333] for begin in range(0, len(whole), 333)]
    (tmp_path / "fr.xml.bz2").write_bytes(b"".join(map(bz2.compress, pieces)))
    return [str(tmp_path / name) for name in ("en.xml", "de.xml.bz2", "fr.xml.bz2")]


def test_neither_workers_nor_compression_matter(many: list[str], tmp_path: Path) -> None:
    results = [extract_dumps(many, str(tmp_path / str(workers)), workers) for workers in (1, 3)]
    assert contents(tmp_path / "1") == contents(tmp_path / "3")
    en, de, fr = (results[0][language][0]["counts"] for language in ("en", "de", "fr"))
    assert en == de == fr
    assert en["pages"] == en["articles"] == 119
    without_language = [
        [{**row, "language": ""} for row in rows(tmp_path / "1", table, f"{language}-*")]
        for table in ("articles", "anchors")
        for language in ("en", "de", "fr")
    ]
    assert without_language[0] == without_language[1] == without_language[2]
    assert without_language[3] == without_language[4] == without_language[5]
    assert not any(record["damage"] or record["damaged_pages"] for dumps in results[0].values() for record in dumps)


def test_a_damaged_page_of_a_multistream_dump_is_named_by_its_byte(many: list[str], tmp_path: Path, out: Path) -> None:
    whole = Path(many[0]).read_bytes().replace(b"T60</title>", b"T6\xff</title>")
    begin = whole.index(b"<page><title>T6\xff")
    for size in (333, 5000):
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        dump = write(tmp_path / "en.xml.bz2", b"".join(map(bz2.compress, pieces)))
        (record,) = extract_dumps([dump], str(out / str(size)), 2)["en"]
        assert record["damaged_pages"] == [{"offset": begin, "reason": "not well-formed (invalid token)"}]
        assert record["counts"]["articles"] == 118


def test_a_page_without_end_in_a_multistream_dump_is_counted(many: list[str], tmp_path: Path, out: Path) -> None:
    """One page a stream; the end of a page is missing where the next stream begins."""
    whole = Path(many[0]).read_bytes()
    pieces = [piece + b"</page>\n" for piece in whole.split(b"</page>\n")]
    pieces[-1] = b"</mediawiki>\n"
    pieces[40] = pieces[40].removesuffix(b"</page>\n")
    dump = write(tmp_path / "en.xml.bz2", b"".join(map(bz2.compress, pieces)))
    (record,) = extract_dumps([dump], str(out))["en"]
    assert (record["counts"]["pages"], record["counts"]["articles"], record["counts"]["damaged"]) == (119, 118, 1)
    assert [page["reason"] for page in record["damaged_pages"]] == ["it has no end"]
    assert record["damaged_pages"][0]["offset"] == whole.index(b"<page><title>T41<")


@pytest.fixture
def xling(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    def call(*args: str | Path) -> tuple[int, str]:
        with pytest.raises(SystemExit) as caught:
            cli.main([str(arg) for arg in args])
        output = capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return caught.value.code, output.out + output.err

    return call


def test_damage_ends_with_3_and_the_next_dump_goes_on(
    tmp_path: Path, out: Path, xling: Callable[..., tuple[int, str]]
) -> None:
    pages = [page(number, f"T{number}", f"text {number}") for number in range(1, 1000)]
    packed = gzip.compress(export(pages))
    cut = write(tmp_path / "en.xml.gz", packed[: len(packed) // 2])
    code, output = xling("wiki", cut, write(tmp_path / "de.xml", pages[:5]), "--out", out, "--workers", 1)
    assert code == 3
    assert "de: 5 articles" in output
    found = [row["title"] for row in rows(out, "articles", "en-*")]
    assert found == [f"T{number}" for number in range(1, len(found) + 1)]
    assert 300 < len(found) < 999
    assert (
        f"warning: en.xml.gz: the file ends before its compressed data do (byte {len(packed) // 2:,} of the file, byte "
        in output
    )
    assert "the file ends before its compressed data do" in (out / "report.md").read_text(encoding="utf-8")
    assert json.loads((out / "results.json").read_text(encoding="utf-8"))["command"] == "xling wiki"


def test_wrong_input_writes_nothing(tmp_path: Path, out: Path, xling: Callable[..., tuple[int, str]]) -> None:
    good, bad = write(tmp_path / "en.xml", [page(1, "A", "a")]), write(tmp_path / "de.xml", b"<html>404</html>")
    code, output = xling("wiki", good, bad, "--out", out)
    assert (code, output.count("\n")) == (2, 1)
    assert "de.xml: is an HTML page, not a dump" in output
    for limit in ("much", "-1", "50%"):
        assert xling("wiki", good, "--out", out, "--memory-limit", limit)[0] == 2
    assert not out.exists()
    assert xling("wiki", good, "--out", good)[0] == 2


def test_a_dump_without_pages_is_no_error(tmp_path: Path, out: Path, xling: Callable[..., tuple[int, str]]) -> None:
    code, output = xling("wiki", write(tmp_path / "en.xml", []), "--out", out, "--workers", 1)
    assert (code, output) == (0, f"en: 0 articles, 0 anchors, 0 redirects\n0 pages left out, see {out}/report.md\n")
    assert rows(out, "articles") == []
    assert "| `en.xml` | en | 0 |" in (out / "report.md").read_text(encoding="utf-8")


def test_real_dumps(shared_data: Path, out: Path) -> None:
    """What INDEX.md counts: pages in namespace 0, redirects; one dump without its end, one without <siteinfo>."""
    dumps = shared_data / "wiki" / "dumps"
    names = ["ltgwiki-2017.dumpster-dive.xml.gz", "enwiki-2017.gensim-tables.xml.bz2"]
    result = extract_dumps([str(dumps / name) for name in names], str(out), 2)
    ltg, en = result["ltg"][0]["counts"], result["en"][0]["counts"]
    assert (ltg["pages"], ltg["pages"] - ltg["other namespace"], en["articles"]) == (2004, 1050, 5)
    assert ltg["redirects"] + ltg["redirect to no article"] == 147
    texts = {row["page_id"]: row["text"] for row in rows(out, "articles", "ltg-*")}
    anchors = rows(out, "anchors", "ltg-*")
    assert len(anchors) > 5000
    assert all(texts[row["page_id"]][row["start"] : row["end"]] == row["surface"] for row in anchors)


def test_titles_and_names_are_no_paths(tmp_path: Path, out: Path) -> None:
    dump = write(tmp_path / "e|n`wiki.xml", export([page(1, "../../up", "[[/etc/passwd]]")]))
    extract_dumps([dump], str(out))
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == {
        "e|n`wiki.xml", "out/results.json", "out/report.md",
        *(f"out/{table}/en-000.parquet" for table in ("articles", "anchors", "redirects")),
    }  # fmt: skip
    assert "| `e\\|n'wiki.xml` | en |" in (out / "report.md").read_text(encoding="utf-8")


def never(*args: object) -> None:
    raise AssertionError("read again")


def test_resume_reads_no_dump_twice(
    many: list[str], tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract_dumps(many, str(tmp_path / "whole"))
    original = extract.read_parts

    def interrupted(path: str, *args: Any) -> Any:
        if path == many[2]:
            raise KeyboardInterrupt
        return original(path, *args)

    monkeypatch.setattr(extract, "read_parts", interrupted)
    with pytest.raises(KeyboardInterrupt):
        extract_dumps(many, str(out))
    assert json.loads((out / "results.json").read_text(encoding="utf-8"))["languages"].keys() == {"en"}
    with pytest.raises(UserError, match="holds the tables of an earlier run; give --resume"):
        extract_dumps(many, str(out))
    monkeypatch.setattr(
        extract, "read_parts", lambda path, *args: never() if path == many[0] else original(path, *args)
    )
    extract_dumps(many, str(out), resume=True)
    assert contents(out) == contents(tmp_path / "whole")
    monkeypatch.setattr(extract, "read_parts", never)
    extract_dumps(many, str(out), resume=True)
    assert contents(out) == contents(tmp_path / "whole")


def test_resume_after_an_interruption_while_tables_are_moved(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dumps = [write(tmp_path / f"enwiki-{n}.xml", [page(n, f"T{n}", f"[[T{3 - n}]] {n}")]) for n in (1, 2)]
    extract_dumps(dumps, str(tmp_path / "whole"))
    with monkeypatch.context() as patch:
        patch.setattr(run, "write_results", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            extract_dumps(dumps, str(out))
    assert not (out / "results.json").exists()
    monkeypatch.setattr(extract, "read_parts", never)
    extract_dumps(dumps, str(out), resume=True)
    assert contents(out) == contents(tmp_path / "whole")


def test_resume_with_other_dumps(tmp_path: Path, out: Path) -> None:
    one, two = (write(tmp_path / f"enwiki-{n}.xml", [page(n, f"T{n}", f"[[T{3 - n}]] {n}")]) for n in (1, 2))
    german = write(tmp_path / "de.xml", [page(1, "A", "a")])
    extract_dumps([german, one, two], str(out))
    mine = out / "articles" / "mine.parquet"
    mine.write_bytes(b"mine")
    write(Path(one), [page(1, "T1", "changed [[T2]]")])
    assert list(extract_dumps([one], str(out), resume=True)) == ["en"]
    assert [row["text"] for row in rows(out, "articles", "en-*")] == ["changed T2"]
    assert len(rows(out, "articles", "de-*")) == 1
    assert list(json.loads((out / "results.json").read_text(encoding="utf-8"))["languages"]) == ["de", "en"]
    assert mine.read_bytes() == b"mine"


def test_what_is_in_the_way_stays(tmp_path: Path, out: Path) -> None:
    dump = write(tmp_path / "en.xml", [page(1, "A", "a")])
    theirs = out / "articles" / "en-000.parquet"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"theirs")
    with pytest.raises(UserError, match=r"articles/en-000\.parquet: in the way, and not of xling wiki"):
        extract_dumps([dump], str(out))
    assert list(contents(out).values()) == [b"theirs"]
    assert not (out / "work").exists()
    theirs.unlink()
    (out / "results.json").write_text("{}")
    with pytest.raises(UserError, match=r"results\.json: in the way, and not of xling wiki"):
        extract_dumps([dump], str(out), resume=True)


def test_a_full_disk_is_one_message(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dump = write(tmp_path / "en.xml", [page(1, "A", "a [[b]]")])

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(tables.TableWriter, "_flush", full)
        with pytest.raises(UserError, match=r"cannot write \S+parquet: no space left on device"):
            extract_dumps([dump], str(out))
    assert not list(out.rglob("*.parquet"))
    extract_dumps([dump], str(out), resume=True)
    assert links(out) == [("b", "B")]


def test_a_full_disk_that_pyarrow_tells_of(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dump = write(tmp_path / "en.xml", [page(1, "A", "a [[b]]")])

    def full(*args: object) -> None:
        raise OSError(f"[Errno {errno.ENOSPC}] Error writing bytes to file. Detail: [errno {errno.ENOSPC}] full")

    monkeypatch.setattr(tables.TableWriter, "_flush", full)
    with pytest.raises(
        UserError, match=r"^cannot write \S+parquet: no space left on device; make room, then give --resume"
    ):
        extract_dumps([dump], str(out))


@pytest.mark.parametrize("name", ["report.md", "articles", "work"])
def test_files_of_others_stay(name: str, tmp_path: Path, out: Path) -> None:
    dump = write(tmp_path / "en.xml", [page(1, "A", "a")])
    out.mkdir()
    (out / name).write_text("mine")
    with pytest.raises(UserError, match=f"{name}: in the way"):
        extract_dumps([dump], str(out))
    assert contents(out) == {name: b"mine"}


def test_work_of_others_stays(tmp_path: Path, out: Path) -> None:
    (out / "work" / "redirects-of-mine").mkdir(parents=True)
    (out / "work" / "redirects-of-mine" / "list").write_text("mine")
    killed = out / "work" / "redirects-abcd1234"
    killed.mkdir()
    (killed / "database").touch()
    extract_dumps([write(tmp_path / "en.xml", [page(1, "A", "a")])], str(out))
    assert not killed.exists()
    assert (out / "work" / "redirects-of-mine" / "list").read_text() == "mine"


def test_resume_with_other_languages_keeps_what_is_unfinished(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch, xling: Callable[..., tuple[int, str]]
) -> None:
    english, german = (write(tmp_path / f"{language}.xml", [page(1, "A", "a")]) for language in ("en", "de"))
    with monkeypatch.context() as patch:
        patch.setattr(run, "write_results", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            extract_dumps([english], str(out))
    code, output = xling("wiki", german, "--out", out, "--resume", "--workers", 1)
    assert (code, output.splitlines()[-1]) == (0, "unfinished: en; give their dumps with --resume to go on")
    monkeypatch.setattr(extract, "read_parts", never)
    extract_dumps([english], str(out), resume=True)
    assert len(rows(out, "articles")) == 2
    assert not (out / "work").exists()


def test_a_missing_table_is_made_anew(tmp_path: Path, out: Path) -> None:
    dump = write(tmp_path / "en.xml", [page(1, "A", "a [[b]]")])
    extract_dumps([dump], str(out))
    (out / "anchors" / "en-000.parquet").unlink()
    extract_dumps([dump], str(out), resume=True)
    assert links(out) == [("b", "B")]
    assert "`en.xml` (en): anchors/en-000.parquet: was missing" in (out / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("damage", ["record", "table"])
def test_damaged_work_is_made_anew(damage: str, many: list[str], out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(run, "resolve", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            extract_dumps(many[:1], str(out))
    work = out / "work" / "en-000"
    if damage == "record":
        (work / "dump.json").write_bytes((work / "dump.json").read_bytes()[:50])
    else:
        (work / "anchors.parquet").unlink()
    extract_dumps(many[:1], str(out), resume=True)
    assert len(rows(out, "articles")) == 119


def test_one_run_at_a_time(tmp_path: Path, out: Path, omp: dict[str, str]) -> None:
    dump = write(tmp_path / "en.xml", [page(1, "A", "a")])
    words = [sys.executable, "-m", "fairseq_xling_preprocess.cli", "wiki", dump, "--out", str(out)]
    out.mkdir()
    with hold(out):
        second = subprocess.run(words, env=omp, capture_output=True, text=True)
        assert second.returncode == 2
        assert second.stderr == (
            f"xling: error: --out {out}: another run is writing there; wait for its end, or take another folder\n"
        )
    assert contents(out) == {}
    extract_dumps([dump], str(out))


def test_another_wiki_in_the_same_language_is_warned_of(
    tmp_path: Path, out: Path, xling: Callable[..., tuple[int, str]]
) -> None:
    one, two = (write(tmp_path / f"enwiki-{n}.xml", [page(1, f"T{n}", "text"), page(2, "B", "b")]) for n in (1, 2))
    code, output = xling("wiki", one, two, "--out", out, "--workers", 1)
    assert code == 0
    assert "warning: enwiki-2.xml: 1 articles are left out as repeated that have the number of another title" in output
    assert output.count("warning") == 1
    assert "## Warnings" in (out / "report.md").read_text(encoding="utf-8")


def test_a_dump_replaced_while_it_is_read_is_read_again(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dump = write(tmp_path / "en.xml", [page(1, "A", "old")])
    original = extract.read_parts

    def replaced(*args: Any) -> Any:
        parts = list(original(*args))
        write(Path(dump), [page(1, "A", "another")])
        return iter(parts)

    monkeypatch.setattr(extract, "read_parts", replaced)
    extract_dumps([dump], str(out))
    monkeypatch.setattr(extract, "read_parts", original)
    extract_dumps([dump], str(out), resume=True)
    assert [row["text"] for row in rows(out, "articles")] == ["another"]


def test_a_cut_page_is_told_after_earlier_damage(many: list[str], tmp_path: Path, out: Path) -> None:
    whole = Path(many[0]).read_bytes()
    cut = whole[: whole.rindex(b"<page>") + 20]
    streams = [bytearray(bz2.compress(cut[at : at + 3000])) for at in range(0, len(cut), 3000)]
    streams[3][len(streams[3]) // 2] ^= 255
    (record,) = extract_dumps([write(tmp_path / "en.xml.bz2", b"".join(map(bytes, streams)))], str(out))["en"]
    assert [damage["reason"] for damage in record["damage"]][1:] == ["the file ends within a page"]


@pytest.mark.slow
def test_a_page_of_100_mb(tmp_path: Path, out: Path) -> None:
    text = ("word " * 400 + "[[Link]]\n") * 50_000
    extract_dumps([write(tmp_path / "en.xml", [page(1, "A", "a"), page(2, "Long", text), page(3, "B", "b")])], str(out))
    assert [len(row["text"]) for row in rows(out, "articles")] == [1, 50_000 * 2005 - 1, 1]
    assert rows(out, "anchors")[-1]["end"] == 50_000 * 2005 - 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_killed_command_goes_on_and_gives_the_same(tmp_path: Path, omp: dict[str, str]) -> None:
    pages = [page(number, f"T{number}", f"[[T{number + 1}]] " + "some words " * 300) for number in range(1, 2500)]
    dumps = [write(tmp_path / f"{language}.xml", pages) for language in ("en", "de")]
    words = [
        sys.executable,
        "-m",
        "fairseq_xling_preprocess.cli",
        "wiki",
        *dumps,
        "--workers",
        "2",
        "--resume",
        "--out",
    ]
    killed = subprocess.Popen([*words, str(tmp_path / "killed")], env=omp, start_new_session=True)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "killed").glob("work/de-000/.*.parquet")):
        assert killed.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    for name in ("killed", "whole"):
        subprocess.run([*words, str(tmp_path / name)], env=omp, check=True)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


MEMORY = """
import sys, threading, time
from functools import partial
from fairseq_xling_preprocess.wiki.dumps import chunks
from fairseq_xling_preprocess.wiki.dumps import extract
from fairseq_xling_preprocess.wiki.dumps import redirects
from fairseq_xling_preprocess.wiki import tables
from fairseq_xling_preprocess.wiki.dumps.run import extract_dumps
chunks.CHUNK = 1 << 18
extract.open_table = redirects.open_table = partial(tables.open_table, row_group_bytes=1 << 20)
peak = 0
def watch():
    global peak
    while True:
        with open("/proc/self/status") as stream:
            peak = max(peak, next(int(line.split()[1]) for line in stream if line.startswith("RssAnon")))
        time.sleep(0.005)
threading.Thread(target=watch, daemon=True).start()
extract_dumps([sys.argv[1]], sys.argv[2], 1, "50MB")
print(peak)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_dump(tmp_path: Path, omp: dict[str, str]) -> None:
    """Anonymous memory of the parent, for a dump and one of 20 times as many pages."""
    peaks = []
    for num_pages in (250, 5_000):  # 2.5 MB and 50 MB
        dump = tmp_path / f"{num_pages}.xml"
        with dump.open("wb") as stream:
            head, _, end = export([page(0, "")]).partition(page(0, "").encode())
            stream.write(head)
            for number in range(1, num_pages + 1):
                stream.write(
                    page(number, f"T{number}", f"[[T{number + 1}]] [[S]] {number:05} " + "word " * 2000).encode()
                )
            stream.write(end)
        words = [sys.executable, "-c", MEMORY, f"en={dump}", str(tmp_path / str(num_pages))]
        peaks.append(int(subprocess.run(words, env=omp, check=True, capture_output=True, text=True).stdout))
    assert peaks[1] < 1.4 * peaks[0], peaks
