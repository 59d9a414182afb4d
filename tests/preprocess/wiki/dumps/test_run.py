"""xling wiki from dumps to tables."""

from __future__ import annotations

import bz2
import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fairseq_xling_preprocess.wiki.dumps.report import PAGES_LEFT_OUT
from fairseq_xling_preprocess.wiki.dumps.run import extract_dumps
from fairseq_xling_preprocess.wiki.schemas import ANCHORS, ARTICLES, REDIRECTS
from tests.preprocess.wiki.dumps.exports import contents, export, links, page, rows, write


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


def test_another_wiki_in_the_same_language_is_warned_of(
    tmp_path: Path, out: Path, xling: Callable[..., tuple[int, str]]
) -> None:
    one, two = (write(tmp_path / f"enwiki-{n}.xml", [page(1, f"T{n}", "text"), page(2, "B", "b")]) for n in (1, 2))
    code, output = xling("wiki", one, two, "--out", out, "--workers", 1)
    assert code == 0
    assert "warning: enwiki-2.xml: 1 articles are left out as repeated that have the number of another title" in output
    assert output.count("warning") == 1
    assert "## Warnings" in (out / "report.md").read_text(encoding="utf-8")


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
