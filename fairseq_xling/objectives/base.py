"""What every objective is: how its examples look, the heads it needs, what the encoder sees; and the loss of a mix of them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from torch import Tensor

from ..data.databin import DataBin
from ..data.examples import Example
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
    lang_embedding: LANG_EMBEDDING = field(  # type: ignore[valid-type]
        default="mask",
        metadata={
            "help": "where cross-lingual objectives add a learned language embedding: at <mask>, at all tokens, or not at all"
        },
    )


@dataclass(frozen=True)
class ObjectiveLoss:
    """How an objective fared on a batch; losses are in nats, without gradient."""

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

    def __init__(self, cfg: Any, data: DataBin):
        self.cfg = cfg
        self.data = data
        self.symbols = data.symbols
        self.groups = self.find_groups()
        self.group_number = {group: number for number, group in enumerate(self.groups)}

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

    def build_head(self, model: XlingModel) -> None:
        """Add what the loss needs to the model."""
        model.add_lm_head()

    def active(self, model: XlingModel) -> bool:
        """Whether the objective takes part in the present update."""
        return True

    @abstractmethod
    def inputs(self, model: XlingModel, batch: dict[str, Any]) -> EncoderInput:
        """What the encoder is given of a batch (see `fairseq_xling.data.examples.collate`), with ``select`` its ``predict``."""


def masked_lm_loss(
    model: XlingModel, parts: Sequence[tuple[Objective, dict[str, Any], float]]
) -> tuple[Tensor, list[ObjectiveLoss]]:
    """Cross entropy at the predicted positions of a batch of each objective, in one pass of the encoder and the output layer.

    Args:
        parts: objective, batch and weight.

    Returns:
        scalar Σ weight · mean, with gradient in training, and the objectives' own figures.
    """
    batches = [batch for _, batch, _ in parts]
    states = torch.cat(model([objective.inputs(model, batch) for objective, batch, _ in parts]))
    target = torch.cat([batch["target"] for batch in batches])
    # a batch without predictions has a dummy, which counts nothing
    factors = [weight / batch["num_predictions"] if batch["num_predictions"] else 0.0 for _, batch, weight in parts]
    sizes = [len(batch["target"]) for batch in batches]
    scale = torch.cat(
        [states.new_full((n,), factor, dtype=torch.float32) for n, factor in zip(sizes, factors, strict=True)]
    )
    head = model.lm_head
    if model.training:
        loss, losses = linear_cross_entropy(head.transform(states), head.weight, head.bias, target, scale)
        return loss, [
            ObjectiveLoss(own.sum() if batch["num_predictions"] else own.new_zeros(()), batch["num_predictions"], None)
            for own, batch in zip(losses.split(sizes), batches, strict=True)
        ]
    logits = head(states).float()
    losses = F.cross_entropy(logits, target, reduction="none").detach()
    table = torch.stack([losses, logits.argmax(1) == target, torch.ones_like(losses)], dim=1)
    figures = []
    for own, (objective, batch, _) in zip(table.split(sizes), parts, strict=True):
        by_group = own.new_zeros(len(objective.groups), 3)
        if batch["num_predictions"]:
            by_group.index_add_(0, batch["target_group"], own)
        figures.append(ObjectiveLoss(by_group[:, 0].sum(), batch["num_predictions"], by_group))
    return losses @ scale, figures
