"""Official metrics as rows of numbers that can be summed over examples, batches and processes.

Axes: K sums of a metric; the first is always the number of scored items.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..metrics.accuracy import count_correct
from ..metrics.mlqa import normalizer_of
from ..metrics.squad import Normalizer, normalize, score_answer
from ..metrics.tagging import EntityCounts, count_entities, count_pos_runs
from .readers.classification import TextPair
from .readers.squad import Question
from .readers.tagging import TaggedSentence

Sums = Sequence[float]


@dataclass(frozen=True)
class Scoring:
    """A metric.

    Attributes:
        names: of the reported figures, the main one first.
        width: K.
        count: sums (K,) of one example: ``count(record, prediction, language)``.
        percent: figures in percent, in the order of ``names``, from the sums (K,) of all examples.
        check: raises UserError if the metric is not defined for a language.
    """

    names: tuple[str, ...]
    width: int
    count: Callable[[Any, Any, str], Sums]
    percent: Callable[[Sums], tuple[float, ...]]
    check: Callable[[str], object] = lambda language: None

    def figures(self, sums: Sums) -> dict[str, float]:
        """Figures by name, in percent."""
        return dict(zip(self.names, self.percent(sums), strict=True))


def _count_label(record: TextPair, prediction: str, language: str) -> Sums:
    return 1, record.label == prediction


def _count_answer(record: Question, prediction: str, normalizer: Normalizer) -> Sums:
    scores = score_answer(prediction, [answer.text for answer in record.answers], normalizer)
    return 1, scores.f1, scores.exact_match


def _totals(counts: EntityCounts) -> tuple[int, int, int]:
    return counts.true_positives.total(), counts.false_positives.total(), counts.false_negatives.total()


def _count_entities(record: TaggedSentence, prediction: Sequence[str], language: str) -> Sums:
    return 1, *_totals(count_entities(record.tags, prediction))


def _count_pos(record: TaggedSentence, prediction: Sequence[str], language: str) -> Sums:
    words = count_correct(record.tags, prediction)
    return words.count, words.correct, *_totals(count_pos_runs(record.tags, prediction))


def _shares(sums: Sums) -> tuple[float, ...]:
    return tuple(100 * value / sums[0] for value in sums[1:])


def _f1(true: float, wrong: float, missed: float) -> tuple[float, float, float]:
    """F1, precision and recall in percent, 0 where the denominator is 0."""
    pairs = ((2 * true, 2 * true + wrong + missed), (true, true + wrong), (true, true + missed))
    f1, precision, recall = (100 * part / whole if whole else 0.0 for part, whole in pairs)
    return f1, precision, recall


def _answer_language(language: str) -> str:
    """The language of the answers: that of the context, which MLQA's cross pairs ``context-question`` name first."""
    return language.partition("-")[0]


ACCURACY = Scoring(("accuracy",), 2, _count_label, _shares)
SQUAD = Scoring(
    ("f1", "exact_match"), 3, lambda record, text, language: _count_answer(record, text, normalize), _shares
)
MLQA = Scoring(
    ("f1", "exact_match"),
    3,
    lambda record, text, language: _count_answer(record, text, normalizer_of(_answer_language(language))),
    _shares,
    check=lambda language: normalizer_of(_answer_language(language)),
)
ENTITIES = Scoring(("f1", "precision", "recall"), 4, _count_entities, lambda sums: _f1(*sums[1:]))
POS = Scoring(("f1", "accuracy"), 5, _count_pos, lambda sums: (_f1(*sums[2:])[0], 100 * sums[1] / sums[0]))

# a benchmark's `metric` -> what it is
SCORINGS = {"accuracy": ACCURACY, "squad": SQUAD, "mlqa": MLQA, "entities": ENTITIES, "pos": POS}
