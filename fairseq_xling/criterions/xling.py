"""Weighted sum of the objectives' mean losses."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from fairseq.criterions import FairseqCriterion
from fairseq.distributed import utils as distributed_utils
from torch import Tensor

from ..models import XlingModel
from ..objectives import Objective
from ..objectives.loss import MixtureLoss, Normaliser, Part, mixture_loss
from ..training.throughput import count_work, output_flops


class XlingCriterion(FairseqCriterion):
    """total = Σ weight · mean over the terms of all objectives, one batch of each; ``sample_size`` is 1 per micro-batch.

    Within an `update` the means are those over all its micro-batches, of all processes: each counts by what it holds.
    """

    def __init__(self, task: Any):
        super().__init__(task)
        self.objectives: dict[str, Objective] = task.objectives
        self.weights = task.weights
        self._normalisers: dict[str, Normaliser] | None = None
        self._num_left: int | None = None
        # mean losses and example ids of the latest update's micro-batches, for `diagnose`
        self._recent: list[dict[str, tuple[Tensor, list[Tensor]]]] = []
        self._recent_update = -1

    @contextmanager
    def update(self, samples: Sequence[dict[str, Any] | None]) -> Iterator[None]:
        """Enter an update of this process's micro-batches ``samples``; every process has as many.

        A mean over all of them is the sum, over the micro-batches, of their losses divided by the mean normaliser, divided by
        their number, as fairseq does with ``sample_size``.
        """
        self._normalisers, self._num_left = self._mean_normalisers(samples), len(samples)
        try:
            yield
        finally:
            self._normalisers = self._num_left = None

    def _mean_normalisers(self, samples: Sequence[dict[str, Any] | None]) -> dict[str, Normaliser]:
        """Mean normaliser of each term over the micro-batches of the update; 1 where none holds anything."""
        sums = {term.name: 0 for objective in self.objectives.values() for term in objective.terms}
        for name, objective in self.objectives.items():
            for sample in samples:
                if sample and name in sample:
                    for term, normaliser in objective.normalisers(sample[name]).items():
                        sums[term] += normaliser
        if distributed_utils.get_data_parallel_world_size() == 1:
            return {term: total / len(samples) or 1.0 for term, total in sums.items()}
        group = distributed_utils.get_data_parallel_group()
        device = "cuda" if torch.distributed.get_backend(group) == "nccl" else "cpu"
        # stays on the device: nothing waits for it
        totals = torch.tensor([*sums.values(), len(samples)], dtype=torch.float64, device=device)
        torch.distributed.all_reduce(totals, group=group)
        means = totals[:-1] / totals[-1]
        return dict(zip(sums, means.where(means > 0, 1.0).float().unbind(), strict=True))

    def present(self, model: XlingModel, sample: dict[str, Any]) -> list[Part]:
        """The objectives of a composite batch that take part in the present update."""
        return [
            Part(objective, sample[name], self.weights[name])
            for name, objective in self.objectives.items()
            if name in sample and (not model.training or model.num_updates >= objective.first_update)
        ]

    @property
    def runs_again(self) -> bool:
        """True if the latest micro-batch had been run before: fairseq repeats an update to find where a NaN comes from."""
        return self._num_left is not None and self._num_left < 0

    def forward(
        self, model: XlingModel, sample: dict[str, Any], reduce: bool = True
    ) -> tuple[Tensor, int, dict[str, Any]]:
        """Compute the loss of a composite batch ``{objective: batch}``.

        Every process logs the same keys, zeros for an objective without a batch: fairseq sums the values by position.
        """
        zero = next(model.parameters()).new_zeros((), dtype=torch.float32)
        parts, normalisers = self.present(model, sample), None
        if model.training:
            normalisers = self._normalisers
            self._num_left = None if self._num_left is None else self._num_left - 1
        loss = mixture_loss(model, parts, normalisers) if parts else MixtureLoss(zero, {}, [], 0)
        views = [view for own in loss.inputs for view in own]
        log: dict[str, Any] = {"sample_size": 1, **count_work(model, views)}
        log["nsentences"] = sum(view.tokens.size(0) for view in views)
        log["flops"] += output_flops(model, loss.num_outputs)
        for objective in self.objectives.values():
            for term in objective.terms:
                found = loss.terms.get(term.name)
                log[f"{term.name}_normaliser"] = found.normaliser if found else 0
                if model.training:
                    log[f"{term.name}_total"] = found.total if found else zero
                    log[f"{term.name}_count"] = found.count if found else 0
                else:
                    log[f"{term.name}_by_group"] = found.by_group if found else zero.new_zeros(len(objective.groups), 3)
        if model.training:
            ids = {
                term.name: [view.ids for view in own if view.ids is not None]
                for part, own in zip(parts, loss.inputs, strict=True)
                for term in part.objective.terms
            }
            self._remember(model.num_updates, {name: (loss.terms[name].mean, own) for name, own in ids.items()})
        return loss.total, 1, log

    def _remember(self, num_updates: int, means: dict[str, tuple[Tensor, list[Tensor]]]) -> None:
        if num_updates != self._recent_update:
            self._recent, self._recent_update = [], num_updates
        self._recent.append(means)

    def diagnose(self) -> str:
        """Say which objectives of the latest update had a loss that is not finite, and on which examples."""
        bad, finite = [], []
        for means in self._recent:
            for name, (mean, ids) in means.items():
                if math.isfinite(mean.item()):
                    finite.append(f"{name} {mean.item():.4g}")
                else:
                    numbers = list(dict.fromkeys(number for own in ids for number in own.tolist()))
                    bad.append(f"{name}: loss {mean.item()} on examples {numbers}")
        # fairseq runs a bad batch twice, to find the layer
        said = (
            "; ".join(dict.fromkeys(bad)) or f"all objectives' losses were finite: {', '.join(dict.fromkeys(finite))}"
        )
        return f"update {self._recent_update}: {said}"

    @staticmethod
    def reduce_metrics(logging_outputs: list[dict[str, Any]]) -> None:
        """Nothing: names and units are the task's, see `XlingTask.reduce_metrics`."""

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        return True
