"""From dumps to raw tables, a folder for each dump, on all cores: articles, redirects, and anchors whose redirects are not followed.

A folder is complete when it holds ``dump.json``; a later run with the same dump takes it as it is.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.compute as pc

from ...text import Advance, open_outputs
from ..tables import TableWriter, open_table
from .articles import TABLES, Rows, convert
from .chunks import Chunk, Note, Part, Range, Rest, read_parts
from .decompress import Damage
from .dump import Dump
from .pages import PAGE, Broken

RECORD = "dump.json"
MAX_EXAMPLES = 20  # damaged pages of a dump that are reported one by one


class Task(NamedTuple):
    """A dump and the folder of its raw tables."""

    dump: Dump
    folder: Path


def read_record(task: Task) -> dict[str, Any] | None:
    """What was counted in a dump that is done and is still the same; else None."""
    path = task.folder / RECORD
    if not path.is_file():
        return None
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return record if record["identity"] == task.dump.identity() else None
    except (ValueError, TypeError, KeyError):  # damaged
        return None


def extract(tasks: Sequence[Task], pool: ProcessPoolExecutor, workers: int, advance: Advance) -> Iterator[Task]:
    """Make the folders of these dumps; yield each when it is complete.

    Rows come in the order of the dump, whatever the number of workers. ``advance`` is told of the bytes of the files.
    """
    for task, results in itertools.groupby(_results(tasks, pool, workers, advance), lambda result: result[0]):
        with contextlib.ExitStack() as stack:
            writers = {
                name: stack.enter_context(open_table(task.folder / f"{name}.parquet", schema))
                for name, schema in TABLES.items()
            }
            tables = _RawTables(task.dump, writers)
            for _, part, rows in results:
                tables.add(part, rows)
                if isinstance(part, Range):
                    advance(part.end - part.start)
            tables.end()
        with open_outputs([task.folder / RECORD]) as (stream,):
            stream.write(
                json.dumps({"identity": task.dump.identity(), **tables.record()}, ensure_ascii=False, indent=1).encode()
            )
        yield task


def _results(
    tasks: Sequence[Task], pool: ProcessPoolExecutor, workers: int, advance: Advance
) -> Iterator[tuple[Task, Part | None, Rows | None]]:
    """Yield the parts of all dumps in order, with the rows of those that have pages, and a None at the end of each dump.

    At most 2 x workers parts are under way.
    """
    pending: deque[tuple[Task, Part | None, Future[Rows] | None]] = deque()
    for task in tasks:
        dump = task.dump
        for part in itertools.chain(read_parts(dump.path, dump.compression, advance, workers), [None]):
            future = None
            if isinstance(part, Chunk | Range):
                future = pool.submit(convert, part, dump.language, dump.info)
            pending.append((task, None if isinstance(part, Chunk) else part, future))
            if len(pending) >= 2 * workers:
                yield _result(*pending.popleft())
    while pending:
        yield _result(*pending.popleft())


def _result(task: Task, part: Part | None, future: Future[Rows] | None) -> tuple[Task, Part | None, Rows | None]:
    return task, part, future.result() if future else None


class _RawTables:
    """Takes the parts of one dump in order."""

    def __init__(self, dump: Dump, writers: Mapping[str, TableWriter]) -> None:
        self._dump = dump
        self._writers = writers
        self._counts: Counter[str] = Counter()
        self._broken: list[Broken] = []
        self._damage: list[Damage] = []
        self._notes = list(dump.notes)
        self._rest: Rest | None = None  # between ranges
        self._ends_damaged = False  # what was added last

    def add(self, part: Part | None, rows: Rows | None) -> None:
        """Write the rows of a part, or note what it says. Chunks come as their rows alone."""
        if isinstance(part, Damage):
            self._damage.append(part)
            self._ends_damaged = True
        elif isinstance(part, Note):
            self._notes.append(part.text)
        elif rows and isinstance(part, Range):
            self._add_range(rows)
        elif rows:
            self._write(rows, 0)

    def _add_range(self, rows: Rows) -> None:
        rest = self._rest = self._rest or Rest()
        begin = rest.offset + len(rest.data)
        self._ends_damaged = any((damage.offset or 0) >= rows.num_bytes for damage in rows.damage)
        for damage in rows.damage:
            self._damage.append(damage._replace(offset=begin + (damage.offset or 0)))
        for damage in rest.add(rows.head):
            self._damage.append(damage)
        if rows.num_bytes > len(rows.head):  # a page begins in it: what is before is complete
            self._write_chunks(rest.take())
            if (lost := rest.data.find(PAGE)) >= 0:
                self._counts["pages"] += 1
                self._add_broken([Broken(rest.offset + lost, "it has no end")])
            self._write(rows, begin)
            rest.jump(begin + rows.num_bytes - len(rows.tail))
            for damage in rest.add(rows.tail):
                self._damage.append(damage)

    def _write_chunks(self, parts: Iterator[Part]) -> None:
        for part in parts:
            self.add(part, convert(part, self._dump.language, self._dump.info) if isinstance(part, Chunk) else None)

    def _write(self, rows: Rows, offset: int) -> None:
        """``offset`` is where the part begins, if its own offsets count from there."""
        first = self._writers["articles"].num_rows
        for name, table in rows.tables.items():
            if name == "anchors":
                table = table.set_column(0, "row", pc.add(table.column(0), first))
            self._writers[name].write(table)
        self._counts += rows.counts
        self._add_broken([broken._replace(offset=offset + broken.offset) for broken in rows.broken])

    def _add_broken(self, pages: Sequence[Broken]) -> None:
        self._broken += pages[: MAX_EXAMPLES - len(self._broken)]
        self._counts["damaged"] += len(pages)

    def end(self) -> None:
        """Nothing follows."""
        if self._rest:
            self._write_chunks(self._rest.end(self._dump.path, self._ends_damaged))

    def record(self) -> dict[str, Any]:
        """What was counted, for JSON."""
        return {
            "compression": self._dump.compression,
            "counts": {**self._counts, **{name: writer.num_rows for name, writer in self._writers.items()}},
            "damage": [damage._asdict() for damage in self._damage],
            "damaged_pages": [broken._asdict() for broken in self._broken],
            "notes": self._notes,
        }
