"""MMLM: multilingual masked language modelling on monolingual text (ERNIE-M, Figure 1a; XLM-R)."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from fairseq.dataclass import ChoiceEnum

from ..data.examples import Example
from ..data.masking import choose_positions, corrupt
from ..data.sources import Monolingual
from ..errors import UserError
from ..models import EncoderInput, XlingModel
from .base import Objective, ObjectiveConfig

BREAK_MODES = ChoiceEnum(["eos", "complete", "complete_doc", "none"])


@dataclass
class MmlmConfig(ObjectiveConfig):
    """Options of MMLM."""

    sample_break_mode: BREAK_MODES = field(  # type: ignore[valid-type]
        default="eos",
        metadata={
            "help": "an mmlm example is one sentence (eos), or sentences packed up to --max-positions: complete, complete_doc (not across "
            "blank lines), none (cut anywhere)"
        },
    )


class Mmlm(Objective):
    """p(x_M | x_{/M}) on sentences or packed blocks of every language in ``mono/``."""

    name = "mmlm"
    config = MmlmConfig

    def find_groups(self) -> list[str]:
        if not self.data.mono_languages:
            raise UserError(
                f"{self.data.root / 'mono'}: no language in it; the objective {self.name} needs monolingual text"
            )
        return self.data.mono_languages

    def source(self, split: str, epoch: int) -> Monolingual | None:
        corpora = self.data.open_mono(split, epoch)
        if not corpora:
            return None
        return Monolingual(corpora, self.symbols, self.cfg.max_positions, self.cfg.sample_break_mode)

    def build(self, item: tuple[np.ndarray, str], rng: np.random.Generator) -> Example:
        sentence, language = item
        tokens = np.concatenate([[self.symbols.bos], sentence])
        predict = choose_positions(tokens, self.cfg.mask_prob, self.symbols, rng)
        corrupted = corrupt(
            tokens, predict, self.symbols, rng, self.cfg.leave_unmasked_prob, self.cfg.random_token_prob
        )
        return {
            "tokens": corrupted,
            "predict": predict,
            "target": tokens[predict],
            "group": self.group_number[language],
        }

    def inputs(self, model: XlingModel, batch: dict[str, Any]) -> EncoderInput:
        return EncoderInput(batch["tokens"], select=batch["predict"], padded=batch["padded"])
