"""Pieces and words: words come pre-tokenised, each is encoded by itself, its state is the mean of its pieces' states.

Axes: B batch, T tokens, W words, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...interop.loaded import LoadedModel


@dataclass(frozen=True)
class PieceSentence:
    """A sentence of words as pieces.

    Attributes:
        ids: (T,) symbol ids without ``<s>`` and ``</s>``, at most the room there is.
        words: (T,) the word that each piece belongs to.
        num_words: all words, also those without pieces.
        cut: words left out because the sentence is too long; the last ones.
    """

    ids: np.ndarray
    words: np.ndarray
    num_words: int
    cut: int

    @property
    def without_pieces(self) -> int:
        """Words of which the vocabulary's normalisation leaves nothing; they are not cut, but have no state."""
        return self.num_words - self.cut - len(np.unique(self.words))


def encode_words(loaded: LoadedModel, sentences: Sequence[Sequence[str]], room: int) -> list[PieceSentence]:
    """Encode words one by one, as if a space preceded each. A word that does not fit whole is cut with all after it.

    Args:
        sentences: words of each sentence.
        room: pieces a sentence may have.
    """
    distinct = list(dict.fromkeys(word for sentence in sentences for word in sentence))
    pieces = dict(zip(distinct, loaded.encode_text(distinct), strict=True))
    return [_join([pieces[word] for word in sentence], room) for sentence in sentences]


def _join(pieces: list[np.ndarray], room: int) -> PieceSentence:
    lengths = np.array([len(part) for part in pieces])
    kept = int((np.cumsum(lengths) <= room).sum())
    ids = np.concatenate(pieces[:kept]) if kept else np.zeros(0, dtype=np.int64)
    words = np.repeat(np.arange(kept), lengths[:kept])
    return PieceSentence(ids, words, len(pieces), len(pieces) - kept)


def word_index(sentences: Sequence[PieceSentence], width: int) -> Tensor:
    """The word of each token of the padded ``<s> x </s>``; -1 at special symbols and padding.

    Args:
        width: T.

    Returns:
        (B, T) int64.
    """
    index = np.full((len(sentences), width), -1, dtype=np.int64)
    for row, sentence in zip(index, sentences, strict=True):
        row[1 : len(sentence.words) + 1] = sentence.words
    return torch.from_numpy(index)


def word_states(states: Tensor, index: Tensor, num_words: int) -> tuple[Tensor, Tensor]:
    """Mean of the states of each word's pieces, in fp32.

    Args:
        states: (B, T, D).
        index: (B, T) of `word_index`.
        num_words: W, the most words of a sentence.

    Returns:
        (B, W, D), zeros where a word has no piece, and bool (B, W), True where it has.
    """
    belongs = (index.unsqueeze(1) == torch.arange(num_words, device=index.device)[:, None]).float()  # (B, W, T)
    counts = belongs.sum(2)
    return belongs @ states.float() / counts.clamp(min=1).unsqueeze(-1), counts > 0
