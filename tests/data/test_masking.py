"""Which positions are predicted and what they look like."""

from __future__ import annotations

import numpy as np
import pytest
from fairseq.data import Dictionary
from hypothesis import given
from hypothesis import strategies as st

from fairseq_xling.data.masking import Symbols, choose_positions, corrupt
from tests.helpers import BOS, EOS, FIRST, MASK, PAD, SYMBOLS, UNK


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_symbols_of_a_dictionary():
    dictionary = Dictionary()
    for i in range(40):
        dictionary.add_symbol(f"w{i}")
    dictionary.add_symbol("<mask>")
    assert Symbols.of(dictionary) == SYMBOLS
    assert SYMBOLS.special == [BOS, PAD, EOS, UNK, MASK]


@given(st.lists(st.integers(0, MASK), max_size=40), st.floats(0, 1), st.integers(0, 100))
def test_positions_are_distinct_ordinary_tokens_in_order(tokens, prob, seed):
    tokens = np.array(tokens, dtype=np.int64)
    positions = choose_positions(tokens, prob, SYMBOLS, rng(seed))
    ordinary = int(((tokens >= UNK) & (tokens != MASK)).sum())
    assert (np.diff(positions) > 0).all()
    assert ((tokens[positions] >= UNK) & (tokens[positions] != MASK)).all()
    assert np.floor(prob * ordinary - 1e-9) <= len(positions) <= min(ordinary, np.ceil(prob * ordinary + 1e-9))


def test_the_mean_count_is_exact_for_short_sentences():
    tokens = np.array([BOS, 5, 6, 7, EOS])
    generator = rng()
    counts = [len(choose_positions(tokens, 0.15, SYMBOLS, generator)) for _ in range(20_000)]
    assert set(counts) == {0, 1}
    assert np.mean(counts) == pytest.approx(0.45, abs=4 * (0.45 * 0.55 / 20_000) ** 0.5)


def test_every_position_is_equally_likely():
    tokens = np.array([BOS, *range(5, 15), EOS])
    generator = rng()
    hits = np.zeros(len(tokens))
    for _ in range(10_000):
        hits[choose_positions(tokens, 0.2, SYMBOLS, generator)] += 1
    assert hits[[0, -1]].tolist() == [0, 0]
    deviations = (hits[1:-1] - 2000) / (10_000 * 0.2 * 0.8) ** 0.5
    assert (deviations**2).sum() < 27.9  # chi-square, 9 degrees of freedom, p = 0.001


def test_no_ordinary_token():
    assert choose_positions(np.array([BOS, EOS, EOS]), 1.0, SYMBOLS, rng()).tolist() == []
    assert choose_positions(np.array([], dtype=int), 1.0, SYMBOLS, rng()).tolist() == []


def test_corruption_touches_chosen_positions_only_and_copies():
    tokens = np.arange(FIRST, FIRST + 30)
    before = tokens.copy()
    positions = np.array([3, 4, 20])
    corrupted = corrupt(tokens, positions, SYMBOLS, rng(), leave_prob=0.0, random_prob=0.0)
    assert (tokens == before).all()
    assert (corrupted[positions] == MASK).all()
    kept = np.setdiff1d(np.arange(30), positions)
    assert (corrupted[kept] == tokens[kept]).all()


def test_80_10_10_by_chi_square():
    tokens = np.full(100_000, FIRST)
    corrupted = corrupt(tokens, np.arange(len(tokens)), SYMBOLS, rng())
    random = (corrupted != MASK) & (corrupted != FIRST)
    observed = np.array([(corrupted == MASK).sum(), (corrupted == FIRST).sum(), random.sum()])
    expected = len(tokens) * np.array([0.8, 0.1 + 0.1 / 40, 0.1 * 39 / 40])
    assert ((observed - expected) ** 2 / expected).sum() < 13.8  # 2 degrees of freedom, p = 0.001
    # every ordinary symbol is drawn, equally often, and no special one
    counts = np.bincount(corrupted[random], minlength=MASK + 1)[FIRST + 1 : MASK]
    assert counts.sum() == random.sum()
    mean = counts.mean()
    assert ((counts - mean) ** 2 / mean).sum() < 72.1  # 38 degrees of freedom, p = 0.001
