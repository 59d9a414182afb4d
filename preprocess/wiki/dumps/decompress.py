"""Compressed files by their content, not their name; of a damaged one everything before the damage."""

from __future__ import annotations

import bz2
import contextlib
import lzma
import os
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple

from ...errors import UserError
from ...text import Advance

BLOCK = 1 << 16  # bytes read at a time
MAX_OUTPUT = 1 << 20  # bytes decompressed at a time, however well they are compressed
_END_OF_STREAM = 0x177245385090  # of bz2
_PADDED = ("gz", "xz")  # zeros may follow a member
_MAGIC = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zst"}


class Damage(NamedTuple):
    """Where a file cannot be read on: the byte of the file and of the decompressed stream, as far as known, and why."""

    position: int | None
    offset: int | None
    reason: str


class DamagedError(Exception):
    """Raised after the last byte before the damage."""

    def __init__(self, damage: Damage) -> None:
        super().__init__(damage)
        self.damage = damage


class _Gzip:
    """zlib with the interface of the other decompressors."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._member.eof

    @property
    def unused_data(self) -> bytes:
        return self._member.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        output = self._member.decompress(self._member.unconsumed_tail + data, max_length)
        self.needs_input = not self._member.unconsumed_tail and len(output) < max_length
        return output


def _zstd() -> Any:
    try:
        from compression import zstd  # Python 3.14
    except ImportError:
        from backports import zstd
    return zstd.ZstdDecompressor()


DECOMPRESSORS: dict[str, Callable[[], Any]] = {
    "gz": _Gzip, "bz2": bz2.BZ2Decompressor, "xz": lzma.LZMADecompressor, "zst": _zstd,
}  # fmt: skip


def compression(path: str) -> str:
    """``gz``, ``bz2``, ``xz`` or ``zst`` by the first bytes of the file; empty for any other.

    Raises:
        UserError: if the file cannot be read.
    """
    with open_file(path) as stream:
        start = stream.read(8)
    return next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), "")


def open_file(path: str) -> IO[bytes]:
    """Raises UserError if the file cannot be read."""
    try:
        return open(path, "rb")
    except OSError as error:
        raise UserError(f"{path}: {(error.strerror or str(error)).lower()}") from error


def decompress(path: str, kind: str, advance: Advance, threads: int = 1) -> Iterator[bytes]:
    """Yield the bytes of a file in blocks of at most 1 MiB; ``advance`` is told of the bytes read from it.

    ``threads`` are those of the package indexed_bzip2, where it is installed and the file is bz2.

    Raises:
        DamagedError: after everything before the damage.
        UserError: if the file cannot be opened.
    """
    if not kind:
        with open_file(path) as stream:
            while block := stream.read(MAX_OUTPUT):
                advance(len(block))
                yield block
        return
    done = 0
    if kind == "bz2" and (reader := indexed_bz2(path, threads)):
        position, size = 0, os.path.getsize(path)
        with reader as stream:
            with contextlib.suppress(Exception):  # damage, of which it raises various ones
                while block := stream.read(MAX_OUTPUT):
                    now = stream.raw.bz2reader.tell_compressed() // 8
                    advance(now - position)
                    position = now
                    done += len(block)
                    yield block
                if is_whole(stream, size):
                    advance(size - position)
                    return
        advance(-position)  # the standard library finds the place of the damage, and what is left before it
    yield from decompress_members(lambda: open_file(path), kind, advance, done)


def indexed_bz2(file: str | IO[bytes], threads: int) -> Any:
    """The reader of the package indexed_bzip2, faster than the standard library.

    None where it is not installed, and for a file that is cut off or has bytes behind its last stream, of which it prints
    a warning of its own.
    """
    if not _ends_stream(file):
        return None
    try:
        from indexed_bzip2 import IndexedBzip2File
    except ImportError:
        return None
    return IndexedBzip2File(file, parallelization=threads)


def _ends_stream(file: str | IO[bytes]) -> bool:
    """Whether the last bits are the end of a bz2 stream: a mark of 48 bits, 32 of checksum, up to 7 to a whole byte."""
    with open_file(file) if isinstance(file, str) else contextlib.nullcontext(file) as stream:
        start = stream.tell()
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - 11))
        last = int.from_bytes(stream.read(), "big")
        stream.seek(start)
    return any(last >> (32 + padding) & (1 << 48) - 1 == _END_OF_STREAM for padding in range(8))


def is_whole(stream: Any, size: int) -> bool:
    """Whether this reader, which passes over some damage in silence, has reached the last of ``size`` bytes."""
    end = max(stream.raw.bz2reader.block_offsets(), default=0)  # bits; 80 are the end mark and the checksum of a stream
    return size in ((end + 7) // 8, (end + 80 + 7) // 8)


def decompress_members(
    open_stream: Callable[[], IO[bytes]], kind: str, advance: Advance, skip: int = 0, careful_from: int | None = None
) -> Iterator[bytes]:
    """Yield what follows the first ``skip`` bytes of the decompressed stream.

    A library loses what it had decompressed in the call that fails. The stream is then read once more, byte by byte from
    ``careful_from`` on, the last place before the damage.

    Raises:
        DamagedError: after everything before the damage.
    """
    position = produced = 0  # bytes that the library was given, and gave
    begun = start = 0  # where this member begins, and the last block that was read
    member = DECOMPRESSORS[kind]()
    with open_stream() as stream:
        while True:
            block = b""
            if member.needs_input:
                start = position
                block = stream.read(1 if careful_from is not None and position >= careful_from else BLOCK)
                if not block:
                    break
                if kind in _PADDED and position == begun > 0:
                    padding = len(block) - len(block.lstrip(b"\0"))
                    position = begun = start = position + padding
                    block = block[padding:]
                    if careful_from is None:
                        advance(padding)
                    if not block:
                        continue
            try:
                output = member.decompress(block, MAX_OUTPUT)
            except Exception as error:  # each library has a class of its own
                if careful_from is None:
                    yield from decompress_members(open_stream, kind, advance, max(skip, produced), start)
                    return
                raise DamagedError(Damage(position, produced, str(error))) from None
            position += len(block)
            produced += len(output)
            if produced > skip:
                yield output[max(0, skip - (produced - len(output))) :]
            unused = 0
            if member.eof:
                unused = len(member.unused_data)
                position -= unused
                stream.seek(position)
                begun, member = position, DECOMPRESSORS[kind]()
            if careful_from is None:
                advance(len(block) - unused)
    if position > begun:
        raise DamagedError(Damage(position, produced, "the file ends before its compressed data do"))
