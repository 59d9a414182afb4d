"""Entities, relations, descriptions and triples to the columns of ``shards.py``, from sorted tables, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...text import squeeze
from .shards import COLUMNS, RELATIONS, ColumnsWriter, ColumnWriter, map_column

_BATCH_ROWS = 1 << 14


def read_batches(files: Sequence[Path], *columns: str) -> Iterator[list[pa.Array]]:
    """Yield these columns of Parquet files, some thousand rows at a time."""
    for file in files:
        with pq.ParquetFile(file) as parquet:
            for rows in parquet.iter_batches(_BATCH_ROWS, columns=list(columns), use_threads=False):
                yield [rows[column] for column in columns]


def read_rows(files: Sequence[Path], *columns: str) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of these columns."""
    for arrays in read_batches(files, *columns):
        yield from zip(*(array.to_pylist() for array in arrays), strict=True)


def write_knowledge(tables: Mapping[str, Sequence[Path]], languages: Sequence[str], folder: Path) -> dict[str, int]:
    """Write all that is not of one language, and return the number of rows of each column.

    Args:
        tables: files of the views of joins.sql, sorted by item, by number of the language's name, by subject and relation.
        languages: names, ascending; their places are numbers in ``descriptions``.
    """
    entity_column = ColumnWriter(folder / "entities.npy", *COLUMNS["entities"])
    for (numbers,) in read_batches(tables["entities"], "entity"):
        entity_column.append(numbers.to_numpy())
    entity_column.close()
    entities = map_column(folder / "entities.npy", entity_column.length)
    relations = list(read_rows(tables["relations"], "relation", "label"))
    lines = [f"P{number}\t{squeeze(label)}\n" for number, label in relations]
    (folder / RELATIONS).write_text("".join(lines), encoding="utf-8")
    rest = {name: kind for name, kind in COLUMNS.items() if name != "entities"}
    with ColumnsWriter(folder, rest) as columns:
        _write_descriptions(tables["descriptions"], entities, languages, columns)
        _write_triples(
            tables["described_triples"], entities, np.array([number for number, _ in relations], np.int64), columns
        )
    return {"entities": entity_column.length, "relations": len(relations), **columns.lengths}


def _write_descriptions(
    files: Sequence[Path], entities: np.ndarray, languages: Sequence[str], columns: ColumnsWriter
) -> None:
    target, offsets = columns["descriptions"], _Offsets(columns["description_offsets"])
    number = {language: index for index, language in enumerate(languages)}
    for entity, language, valid, article in read_batches(files, "entity", "language", "valid", "article"):
        rows = np.empty(len(entity), target.dtype)
        rows["article"] = article.to_numpy()
        rows["language"] = [number[name] for name in language.to_pylist()]
        rows["valid"] = valid.to_numpy(zero_copy_only=False)
        offsets.add(np.searchsorted(entities, entity.to_numpy())[:, None], target.length)
        target.append(rows)
    offsets.close(target.length)


def _write_triples(files: Sequence[Path], entities: np.ndarray, relations: np.ndarray, columns: ColumnsWriter) -> None:
    target, offsets = columns["triples"], _Offsets(columns["group_offsets"])
    for subject, relation, object_, valid in read_batches(files, "subject", "relation", "object", "valid"):
        rows = np.stack(
            [
                np.searchsorted(entities, subject.to_numpy()),
                np.searchsorted(relations, relation.to_numpy()),
                np.searchsorted(entities, object_.to_numpy()),
            ],
            axis=1,
        )
        is_valid = valid.to_numpy(zero_copy_only=False)
        columns["train_triples"].append(target.length + np.flatnonzero(~is_valid))
        columns["valid_triples"].append(target.length + np.flatnonzero(is_valid))
        offsets.add(rows[:, :2], target.length)
        target.append(rows)
    offsets.close(target.length)


class _Offsets:
    """Writes where runs of equal keys begin, and at last where the last one ends."""

    def __init__(self, column: ColumnWriter) -> None:
        self._column = column
        self._previous: np.ndarray | None = None

    def add(self, keys: np.ndarray, place: int) -> None:
        """``keys`` (n, k) of the rows from ``place`` on."""
        if not len(keys):
            return
        previous = keys[:1] - 1 if self._previous is None else self._previous
        changes = np.any(np.diff(keys, axis=0, prepend=previous), axis=1)
        self._column.append(place + np.flatnonzero(changes))
        self._previous = keys[-1:]

    def close(self, length: int) -> None:
        self._column.append([length])
