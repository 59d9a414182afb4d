"""Dumps of MediaWiki's tables, as mysqldump writes them: rows of an ``INSERT`` by the names in ``CREATE TABLE``.

Manual: https://www.mediawiki.org/wiki/Manual:Database_layout; string literals: MySQL Reference Manual 9.1.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ...errors import UserError
from ...text import Advance
from .line_batches import read_blocks

MAX_ROW_BYTES = 1 << 22  # the longest column, a blob, has 64 KB before escaping

_STRING = rb"'(?:[^'\\]++|\\.|'')*+'"
_CREATE = re.compile(rb"CREATE TABLE (?:IF NOT EXISTS )?`(\w+)`\s*(\((?:[^';]++|" + _STRING + rb")*+);", re.DOTALL)
# a name with a type behind it, unlike those in keys
_COLUMN = re.compile(rb"[(,]\s*`(\w+)`\s+[a-z]")
_INSERT = re.compile(rb"^\s*(?:INSERT|REPLACE) (?:IGNORE )?INTO `(\w+)`\s*(?:\(([^)]*)\)\s*)?VALUES\b", re.MULTILINE)
_END = re.compile(rb"\s*;")
# possessive, so that a row that does not end in the buffer is given up in one pass
_VALUE = rb"(?:_binary )?" + _STRING + rb"|[^,()'\s]++"
_ESCAPE = re.compile(rb"\\(.)|''", re.DOTALL)
_ESCAPED = {b"0": b"\0", b"b": b"\b", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"Z": b"\x1a"}


class SqlDump:
    """A dump of one table; plain or compressed.

    Attributes:
        table: its name.
        columns: their names.
        num_bytes: read so far, decompressed.
        num_invalid: values so far that are not UTF-8; the wrong bytes become U+FFFD.
        damage: set after the rows if the file could not be read to its end.
    """

    def __init__(self, path: str, advance: Advance | None = None) -> None:
        """Raises UserError if the file cannot be read, or does not begin with a ``CREATE TABLE``."""
        self.path = path
        self.num_bytes = 0
        self.num_invalid = 0
        self.damage: str | None = None
        self._blocks = read_blocks(path, advance)
        self._buffer = b""
        while (match := _CREATE.search(self._buffer)) is None:
            block = next(self._blocks, b"")
            if not block or len(self._buffer) > MAX_ROW_BYTES:
                raise UserError(
                    f"{path}: no CREATE TABLE at its beginning: give a dump of a table, as enwiki-…-page.sql.gz"
                )
            self._buffer += block
        self.table = match[1].decode()
        self.columns = [name.decode() for name in _COLUMN.findall(re.sub(_STRING, b"", match[2]))]
        self._skip(match.end())

    def rows(self, *names: str) -> Iterator[tuple[str | None, ...]]:
        """The values of the columns ``names`` of all rows; None for NULL.

        Raises:
            UserError: if a column is missing, or another table follows.
        """
        row = self._pattern(self.columns, names)
        inside = False
        while True:
            position = 0
            while True:
                if not inside:
                    match = _INSERT.search(self._buffer, position)
                    if match is None:
                        break
                    self._check_table(match[1].decode())
                    if match[2]:
                        row = self._pattern([name.strip(" `") for name in match[2].decode().split(",")], names)
                    inside, position = True, match.end()
                elif match := row.match(self._buffer, position):
                    position = match.end()
                    yield tuple([self._decode(match[name]) for name in names])
                elif match := _END.match(self._buffer, position):
                    inside, position = False, match.end()
                else:
                    break
            if not inside:  # a comment or another statement; an INSERT may have begun on its last line
                position = max(position, self._buffer.rfind(b"\n"), len(self._buffer) - (1 << 16))
            self._skip(position)
            try:
                block = next(self._blocks, b"")
            except UserError as error:
                reason = str(error).removeprefix(f"{self.path}: ")
                self.damage = f"{reason} after byte {self.num_bytes} of the text"
                return
            if not block or len(self._buffer) > MAX_ROW_BYTES:
                if inside:
                    self.damage = f"cut off, or no row of the table, at byte {self.num_bytes} of the text"
                return
            self._buffer += block

    def _skip(self, size: int) -> None:
        self._buffer = self._buffer[size:]
        self.num_bytes += size

    def _check_table(self, name: str) -> None:
        if name != self.table:
            raise UserError(f"{self.path}: rows of {name} in a dump of {self.table}: give a file for each table")

    def _pattern(self, columns: Sequence[str], names: Sequence[str]) -> re.Pattern[bytes]:
        """A row, with a group for each of ``names``."""
        missing = [name for name in names if name not in columns]
        if missing:
            raise UserError(
                f"{self.path}: the table {self.table} has no column {missing[0]}; it has {', '.join(columns)}"
            )
        groups = {name: f"(?P<{name}>".encode() for name in names}
        values = [groups.get(column, b"(?>") + _VALUE + b")" for column in columns]
        return re.compile(rb"\s*+(?:,\s*+)?\(\s*" + rb"\s*,\s*".join(values) + rb"\s*\)", re.DOTALL)

    def _decode(self, value: bytes) -> str | None:
        if not value.endswith(b"'"):
            return None if value == b"NULL" else value.decode("ascii", "replace")
        value = value[value.index(b"'") + 1 : -1]
        if b"\\" in value or b"'" in value:
            value = _ESCAPE.sub(_unescape, value)
        try:
            return value.decode()
        except UnicodeDecodeError:
            self.num_invalid += 1
            return value.decode(errors="replace")


def _unescape(match: re.Match[bytes]) -> bytes:
    character = match[1]
    return b"'" if character is None else _ESCAPED.get(character, character)
