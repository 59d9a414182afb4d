"""Sentence pairs in one sequence, ``<s> x </s> </s> y </s>`` (XLM-R) or ``<s> x </s> y </s>`` (BERT), and their fair truncation."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from .masking import Symbols

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
