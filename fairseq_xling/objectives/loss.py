"""The loss of a mix of objectives, in one pass of the encoder and one of the output layer. Axes: M losses, G groups, D width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..models import EncoderInput, XlingModel
from ..modules.lm_loss import linear_cross_entropy
from .base import Objective
from .terms import LMPredictions, Losses, Term, TermLoss

Normaliser = float | Tensor


@dataclass(frozen=True)
class Part:
    """An objective's share of an update."""

    objective: Objective
    batch: dict[str, Any]
    weight: float = 1.0


@dataclass(frozen=True)
class MixtureLoss:
    """The loss of a batch of each objective.

    Attributes:
        total: scalar Σ weight · Σ term's weight · term's sum / normaliser, with gradient in training.
        terms: how each term fared.
        inputs: what the encoder was given for each of the parts.
        num_outputs: positions that the output matrix was applied to.
    """

    total: Tensor
    terms: dict[str, TermLoss]
    inputs: list[Sequence[EncoderInput]]
    num_outputs: int


def mixture_loss(
    model: XlingModel, parts: Sequence[Part], normalisers: Mapping[str, Normaliser] | None = None
) -> MixtureLoss:
    """Compute the loss of a batch of each objective.

    Args:
        normalisers: what the sum of each term is divided by instead of what its batch holds; a tensor is a scalar in fp32.
    """
    batches = [{**part.batch, **part.objective.precompute(model, part.batch)} for part in parts]
    inputs = [part.objective.inputs(model, batch) for part, batch in zip(parts, batches, strict=True)]
    states = iter(model([view for views in inputs for view in views]))
    found: list[_Weighed] = []
    for part, batch, views in zip(parts, batches, inputs, strict=True):
        own = part.objective.normalisers(batch)
        declared = {term.name: term for term in part.objective.terms}
        if own.keys() != declared.keys():
            raise ValueError(
                f"{part.objective.name}: terms are {list(declared)}, normalisers are given for {list(own)}"
            )
        for term in part.objective.losses(model, [next(states) for _ in views], batch):
            _check(part.objective, term, declared, own)
            weight = part.weight * declared.pop(term.name).weight
            divisor = (own[term.name] or 1) if normalisers is None else normalisers[term.name]
            found.append(
                _Weighed(term, weight if term.count else 0.0, divisor, own[term.name], len(part.objective.groups))
            )
        if declared:
            raise ValueError(f"{part.objective.name}: losses are missing for the terms {', '.join(declared)}")
    figures: dict[str, TermLoss] = {}
    # predictions of the LM head first, so that it is applied once
    predicted = sorted(
        (one for one in found if isinstance(one.term, LMPredictions)), key=lambda one: one.term.hidden is not None
    )
    total: Tensor | float = 0.0
    if predicted:
        total, figures = _cross_entropy(model, predicted)
    for one in found:
        if isinstance(one.term, Losses):
            values = one.term.values.float()
            total = total + one.weight * values.sum() / one.divisor
            figures[one.term.name] = one.figures(values.detach(), one.term.correct, not model.training)
    assert isinstance(total, Tensor)
    return MixtureLoss(total, figures, inputs, sum(len(one.term.target) for one in predicted))


def _check(
    objective: Objective, term: LMPredictions | Losses, declared: Mapping[str, Term], normalisers: Mapping[str, int]
) -> None:
    """Refuse what would train on something else than an objective says, or end in an error far away.

    Raises:
        ValueError: naming the objective and the term.
    """
    where = f"{objective.name}, term {term.name!r}"
    if term.name not in declared:
        raise ValueError(f"{where}: not declared in its terms, or given twice")
    size = len(term.target if isinstance(term, LMPredictions) else term.values)
    if len(term.group) != size or term.count not in (0, size):
        raise ValueError(
            f"{where}: {size} losses, {len(term.group)} groups, count {term.count}; expected as many of each (or count 0)"
        )
    if isinstance(term, Losses) and term.correct is not None and len(term.correct) != size:
        raise ValueError(f"{where}: {size} losses, {len(term.correct)} that are correct or not")
    if term.count and normalisers[term.name] <= 0:
        raise ValueError(f"{where}: {term.count} losses and a normaliser of {normalisers[term.name]}")


@dataclass(frozen=True)
class _Weighed:
    """A term; each of its losses counts weight / divisor in the total."""

    term: Any
    weight: float
    divisor: Normaliser
    normaliser: int
    num_groups: int

    def figures(self, values: Tensor, correct: Tensor | None, by_group: bool) -> TermLoss:
        """Figures that are logged of the term's losses (M,)."""
        total = values.sum() if self.term.count else values.new_zeros(())
        table = None
        if by_group:
            # not a number: there is no such thing as a correct one
            right = torch.full_like(values, torch.nan) if correct is None else correct.to(values)
            table = values.new_zeros(self.num_groups, 3)
            if self.term.count:
                table.index_add_(0, self.term.group, torch.stack([values, right, torch.ones_like(values)], dim=1))
        return TermLoss(total, self.term.count, self.normaliser, table)


def _cross_entropy(model: XlingModel, predicted: list[_Weighed]) -> tuple[Tensor, dict[str, TermLoss]]:
    head: Any = model.heads["lm"]
    shared = [one.term.states for one in predicted if one.term.states is not None]
    own = [one.term.hidden for one in predicted if one.term.hidden is not None]
    hidden = torch.cat([*([head.transform(torch.cat(shared))] if shared else []), *own])
    target = torch.cat([one.term.target for one in predicted])
    sizes = [len(one.term.target) for one in predicted]
    scale = torch.cat(
        [
            hidden.new_ones(n, dtype=torch.float32) * (one.weight / one.divisor)
            for n, one in zip(sizes, predicted, strict=True)
        ]
    )
    if model.training:
        loss, losses = linear_cross_entropy(hidden, head.weight, head.bias, target, scale)
        correct = None
    else:
        logits = F.linear(hidden, head.weight, head.bias).float()
        losses = F.cross_entropy(logits, target, reduction="none").detach()
        loss, correct = losses @ scale, (logits.argmax(1) == target).float()
    rights = [None] * len(sizes) if correct is None else correct.split(sizes)
    figures = {
        one.term.name: one.figures(values, right, not model.training)
        for values, right, one in zip(losses.split(sizes), rights, predicted, strict=True)
    }
    return loss, figures
