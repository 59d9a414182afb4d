"""CAMLM: cross-attention masked language modelling (ERNIE-M, §3, Figures 1c and 2).

    L_CAMLM(src) = -Σ log Π_{m in M_src} p(x_m | X_{/M ∪ Xsrc})     and the same for the target sentence

Both directions are computed in one pass: the visibility matrix lets a masked token see only itself and the unmasked
tokens of the other sentence, and keeps unmasked tokens within their own sentence, so nothing leaks around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..models import EncoderInput, XlingModel
from ..modules.visibility import cross_sentence_visibility
from .pairs import PairObjective, mask_at


class Camlm(PairObjective):
    """p(x_m | the other sentence's unmasked tokens, the <mask> itself)."""

    name = "camlm"

    def corrupt(self, tokens: np.ndarray, predict: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Every chosen position becomes <mask>: the prediction must come from the other side."""
        corrupted = tokens.copy()
        corrupted[predict] = self.symbols.mask
        return corrupted

    def inputs(self, model: XlingModel, batch: dict[str, Any]) -> Sequence[EncoderInput]:
        visible = cross_sentence_visibility(batch["segment"], mask_at(batch["tokens"], batch["predict"]))
        return [self.view(batch, visible=visible, **self.marks(model, batch["tokens"], batch))]
