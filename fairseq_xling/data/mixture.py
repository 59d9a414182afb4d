"""One update = one batch of every active objective."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
from fairseq.data import FairseqDataset

from ..errors import UserError
from .examples import INDEX_BITS, MAX_PASSES, Example, ExampleDataset

logger = logging.getLogger(__name__)

Collate = Callable[[list[Example]], dict[str, Any]]

# An item of the mixture is one int64: 4 bits for the objective, 13 for the cycle, then the item of an `ExampleDataset`.
_CYCLE_STEP = MAX_PASSES << INDEX_BITS
_MAX_CYCLES = 1 << 13
_OBJECTIVE_STEP = _MAX_CYCLES * _CYCLE_STEP


class MixtureDataset(FairseqDataset):
    """Joins the batches of several objectives into composite batches.

    An epoch is as long as the objective with the most batches; the others are cycled (never the longest cut), each
    repetition with new noise. In validation nothing is cycled: a composite batch then lacks the exhausted objectives.

    Args:
        parts: objective name -> its examples.
        shares: objective name -> share of ``--max-tokens`` and ``--batch-size``.
        collate: objective name -> how its examples become a batch.
        cycle: whether shorter objectives start again (training).
    """

    def __init__(
        self, parts: dict[str, ExampleDataset], shares: dict[str, float], collate: dict[str, Collate], cycle: bool
    ):
        self.parts = parts
        self.names = list(parts)
        self.shares = shares
        self.collate = collate
        self.cycle = cycle
        self.epoch = 1

    def set_epoch(self, epoch: int) -> None:
        """Training examples are drawn anew in every epoch; validation always sees the same ones."""
        self.epoch = epoch if self.cycle else 0

    @property
    def can_reuse_epoch_itr_across_epochs(self) -> bool:
        return False

    def __len__(self) -> int:
        return sum(len(part.sizes) for part in self.parts.values())

    def __getitem__(self, item: int) -> tuple[str, dict[str, Any]]:
        number, item = divmod(int(item), _OBJECTIVE_STEP)
        name = self.names[number]
        return name, self.parts[name].example(item, self.epoch)

    def collater(self, samples: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
        """``{objective: batch}``; empty for no samples."""
        found = {name: [example for key, example in samples if key == name] for name in self.names}
        return {name: self.collate[name](examples) for name, examples in found.items() if examples}

    def batches(
        self,
        epoch: int,
        max_tokens: int | None,
        max_sentences: int | None,
        size_multiple: int = 1,
        num_shards: int = 1,
    ) -> list[np.ndarray]:
        """Composite batches of an epoch; in training their number is a multiple of the data-parallel size ``num_shards``.

        Raises:
            UserError: an objective's share of ``--max-tokens`` is below its longest example.
        """
        parts = []
        budgets = self._budgets(max_tokens)
        for number, (name, part) in enumerate(self.parts.items()):
            sentences = max(1, int(max_sentences * self.shares[name])) if max_sentences else None
            batches = part.batches(epoch if self.cycle else 1, budgets[name], sentences, size_multiple)
            parts.append([batch + number * _OBJECTIVE_STEP for batch in batches])
        count = max(map(len, parts))
        if not self.cycle:
            return [np.concatenate([batches[i] for batches in parts if i < len(batches)]) for i in range(count)]
        count = -(-count // num_shards) * num_shards
        logger.info(
            f"epoch {epoch}: {count} updates of one batch per objective; passes over each: "
            + ", ".join(f"{name} {count / len(batches):.2f}" for name, batches in zip(self.names, parts, strict=True))
        )
        return [np.concatenate([_repeat(batches, i) for batches in parts]) for i in range(count)]

    def _budgets(self, max_tokens: int | None) -> dict[str, int | None]:
        """Tokens of a batch of each objective."""
        if not max_tokens:
            return dict.fromkeys(self.parts)
        budgets = {name: int(max_tokens * self.shares[name]) for name in self.parts}
        longest = {name: int(part.sizes.max()) for name, part in self.parts.items()}
        for name, budget in budgets.items():
            if budget < longest[name]:
                needed = max(int(np.ceil(longest[other] / self.shares[other])) for other in self.parts)
                raise UserError(
                    f"--max-tokens {max_tokens} x the share {self.shares[name]:.3g} of {name} = {budget} is less than its longest example, "
                    f"{longest[name]} tokens: raise --max-tokens to {needed} or lower --max-positions"
                )
        return dict(budgets)


def _repeat(batches: list[np.ndarray], number: int) -> np.ndarray:
    """Batch ``number`` of an endless repetition of ``batches``, marked with the cycle it falls in."""
    cycle, position = divmod(number, len(batches))
    return batches[position] + (cycle % _MAX_CYCLES) * _CYCLE_STEP
