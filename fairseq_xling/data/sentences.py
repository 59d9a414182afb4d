"""Batches of single sentences. Axes: B batch, T tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError
from .masking import Symbols


def pad_sentences(sentences: Sequence[np.ndarray], symbols: Symbols) -> Tensor:
    """``<s> x </s>`` of each sentence, padded at the end: (B, T) int64.

    Raises:
        UserError: a token id is outside the vocabulary.
    """
    width = max(map(len, sentences)) + 2
    tokens = np.full((len(sentences), width), symbols.pad, dtype=np.int64)
    for row, sentence in zip(tokens, sentences, strict=True):
        row[: len(sentence) + 2] = [symbols.bos, *sentence, symbols.eos]
    if int(tokens.max()) >= symbols.size:
        raise UserError(
            f"a sentence holds the token id {int(tokens.max())}, the dictionary has {symbols.size} symbols: it was made "
            "with another dictionary; binarise the text again with --srcdict"
        )
    return torch.from_numpy(tokens)


def own_tokens(tokens: Tensor, symbols: Symbols) -> Tensor:
    """Bool (B, T): True at a sentence's own tokens, False at ``<s>``, ``</s>`` and padding."""
    return (tokens != symbols.bos) & (tokens != symbols.eos) & (tokens != symbols.pad)
