"""The formulation of each task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from ..interop.loaded import LoadedModel
from .benchmarks import Benchmark
from .formulation import Formulation
from .question_answering import QuestionAnswering, SpanLimits
from .sequence_classification import SequenceClassification
from .token_classification import TokenClassification

FORMULATIONS: dict[str, type[Formulation]] = {
    "sequence_classification": SequenceClassification,
    "token_classification": TokenClassification,
    "question_answering": QuestionAnswering,
}


def formulate(
    loaded: LoadedModel, benchmark: Benchmark, labels: Sequence[str], max_positions: int, options: Any
) -> Formulation:
    """The formulation of a benchmark.

    Args:
        options: of the task, as attributes; those of `SpanLimits` are read where they are there.

    Raises:
        UserError: a length is out of range.
    """
    if benchmark.task == "question_answering":
        names = [field.name for field in fields(SpanLimits) if hasattr(options, field.name)]
        limits = SpanLimits(**{name: getattr(options, name) for name in names})
        return QuestionAnswering(loaded, benchmark, labels, max_positions, limits)
    return FORMULATIONS[benchmark.task](loaded, benchmark, labels, max_positions)
