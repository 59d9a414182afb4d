"""One update = one batch of every active objective."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from fairseq.data import FairseqDataset

from ..errors import UserError
from .examples import INDEX_BITS, MAX_PASSES, Example, ExampleDataset, Limits

logger = logging.getLogger(__name__)

Collate = Callable[[list[Example]], dict[str, Any]]

# An item of the mixture is one int64: 4 bits for the objective, then the item of an `ExampleDataset`.
_OBJECTIVE_STEP = MAX_PASSES << INDEX_BITS


class MixtureDataset(FairseqDataset):
    """Joins the batches of several objectives into composite batches.

    An epoch is as long as the objective with the most batches, of which nothing is cut off; of the others it reads so much that they
    end with it, give or take a few batches, and the next epoch reads on: no sentence comes again before all of its language were
    there, and then with new noise. In validation each objective is read once: a composite batch then lacks the exhausted ones.

    Args:
        parts: objective name -> its examples.
        shares: objective name -> share of ``--max-tokens`` and ``--batch-size``.
        collate: objective name -> how its examples become a batch.
        cycle: whether shorter objectives are read several times (training).
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
        budgets = self._budgets(max_tokens)
        limits = {
            name: (budget, max(1, int(max_sentences * self.shares[name])) if max_sentences else None, size_multiple)
            for name, budget in budgets.items()
        }
        passes = self._passes(limits) if self.cycle else dict.fromkeys(self.names, 1.0)
        parts = {
            name: part.batches(epoch if self.cycle else 1, limits[name], passes[name])
            for name, part in self.parts.items()
        }
        count = max(len(batches) for name, batches in parts.items() if passes[name] == 1)
        if self.cycle:
            logger.info(
                f"epoch {epoch}: {count} updates of one batch per objective; passes over each: "
                + ", ".join(f"{name} {count / len(batches) * passes[name]:.2f}" for name, batches in parts.items())
            )
            rounded = -(-count // num_shards) * num_shards
            for name, batches in parts.items():
                self._read_on(name, batches, (count, rounded), epoch, limits[name], passes[name])
            count = rounded
        marked = [
            [batch + number * _OBJECTIVE_STEP for batch in batches] for number, batches in enumerate(parts.values())
        ]
        return [np.concatenate([batches[i] for batches in marked if i < len(batches)]) for i in range(count)]

    def _passes(self, limits: dict[str, Limits]) -> dict[str, float]:
        """How many times its own epoch each objective is to be read in an epoch of the mixture, in any epoch; 1 for the longest."""
        expected = {name: part.expected_batches(limits[name]) for name, part in self.parts.items()}
        longest = max(expected.values())
        # within the exactness of the estimate, each is the longest, of which nothing is cut off
        return {name: 1.0 if own > 0.98 * longest else longest / own for name, own in expected.items()}

    def _read_on(
        self, name: str, batches: list[np.ndarray], targets: Iterable[int], epoch: int, limits: Limits, passes: float
    ) -> None:
        """Make as many batches of an objective as each of the targets in turn.

        What is missing is read on; what is too much, where the passes were not judged exactly, is cut off.
        """
        begin, first = 1.0, len(batches)
        for target in targets:
            while len(batches) < target:
                end = begin + (target - len(batches)) / first
                batches += self.parts[name].batches(epoch, limits, passes, (begin, end))
                begin = end
            del batches[target:]

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
