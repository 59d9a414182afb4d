"""What every objective is: how its examples look, the heads it needs, its loss."""

from abc import ABC, abstractmethod
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
from ..models import XlingModel
from ..modules.lm_loss import linear_cross_entropy_sum

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
    """What an objective returns for a batch; losses are in nats."""

    mean: Tensor
    """scalar, with gradient in training"""
    total: Tensor
    """scalar, the sum over the predictions, without gradient"""
    count: int
    """number of predictions"""
    by_group: Tensor | None
    """evaluation only, (G, 3): summed loss, correct predictions and number of predictions of each of the ``groups``"""


class Objective(ABC):
    """One pre-training objective. A new one is a file in this folder, a line in `fairseq_xling.objectives` and a test file.

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
    def loss(self, model: XlingModel, batch: dict[str, Any]) -> ObjectiveLoss:
        """Compute the loss of a batch (see `fairseq_xling.data.examples.collate`)."""


def masked_lm_loss(
    model: XlingModel, states: Tensor, batch: dict[str, Any], pad: int, num_groups: int
) -> ObjectiveLoss:
    """Cross entropy at the predicted positions.

    Args:
        states: (M, D) final states of the predicted positions.
        batch: with ``target`` (M,), where <pad> counts nothing, and ``target_group`` (M,).
    """
    head, target = model.lm_head, batch["target"]
    count = batch["num_predictions"]
    if model.training:
        total = linear_cross_entropy_sum(head.transform(states), head.weight, head.bias, target, ignore_index=pad)
        return ObjectiveLoss(total / max(count, 1), total.detach(), count, None)
    logits = head(states).float()
    losses = F.cross_entropy(logits, target, reduction="none", ignore_index=pad).detach()
    real = target.ne(pad)
    per_prediction = torch.stack([losses, (logits.argmax(1) == target) & real, real], dim=1)
    by_group = losses.new_zeros(num_groups, 3).index_add_(0, batch["target_group"], per_prediction)
    return ObjectiveLoss(losses.sum() / max(count, 1), losses.sum(), count, by_group)
