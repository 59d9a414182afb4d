"""F1 of entities (WikiAnn, CoNLL, SemEval-16) as conlleval counts it, and XTREME's F1 of POS tags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from .iob import spans, to_iob2

# seqeval's tag letter S ("single"), which XTREME's POS scores see in the first letter of these
_SINGLE = ("SCONJ", "SYM")


class Score(NamedTuple):
    """Figures in percent; 0 where the denominator is 0, as in conlleval."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class EntityCounts:
    """Entities by type; add two to get those of both parts.

    Attributes:
        true_positives: predicted with the right type and both limits.
        false_positives: predicted otherwise.
        false_negatives: gold entities not predicted.
    """

    true_positives: Counter[str] = field(default_factory=Counter)
    false_positives: Counter[str] = field(default_factory=Counter)
    false_negatives: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: EntityCounts) -> EntityCounts:
        return EntityCounts(
            self.true_positives + other.true_positives,
            self.false_positives + other.false_positives,
            self.false_negatives + other.false_negatives,
        )

    @property
    def types(self) -> list[str]:
        """All types seen, sorted."""
        return sorted({*self.true_positives, *self.false_positives, *self.false_negatives})

    def score(self, entity: str | None = None) -> Score:
        """Score of one type, or of all entities together (micro average: the figure the papers report)."""
        true, wrong, missed = (
            counts.total() if entity is None else counts[entity]
            for counts in (self.true_positives, self.false_positives, self.false_negatives)
        )
        return Score(
            precision=_percent(true, true + wrong),
            recall=_percent(true, true + missed),
            f1=_percent(2 * true, 2 * true + wrong + missed),
        )


def count_entities(gold: Sequence[str], predicted: Sequence[str]) -> EntityCounts:
    """Compare the entities of one sentence.

    Args:
        gold, predicted: a tag for each word, ``O``, ``B-TYPE`` or ``I-TYPE``. A prediction need not be valid IOB2: it is
            read as conlleval (and seqeval in its default mode) reads it.

    Raises:
        ValueError: not as many predicted tags as gold tags.
    """
    if len(gold) != len(predicted):
        raise ValueError(f"{len(predicted)} predicted tags for {len(gold)} words")
    right, found = spans(gold), spans(predicted)
    counters = (Counter(span.type for span in part) for part in (right & found, found - right, right - found))
    return EntityCounts(*counters)


def count_pos_runs(gold: Sequence[str], predicted: Sequence[str]) -> EntityCounts:
    """Compare the POS tags of one sentence as XTREME does (Hu et al., 2020; ``udpos`` in its evaluate.py).

    XTREME gives POS tags to seqeval as if they were entity tags. That counts runs of equal tags, not words: two nouns
    in a row are one item, right only if both words and nothing beside them are tagged as nouns. SCONJ and SYM are taken
    for the tag ``S`` of single words and never joined. This is the behaviour of seqeval 0.0.12, XTREME's; versions from
    1.0 cut the first letter off each tag and so confuse CCONJ with SCONJ.
    """
    return count_entities(_as_runs(gold), _as_runs(predicted))


def _as_runs(tags: Sequence[str]) -> list[str]:
    return to_iob2(f"{'B' if tag in _SINGLE else 'I'}-{tag}" for tag in tags)


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0
