"""Interface of a task to the encoder: from records to rows of tokens, from states to predictions and scores.

Axes: R rows of a batch, T tokens, M marked positions, N examples, K sums of the metric.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from ..errors import UserError
from ..interop.loaded import LoadedModel
from ..models import EncoderInput, XlingModel
from .benchmarks import Benchmark
from .examples import Example, Examples, Row, collate


class Formulation(ABC):
    """A fine-tuning task, independent of the trainer.

    Args:
        loaded: the model whose vocabulary encodes the text.
        benchmark: what is learnt.
        labels: of the classes or tags; for spans none.
        max_positions: longest row in tokens.
    """

    head: ClassVar[str]
    labelled: ClassVar[bool] = True
    # positions that a row must have room for
    least_positions: ClassVar[int] = 8

    def __init__(self, loaded: LoadedModel, benchmark: Benchmark, labels: Sequence[str], max_positions: int):
        if max_positions < self.least_positions:
            raise UserError(f"--max-positions {max_positions}: at least {self.least_positions} are needed")
        self.loaded = loaded
        self.symbols = loaded.symbols
        self.benchmark = benchmark
        self.labels = list(labels)
        self.max_positions = max_positions

    @classmethod
    @abstractmethod
    def labels_of(cls, records: Iterable[Any]) -> list[str]:
        """The labels that occur in training, in the order of the head's outputs."""

    @property
    def num_outputs(self) -> int:
        """Width of the head's logits."""
        return len(self.labels)

    @abstractmethod
    def rows(self, records: Iterable[Any], train: bool) -> Iterator[tuple[list[Row], Any]]:
        """Yield the rows of each example and what is kept of it for scoring.

        Raises:
            KeyError: a label is unknown.
        """

    def examples(self, records: Iterable[Any], group: int, train: bool, into: Examples, source: str) -> None:
        """Encode the records of one file.

        Args:
            group: number of the file's language.
            train: the rows need no record, and each may be an example of its own.
            source: the file, for messages.

        Raises:
            UserError: a label is unknown to the training set.
        """
        try:
            for rows, record in self.rows(records, train):
                into.add(rows, group, record)
        except KeyError as error:
            raise UserError(
                f"{source}: the label {error.args[0]!r} does not occur in the training set, whose labels are "
                f"{', '.join(self.labels)}; correct the file, or train on data that has the label"
            ) from None

    def collate(self, examples: Sequence[Example]) -> dict[str, Any]:
        """A batch, see `examples.collate`."""
        return collate(examples, self.symbols)

    def view(self, batch: dict[str, Any]) -> EncoderInput:
        """The batch as the encoder is given it: the last layer computes only the marked positions, all layers no padding."""
        return EncoderInput(
            batch["tokens"],
            select=batch["positions"],
            padded=batch["padded"],
            real=batch["real"],
            num_tokens=batch["num_tokens"],
        )

    def logits(self, model: XlingModel, batch: dict[str, Any]) -> Tensor:
        """Outputs of the head at the marked positions, (M, C)."""
        (states,) = model([self.view(batch)])
        logits: Tensor = model.heads[self.head](states)
        return logits

    @abstractmethod
    def losses(self, logits: Tensor, batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Losses in nats and for each of them the example of the batch it belongs to."""

    @abstractmethod
    def predictions(self, logits: Tensor, batch: dict[str, Any]) -> list[Any]:
        """A prediction for each example: a label, a text, or tags."""

    def scores(self, predictions: Sequence[Any], batch: dict[str, Any], languages: Sequence[str]) -> np.ndarray:
        """Sums of the metric for each example. (N, K)"""
        count = self.benchmark.scoring.count
        groups = batch["group"].tolist()
        return np.array(
            [
                count(record, prediction, languages[group])
                for record, prediction, group in zip(batch["records"], predictions, groups, strict=True)
            ],
            dtype=np.float64,
        )
