"""WEAM: word-exchange aligning model (WEAM, section 2.2).

    X = <s> S </s> T </s>,  H = Encoder(X)                         Eq. 1, 2
    p(X_i = w_i | H_i)            multilingual prediction           Eq. 3, 4, as masked language modelling on the pair
    H' = Aᵀ H                     exchange of aligned states        Eq. 5, A(i, j) = 1 where i and j are aligned
    p̃(X_i = w_i | H'_i)           cross-lingual prediction          Eq. 6 to 8, with a head of its own
    L = L_mp + λ L_cp                                               Eq. 9 to 11

Both losses are divided by the number of masked tokens of the update. A is never made: of H' only the rows of masked tokens that have partners are needed, each the sum of its partners' states.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data.databin import Pair
from ..data.examples import Example
from ..data.links import LinkedPairs, open_links
from ..data.pairs import Parallel
from ..errors import UserError
from ..models import EncoderInput, XlingModel
from .pairs import PairConfig, PairObjective
from .terms import LMPredictions, Term


@dataclass
class WeamConfig(PairConfig):
    """Options of WEAM."""

    weam_lambda: float = field(
        default=1.0, metadata={"help": "weight of weam's cross-lingual prediction (λ of WEAM, Eq. 11); 0 leaves tlm"}
    )


class Weam(PairObjective):
    """Predicts a masked token from its own state, and from the states of the tokens it is aligned with."""

    name = "weam"
    config = WeamConfig
    positions = ("predict", "exchange_to", "exchange_from")

    def __init__(self, cfg: Any, data: Any):
        if not (math.isfinite(cfg.weam_lambda) and cfg.weam_lambda >= 0):
            raise UserError(f"--weam-lambda {cfg.weam_lambda} must be a finite number, 0 or above; the paper's is 1")
        super().__init__(cfg, data)

    @property
    def terms(self) -> tuple[Term, ...]:
        own, crossed = Term("weam"), Term("weam_cross", self.cfg.weam_lambda)
        return (own, crossed) if self.cfg.weam_lambda else (own,)

    def source(self, split: str, epoch: int) -> LinkedPairs | None:  # type: ignore[override]
        corpora = self.data.open_pairs(split, epoch)
        if not corpora:
            return None
        pairs = Parallel(corpora, self.cfg.max_positions, self.cfg.pair_separators)
        return LinkedPairs(pairs, open_links(self.data, split, epoch, corpora))

    def add_heads(self, model: XlingModel) -> None:
        super().add_heads(model)
        if self.cfg.weam_lambda:
            model.add_head("exchange")

    def build(self, item: tuple[np.ndarray, np.ndarray, Pair, np.ndarray], rng: np.random.Generator) -> Example:  # type: ignore[override]
        x, y, pair, links = item
        swap = rng.random() < 0.5
        example = self.join(x, y, pair, swap, rng)
        ends = positions_of_links(links, len(y) if swap else len(x), swap, self.cfg.pair_separators)
        receives, gives = np.concatenate([ends, ends[:, ::-1]]).T
        masked = np.zeros(len(example["tokens"]), dtype=bool)
        masked[example["predict"]] = True
        wanted = masked[receives]
        example["exchange_to"], example["exchange_from"] = receives[wanted], gives[wanted]
        return example

    def collate(self, examples: list[Example]) -> dict[str, Any]:
        """The batch of `masked.collate` and the exchange, with C predictions and P links of masked tokens.

        Returns:
            besides, ``select`` (S,): positions of the masked tokens and their partners; ``predict_rows`` (M,) and
            ``exchange_rows`` (P,): which of these are predicted, and given; ``exchange_to`` (P,): the number of the
            cross-lingual prediction that gets it; ``cross_target``, ``cross_group`` (C,); ``num_crossed``: C, or 0 where
            there is none and C is a dummy.
        """
        batch = super().collate(examples)
        gives = batch.pop("exchange_from")
        batch["select"], rows = torch.unique(torch.cat([batch["predict"], gives]), return_inverse=True)
        batch["predict_rows"], batch["exchange_rows"] = rows.split([len(batch["predict"]), len(gives)])
        crossed, batch["exchange_to"] = torch.unique(batch["exchange_to"], return_inverse=True)
        batch["num_crossed"] = len(crossed)
        if len(crossed):
            which = torch.searchsorted(batch["predict"], crossed)
            batch["cross_target"], batch["cross_group"] = batch["target"][which], batch["target_group"][which]
        else:
            batch["cross_target"], batch["cross_group"] = torch.tensor([[self.symbols.pad], [0]]).unbind()
        return batch

    def inputs(self, model: XlingModel, batch: dict[str, Any]) -> Sequence[EncoderInput]:
        return [self.view(batch, select=batch["select"], **self.marks(model, batch["tokens"], batch))]

    def losses(self, model: XlingModel, states: Sequence[Tensor], batch: dict[str, Any]) -> Iterator[LMPredictions]:
        (selected,) = states
        yield self.predictions(batch, selected.index_select(0, batch["predict_rows"]))
        if self.cfg.weam_lambda:
            exchanged = exchange(selected, batch["exchange_rows"], batch["exchange_to"], len(batch["cross_target"]))
            yield LMPredictions(
                "weam_cross",
                batch["cross_target"],
                batch["cross_group"],
                batch["num_crossed"],
                hidden=model.heads["exchange"](exchanged),
            )


def positions_of_links(links: np.ndarray, length_first: int, swap: bool, separators: int) -> np.ndarray:
    """Positions of the linked pieces in the joined pair.

    Args:
        links: (P, 2) pieces of x and of y.
        length_first: pieces of the sentence that comes first, y if ``swap``.

    Returns:
        (P, 2) positions in the first and in the second sentence.
    """
    ends = links[:, ::-1] if swap else links
    return ends + np.array([1, 1 + length_first + separators])


def exchange(states: Tensor, rows: Tensor, to: Tensor, count: int) -> Tensor:
    """H' = Aᵀ H (WEAM, Eq. 5): row c is the sum of ``states[rows[p]]`` over the links p with ``to[p] == c``.

    Args:
        states: (S, D).
        rows, to: (P,).
        count: C.

    Returns:
        (C, D).
    """
    return states.new_zeros(count, states.size(1)).index_add(0, to, states.index_select(0, rows))
