"""Choosing and corrupting the positions a masked language model predicts (BERT, §3.1; ERNIE-M, §3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from fairseq.data import Dictionary


@dataclass(frozen=True)
class Symbols:
    """Ids of the special symbols. Ordinary symbols are ``first_ordinary <= id < mask`` (fairseq keeps <mask> last)."""

    bos: int
    pad: int
    eos: int
    unk: int
    mask: int
    first_ordinary: int
    size: int

    @classmethod
    def of(cls, dictionary: Dictionary) -> Symbols:
        """Read the ids from a dictionary that ends in ``<mask>``."""
        mask = dictionary.index("<mask>")
        assert mask == len(dictionary) - 1, "the task adds <mask> as the last symbol"
        return cls(
            dictionary.bos(),
            dictionary.pad(),
            dictionary.eos(),
            dictionary.unk(),
            mask,
            dictionary.nspecial,
            len(dictionary),
        )

    @property
    def special(self) -> list[int]:
        """Ids that are never predicted as content: <s> <pad> </s> <unk> and <mask>."""
        return [*range(self.first_ordinary), self.mask]


def choose_positions(tokens: np.ndarray, prob: float, symbols: Symbols, rng: np.random.Generator) -> np.ndarray:
    """Draw the positions to predict, without replacement, among the ordinary tokens.

    Args:
        tokens: (T,) symbol ids.
        prob: share of the ordinary tokens; the count is rounded up or down at random so that its mean is exact.

    Returns:
        (M,) increasing positions; special symbols (``</s>`` between packed sentences too) are never among them,
        ``<unk>`` may be, as in RoBERTa.
    """
    candidates = np.flatnonzero((tokens >= symbols.unk) & (tokens != symbols.mask))
    count = int(prob * len(candidates) + rng.random())
    return np.sort(rng.choice(candidates, size=count, replace=False))


def corrupt(
    tokens: np.ndarray,
    positions: np.ndarray,
    symbols: Symbols,
    rng: np.random.Generator,
    leave_prob: float = 0.1,
    random_prob: float = 0.1,
) -> np.ndarray:
    """BERT's 80/10/10 corruption: <mask>, a random ordinary symbol, or the token itself.

    Args:
        tokens: (T,) symbol ids; not modified.
        positions: (M,) positions to corrupt.
        leave_prob: probability that a chosen token stays as it is.
        random_prob: probability that it becomes a uniformly drawn ordinary symbol.

    Returns:
        (T,) corrupted copy.
    """
    corrupted = tokens.copy()
    draw = rng.random(len(positions))
    corrupted[positions[draw >= leave_prob + random_prob]] = symbols.mask
    noisy = positions[draw < random_prob]
    corrupted[noisy] = rng.integers(symbols.first_ordinary, symbols.mask, size=len(noisy))
    return corrupted
