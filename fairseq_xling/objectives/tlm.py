"""TLM: masked language modelling on the concatenation of a sentence pair (XLM, §3.3; ERNIE-M, Figure 1b)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..models import EncoderInput, XlingModel
from .pairs import PairObjective


class Tlm(PairObjective):
    """p(x_M | X_{/M}): both sentences help to restore either's masked tokens."""

    name = "tlm"

    def inputs(self, model: XlingModel, batch: dict[str, Any]) -> Sequence[EncoderInput]:
        return [self.view(batch, **self.marks(model, batch["tokens"], batch))]
