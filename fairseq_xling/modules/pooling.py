"""Sentence embeddings from token states. Axes: B batch, T tokens, D width."""

from __future__ import annotations

from torch import Tensor


def mean_pool(states: Tensor, keep: Tensor) -> Tensor:
    """Average the states of the tokens to keep, in fp32.

    Args:
        states: (B, T, D).
        keep: bool (B, T).

    Returns:
        (B, D); zeros for a sentence that keeps no token.
    """
    total = (states.float() * keep.unsqueeze(-1)).sum(1)
    return total / keep.sum(1, keepdim=True).clamp(min=1)
