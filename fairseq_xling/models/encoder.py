"""The XLM-R encoder: RoBERTa's architecture and parameter names, batch-first, with an optional visibility mask.

Axes: B batch, T tokens, D width, H heads, M selected positions.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..modules.attention import attention
from ..modules.dropout import Dropout
from .config import XlingModelConfig


class SelfAttention(nn.Module):
    """Multi-head self-attention on ``scaled_dot_product_attention``."""

    def __init__(self, cfg: XlingModelConfig):
        super().__init__()
        dim = cfg.encoder_embed_dim
        self.num_heads = cfg.encoder_attention_heads
        self.dropout = cfg.attention_dropout
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(dim, dim) for _ in range(4))

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """x (B, T, D); mask None or bool (B, 1, 1 or T, T), True = visible. Returns the heads' output (B, T, D), unprojected."""
        q, k, v = (
            proj(x).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        out = attention(q, k, v, mask, self.dropout if self.training else 0.0)
        return out.transpose(1, 2).flatten(2)


class EncoderLayer(nn.Module):
    """One transformer layer, post-norm as RoBERTa or pre-norm (``--encoder-normalize-before``)."""

    def __init__(self, cfg: XlingModelConfig):
        super().__init__()
        dim, ffn = cfg.encoder_embed_dim, cfg.encoder_ffn_embed_dim
        self.normalize_before = cfg.encoder_normalize_before
        self.self_attn = SelfAttention(cfg)
        self.self_attn_layer_norm = nn.LayerNorm(dim)
        self.fc1 = nn.Linear(dim, ffn)
        self.fc2 = nn.Linear(ffn, dim)
        self.final_layer_norm = nn.LayerNorm(dim)
        self.dropout = Dropout(cfg.dropout)
        self.activation_dropout = Dropout(cfg.activation_dropout)

    def forward(self, x: Tensor, mask: Tensor | None, select: Tensor | None = None) -> Tensor:
        """x (B, T, D) -> (B, T, D); with ``select`` (M,) flat positions -> (M, D), the only ones computed after the attention."""
        residual = x
        out = self.self_attn(self.self_attn_layer_norm(x) if self.normalize_before else x, mask)
        if select is not None:
            residual, out = (t.flatten(0, 1).index_select(0, select) for t in (residual, out))
        x = residual + self.dropout(self.self_attn.out_proj(out))
        if not self.normalize_before:
            x = self.self_attn_layer_norm(x)
        residual = x
        out = self.final_layer_norm(x) if self.normalize_before else x
        x = residual + self.dropout(self.fc2(self.activation_dropout(F.gelu(self.fc1(out)))))
        return x if self.normalize_before else self.final_layer_norm(x)


class SentenceEncoder(nn.Module):
    """Embeddings and layers. Parameter names are those of fairseq's RoBERTa ``sentence_encoder``."""

    def __init__(self, cfg: XlingModelConfig, vocabulary_size: int, pad: int):
        super().__init__()
        dim = cfg.encoder_embed_dim
        self.pad = pad
        self.max_positions = cfg.max_positions
        self.embed_tokens = nn.Embedding(vocabulary_size, dim, padding_idx=pad)
        # RoBERTa's position offset: the first token stands at pad + 1
        self.embed_positions = nn.Embedding(cfg.max_positions + pad + 1, dim, padding_idx=pad)
        self.embed_languages: nn.Embedding | None = None
        self.layernorm_embedding = None if cfg.encoder_normalize_before else nn.LayerNorm(dim)
        self.dropout = Dropout(cfg.dropout)
        self.layers = nn.ModuleList(EncoderLayer(cfg) for _ in range(cfg.encoder_layers))
        self.layer_norm = nn.LayerNorm(dim) if cfg.encoder_normalize_before else None

    def add_language_embedding(self, num_languages: int) -> None:
        """Add the mask-language table (design: language of a ``<mask>``): row 0 = no language, zero-initialised."""
        if self.embed_languages is None:
            self.embed_languages = nn.Embedding(num_languages + 1, self.embed_tokens.embedding_dim, padding_idx=0)
            nn.init.zeros_(self.embed_languages.weight)

    def positions(self, tokens: Tensor) -> Tensor:
        """RoBERTa's position ids (B, T): 1, 2, ... over the real tokens, shifted by the padding id."""
        real = tokens.ne(self.pad)
        return real.cumsum(1) * real + self.pad

    def forward(
        self,
        tokens: Tensor,
        visible: Tensor | None = None,
        languages: Tensor | None = None,
        positions: Tensor | None = None,
        select: Tensor | None = None,
        padded: bool = True,
        all_layers: bool = False,
        num_layers: int | None = None,
    ) -> Tensor | list[Tensor]:
        """Encode a batch.

        Args:
            tokens: (B, T) symbol ids.
            visible: bool (B, T, T), True = query row may attend to key column; None = all real tokens (the fast path).
            languages: (B, T) rows of the mask-language table to add, 0 = none.
            positions: (B, T) position ids where they are not RoBERTa's.
            select: (M,) positions in the flattened (B * T) tokens; the last layer computes only these.
            padded: False promises that there is no padding, which keeps the attention unmasked.
            all_layers: return the states after the embeddings and after every layer.
            num_layers: stop after so many layers, at least 1; the states are then those of ``all_layers`` there.

        Returns:
            (B, T, D), (M, D) with ``select``, or with ``all_layers`` a list of L + 1 tensors (B, T, D).
        """
        x = self.embed_tokens(tokens) + self.embed_positions(self.positions(tokens) if positions is None else positions)
        if languages is not None and self.embed_languages is not None:
            x = x + self.embed_languages(languages)
        if self.layernorm_embedding is not None:
            x = self.layernorm_embedding(x)
        x = self.dropout(x)
        mask = None
        if visible is not None:
            mask = visible.unsqueeze(1)
        elif padded:
            real = tokens.ne(self.pad)
            # a row of nothing but padding attends to itself: softmax over no key is NaN
            mask = (real | ~real.any(dim=1, keepdim=True))[:, None, None, :]
        states = [x]
        layers = self.layers[:num_layers]
        for layer in layers[:-1]:
            x = layer(x, mask)
            states.append(x)
        x = layers[-1](x, mask, select)
        if self.layer_norm is not None and len(layers) == len(self.layers):
            x = self.layer_norm(x)
        return [*states, x] if all_layers else x


class LMHead(nn.Module):
    """RoBERTa's masked-LM head; its output matrix is the word embedding."""

    def __init__(self, embed_tokens: nn.Embedding):
        super().__init__()
        num_symbols, dim = embed_tokens.weight.shape
        self.dense = nn.Linear(dim, dim)
        self.layer_norm = nn.LayerNorm(dim)
        self.weight = embed_tokens.weight
        self.bias = nn.Parameter(torch.zeros(num_symbols))

    def transform(self, states: Tensor) -> Tensor:
        """(..., D) states -> (..., D), what the output matrix is applied to."""
        return self.layer_norm(F.gelu(self.dense(states)))

    def forward(self, states: Tensor) -> Tensor:
        """(..., D) -> logits (..., V)."""
        return F.linear(self.transform(states), self.weight, self.bias)
