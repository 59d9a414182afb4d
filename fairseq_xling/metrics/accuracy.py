"""Accuracy: of sentence classification (XNLI, PAWS-X, Amazon reviews) and of POS tags."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Accuracy:
    """Number of right labels; add two to get those of both parts."""

    correct: int = 0
    count: int = 0

    def __add__(self, other: Accuracy) -> Accuracy:
        return Accuracy(self.correct + other.correct, self.count + other.count)

    @property
    def percent(self) -> float:
        """Share of right labels in percent. Raises ZeroDivisionError if nothing was counted."""
        return 100 * self.correct / self.count


def count_correct(gold: Sequence[Hashable], predicted: Sequence[Hashable]) -> Accuracy:
    """Compare labels one by one.

    Raises:
        ValueError: not as many labels as gold labels.
    """
    return Accuracy(sum(a == b for a, b in zip(gold, predicted, strict=True)), len(gold))
