"""BTMLM: back-translation masked language modelling (ERNIE-M, §3, Figures 3 and 4).

Stage 1: P_j = argmax p(. | x_1 … x_s, M_j)  at placeholders appended to a monolingual sentence, without gradient
Stage 2: L_BTMLM = -Σ_{x in D_M} log Π_{m in M} p(x_m | X_{/M}, P)
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

import numpy as np
import torch
from torch import Tensor

from ..data.examples import Example, Source
from ..data.pairs import join_pair, num_pair_specials
from ..data.sentences import Monolingual
from ..errors import UserError
from ..models import EncoderInput, XlingModel
from ..modules.visibility import cross_sentence_visibility
from .pairs import CrossLingualObjective, PairConfig, mask_at


@dataclass
class BtmlmConfig(PairConfig):
    """Options of BTMLM."""

    btmlm_pseudo_ratio: float = field(
        default=0.15,
        metadata={"help": "pseudo tokens generated per token of the sentence (ERNIE-M, Figure 6: .05 .10 .15 .20)"},
    )
    btmlm_start_update: int = field(
        default=0,
        metadata={"help": "update from which btmlm is trained, when camlm has taught the model to generate"},
    )
    btmlm_languages: Optional[str] = field(
        default=None,
        metadata={"help": "languages whose sentences btmlm uses, a,b,c (default: all in mono/); each needs a pair"},
    )


class Btmlm(CrossLingualObjective):
    """Generates pseudo-parallel tokens with the model itself, then predicts masked tokens with their help."""

    name = "btmlm"
    config = BtmlmConfig
    sequences = ("tokens", "clean", "segment")
    positions = ("predict", "placeholders")

    def find_groups(self) -> list[str]:
        ratio = self.cfg.btmlm_pseudo_ratio
        if not 0 < ratio <= 1:
            raise UserError(f"--btmlm-pseudo-ratio {ratio} must be above 0 and at most 1")
        if self.cfg.btmlm_start_update < 0:
            raise UserError(f"--btmlm-start-update {self.cfg.btmlm_start_update} must not be negative")
        mono = self.data.mono_languages
        if not mono:
            raise UserError(f"{self.data.root / 'mono'}: no language in it; the objective btmlm needs monolingual text")
        named = self.cfg.btmlm_languages
        chosen = [language.strip() for language in named.split(",")] if named else mono
        for language in chosen:
            if chosen.count(language) > 1:
                raise UserError(
                    f"--btmlm-languages {named}: {language!r} is named {chosen.count(language)} times; name it once"
                )
            if language not in mono:
                raise UserError(
                    f"--btmlm-languages: {language!r} is not in {self.data.root / 'mono'}, which holds {' '.join(mono) or 'nothing'}"
                )
            if not self.data.partners(language):
                raise UserError(
                    f"mono/{language}: btmlm has no pair with {language!r} in {self.data.root / 'para'}; add one, "
                    "or name the languages that have pairs with --btmlm-languages"
                )
        if not named:
            for pair in self.data.pairs:
                for language in (pair.a, pair.b):
                    if language not in mono:
                        raise UserError(
                            f"para/{pair}: btmlm needs monolingual text of {language!r}, {self.data.root / 'mono' / language} is missing; "
                            "add it, or name the languages btmlm shall use with --btmlm-languages"
                        )
        return list(chosen)

    def source(self, split: str, epoch: int) -> Monolingual | None:
        corpora = {lang: dataset for lang, dataset in self.data.open_mono(split, epoch).items() if lang in self.groups}
        return Monolingual(corpora, self.symbols, self.max_source_tokens + 2) if corpora else None

    @property
    def max_source_tokens(self) -> int:
        """The most tokens of x that leave room for its placeholders and the specials."""
        room = self.cfg.max_positions - num_pair_specials(self.cfg.pair_separators)
        return min(int(room / (1 + self.cfg.btmlm_pseudo_ratio)), room - 1)

    def num_placeholders(self, num_tokens: int | np.ndarray) -> np.ndarray:
        """K = max(1, round(ratio · |x|)), for a number or an array of numbers."""
        return np.maximum(1, np.round(self.cfg.btmlm_pseudo_ratio * np.asarray(num_tokens))).astype(np.int32)

    def sizes(self, source: Source) -> np.ndarray:
        content = source.sizes - 2
        sizes = content + self.num_placeholders(content) + num_pair_specials(self.cfg.pair_separators)
        return np.where(content > 0, sizes, 0).astype(np.int32)

    def build(self, item: tuple[np.ndarray, str], rng: np.random.Generator) -> Example:
        x, language = item
        partners = self.data.partners(language)
        target_language = partners[rng.integers(len(partners))]
        placeholders = np.full(int(self.num_placeholders(len(x))), self.symbols.mask)
        clean, segment = join_pair(x, placeholders, self.symbols, self.cfg.pair_separators)
        return {
            **self.mask(clean, rng),
            "clean": clean,
            "segment": segment,
            "placeholders": len(x) + 1 + self.cfg.pair_separators + np.arange(len(placeholders)),
            "languages": self.language_rows(language, target_language),
            "group": self.group_number[language],
        }

    @property
    def first_update(self) -> int:
        return int(self.cfg.btmlm_start_update)

    def precompute(self, model: XlingModel, batch: dict[str, Any]) -> dict[str, Any]:
        """Stage 1: the batch's tokens with pseudo tokens in place of the placeholders."""
        pseudo = self.generate(model, batch)
        return {
            "tokens": batch["tokens"].view(-1).index_copy(0, batch["placeholders"], pseudo).view_as(batch["tokens"])
        }

    def inputs(self, model: XlingModel, batch: dict[str, Any]) -> Sequence[EncoderInput]:
        return [self.view(batch, **self.marks(model, batch["tokens"], batch))]

    @torch.no_grad()
    def generate(self, model: XlingModel, batch: dict[str, Any]) -> Tensor:
        """The most probable ordinary symbol at every placeholder, in one forward pass without dropout. (P,)"""
        clean = batch["clean"]
        stage_1 = EncoderInput(
            clean,
            visible=cross_sentence_visibility(batch["segment"], mask_at(clean, batch["placeholders"])),
            select=batch["placeholders"],
            **self.marks(model, clean, batch),
        )
        training = model.training
        model.eval()
        try:
            (states,) = model([stage_1])
        finally:
            model.train(training)
        logits = model.heads["lm"](states)
        logits[:, self.symbols.special] = float("-inf")
        return logits.argmax(1)
