"""Masked prediction, as far as several objectives share it. Axes: B batch, T tokens, M predictions, D width."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from fairseq.dataclass import FairseqDataclass
from torch import Tensor

from ..data.databin import DataBin
from ..data.examples import Example
from ..data.masking import Symbols, choose_positions, corrupt
from ..errors import UserError
from ..models import EncoderInput, XlingModel
from .base import Objective
from .terms import LMPredictions

SEGMENT_PAD = -1


@dataclass
class MaskingConfig(FairseqDataclass):
    """Options of objectives that mask tokens."""

    mask_prob: float = field(default=0.15, metadata={"help": "share of a sentence's tokens that are predicted"})
    leave_unmasked_prob: float = field(
        default=0.1, metadata={"help": "probability that a predicted token stays as it is (mmlm, tlm, btmlm)"}
    )
    random_token_prob: float = field(
        default=0.1,
        metadata={"help": "probability that a predicted token becomes a random one (mmlm, tlm, btmlm)"},
    )


class MaskedObjective(Objective):
    """Predicts masked tokens with the LM head.

    Raises:
        UserError: an option of the masking is out of its range.
    """

    config = MaskingConfig
    sequences: ClassVar[tuple[str, ...]] = ("tokens",)
    """(T,) fields of an example, padded to the longest of the batch"""
    positions: ClassVar[tuple[str, ...]] = ("predict",)
    """fields of an example that hold positions; in a batch they index the flattened (B * T) tokens"""

    def __init__(self, cfg: Any, data: DataBin):
        for option in ("mask_prob", "leave_unmasked_prob", "random_token_prob"):
            if not 0 <= getattr(cfg, option) <= 1:
                raise UserError(f"--{option.replace('_', '-')} {getattr(cfg, option)} must be between 0 and 1")
        if not cfg.mask_prob:
            raise UserError("--mask-prob 0 leaves nothing to predict; BERT's is 0.15")
        if cfg.leave_unmasked_prob + cfg.random_token_prob > 1:
            raise UserError(
                f"--leave-unmasked-prob {cfg.leave_unmasked_prob} and --random-token-prob {cfg.random_token_prob} must not "
                "exceed 1 together"
            )
        super().__init__(cfg, data)

    def mask(self, tokens: np.ndarray, rng: np.random.Generator) -> Example:
        """The fields of an example that come of masking its tokens (T,): ``tokens`` as the encoder sees them, ``predict``, ``target``."""
        predict = choose_positions(tokens, self.cfg.mask_prob, self.symbols, rng)
        return {"tokens": self.corrupt(tokens, predict, rng), "predict": predict, "target": tokens[predict]}

    def corrupt(self, tokens: np.ndarray, predict: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Replace the chosen positions in the input."""
        return corrupt(tokens, predict, self.symbols, rng, self.cfg.leave_unmasked_prob, self.cfg.random_token_prob)

    def collate(self, examples: list[Example]) -> dict[str, Any]:
        """Make a batch, see `collate`."""
        return collate(examples, self.symbols, self.sequences, self.positions)

    def add_heads(self, model: XlingModel) -> None:
        model.add_head("lm")

    def view(self, batch: dict[str, Any], **options: Any) -> EncoderInput:
        """The batch as the encoder is given it, by default with the states of the predicted positions; ``options`` of `EncoderInput`."""
        known = {"select": batch["predict"], "padded": batch["padded"]}
        return EncoderInput(batch["tokens"], num_tokens=batch["num_tokens"], ids=batch["id"], **(known | options))

    def inputs(self, model: XlingModel, batch: dict[str, Any]) -> Sequence[EncoderInput]:
        return [self.view(batch)]

    def normalisers(self, batch: dict[str, Any]) -> dict[str, int]:
        return {term.name: batch["num_predictions"] for term in self.terms}

    def losses(self, model: XlingModel, states: Sequence[Tensor], batch: dict[str, Any]) -> Iterable[LMPredictions]:
        yield self.predictions(batch, states[0])

    def predictions(self, batch: dict[str, Any], states: Tensor) -> LMPredictions:
        """The term of this objective's name: the masked tokens from their (M, D) states."""
        return LMPredictions(self.name, batch["target"], batch["target_group"], batch["num_predictions"], states=states)


def collate(
    examples: list[Example],
    symbols: Symbols,
    sequences: Sequence[str] = MaskedObjective.sequences,
    positions: Sequence[str] = MaskedObjective.positions,
    left_pad: bool = False,
) -> dict[str, Any]:
    """Pad and stack examples.

    Returns:
        the ``sequences`` (B, T), of which ``segment`` is padded with -1, the others with ``<pad>``; the ``positions`` (M,) in the
        flattened (B * T) tokens, so that no step has to look for them on the device; ``target``, ``target_group`` (M,); ``languages``
        (B, 2) where the examples have them; ``id`` (B,); ``padded``: whether there is any padding; ``num_tokens``: real tokens;
        ``num_predictions``. A batch without predictions gets one whose target is ``<pad>``, which the loss ignores, so that every
        process still runs the same graph.

    Raises:
        UserError: a token id is outside the vocabulary.
    """
    lengths = [len(example["tokens"]) for example in examples]
    rows, width = len(examples), max(lengths)
    starts = [width - n if left_pad else 0 for n in lengths]
    batch: dict[str, Any] = {}
    for name in sequences:
        segment = name == "segment"
        padded = np.full((rows, width), SEGMENT_PAD if segment else symbols.pad, dtype=np.int8 if segment else np.int64)
        for row, (example, start, length) in enumerate(zip(examples, starts, lengths, strict=True)):
            padded[row, start : start + length] = example[name]
        batch[name] = torch.from_numpy(padded)
    for name in positions:
        offsets = (
            example[name] + row * width + start
            for row, (example, start) in enumerate(zip(examples, starts, strict=True))
        )
        batch[name] = torch.from_numpy(np.concatenate(list(offsets)).astype(np.int64))
    batch["target"] = torch.from_numpy(np.concatenate([example["target"] for example in examples]).astype(np.int64))
    _check_ids(examples, batch, symbols)
    groups = np.array([example["group"] for example in examples])
    batch["target_group"] = torch.from_numpy(np.repeat(groups, [len(example["target"]) for example in examples]))
    batch["num_predictions"] = len(batch["target"])
    if not batch["num_predictions"]:
        batch["predict"], batch["target"], batch["target_group"] = torch.tensor([[0], [symbols.pad], [0]]).unbind()
    if "languages" in examples[0]:
        batch["languages"] = torch.tensor([example["languages"] for example in examples])
    batch["id"] = torch.tensor([example["id"] for example in examples])
    batch["padded"] = min(lengths) < width
    batch["num_tokens"] = sum(lengths)
    return batch


def _check_ids(examples: list[Example], batch: dict[str, Any], symbols: Symbols) -> None:
    if max(int(batch[name].max()) for name in ("tokens", "target") if batch[name].numel()) < symbols.size:
        return
    for example in examples:
        ids = np.concatenate([example["tokens"], example["target"]])
        if ids.max() >= symbols.size:
            raise UserError(
                f"sentence {example['id']} (counted over the languages or pairs in alphabetical order) holds the token id "
                f"{ids.max()}, the dictionary has {symbols.size} symbols: the corpus was binarised with another dictionary; "
                "run fairseq-preprocess again with --srcdict"
            )
