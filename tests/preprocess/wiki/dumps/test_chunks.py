"""Dumps in parts of whole pages."""

from __future__ import annotations

import bz2
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairseq_xling_preprocess.wiki.dumps import chunks
from fairseq_xling_preprocess.wiki.dumps.chunks import Chunk, Note, Range, load, read_parts
from fairseq_xling_preprocess.wiki.dumps.decompress import Damage, compression
from fairseq_xling_preprocess.wiki.dumps.pages import Page, read_pages
from tests.preprocess.wiki.dumps.exports import export, page


def write(folder: Path, data: bytes, name: str = "x.xml") -> str:
    (folder / name).write_bytes(data)
    return str(folder / name)


def parts_of(path: str) -> list[chunks.Part]:
    return list(read_parts(path, compression(path), lambda size: None, 1))


def ids(parts: list[chunks.Part]) -> Iterator[int]:
    for part in parts:
        if isinstance(part, Chunk):
            yield from (found.page_id for found in read_pages(part.data) if isinstance(found, Page))


def test_chunks_are_whole_pages_at_their_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 2000)
    monkeypatch.setattr("fairseq_xling_preprocess.wiki.dumps.decompress.MAX_OUTPUT", 300)
    data = export([page(number, f"T{number}", "word " * (number * 7)) for number in range(1, 41)])
    parts = parts_of(write(tmp_path, data))
    assert len(parts) > 5
    for part in parts:
        assert isinstance(part, Chunk)
        assert part.data.endswith(b"</page>")
        assert data[part.offset : part.offset + len(part.data)] == part.data
    assert list(ids(parts)) == list(range(1, 41))


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (b"</mediawiki>\n", []),
        (b"", [Note("it ends after a page, without </mediawiki>: cut off there?")]),
        (b"  <page><title>B</tit", [Damage(0, 0, "the file ends within a page")]),
    ],
)
def test_the_end_of_a_file(end: bytes, expected: list[chunks.Part], tmp_path: Path) -> None:
    data = export([page(1, "A")], closed=False) + end
    first, *others = parts_of(write(tmp_path, data))
    assert isinstance(first, Chunk)
    assert others == [
        part._replace(position=len(data), offset=len(data)) if isinstance(part, Damage) else part for part in expected
    ]


def test_a_page_beyond_all_limits_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "MAX_PAGE", 50_000)
    monkeypatch.setattr("fairseq_xling_preprocess.wiki.dumps.decompress.MAX_OUTPUT", 1000)
    data = export([page(1, "A", "a"), page(2, "B", "b" * 200_000), page(3, "C", "c")])
    monkeypatch.setattr(chunks, "CHUNK", 100)
    parts = parts_of(write(tmp_path, data))
    assert list(ids(parts)) == [1, 3]
    (damage,) = [part for part in parts if isinstance(part, Damage)]
    assert damage.reason == "a page of more than 50,000 bytes; it is left out"
    assert damage.offset == data.index(b"</page>") + len(b"</page>")


def multistream(streams: list[bytes]) -> tuple[bytes, list[int]]:
    """A bz2 file of these streams, and where each begins."""
    packed = [bz2.compress(stream) for stream in streams]
    return b"".join(packed), [sum(map(len, packed[:number])) for number in range(len(packed))]


@pytest.fixture
def streams() -> list[bytes]:
    """As MediaWiki cuts: the header, pages by threes, the end."""
    whole = [page(number, f"T{number}", "word " * number) for number in range(1, 31)]
    data = export([])
    middle = data.index(b"</mediawiki>")
    groups = ["".join(whole[number : number + 3]).encode() for number in range(0, 30, 3)]
    return [data[:middle], *groups, data[middle:]]


@pytest.mark.parametrize("with_index", [True, False])
def test_ranges_of_a_multistream_file(
    with_index: bool, streams: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed, begins = multistream(streams)
    path = write(tmp_path, packed, "enwiki-1-pages-articles-multistream1.xml-p1p30.bz2")
    monkeypatch.setattr(chunks, "RANGE", 1)
    if with_index:
        lines = "".join(f"{begin}:{number}:T: {number}\n" for begin in begins[1:-1] for number in range(3))
        write(tmp_path, bz2.compress(lines.encode()), "enwiki-1-pages-articles-multistream-index1.txt-p1p30.bz2")
    ends = [*begins[1:], len(packed)]
    parts = parts_of(path)
    assert parts == [Range(path, begin, end) for begin, end in zip(begins, ends, strict=True)]
    content = load(Range(path, begins[1], begins[3]))
    assert (content.head, content.tail, content.damage) == (b"  ", b"\n", [])
    assert list(ids([Chunk(content.pages, 0)])) == [1, 2, 3, 4, 5, 6]


def test_an_index_of_another_file_is_not_used(
    streams: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "RANGE", 1)
    packed, begins = multistream(streams)
    path = write(tmp_path, packed, "x-multistream.xml.bz2")
    write(tmp_path, f"{begins[1]}:1:T1\n{begins[2] + 1}:4:T4\n".encode(), "x-multistream-index.txt")
    parts = parts_of(path)
    assert [part.start for part in parts if isinstance(part, Range)] == begins
    (note,) = [part for part in parts if isinstance(part, Note)]
    assert note.text.startswith(
        f"its index {path[:-8]}-index.txt does not fit (there is no stream at byte {begins[2] + 1})"
    )


@pytest.mark.parametrize("fast", [True, False])
def test_a_corrupt_stream_costs_no_other(
    fast: bool, streams: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not fast:
        monkeypatch.setitem(__import__("sys").modules, "indexed_bzip2", None)
    packed, begins = multistream(streams)
    corrupt = bytearray(packed)
    corrupt[begins[2] + 30] ^= 255
    content = load(Range(write(tmp_path, bytes(corrupt)), 0, len(packed)))
    (damage,) = content.damage
    assert begins[2] < damage.position < begins[3]
    assert damage.offset == len(streams[0]) + len(streams[1])
    assert list(ids([Chunk(content.pages, 0)])) == [1, 2, 3, *range(7, 31)]


def test_a_range_that_holds_too_much_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "MAX_PAGE", 3 << 20)
    packed = bz2.compress(b"<mediawiki>") + bz2.compress(b"\0" * (8 << 20))
    content = load(Range(write(tmp_path, packed), 0, len(packed)))
    assert [damage.reason for damage in content.damage] == ["it holds more than 3,145,728 bytes"]
    assert len(content.head) < 5 << 20
