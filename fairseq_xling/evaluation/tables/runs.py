"""Runs, of which the rows of the tables are made, whatever evaluation they come from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

TRANSFER = "Cross-lingual transfer from "
TOGETHER = "Translate-train-all"
SUPERVISED = "Supervised"
UNRECORDED = "Training languages not recorded"


@dataclass(frozen=True)
class Run:
    """One evaluation: a model, one seed of its fine-tuning, all languages.

    Attributes:
        label: of the model; a row of the tables.
        benchmark: the table it belongs to.
        split: dev or test, None for files named one by one.
        setting: what runs of one block of the table share: how they were fine-tuned, or the settings of the evaluation.
        trained_on: languages of the fine-tuning, none if nothing was fine-tuned.
        seed: of the fine-tuning.
        updates: of the pre-training.
        model: what was fine-tuned.
        metrics: the main one first.
        shown: those in the cells of the papers' tables.
        scores: language -> a value in percent for each metric.
        examples: language -> number of them.
        averaged: languages whose mean is the average.
        hashes: language -> SHA-256 of its test data.
        files: the results.json read.
    """

    label: str
    benchmark: str
    split: str | None
    setting: str
    trained_on: tuple[str, ...]
    seed: int | None
    updates: int | None
    model: str | None
    metrics: tuple[str, ...]
    shown: tuple[str, ...]
    scores: dict[str, tuple[float, ...]]
    examples: dict[str, int]
    averaged: tuple[str, ...]
    hashes: dict[str, str]
    files: tuple[Path, ...]

    def value(self, language: str, metric: str) -> float:
        """Score of a language in percent."""
        return self.scores[language][self.metrics.index(metric)]

    def average(self, metric: str) -> float:
        """Mean over the languages, in percent."""
        return fmean(self.value(language, metric) for language in self.averaged)
