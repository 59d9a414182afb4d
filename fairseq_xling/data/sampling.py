"""Language sampling: p_i ∝ n_i^α over the examples of an epoch (XLM, §3.1)."""

from __future__ import annotations

import numpy as np


def language_counts(sizes: np.ndarray, alpha: float) -> np.ndarray:
    """Number of examples of each language that one epoch draws.

    Args:
        sizes: (L,) number of examples n_i of each language.
        alpha: exponent; 1 keeps the corpus as it is, 0 draws every language equally often.

    Returns:
        (L,) counts that sum to about ``sizes.sum()``; at least 1 for a language that has data.
    """
    weights = np.where(sizes > 0, sizes.astype(float), 0.0) ** alpha * (sizes > 0)
    counts = np.round(weights / weights.sum() * sizes.sum()).astype(np.int64)
    return np.where(sizes > 0, np.maximum(counts, 1), 0)


def draw(size: int, start: int, end: int, seed: tuple[int, ...]) -> list[tuple[int, np.ndarray]]:
    """Draws ``start`` to ``end`` of an endless sequence of permutations of ``size`` examples.

    So no example is repeated before all were drawn, and an epoch that takes a part of a large language is followed by one
    that takes another part. Any part of the sequence can be computed without what comes before it.

    Args:
        size: number of examples of the language.
        seed: what identifies the sequence.

    Returns:
        For each permutation that is touched its number and the indices, in ``range(size)`` and no index twice.
    """
    pieces = []
    while start < end:
        number, offset = divmod(start, size)
        order = np.random.default_rng((*seed, number)).permutation(
            np.arange(size, dtype=np.int32 if size < 2**31 else np.int64)
        )
        pieces.append((number, order[offset : offset + end - start]))
        start += len(pieces[-1][1])
    return pieces
