"""Heads on the encoder: one registry for objectives, fine-tuning, evaluation and conversion. Axes: ... any, D width, C outputs, V vocabulary."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..modules.dropout import Dropout
from .config import XlingModelConfig
from .encoder import SentenceEncoder


class Head(nn.Module):
    """A module of a model's ``heads``, built as ``Head(encoder, cfg, **options)``.

    It may hold buffers, which are saved and resumed with the parameters. Those of a size that a checkpoint has not are started anew,
    see `XlingModel`.
    """

    @classmethod
    def options_of(cls, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """The options with which a head of these parameters and buffers was built."""
        return {}

    @abstractmethod
    def forward(self, states: Tensor) -> Tensor:
        """(..., D) -> what the head makes of it."""


HEADS: dict[str, type[Head]] = {}
"""name -> class; a model holds its head under ``heads.<name>``"""

H = TypeVar("H", bound=type[Head])


def register_head(name: str) -> Callable[[H], H]:
    """Enter a head in `HEADS`.

    Raises:
        ValueError: there is another of this name.
    """

    def register(cls: H) -> H:
        if name in HEADS and HEADS[name] is not cls:
            raise ValueError(f"the head {name!r} is registered twice: {HEADS[name].__qualname__}, {cls.__qualname__}")
        HEADS[name] = cls
        return cls

    return register


@register_head("lm")
class LMHead(Head):
    """RoBERTa's masked-LM head; its output matrix is the word embedding."""

    def __init__(self, encoder: SentenceEncoder, cfg: XlingModelConfig):
        super().__init__()
        num_symbols, dim = encoder.embed_tokens.weight.shape
        self.dense = nn.Linear(dim, dim)
        self.layer_norm = nn.LayerNorm(dim, cfg.layer_norm_eps)
        self.weight = encoder.embed_tokens.weight
        self.bias = nn.Parameter(torch.zeros(num_symbols))

    def transform(self, states: Tensor) -> Tensor:
        """(..., D) states -> (..., D), what the output matrix is applied to."""
        return self.layer_norm(F.gelu(self.dense(states)))

    def forward(self, states: Tensor) -> Tensor:
        """(..., D) -> logits (..., V)."""
        return F.linear(self.transform(states), self.weight, self.bias)


@register_head("exchange")
class ExchangeHead(Head):
    """Layers of WEAM's cross-lingual prediction before the output matrix (WEAM, Eq. 6 and 7)."""

    def __init__(self, encoder: SentenceEncoder, cfg: XlingModelConfig):
        super().__init__()
        dim = cfg.encoder_embed_dim
        self.exchange = nn.Linear(dim, dim)  # W2, b2
        self.dense = nn.Linear(dim, dim)  # W3, b3
        self.layer_norm = nn.LayerNorm(dim, cfg.layer_norm_eps)

    def forward(self, states: Tensor) -> Tensor:
        """(..., D) sums of aligned states H' -> (..., D), what the output matrix is applied to."""
        return self.layer_norm(F.gelu(self.dense(self.exchange(states))))


class FinetuningHead(Head):
    """A head of a fine-tuning task, the same function as that of ``transformers``' XLM-R; ``out_proj`` is its last layer."""

    out_proj: nn.Linear

    @classmethod
    def options_of(cls, state: Mapping[str, Tensor]) -> dict[str, Any]:
        return {"outputs": len(state["out_proj.weight"])}


@register_head("sequence")
class SequenceHead(FinetuningHead):
    """RoBERTa's classification head on the state of ``<s>``: dropout, dense, tanh, dropout, output."""

    def __init__(self, encoder: SentenceEncoder, cfg: XlingModelConfig, outputs: int):
        super().__init__()
        dim = cfg.encoder_embed_dim
        self.dense = nn.Linear(dim, dim)
        self.out_proj = nn.Linear(dim, outputs)
        self.dropout = Dropout(cfg.dropout)

    def forward(self, states: Tensor) -> Tensor:
        """(..., D) -> logits (..., C)."""
        return self.out_proj(self.dropout(torch.tanh(self.dense(self.dropout(states)))))


@register_head("token")
class TokenHead(FinetuningHead):
    """Dropout and one linear layer on the state of each token."""

    def __init__(self, encoder: SentenceEncoder, cfg: XlingModelConfig, outputs: int):
        super().__init__()
        self.out_proj = nn.Linear(cfg.encoder_embed_dim, outputs)
        self.dropout = Dropout(cfg.dropout)

    def forward(self, states: Tensor) -> Tensor:
        """(..., D) -> logits (..., C)."""
        return self.out_proj(self.dropout(states))


@register_head("span")
class SpanHead(FinetuningHead):
    """One linear layer on the state of each token: logits of being the first and the last token of the answer."""

    def __init__(self, encoder: SentenceEncoder, cfg: XlingModelConfig, outputs: int = 2):
        super().__init__()
        self.out_proj = nn.Linear(cfg.encoder_embed_dim, outputs)

    def forward(self, states: Tensor) -> Tensor:
        """(..., D) -> logits (..., 2)."""
        return self.out_proj(states)
