"""Language sampling: the right counts, and no example twice before all were drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairseq_xling.data.sampling import draw, language_counts


def drawn(size: int, start: int, end: int, seed: tuple[int, ...]) -> np.ndarray:
    return np.concatenate([piece for _, piece in draw(size, start, end, seed)])


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.7, 1.0])
def test_counts_are_proportional_to_n_to_the_alpha(alpha):
    sizes = np.array([1_000_000, 10_000, 100, 0])
    counts = language_counts(sizes, alpha)
    weights = np.where(sizes > 0, sizes.astype(float), 0) ** alpha * (sizes > 0)
    assert np.abs(counts - weights / weights.sum() * sizes.sum()).max() <= 1
    assert counts[3] == 0


def test_alpha_1_keeps_the_corpus_and_a_small_language_is_never_lost():
    assert language_counts(np.array([5, 7, 1]), 1.0).tolist() == [5, 7, 1]
    assert language_counts(np.array([10**9, 1]), 1.0)[1] == 1


@given(st.integers(1, 40), st.integers(1, 90), st.integers(1, 6))
def test_nothing_is_repeated_before_all_were_drawn(size, count, epochs):
    """Successive epochs read on in one sequence whose every run of ``size`` is a permutation."""
    found = np.concatenate([drawn(size, epoch * count, (epoch + 1) * count, (1, 2)) for epoch in range(epochs)])
    assert len(found) == count * epochs
    for start in range(0, len(found), size):
        deck = found[start : start + size]
        assert len(set(deck.tolist())) == len(deck)
    assert ((found >= 0) & (found < size)).all()


@given(st.integers(1, 40), st.integers(1, 90), st.integers(1, 6))
def test_a_piece_holds_nothing_twice(size, count, epoch):
    pieces = draw(size, epoch * count, (epoch + 1) * count, (1,))
    assert sum(len(piece) for _, piece in pieces) == count
    assert all(len(set(piece.tolist())) == len(piece) for _, piece in pieces)
    assert [number for number, _ in pieces] == list(range(epoch * count // size, ((epoch + 1) * count - 1) // size + 1))


def test_deterministic_by_seed_and_epoch():
    first = drawn(100, 300, 400, (1, 0))
    assert (first == drawn(100, 300, 400, (1, 0))).all()
    assert (first != drawn(100, 400, 500, (1, 0))).any()
    assert (first != drawn(100, 300, 400, (2, 0))).any()
