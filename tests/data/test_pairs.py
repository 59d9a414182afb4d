"""Sentence pairs of several language pairs, and their fair truncation."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairseq_xling.data.databin import DataBin
from fairseq_xling.data.pairs import Parallel, fair_lengths, join_pair, num_pair_specials
from tests.helpers import BOS, EOS, SYMBOLS, write_data_bin

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


def pairs(folder: Path, sides: dict[str, tuple[list[list[int]], list[list[int]]]], max_positions: int = 16) -> Parallel:
    data = DataBin(str(write_data_bin(folder, para=sides)))
    return Parallel(data.open_pairs("train", 1), max_positions)


def test_pairs(tmp_path):
    source = pairs(tmp_path, {"de-en": ([[5], [6, 7]], [[8, 9], [10]]), "en-fr": ([[11]], [[12]])})
    assert source.groups == ["de-en", "en-fr"]
    assert source.bounds.tolist() == [0, 2, 3]
    assert source.sizes.tolist() == [7, 7, 6]
    x, y, pair = source[1]
    assert (x.tolist(), y.tolist(), str(pair)) == ([6, 7], [10], "de-en")
    assert str(source[2][2]) == "en-fr"


def test_pairs_are_cut_fairly_counted_and_logged(tmp_path, caplog):
    left, right = [[5] * 3, [5] * 20, [5] * 20], [[6] * 20, [6] * 3, [6] * 20]
    with caplog.at_level(logging.WARNING):
        source = pairs(tmp_path, {"de-en": (left, right)})
    assert [tuple(map(len, source[i][:2])) for i in range(3)] == [(3, 9), (9, 3), (6, 6)]
    assert source.sizes.tolist() == [16, 16, 16]
    assert "de-en: 3 of 3 pairs are cut to --max-positions 16" in caplog.text


@pytest.mark.parametrize(("left", "right"), [([], [6]), ([5], []), ([], [])])
def test_pairs_with_an_empty_side_are_left_out_and_logged(tmp_path, caplog, left, right):
    with caplog.at_level(logging.WARNING):
        source = pairs(tmp_path, {"de-en": ([[5], left], [[6], right])})
    assert source.sizes.tolist() == [6, 0]
    assert "de-en: 1 of 2 pairs have an empty side and are left out" in caplog.text
