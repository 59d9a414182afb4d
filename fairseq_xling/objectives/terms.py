"""Terms, of which the loss of an objective is made. Axes: M losses, G groups, D width."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

NATS = "nats"


@dataclass(frozen=True)
class Term:
    """A part of an objective's loss.

    Attributes:
        name: unique among all objectives of a run; ``loss_<name>`` in the log.
        weight: factor in the objective's loss.
        unit: ``nats`` is logged in bits, as fairseq does, with its perplexity; any other unit as it is.
    """

    name: str
    weight: float = 1.0
    unit: str = NATS


@dataclass(frozen=True)
class LMPredictions:
    """Symbols to predict with the output matrix, of which `mixture_loss` makes the cross entropies of all objectives at once.

    Attributes:
        name: the term's.
        target: (M,) symbol ids; a single ``<pad>``, which counts nothing, where there is nothing to predict.
        group: (M,) number of the group of each.
        count: number of predictions, M or 0.
        states: (M, D) what the head ``lm`` is given.
        hidden: (M, D) instead of ``states``: what the output matrix is applied to, from a head of the objective's own.
    """

    name: str
    target: Tensor
    group: Tensor
    count: int
    states: Tensor | None = None
    hidden: Tensor | None = None


@dataclass(frozen=True)
class Losses:
    """Losses that the objective has computed itself.

    Attributes:
        name: the term's.
        values: (M,), in the term's unit.
        group: (M,) number of the group of each.
        count: number of losses, M; 0 where they are dummies, which count nothing.
        correct: bool (M,), of which the log makes the accuracy; None where there is no such thing.
    """

    name: str
    values: Tensor
    group: Tensor
    count: int
    correct: Tensor | None = None


@dataclass(frozen=True)
class TermLoss:
    """Losses of a term on a batch, without gradient.

    Attributes:
        total: scalar, the sum of the losses.
        count: number of losses.
        normaliser: what the sum is divided by in the objective's loss.
        by_group: in evaluation only, (G, 3): summed loss, correct ones, and number of losses of each of the ``groups``.
    """

    total: Tensor
    count: int
    normaliser: int
    by_group: Tensor | None

    @property
    def mean(self) -> Tensor:
        """scalar, the average over the losses, 0 if there are none"""
        return self.total / max(self.count, 1)
