"""Batches of masked examples are padded as asked and hold flat positions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fairseq_xling.errors import UserError
from fairseq_xling.objectives.masked import collate
from tests.helpers import BOS, EOS, MASK, PAD, SYMBOLS

EXAMPLES = [
    {
        "id": 7,
        "group": 1,
        "tokens": np.array([BOS, 5, MASK, EOS]),
        "segment": np.array([0, 0, 0, 1]),
        "predict": np.array([2]),
        "target": np.array([6]),
        "languages": [1, 2],
    },
    {
        "id": 9,
        "group": 0,
        "tokens": np.array([BOS, MASK, 9, MASK, 11, EOS]),
        "segment": np.array([0, 0, 0, 1, 1, 1]),
        "predict": np.array([1, 3]),
        "target": np.array([8, 10]),
        "languages": [2, 1],
    },
]


@pytest.mark.parametrize("left_pad", [False, True])
def test_collate(left_pad):
    batch = collate(EXAMPLES, SYMBOLS, ("tokens", "segment"), left_pad=left_pad)
    padding, shift = ([PAD, PAD], 2) if left_pad else ([], 0)
    row = [BOS, 5, MASK, EOS]
    assert batch["tokens"].tolist() == [
        padding + row + ([] if left_pad else [PAD, PAD]),
        EXAMPLES[1]["tokens"].tolist(),
    ]
    segment = [0, 0, 0, 1]
    assert batch["segment"][0].tolist() == ([-1, -1, *segment] if left_pad else [*segment, -1, -1])
    assert batch["predict"].tolist() == [2 + shift, 6 + 1, 6 + 3]
    assert batch["tokens"].view(-1)[batch["predict"]].tolist() == [MASK] * 3
    assert batch["target"].tolist() == [6, 8, 10]
    assert batch["target_group"].tolist() == [1, 0, 0]
    assert batch["languages"].tolist() == [[1, 2], [2, 1]]
    assert batch["id"].tolist() == [7, 9]
    assert batch["padded"] is True
    assert (batch["num_tokens"], batch["num_predictions"]) == (10, 3)


def test_a_batch_without_padding_says_so():
    assert collate([EXAMPLES[0], EXAMPLES[0]], SYMBOLS)["padded"] is False


def test_a_batch_without_predictions_gets_one_that_counts_nothing():
    nothing = {**EXAMPLES[0], "predict": np.array([], dtype=int), "target": np.array([], dtype=int)}
    batch = collate([nothing], SYMBOLS)
    assert (batch["predict"].tolist(), batch["target"].tolist(), batch["target_group"].tolist()) == ([0], [PAD], [0])
    assert batch["num_predictions"] == 0
    assert all(batch[name].dtype == torch.int64 for name in ("predict", "target", "target_group"))


@pytest.mark.parametrize("field", ["tokens", "target"])
def test_ids_beyond_the_dictionary(field):
    """The start-up check takes samples; the collater sees every token before a GPU fails with an opaque message."""
    broken = {**EXAMPLES[1], field: EXAMPLES[1][field].copy()}
    broken[field][1] = 45
    with pytest.raises(UserError, match=r"sentence 9 .*the token id 45, the dictionary has 45 symbols: .*--srcdict"):
        collate([EXAMPLES[0], broken], SYMBOLS)
