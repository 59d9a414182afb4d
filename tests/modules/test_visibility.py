"""Properties of the visibility matrix that hold for any sentences, masks and padding."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from fairseq_xling.modules.visibility import cross_sentence_visibility

cells = st.lists(st.tuples(st.sampled_from([-1, 0, 1]), st.booleans()), min_size=1, max_size=14)


@given(cells)
def test_rule_cell_by_cell(cells):
    segment, masked = ([cell[i] for cell in cells] for i in (0, 1))
    masked = [m and s >= 0 for m, s in zip(masked, segment, strict=True)]
    visible = cross_sentence_visibility(torch.tensor([segment], dtype=torch.int8), torch.tensor([masked]))[0]
    for i, row in enumerate(visible.tolist()):
        for j, seen in enumerate(row):
            other_sentence = segment[i] >= 0 and segment[j] >= 0 and segment[i] != segment[j]
            same_sentence = segment[i] == segment[j]
            rule = i == j or (not masked[j] and (other_sentence if masked[i] else same_sentence))
            assert seen == rule, (i, j)


def test_shape_and_type():
    visible = cross_sentence_visibility(torch.zeros(3, 5, dtype=torch.int8), torch.zeros(3, 5, dtype=torch.bool))
    assert visible.shape == (3, 5, 5)
    assert visible.dtype == torch.bool
