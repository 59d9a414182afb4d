"""Triples from elsewhere, a line each: an excerpt of Wikidata such as CoDEx, or a set of one's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import pyarrow as pa

from ...errors import UserError
from ...text import Advance, read_lines
from ..schemas import TRIPLES
from ..tables import open_table
from .ids import is_item, is_property
from .merged import Merged
from .parts import Part, nested

NAME = "lists"  # of the part and its file
_BATCH_ROWS = 1 << 16


def check_lists(paths: Sequence[str]) -> None:
    """Read all of the files. Raises UserError if a line is no triple."""
    for path in paths:
        for _ in _triples(path):
            pass


def _triples(path: str, advance: Advance | None = None) -> Iterator[list[str]]:
    for number, line in enumerate(read_lines(path, advance), 1):
        cells = line.split("\t")
        if not (len(cells) == 3 and is_item(cells[0]) and is_property(cells[1]) and is_item(cells[2])):
            raise UserError(
                f"{path}:{number}: {' '.join(cells)[:100]} is no triple; a line has an item, a property and an item with "
                "tabs between and nothing else, as Q64, P17, Q183"
            )
        yield cells


def convert_lists(paths: Sequence[str], out: Path, part: Part, merged: Merged, advance: Advance | None = None) -> None:
    """Write the triples of files with ``Q1<TAB>P1<TAB>Q2`` a line, in their order; merged items are replaced.

    Raises:
        UserError: if a line is no triple.
    """
    counts: Counter[tuple[str, str]] = Counter()
    with open_table(out / "triples" / f"{NAME}.parquet", TRIPLES) as table:
        for path in paths:
            lines = _triples(path, advance)
            while rows := list(islice(lines, _BATCH_ROWS)):
                counts.update(("triples", relation) for _, relation, _ in rows)
                columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
                for index in (0, 2):
                    columns[index], replaced = merged.replace(columns[index])
                    counts["merged items replaced", "triples"] += replaced
                table.write(pa.RecordBatch.from_arrays(columns, schema=TRIPLES))
    part.counts = nested(counts)
