"""Accuracy as sums."""

from __future__ import annotations

import pytest

from fairseq_xling.metrics.accuracy import Accuracy, count_correct


def test_two_parts_add_up_to_the_whole():
    first = count_correct(["entailment", "neutral", "neutral"], ["entailment", "neutral", "contradiction"])
    second = count_correct(["neutral"], ["entailment"])
    assert first == Accuracy(2, 3)
    assert (first + second).percent == 50


def test_gold_against_itself_is_100():
    assert count_correct(["0", "1", "1"], ["0", "1", "1"]).percent == 100


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="shorter"):
        count_correct(["0", "1"], ["0"])
