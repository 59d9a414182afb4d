"""TLM: masked language modelling on the concatenation of a sentence pair (XLM, §3.3; ERNIE-M, Figure 1b)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data.databin import Pair
from ..data.examples import Example
from ..data.masking import choose_positions, corrupt
from ..data.pairs import join_pair
from ..data.sources import Parallel
from ..errors import UserError
from ..models import EncoderInput, XlingModel
from .base import Objective


class CrossLingualObjective(Objective):
    """What objectives on two concatenated sentences share: the language of a <mask> and the positions."""

    def build_head(self, model: XlingModel) -> None:
        super().build_head(model)
        if self.cfg.lang_embedding != "none":
            model.add_language_embedding(len(self.data.languages))

    def language_rows(self, *languages: str) -> list[int]:
        """Rows of the mask-language table (row 0 means no language)."""
        return [self.data.languages.index(language) + 1 for language in languages]

    def marks(self, model: XlingModel, tokens: Tensor, batch: dict[str, Any]) -> dict[str, Any]:
        """The languages and positions of a pair, as `EncoderInput` takes them.

        Args:
            tokens: (B, T), whose <mask>s get their sentence's language.
            batch: with ``segment`` (B, T) and ``languages`` (B, 2).
        """
        marks = {}
        segment = batch["segment"]
        if self.cfg.lang_embedding != "none":
            languages = batch["languages"].gather(1, segment.clamp(min=0).long())
            shown = tokens.eq(self.symbols.mask) if self.cfg.lang_embedding == "mask" else segment.ge(0)
            marks["languages"] = languages * shown
        if self.cfg.reset_positions:
            positions = model.encoder.sentence_encoder.positions(tokens)
            marks["positions"] = positions - segment.eq(1) * segment.eq(0).sum(1, keepdim=True)
        return marks


class PairObjective(CrossLingualObjective):
    """An objective on the pairs in ``para/``. The order of the two sentences is drawn at random."""

    def find_groups(self) -> list[str]:
        if not self.data.pairs:
            raise UserError(
                f"{self.data.root / 'para'}: no language pair in it; the objective {self.name} needs sentence pairs"
            )
        return [str(pair) for pair in self.data.pairs]

    def source(self, split: str, epoch: int) -> Parallel | None:
        corpora = self.data.open_pairs(split, epoch)
        return Parallel(corpora, self.cfg.max_positions, self.cfg.pair_separators) if corpora else None

    def corrupt(self, tokens: np.ndarray, predict: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """How the chosen positions look in the input."""
        return corrupt(tokens, predict, self.symbols, rng, self.cfg.leave_unmasked_prob, self.cfg.random_token_prob)

    def build(self, item: tuple[np.ndarray, np.ndarray, Pair], rng: np.random.Generator) -> Example:
        x, y, pair = item
        return self.join(x, y, pair, rng.random() < 0.5, rng)

    def join(self, x: np.ndarray, y: np.ndarray, pair: Pair, swap: bool, rng: np.random.Generator) -> Example:
        """The example of a pair, ``swap``: y first."""
        languages = self.language_rows(pair.a, pair.b)
        if swap:
            x, y, languages = y, x, languages[::-1]
        tokens, segment = join_pair(x, y, self.symbols, self.cfg.pair_separators)
        predict = choose_positions(tokens, self.cfg.mask_prob, self.symbols, rng)
        return {
            "tokens": self.corrupt(tokens, predict, rng),
            "segment": segment,
            "predict": predict,
            "target": tokens[predict],
            "languages": languages,
            "group": self.group_number[str(pair)],
        }


class Tlm(PairObjective):
    """p(x_M | X_{/M}): both sentences help to restore either's masked tokens."""

    name = "tlm"

    def inputs(self, model: XlingModel, batch: dict[str, Any]) -> EncoderInput:
        marks = self.marks(model, batch["tokens"], batch)
        return EncoderInput(batch["tokens"], select=batch["predict"], padded=batch["padded"], **marks)


def mask_at(tokens: Tensor, flat_positions: Tensor) -> Tensor:
    """Bool (B, T), True at the given positions of the flattened tokens."""
    return torch.zeros_like(tokens, dtype=torch.bool).view(-1).index_fill_(0, flat_positions, True).view_as(tokens)
