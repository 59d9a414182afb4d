"""One JSON dump of Wikidata to tables, parsed by several processes, in order, in constant memory."""

from __future__ import annotations

import contextlib
import signal
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...errors import UserError
from ...text import Advance
from ...workers import process_pool
from ..tables import batch, open_table
from .ids import Seen
from .line_batches import LineBatches, read_blocks
from .merged import Merged
from .parse import TABLES, Counts, Parsed, Parser
from .parts import Part, nested

ROW_GROUP_BYTES = 4 << 20  # some 100,000 rows
NAMED_LINES = 10  # of those that are of no use; all are counted

# the column by which the rows of a table are counted
_COUNTED = {"sitelinks": "language", "triples": "relation", "labels": "language", "properties": "language"}


def check_beginning(path: str) -> None:
    """Raise UserError unless the file may be a JSON dump."""
    block = next(read_blocks(path), b"")
    if not block:
        raise UserError(f"{path}: the file is empty")
    if block.lstrip()[:1] not in (b"[", b"{", b""):
        raise UserError(
            f"{path}: not a JSON dump of Wikidata: it begins with {block[:20]!r}, not with [ or {{ (in UTF-8); "
            "dumps of tables (.sql) are given with --sql"
        )


class Pool:
    """Parses batches of lines in order; ``open_pool`` makes it."""

    def __init__(self, label_languages: Sequence[str], workers: int, pool: ProcessPoolExecutor | None) -> None:
        self.parser = Parser(label_languages)
        self._workers = workers
        self._pool = pool

    def parse(self, batches: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes, Parsed]]:
        """Yield (number of the first line, lines, their rows), with at most 2 x workers batches under way."""
        if self._pool is None:
            for first, text in batches:
                yield first, text, self.parser.parse(text)
            return
        pending: deque[tuple[int, bytes, Future[Parsed]]] = deque()
        for first, text in batches:
            pending.append((first, text, self._pool.submit(_parse, text)))
            if len(pending) >= 2 * self._workers:
                first, text, future = pending.popleft()
                yield first, text, future.result()
        for first, text, future in pending:
            yield first, text, future.result()


@contextlib.contextmanager
def open_pool(label_languages: Sequence[str], workers: int) -> Iterator[Pool]:
    """A pool for a ``with`` block; with one worker this process parses. Raises UserError if a process is killed."""
    if workers == 1:
        yield Pool(label_languages, 1, None)
        return
    with process_pool(workers, _start_worker, (label_languages,)) as pool:
        try:
            yield Pool(label_languages, workers, pool)
        except BrokenProcessPool as error:
            raise UserError(
                "a worker process was killed, most likely for want of memory; --workers 1 needs least, --resume goes on"
            ) from error


_parser: list[Parser] = []  # of this worker process


def _start_worker(label_languages: Sequence[str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent process, which ends this one
    _parser[:] = [Parser(label_languages)]


def _parse(text: bytes) -> Parsed:
    return _parser[0].parse(text)


def convert_dump(
    path: str,
    out: Path,
    part: Part,
    pool: Pool,
    seen: dict[str, Seen],
    merged: Merged,
    advance: Advance | None = None,
) -> dict[str, np.ndarray]:
    """Write the rows of a dump to ``out/<table>/<part>.parquet``, and into the part what was found and left out.

    Args:
        seen: the "items" and "properties" of other dumps, which are left out; those of this one are added.
        merged: its items are replaced wherever they come.

    Returns:
        The ``Seen.bits`` of what this dump added.

    Raises:
        UserError: no line is an entity, there is none, or ``out`` cannot be written; no table appears then.
    """
    before = {name: numbers.bits.copy() for name, numbers in seen.items()}
    counts: Counts = Counter()
    bad: list[str] = []
    num_bad = last_bad = 0
    batches = LineBatches(path, advance)
    with contextlib.ExitStack() as stack:
        writers = {
            name: stack.enter_context(open_table(out / name / f"{part.name}.parquet", schema, ROW_GROUP_BYTES))
            for name, schema in TABLES.items()
        }
        for first, text, parsed in pool.parse(batches):
            repeated = {name: numbers.add(getattr(parsed, name)).tolist() for name, numbers in seen.items()}
            if any(repeated.values()):
                parsed = pool.parser.parse(text, **repeated)
            for name, rows in parsed.tables.items():
                writers[name].write(_finish(name, rows, merged, counts))
            counts.update(parsed.counts)
            for name in seen:
                counts["entities", name] += len(getattr(parsed, name))
            if parsed.bad:
                num_bad += len(parsed.bad)
                last_bad = first + parsed.bad[-1].line
                bad += [f"line {first + line}: {reason}" for line, reason in parsed.bad[: NAMED_LINES - len(bad)]]
        if num_bad and not any(counts["entities", name] for name in seen):
            raise UserError(
                f"{path}: no line of it is an entity ({bad[0]}); a dump has one on each line, see jq -c '.[]'"
            )
        if not (num_bad or batches.damage or any(counts.values())):
            raise UserError(f"{path}: holds no entity; fetch it again, or leave it out")
    if last_bad == batches.num_lines and not batches.ended:
        batches.damage = f"cut off within line {last_bad}, byte {batches.num_bytes} of the text"
        num_bad, bad = num_bad - 1, bad[: num_bad - 1]
    if num_bad:
        part.damage.append(
            f"{path}: {num_bad:,} lines of no use: {'; '.join(bad)}{' ...' if num_bad > len(bad) else ''}"
        )
    if batches.damage:
        part.damage.append(f"{path}: {batches.damage}")
    counts["left out", "lines: not JSON, or not as Wikibase writes entities"] = num_bad
    counts["read", "lines"], counts["read", "bytes"] = batches.num_lines, batches.num_bytes
    part.counts = nested(counts)
    added = {name: numbers.bits.copy() for name, numbers in seen.items()}
    for name, bits in before.items():
        added[name][: len(bits)] ^= bits
    return added


def _finish(name: str, rows: pa.RecordBatch, merged: Merged, counts: Counts) -> pa.RecordBatch:
    """The rows of a table with merged items replaced by those they were merged into; counted."""
    num_replaced = 0
    for place, column in enumerate(rows.schema.names):
        if len(merged) and name != "properties" and column in ("entity", "subject", "object"):
            values, replaced = merged.replace(rows.column(place))
            rows = rows.set_column(place, rows.schema.field(place), values)
            num_replaced += replaced
    if num_replaced:
        counts["merged items replaced", name] += num_replaced
        columns = [column.to_pylist() for column in rows.columns]
        different = list(dict.fromkeys(zip(*columns, strict=True)))
        counts["left out", f"{name}: the same after merging"] += rows.num_rows - len(different)
        rows = batch(rows.schema, list(zip(*different, strict=True)))
    for value in pc.value_counts(rows.column(_COUNTED[name])).to_pylist():
        counts[name, value["values"]] += value["counts"]
    return rows
