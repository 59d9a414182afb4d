"""Fair truncation of sentence pairs."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fairseq_xling.data.pairs import fair_lengths, join_pair, num_pair_specials
from tests.helpers import BOS, EOS, SYMBOLS

lengths = st.integers(0, 300)
limits = st.integers(8, 300)


@given(lengths, lengths, limits)
def test_fair_truncation(x, y, max_positions):
    room = max_positions - num_pair_specials()
    keep_x, keep_y = fair_lengths(x, y, max_positions)
    assert 0 <= keep_x <= x
    assert 0 <= keep_y <= y
    assert keep_x + keep_y == min(x + y, room)  # nothing is cut without need, all the room is used
    # a side within its half is never cut; if both are cut they end up equal, up to the odd token
    if x <= room // 2:
        assert keep_x == x
    if y <= room // 2:
        assert keep_y == y
    if keep_x < x and keep_y < y:
        assert abs(keep_x - keep_y) <= 1


@given(st.lists(st.tuples(lengths, lengths), min_size=1, max_size=20), limits)
def test_arrays_as_integers(pairs, max_positions):
    x, y = (np.array(side) for side in zip(*pairs, strict=True))
    found = np.stack(fair_lengths(x, y, max_positions), axis=1).tolist()
    assert found == [list(fair_lengths(a, b, max_positions)) for a, b in pairs]


def test_join_pair():
    tokens, segment = join_pair(np.array([5, 6], dtype=np.uint16), np.array([7]), SYMBOLS)
    assert tokens.tolist() == [BOS, 5, 6, EOS, EOS, 7, EOS]
    assert segment.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert (tokens.dtype, segment.dtype) == (np.int64, np.int8)
    assert len(tokens) == 3 + num_pair_specials()
