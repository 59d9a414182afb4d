"""What every objective is: how its examples look, the heads it needs, what the encoder sees; and the loss of a mix of them."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from torch import Tensor

from ..data.databin import DataBin
from ..data.examples import Example, collate
from ..data.pairs import SEPARATORS
from ..data.sources import Source
from ..models import EncoderInput, XlingModel
from ..modules.lm_loss import linear_cross_entropy

LANG_EMBEDDING = ChoiceEnum(["mask", "all", "none"])


@dataclass
class ObjectiveConfig(FairseqDataclass):
    """Options shared by the objectives; an objective with options of its own extends this class in its file."""

    mask_prob: float = field(default=0.15, metadata={"help": "share of a sentence's tokens that are predicted"})
    leave_unmasked_prob: float = field(
        default=0.1, metadata={"help": "probability that a predicted token stays as it is (mmlm, tlm, btmlm)"}
    )
    random_token_prob: float = field(
        default=0.1,
        metadata={"help": "probability that a predicted token becomes a random one (mmlm, tlm, btmlm)"},
    )
    reset_positions: bool = field(
        default=False,
        metadata={"help": "count positions anew in the second sentence of a pair (XLM's variant)"},
    )
    pair_separators: int = field(
        default=SEPARATORS, metadata={"help": "</s> between the sentences of a pair: 2 as XLM-R, 1 as BERT"}
    )
    lang_embedding: LANG_EMBEDDING = field(  # type: ignore[valid-type]
        default="mask",
        metadata={
            "help": "where cross-lingual objectives add a learned language embedding: at <mask>, at all tokens, or not at all"
        },
    )


@dataclass(frozen=True)
class Predictions:
    """Symbols to predict, of which `mixture_loss` makes the cross entropy."""

    name: str
    """the term, one of the objective's ``terms``"""
    target: Tensor
    """(M,) symbol ids; a single ``<pad>``, which counts nothing, where there is nothing to predict"""
    group: Tensor
    """(M,) number of the group of each"""
    count: int
    """number of predictions, M or 0"""
    states: Tensor | None = None
    """(M, D) what the model's LM head is given"""
    hidden: Tensor | None = None
    """(M, D) instead of ``states``: what the output matrix is applied to, from a head of the objective's own"""


@dataclass(frozen=True)
class Distances:
    """Values to make small, such as squared distances; `mixture_loss` takes their mean."""

    name: str
    """the term, one of the objective's ``terms``"""
    values: Tensor
    """(M,)"""
    group: Tensor
    """(M,) number of the group of each"""
    count: int
    """number of values that count, M or 0"""


Term = Predictions | Distances


@dataclass(frozen=True)
class TermLoss:
    """How a term of an objective fared on a batch; cross entropies are in nats. Without gradient."""

    total: Tensor
    """scalar, the sum over the predictions"""
    count: int
    """number of predictions"""
    by_group: Tensor | None
    """evaluation only, (G, 3): summed loss, correct predictions and number of predictions of each of the ``groups``"""

    @property
    def mean(self) -> Tensor:
        """scalar, the average over the predictions, 0 if there are none"""
        return self.total / max(self.count, 1)


class Objective(ABC):
    """One pre-training objective: predicts tokens from what it lets the encoder see.

    A new one is a file in this folder, a line in `fairseq_xling.objectives` and a test file.

    Args:
        cfg: the options.
        data: the data-bin.

    ``groups`` names what validation is reported for separately: languages or pairs.
    """

    name: ClassVar[str]
    config: ClassVar[type[ObjectiveConfig]] = ObjectiveConfig
    measures: ClassVar[tuple[str, ...]] = ()
    """terms that are `Distances`, logged as they are; the others are cross entropies"""

    def __init__(self, cfg: Any, data: DataBin):
        self.cfg = cfg
        self.data = data
        self.symbols = data.symbols
        self.groups = self.find_groups()
        self.group_number = {group: number for number, group in enumerate(self.groups)}

    @property
    def terms(self) -> dict[str, float]:
        """The parts of the loss, which are logged one by one, and what each one's mean counts."""
        return {self.name: 1.0}

    @abstractmethod
    def find_groups(self) -> list[str]:
        """Languages or pairs this objective trains on, the same for every split, shard and process.

        Raises:
            UserError: the data-bin lacks what the objective needs.
        """

    @abstractmethod
    def source(self, split: str, epoch: int) -> Source | None:
        """The items of a split, None where the data-bin has none for it."""

    @abstractmethod
    def build(self, item: Any, rng: np.random.Generator) -> Example:
        """Make a training example of an item; its fields are those of `fairseq_xling.data.examples.collate`, and ``group``."""

    def sizes(self, source: Source) -> np.ndarray:
        """(N,) number of tokens of each example."""
        return source.sizes

    def collate(self, examples: list[Example]) -> dict[str, Any]:
        """Make a batch of examples, on the CPU."""
        return collate(examples, self.symbols)

    def build_head(self, model: XlingModel) -> None:
        """Add what the loss needs to the model."""
        model.add_lm_head()

    def active(self, model: XlingModel) -> bool:
        """Whether the objective takes part in the present update."""
        return True

    @abstractmethod
    def inputs(self, model: XlingModel, batch: dict[str, Any]) -> EncoderInput:
        """What the encoder is given of a batch, with ``select`` the positions whose states `losses` needs."""

    def losses(self, model: XlingModel, states: Tensor, batch: dict[str, Any]) -> Iterable[Term]:
        """One `Predictions` or `Distances` for each of the ``terms``.

        Args:
            states: (S, D), the encoder's of the selected positions.
        """
        yield Predictions(self.name, batch["target"], batch["target_group"], batch["num_predictions"], states=states)


def mixture_loss(
    model: XlingModel, parts: Sequence[tuple[Objective, dict[str, Any], float]]
) -> tuple[Tensor, dict[str, TermLoss]]:
    """The loss of a batch of each objective, in one pass of the encoder and one of the output layer.

    Args:
        parts: objective, batch and weight.

    Returns:
        scalar Σ weight · Σ term's weight · term's mean, with gradient in training, and the terms' own figures.
    """
    states = model([objective.inputs(model, batch) for objective, batch, _ in parts])
    terms: list[tuple[Term, float, int]] = [
        (term, weight * objective.terms[term.name], len(objective.groups))
        for own, (objective, batch, weight) in zip(states, parts, strict=True)
        for term in objective.losses(model, own, batch)
    ]
    found: dict[str, TermLoss] = {}
    # predictions of the LM head first, so that it is applied once
    predicted = [(term, weight, groups) for term, weight, groups in terms if isinstance(term, Predictions)]
    predicted.sort(key=lambda entry: entry[0].hidden is not None)
    total: Tensor | float = 0.0
    if predicted:
        total, found = _cross_entropy(model, predicted)
    for term, weight, num_groups in terms:
        if isinstance(term, Distances):
            values = term.values.float()
            total = total + weight * values.sum() / max(term.count, 1)
            by_group = (
                None if model.training else _by_group(term, values.detach(), torch.zeros_like(values), num_groups)
            )
            found[term.name] = TermLoss(values.detach().sum(), term.count, by_group)
    assert isinstance(total, Tensor)
    return total, found


def _cross_entropy(
    model: XlingModel, predicted: list[tuple[Predictions, float, int]]
) -> tuple[Tensor, dict[str, TermLoss]]:
    head = model.lm_head
    shared = [term.states for term, _, _ in predicted if term.states is not None]
    own = [term.hidden for term, _, _ in predicted if term.hidden is not None]
    hidden = torch.cat([*([head.transform(torch.cat(shared))] if shared else []), *own])
    target = torch.cat([term.target for term, _, _ in predicted])
    # nothing to predict is one dummy, which counts nothing
    factors = [weight / term.count if term.count else 0.0 for term, weight, _ in predicted]
    sizes = [len(term.target) for term, _, _ in predicted]
    scale = torch.cat(
        [hidden.new_full((n,), factor, dtype=torch.float32) for n, factor in zip(sizes, factors, strict=True)]
    )
    if model.training:
        loss, losses = linear_cross_entropy(hidden, head.weight, head.bias, target, scale)
        return loss, {
            term.name: TermLoss(values.sum() if term.count else values.new_zeros(()), term.count, None)
            for values, (term, _, _) in zip(losses.split(sizes), predicted, strict=True)
        }
    logits = F.linear(hidden, head.weight, head.bias).float()
    losses = F.cross_entropy(logits, target, reduction="none").detach()
    correct = (logits.argmax(1) == target).float()
    figures = {}
    for values, right, (term, _, num_groups) in zip(losses.split(sizes), correct.split(sizes), predicted, strict=True):
        by_group = _by_group(term, values, right, num_groups)
        figures[term.name] = TermLoss(by_group[:, 0].sum(), term.count, by_group)
    return losses @ scale, figures


def _by_group(term: Term, values: Tensor, correct: Tensor, num_groups: int) -> Tensor:
    """(G, 3), see `TermLoss`."""
    table = values.new_zeros(num_groups, 3)
    if term.count:
        table.index_add_(0, term.group, torch.stack([values, correct, torch.ones_like(values)], dim=1))
    return table
