"""Parquet files that appear complete or not at all, written in memory that does not grow with them."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import UserError
from ..text import UNWRITABLE

# A row group ends at so many bytes, not rows: articles differ in length by five orders of magnitude.
ROW_GROUP_BYTES = 32 << 20


def batch(schema: pa.Schema, columns: Sequence[Sequence[Any]]) -> pa.RecordBatch:
    """The rows of these columns, in the order of the schema."""
    arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


class TableWriter:
    """Writes one Parquet file, a row group at a time; ``open_table`` makes it.

    Attributes:
        num_rows: rows so far.
    """

    def __init__(self, path: Path, schema: pa.Schema, row_group_bytes: int) -> None:
        self.num_rows = 0
        self._row_group_bytes = row_group_bytes
        self._schema = schema
        self._writer = pq.ParquetWriter(path, schema, compression="zstd", compression_level=1)
        self._pending: list[pa.RecordBatch] = []
        self._bytes = 0

    def write(self, rows: pa.RecordBatch) -> None:
        """Add rows; they reach the disk when a row group is full."""
        self._pending.append(rows)
        self._bytes += rows.nbytes
        self.num_rows += rows.num_rows
        if self._bytes >= self._row_group_bytes:
            self._flush()

    def _flush(self) -> None:
        if self._pending:
            table = pa.Table.from_batches(self._pending, self._schema)
            self._writer.write_table(table, row_group_size=max(1, table.num_rows))
        self._pending, self._bytes = [], 0

    def _close(self) -> None:
        self._flush()
        self._writer.close()


@contextlib.contextmanager
def open_table(path: Path, schema: pa.Schema, row_group_bytes: int = ROW_GROUP_BYTES) -> Iterator[TableWriter]:
    """A writer of ``path``, which appears when the block ends without an exception; its folder is made if needed.

    It holds up to ``row_group_bytes`` of rows in memory.

    Raises:
        UserError: if the folder cannot be written or the disk is full.
    """
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        writer = TableWriter(temporary, schema, row_group_bytes)
        try:
            yield writer
            writer._close()
        finally:
            writer._writer.close()
        os.replace(temporary, path)
    except OSError as error:
        if (number := _error_number(error)) in UNWRITABLE:
            raise UserError(f"cannot write {path}: {os.strerror(number).lower()}") from error
        raise
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _error_number(error: OSError) -> int:
    """Its ``errno``, which pyarrow may have in the text only; else 0."""
    found = re.search(r"\[errno (\d+)\]", str(error), re.IGNORECASE)
    return error.errno or (int(found[1]) if found else 0)


@contextlib.contextmanager
def told_to_resume() -> Iterator[None]:
    """For commands with ``--resume``: a UserError of the block that the disk is full says so."""
    full = os.strerror(errno.ENOSPC).lower()
    try:
        yield
    except UserError as error:
        if full not in str(error).lower():
            raise
        raise UserError(f"{error}; make room, then give --resume to go on") from error
