"""Items of Wikidata that were merged into others: redirects between Q-ids."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...errors import UserError
from ...text import Advance, read_lines, split_compression
from .ids import is_item, items_of, number_of, numbers_of
from .sql_dumps import SqlDump

_SHAPE = "a line has a merged item, a tab and its target"


class Merged:
    """A map from merged items to those that stand for them, in 8 bytes an item.

    Attributes:
        sources, targets: numbers of items, int32, by source; chains are followed to their ends.
        num_loops: sources that were left out, as they lead into a loop.
    """

    def __init__(self, sources: Sequence[int] | np.ndarray, targets: Sequence[int] | np.ndarray) -> None:
        """Of several targets of a source the first counts."""
        self.sources, first = np.unique(np.asarray(sources, np.int32), return_index=True)
        self.targets = np.asarray(targets, np.int32)[first]
        # each round doubles the number of steps that a target is away
        for _ in range(len(self.sources).bit_length()):
            if not self._has(self.targets).any():
                break
            self.targets = self._follow(self.targets)
        endless = self._has(self.targets)
        self.num_loops = int(endless.sum())
        self.sources, self.targets = self.sources[~endless], self.targets[~endless]

    def __len__(self) -> int:
        return len(self.sources)

    def replace(self, items: pa.Array) -> tuple[pa.Array, int]:
        """Q-ids with those of the items they were merged into, and how many were replaced."""
        numbers = numbers_of(items)
        merged = self._has(numbers)
        if not merged.any():
            return items, 0
        return pc.replace_with_mask(items, pa.array(merged), items_of(self._follow(numbers[merged]))), int(merged.sum())

    def _has(self, numbers: np.ndarray) -> np.ndarray:
        if not len(self.sources):
            return np.zeros(len(numbers), bool)
        return self.sources[self._places(numbers)] == numbers

    def _follow(self, numbers: np.ndarray) -> np.ndarray:
        return np.where(self._has(numbers), self.targets[self._places(numbers)], numbers)

    def _places(self, numbers: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.sources, numbers).clip(max=len(self.sources) - 1)


def read_merged(paths: Sequence[str], advance: Advance | None = None) -> Merged:
    """Redirects from files: ``Q1<TAB>Q2`` a line, or the tables ``redirect`` and ``page`` of Wikidata (.sql).

    Raises:
        UserError: a file is damaged or of another kind, a line is malformed, or one of the two tables is missing.
    """
    sources, targets = array("i"), array("i")
    # by number of the page: of the item that a redirect page is named by, and of that it leads to
    titles, ends = (array("q"), array("i")), (array("q"), array("i"))
    tables = {}
    for path in paths:
        if not split_compression(path)[0].endswith(".sql"):
            for number, line in enumerate(read_lines(path, advance), 1):
                names = line.split("\t")
                if len(names) != 2:
                    raise UserError(f"{path}:{number}: {_SHAPE}, not {line[:60]!r}")
                try:
                    source, target = map(number_of, names)
                except ValueError as error:
                    raise UserError(f"{path}:{number}: {error}; {_SHAPE}") from None
                sources.append(source)
                targets.append(target)
            continue
        dump = SqlDump(path, advance)
        tables[dump.table] = path
        if dump.table == "page":
            _read_items(dump, ("page_id", "page_namespace", "page_title", "page_is_redirect"), titles)
        elif dump.table == "redirect":
            _read_items(dump, ("rd_from", "rd_namespace", "rd_title"), ends)
        else:
            raise UserError(f"{path}: --redirects takes Wikidata's tables redirect and page, not {dump.table}")
    if len(tables) == 1:
        (table,) = tables
        other = "page" if table == "redirect" else "redirect"
        raise UserError(f"{tables[table]}: --redirects needs Wikidata's table {other}, too")
    if tables:
        _, first, second = np.intersect1d(titles[0], ends[0], return_indices=True)
        sources.extend(np.asarray(titles[1])[first].tolist())
        targets.extend(np.asarray(ends[1])[second].tolist())
    return Merged(sources, targets)


def _read_items(dump: SqlDump, columns: Sequence[str], found: tuple[array[int], array[int]]) -> None:
    """Collect page and item of each row whose title is a Q-id."""
    for page, namespace, title, *is_redirect in dump.rows(*columns):
        if namespace == "0" and is_redirect in ([], ["1"]) and page and title and is_item(title):
            found[0].append(int(page))
            found[1].append(number_of(title))
    if dump.damage:
        raise UserError(f"{dump.path}: {dump.damage}; fetch the file again")
