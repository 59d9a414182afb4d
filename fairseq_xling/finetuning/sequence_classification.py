"""Sequence classification: XNLI, PAWS-X, Amazon reviews. The state of ``<s>`` decides."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from ..data.pairs import fair_lengths, join_pair
from .examples import Row
from .formulation import Formulation
from .readers.classification import TextPair

logger = logging.getLogger(__name__)

_CHUNK = 10_000  # records encoded at once


class SequenceClassification(Formulation):
    """``<s> x </s> </s> y </s>`` (one ``</s>`` between them for BERT) or ``<s> x </s>``; what is too long is cut, the longer side first."""

    head = "sequence"

    @classmethod
    def labels_of(cls, records: Iterable[TextPair]) -> list[str]:
        return sorted({record.label for record in records})

    def rows(self, records: Iterable[TextPair], train: bool) -> Iterator[tuple[list[Row], Any]]:
        numbers = {label: number for number, label in enumerate(self.labels)}
        iterator, cut, count = iter(records), 0, 0
        while chunk := list(islice(iterator, _CHUNK)):
            firsts = self.loaded.encode_text([record.first for record in chunk])
            seconds = iter(self.loaded.encode_text([r.second for r in chunk if r.second is not None]))
            for record, first in zip(chunk, firsts, strict=True):
                tokens, shortened = self._join(first, None if record.second is None else next(seconds))
                cut, count = cut + shortened, count + 1
                yield [Row(tokens, np.zeros(1, np.int32), np.array([numbers[record.label]]))], record
        if cut:
            logger.info(f"{cut} of {count} examples are longer than {self.max_positions} tokens and were cut")

    def _join(self, first: np.ndarray, second: np.ndarray | None) -> tuple[np.ndarray, bool]:
        """Put the special symbols around a text or two, and say whether something had to be cut."""
        if second is None:
            kept = first[: self.max_positions - 2]
            return np.concatenate([[self.symbols.bos], kept, [self.symbols.eos]]), len(kept) < len(first)
        separators = self.loaded.num_separators
        keep_first, keep_second = fair_lengths(len(first), len(second), self.max_positions, separators)
        tokens, _ = join_pair(first[:keep_first], second[:keep_second], self.symbols, separators)
        return tokens, keep_first + keep_second < len(first) + len(second)

    def losses(self, logits: Tensor, batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
        return F.cross_entropy(logits.float(), batch["target"], reduction="none"), batch["example"]

    def predictions(self, logits: Tensor, batch: dict[str, Any]) -> list[str]:
        return [self.labels[number] for number in logits.argmax(1).tolist()]
