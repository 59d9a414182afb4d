"""Interface of every pre-training objective: how its examples look, what the encoder sees of them, the heads and the terms of its loss."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
from fairseq.dataclass import FairseqDataclass
from torch import Tensor

from ..data.databin import DataBin
from ..data.examples import Example, Source
from ..models import EncoderInput, XlingModel
from .terms import LMPredictions, Losses, Term


class Objective(ABC):
    """One pre-training objective; docs/objectives.md shows how to add one.

    Args:
        cfg: the options, those of ``config`` and the task's.
        data: the data-bin.

    Raises:
        UserError: an option is wrong, or the data-bin lacks what the objective needs.

    ``groups`` names what validation is reported for separately: languages or pairs.
    """

    name: ClassVar[str]
    config: ClassVar[type[FairseqDataclass]] = FairseqDataclass
    """the options, a dataclass; objectives may share one"""

    by_length: ClassVar[bool] = True
    """whether a batch holds examples of similar length; else as they come"""

    def __init__(self, cfg: Any, data: DataBin):
        self.cfg = cfg
        self.data = data
        self.symbols = data.symbols
        self.groups = self.find_groups()
        self.group_number = {group: number for number, group in enumerate(self.groups)}

    @property
    def terms(self) -> tuple[Term, ...]:
        """The parts of the loss, declared once: logging, validation and the weighted sum follow from it."""
        return (Term(self.name),)

    @property
    def first_update(self) -> int:
        """The update from which the objective takes part."""
        return 0

    # ---- data -------------------------------------------------------------------------------------------------------

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
        """Make a training example of an item, with noise from ``rng``."""

    def sizes(self, source: Source) -> np.ndarray:
        """(N,) number of tokens of each example, 0 for an empty one."""
        return source.sizes

    @abstractmethod
    def collate(self, examples: list[Example]) -> dict[str, Any]:
        """Make a batch of examples, on the CPU; what each of its entries is called concerns the objective alone."""

    # ---- model ------------------------------------------------------------------------------------------------------

    @abstractmethod
    def add_heads(self, model: XlingModel) -> None:
        """Add what the loss needs to the model, see `XlingModel.add_head`; every parameter of it must get a gradient."""

    def load_companions(self, model: XlingModel) -> None:  # noqa: B027
        """Load what the objective needs besides the trained model, such as a teacher; once, when the model is built."""

    def precompute(self, model: XlingModel, batch: dict[str, Any]) -> dict[str, Any]:
        """Compute what a batch needs before the pass, without gradient: by the model as it is, or by a teacher.

        Returns:
            entries to add to the batch.
        """
        return {}

    @abstractmethod
    def inputs(self, model: XlingModel, batch: dict[str, Any]) -> Sequence[EncoderInput]:
        """The views: what the encoder is given of a batch, one input or more, each with ``num_tokens``, ``ids`` and ``select``."""

    # ---- loss -------------------------------------------------------------------------------------------------------

    @abstractmethod
    def normalisers(self, batch: dict[str, Any]) -> dict[str, int]:
        """Number that the sum of each term's losses is divided by: how much of it the batch holds, 0 if nothing.

        Known before the pass, because micro-batches and processes are added up by it: an update is the same however it is cut
        into them.
        """

    def remember(self, model: XlingModel) -> None:  # noqa: B027
        """Change the model's state, such as a queue, by what `losses` has just seen.

        In training only, once a micro-batch, after its backward pass, equally often in every process; not when fairseq runs an update
        again to find where a NaN comes from. A batch of this process may have held nothing, and an update that fp16 skips has been
        remembered all the same: values that are not finite must not be.
        """

    @abstractmethod
    def losses(
        self, model: XlingModel, states: Sequence[Tensor], batch: dict[str, Any]
    ) -> Iterable[LMPredictions | Losses]:
        """One `LMPredictions` or `Losses` for each of the ``terms``.

        Args:
            states: for each of the ``inputs`` the (S, D) states of its selected positions.
        """
