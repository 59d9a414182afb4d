"""One update = one batch of every active objective."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from fairseq.data import FairseqDataset

from ..errors import UserError
from .examples import INDEX_BITS, MAX_PASSES, Example, ExampleDataset

logger = logging.getLogger(__name__)

Collate = Callable[[list[Example]], dict[str, Any]]
# most tokens and most sentences of a batch, and what its size is a multiple of
Limits = tuple[int | None, int | None, int]

# An item of the mixture is one int64: 4 bits for the objective, 13 for the cycle, then the item of an `ExampleDataset`.
_CYCLE_STEP = MAX_PASSES << INDEX_BITS
_MAX_CYCLES = 1 << 13
_OBJECTIVE_STEP = _MAX_CYCLES * _CYCLE_STEP


class MixtureDataset(FairseqDataset):
    """Joins the batches of several objectives into composite batches.

    An epoch is as long as the objective with the most batches; the others read on (never the longest is cut): no sentence comes
    again before all of its language were there, and then with new noise. In validation nothing is cycled: a composite batch then lacks the exhausted objectives.

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
        budgets = self._budgets(max_tokens)
        limits = {
            name: (budget, max(1, int(max_sentences * self.shares[name])) if max_sentences else None, size_multiple)
            for name, budget in budgets.items()
        }
        passes = self._passes(limits) if self.cycle else dict.fromkeys(self.names, 1)
        parts = {
            name: part.batches(epoch if self.cycle else 1, *limits[name], passes=passes[name])
            for name, part in self.parts.items()
        }
        count = max(map(len, parts.values()))
        if self.cycle:
            count = -(-count // num_shards) * num_shards
            logger.info(
                f"epoch {epoch}: {count} updates of one batch per objective; passes over each: "
                + ", ".join(f"{name} {count / len(batches):.2f}" for name, batches in parts.items())
            )
            for name, batches in parts.items():
                self._read_on(name, batches, count, epoch, limits[name], passes[name])
        marked = [
            [batch + number * _OBJECTIVE_STEP for batch in batches] for number, batches in enumerate(parts.values())
        ]
        return [np.concatenate([batches[i] for batches in marked if i < len(batches)]) for i in range(count)]

    def _passes(self, limits: dict[str, Limits]) -> dict[str, int]:
        """Cycles that each objective is expected to need in any epoch."""
        expected = {}
        for name, part in self.parts.items():
            tokens, sentences, _ = limits[name]
            batches = [part.num_tokens / tokens] if tokens else []
            batches += [len(part.sizes) / sentences] if sentences else []
            expected[name] = max(batches, default=1.0)
        return {name: math.ceil(max(expected.values()) / own) for name, own in expected.items()}

    def _read_on(
        self, name: str, batches: list[np.ndarray], count: int, epoch: int, limits: Limits, passes: int
    ) -> None:
        """Make ``count`` batches of an objective's first cycle: the text is read on, each cycle with noise of its own."""
        first, cycle = len(batches), 1
        while len(batches) < count:
            share = min(1.0, (count - len(batches)) / first)
            more = self.parts[name].batches(epoch, *limits, cycle=cycle, passes=passes, share=share)
            batches += [batch + (cycle % _MAX_CYCLES) * _CYCLE_STEP for batch in more]
            cycle += 1
        del batches[count:]

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
