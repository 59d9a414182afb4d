"""Weighted sum of the objectives' mean losses."""

from __future__ import annotations

import math
from typing import Any

import torch
from fairseq.criterions import FairseqCriterion
from fairseq.logging import metrics
from torch import Tensor

from ..models import XlingModel
from ..objectives.loss import MixtureLoss, Part, mixture_loss
from ..training.throughput import count_work, output_flops


class XlingCriterion(FairseqCriterion):
    """total = Σ_k weight_k · mean_k, one batch of every objective; ``sample_size`` is 1 per micro-batch."""

    def __init__(self, task: Any):
        super().__init__(task)
        self.objectives = task.objectives
        self.weights = task.weights
        # mean losses and example ids of the latest update's micro-batches, for `diagnose`
        self._recent: list[dict[str, tuple[Tensor, list[Tensor]]]] = []
        self._recent_update = -1

    def forward(
        self, model: XlingModel, sample: dict[str, Any], reduce: bool = True
    ) -> tuple[Tensor, int, dict[str, Any]]:
        """Compute the loss of a composite batch ``{objective: batch}``.

        Every process logs the same keys, zeros for an objective without a batch: fairseq sums the values by position.
        """
        zero = next(model.parameters()).new_zeros((), dtype=torch.float32)
        parts = [
            Part(objective, sample[name], self.weights[name])
            for name, objective in self.objectives.items()
            if name in sample and (not model.training or model.num_updates >= objective.first_update)
        ]
        loss = mixture_loss(model, parts) if parts else MixtureLoss(zero, {}, [], 0)
        views = [view for own in loss.inputs for view in own]
        log: dict[str, Any] = {"sample_size": 1, **count_work(model, views)}
        log["nsentences"] = sum(view.tokens.size(0) for view in views)
        log["flops"] += output_flops(model, loss.num_outputs)
        for objective in self.objectives.values():
            for term in objective.terms:
                found = loss.terms.get(term.name)
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
            log["loss"] = loss.total.detach()
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
        """Log the total loss of training in bits, as fairseq does; validation's is the task's, see `XlingTask.reduce_metrics`."""
        if "loss" not in logging_outputs[0]:
            return
        size = sum(log["sample_size"] for log in logging_outputs)
        metrics.log_scalar("loss", sum(log["loss"] for log in logging_outputs) / size / math.log(2), size, round=3)

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        return True
