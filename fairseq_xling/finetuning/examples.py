"""Tokenised examples in flat memory, and batches of them.

An example has one row of tokens or several (the windows of a long context, the parts of a long sentence). Axes: R rows of
a batch, T tokens, M marked positions.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from ..data.masking import Symbols


class Row(NamedTuple):
    """A row of tokens with its special symbols; what the head looks at, and what it should say. Arrays of int32."""

    tokens: np.ndarray
    positions: np.ndarray
    target: np.ndarray


class Example(NamedTuple):
    """The rows of an example, the number of its language, its own number, and what it was made of (None in training)."""

    rows: list[Row]
    group: int
    id: int
    record: Any


class _Ragged:
    """Arrays of int32 laid end to end."""

    def __init__(self) -> None:
        self.values = array("i")
        self.ends = array("q", [0])

    def append(self, values: Sequence[int] | np.ndarray) -> None:
        self.values.frombytes(np.asarray(values, dtype=np.int32).tobytes())
        self.ends.append(len(self.values))

    def __getitem__(self, index: int) -> np.ndarray:
        return np.frombuffer(self.values[self.ends[index] : self.ends[index + 1]], dtype=np.int32)


class Examples:
    """All examples of a split.

    Args:
        keep_records: keep what they were made of, to score predictions.
    """

    def __init__(self, keep_records: bool):
        self._fields = (_Ragged(), _Ragged(), _Ragged())  # of the rows, as in Row
        self._first_row = array("q", [0])
        self._groups = array("h")
        self._sizes = array("q")
        self._records: list[Any] | None = [] if keep_records else None

    def add(self, rows: Sequence[Row], group: int, record: Any) -> None:
        """Append an example."""
        for row in rows:
            for ragged, values in zip(self._fields, row, strict=True):
                ragged.append(values)
        self._first_row.append(self._first_row[-1] + len(rows))
        self._groups.append(group)
        self._sizes.append(len(rows) * max(len(row.tokens) for row in rows))
        if self._records is not None:
            self._records.append(record)

    @property
    def sizes(self) -> np.ndarray:
        """(N,) tokens of each example, its rows padded to the longest."""
        return np.array(self._sizes, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._groups)

    def __getitem__(self, index: int) -> Example:
        rows = range(self._first_row[index], self._first_row[index + 1])
        record = None if self._records is None else self._records[index]
        return Example(
            [Row(*(ragged[row] for ragged in self._fields)) for row in rows], self._groups[index], index, record
        )


def collate(examples: Sequence[Example], symbols: Symbols) -> dict[str, Any]:
    """Pad the rows of examples at the end and stack them.

    Returns:
        ``tokens`` (R, T); ``real`` where the flattened (R * T) tokens are not padding, None if none is; ``positions`` (M,) in the flattened (R * T) tokens; ``marks`` the number of positions of each row
        (list); ``target`` (the rows' targets laid end to end); ``example`` (R,) and ``owner`` (M,): the example a row or position belongs to; ``group``,
        ``id`` (one for each example); ``records``; ``padded``; ``num_tokens``: real tokens. Empty for no examples.
    """
    if not examples:
        return {}
    rows = [row for example in examples for row in example.rows]
    lengths = [len(row.tokens) for row in rows]
    width = max(lengths)
    tokens = np.full((len(rows), width), symbols.pad, dtype=np.int64)
    for line, row in zip(tokens, rows, strict=True):
        line[: len(row.tokens)] = row.tokens
    positions = [row.positions.astype(np.int64) + number * width for number, row in enumerate(rows)]
    owners = np.repeat(np.arange(len(examples)), [len(example.rows) for example in examples])
    padded = min(lengths) < width
    return {
        "tokens": torch.from_numpy(tokens),
        "real": torch.from_numpy(np.flatnonzero(tokens != symbols.pad)) if padded else None,
        "positions": torch.from_numpy(np.concatenate(positions)),
        "marks": [len(row.positions) for row in rows],
        "target": torch.from_numpy(np.concatenate([row.target for row in rows]).astype(np.int64)),
        "example": torch.from_numpy(owners),
        "owner": torch.from_numpy(np.repeat(owners, [len(row.positions) for row in rows])),
        "group": torch.tensor([example.group for example in examples]),
        "id": torch.tensor([example.id for example in examples]),
        "records": [example.record for example in examples],
        "padded": padded,
        "num_tokens": sum(lengths),
    }
