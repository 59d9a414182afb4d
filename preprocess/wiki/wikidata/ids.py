"""Names and numbers of Wikidata's items (Q64 is 64) and properties (P31)."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MAX_NUMBER = 10**9 - 1  # seven times what Wikidata has come to

is_item = re.compile(r"Q[1-9][0-9]{0,8}").fullmatch
is_property = re.compile(r"P[1-9][0-9]{0,8}").fullmatch


def number_of(name: str) -> int:
    """``Q64`` and ``P64`` -> 64. Raises ValueError for anything else."""
    if not (is_item(name) or is_property(name)):
        raise ValueError(f"{name!r} is no Q-id or P-id")
    return int(name[1:])


def numbers_of(names: pa.Array) -> np.ndarray:
    """The numbers of well-formed ids, int64."""
    return pc.cast(pc.utf8_slice_codeunits(names, 1), pa.int64()).to_numpy()


def items_of(numbers: np.ndarray) -> pa.Array:
    """The Q-ids of numbers."""
    return pc.binary_join_element_wise("Q", pc.cast(pa.array(numbers), pa.string()), "")


class Seen:
    """Which numbers have come before, at a bit each; memory is taken only where there are some."""

    def __init__(self) -> None:
        self._bits = np.zeros(MAX_NUMBER // 8 + 1, np.uint8)
        self._size = 0  # bytes behind it are 0

    def add(self, numbers: np.ndarray) -> np.ndarray:
        """Add numbers, different ones; returns those that were there already."""
        places, bits = numbers >> 3, np.left_shift(1, numbers & 7).astype(np.uint8)
        repeated: np.ndarray = numbers[self._bits[places] & bits != 0]
        np.bitwise_or.at(self._bits, places, bits)
        if len(numbers):
            self._size = max(self._size, int(places.max()) + 1)
        return repeated

    @property
    def bits(self) -> np.ndarray:
        """As bytes, number n at bit n % 8 of byte n // 8."""
        return self._bits[: self._size]

    def add_bits(self, bits: np.ndarray) -> None:
        """Add the numbers of another's ``bits``."""
        self._bits[: len(bits)] |= bits
        self._size = max(self._size, len(bits))
