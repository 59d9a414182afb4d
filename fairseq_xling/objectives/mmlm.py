"""MMLM: multilingual masked language modelling on monolingual text (ERNIE-M, Figure 1a; XLM-R)."""

from dataclasses import dataclass, field

import numpy as np
from fairseq.dataclass import ChoiceEnum

from ..data.examples import Example
from ..data.sentences import Monolingual
from ..errors import UserError
from .masked import MaskedObjective, MaskingConfig

BREAK_MODES = ChoiceEnum(["eos", "complete", "complete_doc", "none"])


@dataclass
class MmlmConfig(MaskingConfig):
    """Options of MMLM."""

    sample_break_mode: BREAK_MODES = field(  # type: ignore[valid-type]
        default="eos",
        metadata={
            "help": "an mmlm example is one sentence (eos), or sentences packed up to --max-positions: complete, complete_doc (not across "
            "blank lines), none (cut anywhere)"
        },
    )


class Mmlm(MaskedObjective):
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
        tokens = np.concatenate([[self.symbols.bos], sentence, [self.symbols.eos]])
        return {**self.mask(tokens, rng), "group": self.group_number[language]}
