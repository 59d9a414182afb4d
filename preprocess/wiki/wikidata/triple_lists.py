"""Triples from elsewhere, a line each: an excerpt of Wikidata such as CoDEx, or a set of one's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import pyarrow as pa

from ...errors import UserError
from ...text import Advance, read_tsv
from ..schemas import TRIPLES
from ..tables import open_table
from .ids import is_item, is_property
from .merged import Merged
from .parts import Part, nested

NAME = "lists"  # of the part and its file
_BATCH_ROWS = 1 << 16


def convert_lists(paths: Sequence[str], out: Path, part: Part, merged: Merged, advance: Advance | None = None) -> None:
    """Write the triples of files with ``Q1<TAB>P1<TAB>Q2`` a line, in their order; merged items are replaced.

    Raises:
        UserError: if a line is no triple.
    """
    counts: Counter[tuple[str, str]] = Counter()
    with open_table(out / "triples" / f"{NAME}.parquet", TRIPLES) as table:
        for path in paths:
            lines = read_tsv(path, (1, 2, 3), advance)
            number = 0
            while rows := list(islice(lines, _BATCH_ROWS)):
                for subject, relation, object_ in rows:
                    number += 1
                    if not (is_item(subject) and is_property(relation) and is_item(object_)):
                        raise UserError(
                            f"{path}:{number}: {subject} {relation} {object_} is no triple; a line has an item, a property and "
                            "an item with tabs between, as Q64, P17, Q183"
                        )
                    counts["triples", relation] += 1
                columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
                for index in (0, 2):
                    columns[index], replaced = merged.replace(columns[index])
                    counts["merged items replaced", "triples"] += replaced
                table.write(pa.RecordBatch.from_arrays(columns, schema=TRIPLES))
    part.counts = nested(counts)
