"""Scores of predicted against gold links (Och and Ney, 2003)."""

from __future__ import annotations

from dataclasses import dataclass

METRICS = ("aer", "precision", "recall", "f1")


@dataclass(frozen=True)
class LinkCounts:
    """Sizes over all sentence pairs of a test set.

    Attributes:
        predicted: |A|.
        in_sure: |A and S|.
        in_possible: |A and P|, where P holds S.
        sure: |S|.
    """

    predicted: int
    in_sure: int
    in_possible: int
    sure: int

    def scores(self) -> dict[str, float]:
        """Alignment error rate, precision against P, recall against S and their harmonic mean, each 0 to 1.

        Without predicted links precision and F1 are 0. There must be a sure link.
        """
        precision = self.in_possible / self.predicted if self.predicted else 0.0
        recall = self.in_sure / self.sure
        return {
            "aer": 1 - (self.in_sure + self.in_possible) / (self.predicted + self.sure),
            "precision": precision,
            "recall": recall,
            "f1": 2 * precision * recall / (precision + recall) if precision + recall else 0.0,
        }
