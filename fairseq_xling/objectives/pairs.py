"""Parts that objectives on sentence pairs share: the pair as one sequence, the language of a ``<mask>``, the positions."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from fairseq.dataclass import ChoiceEnum
from torch import Tensor

from ..data.databin import DataBin, Pair
from ..data.examples import Example
from ..data.pairs import SEPARATORS, Parallel, join_pair
from ..errors import UserError
from ..models import XlingModel
from .masked import MaskedObjective, MaskingConfig

LANG_EMBEDDING = ChoiceEnum(["mask", "all", "none"])


@dataclass
class PairConfig(MaskingConfig):
    """Options of objectives on two concatenated sentences."""

    reset_positions: bool = field(
        default=False,
        metadata={"help": "count positions anew in the second sentence of a pair (XLM's variant)"},
    )
    pair_separators: int = field(
        default=SEPARATORS, metadata={"help": "</s> between the sentences of a pair: 2 as XLM-R, 1 as BERT"}
    )
    lang_embedding: LANG_EMBEDDING = field(  # type: ignore[valid-type]
        default="mask",
        metadata={
            "help": "where cross-lingual objectives add a learned language embedding: at <mask>, at all tokens, or not at all"
        },
    )


class CrossLingualObjective(MaskedObjective):
    """An objective on two concatenated sentences, of which a masked token is told the language.

    Raises:
        UserError: an option of the pairs is out of its range.
    """

    config = PairConfig
    sequences: ClassVar[tuple[str, ...]] = ("tokens", "segment")

    def __init__(self, cfg: Any, data: DataBin):
        if cfg.pair_separators not in (1, 2):
            raise UserError(f"--pair-separators {cfg.pair_separators}: expected 2 (XLM-R) or 1 (BERT)")
        super().__init__(cfg, data)

    def add_heads(self, model: XlingModel) -> None:
        super().add_heads(model)
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

    def build(self, item: tuple[np.ndarray, np.ndarray, Pair], rng: np.random.Generator) -> Example:
        x, y, pair = item
        return self.join(x, y, pair, rng.random() < 0.5, rng)

    def join(self, x: np.ndarray, y: np.ndarray, pair: Pair, swap: bool, rng: np.random.Generator) -> Example:
        """The example of a pair, ``swap``: y first."""
        languages = self.language_rows(pair.a, pair.b)
        if swap:
            x, y, languages = y, x, languages[::-1]
        tokens, segment = join_pair(x, y, self.symbols, self.cfg.pair_separators)
        return {
            **self.mask(tokens, rng),
            "segment": segment,
            "languages": languages,
            "group": self.group_number[str(pair)],
        }


def mask_at(tokens: Tensor, flat_positions: Tensor) -> Tensor:
    """Bool (B, T), True at the given positions of the flattened tokens."""
    return torch.zeros_like(tokens, dtype=torch.bool).view(-1).index_fill_(0, flat_positions, True).view_as(tokens)
