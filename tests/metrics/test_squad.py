"""F1 and exact match of SQuAD v1.1 against values by hand."""

from __future__ import annotations

import pytest

from fairseq_xling.metrics.squad import AnswerScores, normalize, score_answer


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The  Cat's\u00a0hat, an eel!", "cats hat eel"),
        ("theatre", "theatre"),
        ("A-team", "ateam"),  # punctuation goes first, so this a is no article any more
        ("“quoted” – 3.5", "“quoted” – 35"),  # only ASCII punctuation
        ("the", ""),
        ("40 ngày", "40 ngày"),
        ("宪法，保障", "宪法，保障"),
    ],
)
def test_normalize(text, normal):
    assert normalize(text) == normal


@pytest.mark.parametrize(
    ("prediction", "answers", "f1", "exact_match"),
    [
        ("the big cat", ["big cat"], 1, 1),
        ("cat", ["big black cat"], 1 / 2, 0),  # precision 1, recall 1/3
        ("big big cat", ["big cat cat"], 2 / 3, 0),  # two words shared, each as often as in both
        ("cat", ["dog", "cat", "big cat"], 1, 1),  # the best answer counts
        ("black cat", ["cat", "a black hat"], 2 / 3, 0),
        ("", ["cat"], 0, 0),
        ("!", ["the"], 0, 1),  # nothing is left of both: equal, but no word is shared (as in the official script)
    ],
)
def test_score_answer(prediction, answers, f1, exact_match):
    assert score_answer(prediction, answers) == AnswerScores(pytest.approx(f1), exact_match, 1)


def test_two_parts_add_up_to_the_whole():
    scores = [score_answer("cat", ["cat"]), score_answer("cat", ["big black cat"]), score_answer("", ["cat"])]
    assert sum(scores, AnswerScores()).percent() == {"f1": pytest.approx(50), "exact_match": pytest.approx(100 / 3)}


def test_needs_an_answer():
    with pytest.raises(ValueError, match="gold answer"):
        score_answer("cat", [])
