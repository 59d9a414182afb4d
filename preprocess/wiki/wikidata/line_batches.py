"""The lines of a large file, many at a time, as far as the file can be read."""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import UserError
from ...text import Advance, open_input
from ..dumps.decompress import DamagedError, compression, decompress_members, open_file

BATCH_BYTES = 1 << 19
MAX_LINE_BYTES = 1 << 26  # Wikidata's largest entities have about 4 MB


class LineBatches:
    """Iterates over (number of the first line, from 1; whole lines) of a plain or compressed file.

    Attributes:
        num_bytes: of the text, decompressed, so far.
        num_lines: so far.
        ended: the last line has its line end.
        damage: set at the end if the file could not be read to its end; a line that was begun there is lost.
    """

    def __init__(self, path: str, advance: Advance | None = None) -> None:
        self.path = path
        self.num_bytes = 0
        self.num_lines = 0
        self.ended = True
        self.damage: str | None = None
        self._advance = advance

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        pending: list[bytes] = []
        size = 0
        try:
            for block in read_blocks(self.path, self._advance):
                end = block.rfind(b"\n") + 1
                if end and size + end >= BATCH_BYTES:
                    yield self._count(b"".join([*pending, block[:end]]))
                    pending, size = [], 0
                    block = block[end:]
                pending.append(block)
                size += len(block)
                if size > MAX_LINE_BYTES:
                    raise UserError(f"a line of more than {MAX_LINE_BYTES >> 20} MB")
        except UserError as error:
            rest = b"".join(pending)
            if end := rest.rfind(b"\n") + 1:
                yield self._count(rest[:end])
            reason = str(error).removeprefix(f"{self.path}: ")
            self.damage = f"{reason} after line {self.num_lines}, byte {self.num_bytes} of the text"
            return
        if size:
            yield self._count(b"".join(pending))

    def _count(self, lines: bytes) -> tuple[int, bytes]:
        first = self.num_lines + 1
        self.ended = lines.endswith(b"\n")
        self.num_bytes += len(lines)
        self.num_lines += lines.count(b"\n") + (not self.ended)
        return first, lines


def read_blocks(path: str, advance: Advance | None = None) -> Iterator[bytes]:
    """The bytes of a plain or compressed file, in blocks as they come, up to the damage if it is damaged.

    Raises:
        UserError: the file cannot be read; after everything before the damage.
    """
    done = 0
    try:
        with open_input(path, advance) as stream:
            while block := stream.read1(BATCH_BYTES):  # type: ignore[attr-defined]  # read would lose more before damage
                done += len(block)
                yield block
    except UserError:
        kind = compression(path)
        if not kind:
            raise
        # the fast reader loses what it had decompressed in the call that failed
        try:
            yield from decompress_members(lambda: open_file(path), kind, lambda size: None, done)
        except DamagedError as error:
            reason = error.damage.reason
            raise UserError(f"{path}: cannot be read to its end, damaged or truncated? ({reason})") from None
