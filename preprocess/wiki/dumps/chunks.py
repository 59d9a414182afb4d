"""A dump in parts of whole pages, for workers: decompressed bytes, or ranges of a multistream file to decompress."""

from __future__ import annotations

import contextlib
import io
import itertools
import mmap
import os
import re
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from ...errors import UserError
from ...text import Advance, open_input
from .decompress import Damage, DamagedError, decompress, decompress_members, indexed_bz2, is_whole, open_file
from .pages import END_OF_PAGE, PAGE

CHUNK = 4 << 20  # bytes of XML in a chunk; a longer page makes a longer chunk
MAX_PAGE = 256 << 20  # bytes; MediaWiki's own limit of a text is 2 MiB
RANGE = 1 << 20  # compressed bytes of a range, at least; they hold 4 to 6 times as much
MAX_STREAM = 16 << 20  # compressed bytes; files of longer streams are read as one stream
_STREAM = re.compile(rb"BZh[1-9]\x31\x41\x59\x26\x53\x59")
_END_OF_DUMP = b"</mediawiki>"


class Chunk(NamedTuple):
    """Whole pages, and where the first byte is in the decompressed stream."""

    data: bytes
    offset: int


class Range(NamedTuple):
    """Bytes of a multistream bz2 file: whole streams, which need not hold whole pages."""

    path: str
    start: int
    end: int


class Note(NamedTuple):
    """Something to be said that is no damage."""

    text: str


class Content(NamedTuple):
    """A range decompressed: the end of a page from before it, whole pages, the begin of a page that goes on after it."""

    head: bytes
    pages: bytes
    tail: bytes
    damage: list[Damage]  # offsets count from the begin of the range


Part = Chunk | Range | Damage | Note


def read_parts(path: str, kind: str, advance: Advance, threads: int) -> Iterator[Part]:
    """Yield the parts of a dump in order; of a damaged one those before the damage, and the damage.

    ``advance`` is told of the bytes read here; a range is read by who loads it (``load``), and who loads the ranges joins the
    pages between them (``Rest``).
    """
    if kind == "bz2" and _is_multistream(path):
        yield from _ranges(path)
        return
    rest, damage = Rest(), None
    try:
        for block in decompress(path, kind, advance, threads):
            yield from rest.add(block)
            if len(rest.data) >= CHUNK:
                yield from rest.take()
    except DamagedError as error:
        damage = error.damage
        yield from rest.take()
        yield damage
    yield from rest.end(path, damage is not None)


class Rest:
    """The bytes that were read and are no chunk yet."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.offset = 0  # of its first byte, in the decompressed stream
        self._cut = 0  # the end of the last whole page in it
        self._is_dropping = False

    def add(self, data: bytes) -> Iterator[Damage]:
        """Append to the bytes. Yields damage if a page is too long; what was read of it is forgotten."""
        searched = max(0, len(self.data) - len(END_OF_PAGE) + 1)
        self.data += data
        end = self.data.rfind(END_OF_PAGE, searched)
        if end >= 0:
            self._cut, self._is_dropping = end + len(END_OF_PAGE), False
        elif not self._cut and len(self.data) > MAX_PAGE:
            if not self._is_dropping:
                yield Damage(None, self.offset, f"a page of more than {MAX_PAGE:,} bytes; it is left out")
            self._is_dropping = True
            self._drop(len(self.data) - len(END_OF_PAGE))

    def take(self) -> Iterator[Chunk]:
        """Yield what there is of whole pages, if any."""
        if self._cut:
            yield Chunk(bytes(self.data[: self._cut]), self.offset)
            self._drop(self._cut)

    def jump(self, offset: int) -> None:
        """Forget what is left; the next byte is another one."""
        self._drop(len(self.data))
        self.offset = offset

    def end(self, path: str, is_damaged: bool) -> Iterator[Part]:
        """Yield the last pages, and what is wrong with the end of the file, unless damage was reported before."""
        yield from self.take()
        if is_damaged:
            return
        if PAGE in self.data:
            yield Damage(os.path.getsize(path), self.offset + len(self.data), "the file ends within a page")
        elif _END_OF_DUMP not in self.data:
            yield Note(f"it ends after a page, without {_END_OF_DUMP.decode()}: cut off there?")

    def _drop(self, size: int) -> None:
        del self.data[:size]
        self.offset += size
        self._cut = 0


def _is_multistream(path: str) -> bool:
    """Whether streams are short, and more than one, as far as is looked."""
    with open_file(path) as stream:
        start = stream.read(2 * MAX_STREAM)
    borders = [found.start() for found in _STREAM.finditer(start)]
    return len(borders) > 1 and all(
        second - first <= MAX_STREAM for first, second in itertools.pairwise([*borders, len(start)])
    )


def _ranges(path: str) -> Iterator[Range | Damage | Note]:
    with open_file(path) as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        start = 0
        for border in _borders(path, mapped):
            if isinstance(border, Note):
                yield border
            elif border - start > RANGE + MAX_STREAM:
                yield Damage(
                    start,
                    None,
                    f"a bz2 stream of {border - start:,} bytes among short ones: decompress the file before",
                )
                start = border
            else:
                yield Range(path, start, border)
                start = border


def _borders(path: str, mapped: mmap.mmap) -> Iterator[int | Note]:
    """The begins of streams, at least ``RANGE`` apart, and the end: by the index as far as there is one, else by search."""
    start = 0
    index = _index_of(path)
    try:
        for offset in _offsets(index) if index else ():
            if offset >= start + RANGE:
                if not _STREAM.match(mapped, offset):
                    raise ValueError(f"there is no stream at byte {offset}")
                start = offset
                yield start
    except (ValueError, UserError) as error:
        yield Note(f"its index {index} does not fit ({error}); not used from there on")
    while found := _STREAM.search(mapped, start + RANGE):
        start = found.start()
        yield start
    yield len(mapped)


def _index_of(path: str) -> str | None:
    """The index beside ``x-multistream.xml.bz2`` or ``x-multistream1.xml-p1p100.bz2``, if there is one."""
    folder, name = os.path.split(path)
    if "-multistream" not in name:
        return None
    index = name.replace("-multistream", "-multistream-index", 1).replace(".xml", ".txt", 1)
    paths = [os.path.join(folder, name) for name in (index, index.removesuffix(".bz2"))]
    return next((path for path in paths if os.path.isfile(path)), None)


def _offsets(index: str) -> Iterator[int]:
    """The first numbers of the lines ``offset:page id:title``."""
    with open_input(index) as stream:
        for line in stream:
            yield int(line.partition(b":")[0])


def load(part: Range) -> Content:
    """Decompress a range. Damage in a stream costs the rest of this stream only."""
    with open_file(part.path) as stream:
        stream.seek(part.start)
        packed = stream.read(part.end - part.start)
    data, damage = _decompress_streams(packed, part.start)
    first = data.find(PAGE)
    if first < 0:
        return Content(data, b"", b"", damage)
    last = data.rfind(END_OF_PAGE, first)
    end = last + len(END_OF_PAGE) if last >= 0 else first
    return Content(data[:first], data[first:end], data[end:], damage)


def _decompress_streams(packed: bytes, position: int) -> tuple[bytes, list[Damage]]:
    if reader := indexed_bz2(io.BytesIO(packed), 1):
        with reader as stream, contextlib.suppress(Exception):  # what is damaged, the standard library tells
            data = stream.read(MAX_PAGE + 1)
            if len(data) <= MAX_PAGE and is_whole(stream, len(packed)):
                return data, []
    output, damage = bytearray(), []
    borders = [0, *(found.start() for found in _STREAM.finditer(packed, 1)), len(packed)]
    for start, end in itertools.pairwise(borders):
        before = len(output)
        open_stream = partial(io.BytesIO, packed[start:end])
        try:
            for block in decompress_members(open_stream, "bz2", lambda size: None):
                output += block
                if len(output) > MAX_PAGE:
                    raise DamagedError(Damage(0, len(output) - before, f"it holds more than {MAX_PAGE:,} bytes"))
        except DamagedError as error:
            at, offset, reason = error.damage
            damage.append(Damage(position + start + (at or 0), before + (offset or 0), reason))
        if len(output) > MAX_PAGE:
            break
    return bytes(output), damage
