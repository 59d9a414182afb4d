"""Heads of the fine-tuning tasks, the same functions as those of ``transformers``' XLM-R; WEAM's head. Axes: ... any, D width, C outputs."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..modules.dropout import Dropout


class SequenceHead(nn.Module):
    """RoBERTa's classification head on the state of ``<s>``: dropout, dense, tanh, dropout, output."""

    def __init__(self, dim: int, outputs: int, dropout: float):
        super().__init__()
        self.dense = nn.Linear(dim, dim)
        self.out_proj = nn.Linear(dim, outputs)
        self.dropout = Dropout(dropout)

    def forward(self, states: Tensor) -> Tensor:
        """(..., D) -> logits (..., C)."""
        return self.out_proj(self.dropout(torch.tanh(self.dense(self.dropout(states)))))


class TokenHead(nn.Module):
    """One linear layer on the state of each token, with dropout before it."""

    def __init__(self, dim: int, outputs: int, dropout: float):
        super().__init__()
        self.out_proj = nn.Linear(dim, outputs)
        self.dropout = Dropout(dropout)

    def forward(self, states: Tensor) -> Tensor:
        """(..., D) -> logits (..., C)."""
        return self.out_proj(self.dropout(states))


class SpanHead(nn.Module):
    """One linear layer on the state of each token: logits of being the first and the last token of the answer."""

    def __init__(self, dim: int, outputs: int = 2, dropout: float = 0.0):
        super().__init__()
        self.out_proj = nn.Linear(dim, outputs)

    def forward(self, states: Tensor) -> Tensor:
        """(..., D) -> logits (..., 2)."""
        return self.out_proj(states)


class ExchangeHead(nn.Module):
    """What WEAM's cross-lingual prediction does before the output matrix (WEAM, Eq. 6 and 7)."""

    def __init__(self, dim: int, eps: float):
        super().__init__()
        self.exchange = nn.Linear(dim, dim)  # W2, b2
        self.dense = nn.Linear(dim, dim)  # W3, b3
        self.layer_norm = nn.LayerNorm(dim, eps=eps)

    def forward(self, exchanged: Tensor) -> Tensor:
        """(..., D) sums of aligned states H' -> (..., D), what the output matrix is applied to."""
        return self.layer_norm(F.gelu(self.dense(self.exchange(exchanged))))


HEADS: dict[str, type[SequenceHead | TokenHead | SpanHead]] = {
    "sequence": SequenceHead,
    "token": TokenHead,
    "span": SpanHead,
}
