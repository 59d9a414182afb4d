"""Metrics as sums: by hand, and equal to the metric of all examples at once."""

from __future__ import annotations

import random

import pytest

from fairseq_xling.finetuning.benchmarks import BENCHMARKS
from fairseq_xling.finetuning.readers.classification import TextPair
from fairseq_xling.finetuning.readers.squad import Answer, Question
from fairseq_xling.finetuning.readers.tagging import TaggedSentence
from fairseq_xling.finetuning.scoring import ACCURACY, ENTITIES, MLQA, POS, SQUAD, Scoring
from fairseq_xling.metrics.tagging import EntityCounts, count_entities, count_pos_runs


def total(scoring: Scoring, *cases) -> list[float]:
    """Sums over (record, prediction) or (record, prediction, language)."""
    rows = [scoring.count(record, prediction, *(language or ["en"])) for record, prediction, *language in cases]
    assert all(len(row) == scoring.width for row in rows)
    return [sum(column) for column in zip(*rows, strict=True)]


def question(*answers: str) -> Question:
    return Question("1", "?", " ".join(answers), tuple(Answer(answer, 0) for answer in answers))


def tagged(tags: str) -> TaggedSentence:
    return TaggedSentence(tuple(f"w{i}" for i in range(len(tags.split()))), tuple(tags.split()))


def test_accuracy():
    sums = total(
        ACCURACY, (TextPair("a", "b", "1"), "1"), (TextPair("a", None, "0"), "1"), (TextPair("a", "b", "0"), "0")
    )
    assert sums == [3, 2]
    assert ACCURACY.figures(sums) == {"accuracy": pytest.approx(200 / 3)}


def test_squad():
    """F1 2·1/(3+1) = 0.5, then the better of two answers, then nothing said."""
    sums = total(
        SQUAD,
        (question("red brick house"), "the house"),
        (question("a cat", "Two cats."), "two cats"),
        (question("x"), ""),
    )
    assert sums == [3, 1.5, 1]
    assert SQUAD.figures(sums) == {"f1": pytest.approx(50), "exact_match": pytest.approx(100 / 3)}


def test_mlqa_uses_the_language_of_the_context():
    """``das Haus`` is ``Haus`` in German only; of the pair de-en the context is German, of en-de English."""
    record, prediction = question("das Haus"), "Haus"
    for language in ("de", "de-en", "de-zh"):
        assert list(MLQA.count(record, prediction, language)) == [1, 1, 1]
    for language in ("en", "en-de"):
        assert list(MLQA.count(record, prediction, language)) == [1, pytest.approx(2 / 3), 0]
    assert list(MLQA.count(question("猫和狗"), "猫", "zh")) == [1, pytest.approx(0.5), 0], (
        "Chinese is scored by character"
    )


def test_entities():
    """Right PER; LOC one word short, which is one wrong and one missed; nothing where nothing is."""
    sums = total(
        ENTITIES,
        (tagged("B-PER I-PER O B-LOC I-LOC"), ["B-PER", "I-PER", "O", "B-LOC", "O"]),
        (tagged("O O"), ["O", "O"]),
        (tagged("O B-ORG"), ["O", "B-ORG"]),
        (tagged("B-ORG O"), ["O", "O"]),
    )
    assert sums == [4, 2, 1, 2]
    precision, recall = 2 / 3, 2 / 4
    f1 = 2 * precision * recall / (precision + recall)
    assert list(ENTITIES.percent(sums)) == pytest.approx([100 * f1, 100 * precision, 100 * recall])
    assert ENTITIES.names == ("f1", "precision", "recall")


def test_no_entity_at_all_scores_0():
    assert ENTITIES.percent((2, 0, 0, 0)) == (0, 0, 0)


def test_parts_of_speech():
    """3 of 4 words right; runs NOUN VERB NOUN of which the last two are found, and ADJ instead of the first."""
    gold, prediction = tagged("NOUN NOUN VERB NOUN"), ["ADJ", "NOUN", "VERB", "NOUN"]
    sums = total(POS, (gold, prediction))
    runs = count_pos_runs(gold.tags, prediction)
    counts = [counter.total() for counter in (runs.true_positives, runs.false_positives, runs.false_negatives)]
    assert sums == [4, 3, *counts]
    assert POS.figures(sums) == {"f1": pytest.approx(runs.score().f1), "accuracy": 75}


@pytest.mark.parametrize("scoring", [ENTITIES, POS])
def test_sums_over_sentences_are_the_metric_of_all(scoring):
    rng = random.Random(0)
    names = ["O", "B-A", "I-A", "B-B", "I-B"] if scoring is ENTITIES else ["NOUN", "VERB", "ADJ", "SYM"]
    count = count_entities if scoring is ENTITIES else count_pos_runs
    pairs = []
    for _ in range(50):
        length = rng.randint(1, 12)
        pairs.append((tagged(" ".join(rng.choices(names, k=length))), rng.choices(names, k=length)))
    whole = sum((count(gold.tags, prediction) for gold, prediction in pairs), EntityCounts())
    assert scoring.figures(total(scoring, *pairs))["f1"] == pytest.approx(whole.score().f1)
    assert 0 < whole.score().f1 < 100


def test_the_main_figure_of_each_benchmark():
    main = {name: benchmark.scoring.names[0] for name, benchmark in BENCHMARKS.items()}
    assert {name for name, figure in main.items() if figure == "accuracy"} == {"xnli", "pawsx", "amazon"}
    assert set(main.values()) == {"accuracy", "f1"}
