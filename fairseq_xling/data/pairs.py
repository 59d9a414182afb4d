"""Sentence pairs of a data-bin; as one sequence, ``<s> x </s> </s> y </s>`` (XLM-R) or ``<s> x </s> y </s>`` (BERT), and cut fairly."""

from __future__ import annotations

import logging
from typing import TypeVar

import numpy as np
from fairseq.data.indexed_dataset import MMapIndexedDataset

from .databin import Pair
from .masking import Symbols

logger = logging.getLogger(__name__)

SEPARATORS = 2  # XLM-R's </s> between the sentences; BERT has one
Lengths = TypeVar("Lengths", int, np.ndarray)


def num_pair_specials(separators: int = SEPARATORS) -> int:
    """Special symbols of a pair: ``<s>``, the ``</s>`` between the sentences and the last one."""
    return separators + 2


def fair_lengths(
    length_x: Lengths, length_y: Lengths, max_positions: int, separators: int = SEPARATORS
) -> tuple[Lengths, Lengths]:
    """Lengths the two sides keep so that the pair fits: the longer side gives first, both keep at least half.

    Works on integers and, element by element, on arrays.

    >>> fair_lengths(10, 90, 54)
    (10, 40)
    >>> fair_lengths(80, 90, 54)
    (25, 25)
    """
    room = max_positions - num_pair_specials(separators)
    if isinstance(length_x, np.ndarray):
        keep_x = np.minimum(length_x, np.maximum(room // 2, room - length_y))
        return keep_x, np.minimum(length_y, room - keep_x)
    keep = min(length_x, max(room // 2, room - length_y))
    return keep, min(length_y, room - keep)


def join_pair(
    x: np.ndarray, y: np.ndarray, symbols: Symbols, separators: int = SEPARATORS
) -> tuple[np.ndarray, np.ndarray]:
    """Concatenate two sentences (without their own specials).

    Returns:
        tokens (T,) = ``<s> x </s> </s> y </s>``, with one ``separators`` ``<s> x </s> y </s>``, and segment (T,) int8, 0 for
        ``<s> x </s>`` and 1 for the rest.
    """
    tokens = np.concatenate([[symbols.bos], x, [symbols.eos] * separators, y, [symbols.eos]]).astype(np.int64)
    segment = np.ones(len(tokens), dtype=np.int8)
    segment[: len(x) + 2] = 0
    return tokens, segment


class Parallel:
    """Sentence pairs of several language pairs, cut fairly on both sides to fit one sequence, `fairseq_xling.data.pairs`.

    An item is ``(x, y, pair)``; the sentences hold no special symbol.
    """

    def __init__(
        self,
        corpora: dict[Pair, tuple[MMapIndexedDataset, MMapIndexedDataset]],
        max_positions: int,
        separators: int = SEPARATORS,
    ):
        self.pairs = list(corpora)
        self.groups = [str(pair) for pair in corpora]
        self.datasets = list(corpora.values())
        self.max_positions = max_positions
        self.separators = separators
        self.bounds = np.cumsum([0, *(len(left) for left, _ in self.datasets)])
        self.sizes = np.zeros(self.bounds[-1], dtype=np.int32)
        for pair, (left, right), start, end in zip(
            self.groups, self.datasets, self.bounds[:-1], self.bounds[1:], strict=True
        ):
            x, y = np.asarray(left.sizes) - 1, np.asarray(right.sizes) - 1
            kept_x, kept_y = self.kept(x, y)
            cut = int(((kept_x < x) | (kept_y < y)).sum())
            empty = int(((x < 1) | (y < 1)).sum())
            if cut:
                logger.warning(f"{pair}: {cut} of {len(x)} pairs are cut to --max-positions {max_positions}")
            if empty:
                logger.warning(f"{pair}: {empty} of {len(x)} pairs have an empty side and are left out")
            self.sizes[start:end] = np.where((x < 1) | (y < 1), 0, self.example_sizes(kept_x, kept_y))

    def locate(self, index: int) -> tuple[int, int]:
        """The group of item ``index``, and its number in it."""
        group = int(np.searchsorted(self.bounds, index, side="right")) - 1
        return group, int(index - self.bounds[group])

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, Pair]:
        group, local = self.locate(index)
        x, y = (side[local].numpy()[:-1] for side in self.datasets[group])
        keep_x, keep_y = self.kept(len(x), len(y))
        return x[:keep_x], y[:keep_y], self.pairs[group]

    def kept(self, x: Lengths, y: Lengths) -> tuple[Lengths, Lengths]:
        """Lengths that are kept of two sentences of the given lengths."""
        return fair_lengths(x, y, self.max_positions, self.separators)

    def example_sizes(self, kept_x: np.ndarray, kept_y: np.ndarray) -> np.ndarray:
        """(N,) tokens of the examples made of sentences of these lengths."""
        return kept_x + kept_y + num_pair_specials(self.separators)


class SeparatePairs(Parallel):
    """Sentence pairs whose sides are encoded each on its own, as ``<s> x </s>`` and ``<s> y </s>``, and cut only to fit so."""

    def kept(self, x: Lengths, y: Lengths) -> tuple[Lengths, Lengths]:
        room = self.max_positions - 2
        if isinstance(x, np.ndarray):
            return np.minimum(x, room), np.minimum(y, room)
        return min(x, room), min(y, room)

    def example_sizes(self, kept_x: np.ndarray, kept_y: np.ndarray) -> np.ndarray:
        """(N,) twice the longer side: both sides of a batch are padded to the longest sentence in it."""
        return 2 * (np.maximum(kept_x, kept_y) + 2)
