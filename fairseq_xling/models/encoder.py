"""The XLM-R encoder: RoBERTa's architecture and parameter names, with an optional visibility mask.

Several batches of different shape go through it in one pass: their tokens are laid end to end, so that each weight is
used, and its gradient made, once for all of them. Only the attention works on each batch by itself.

Axes: B batch, T tokens, R real tokens, N tokens of all batches (the sum of their B * T, or R), D width, H heads, M selected
positions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..modules.attention import attention
from ..modules.dropout import Dropout
from .config import XlingModelConfig


@dataclass(frozen=True)
class EncoderInput:
    """A batch for the encoder."""

    tokens: Tensor
    """(B, T) symbol ids"""
    visible: Tensor | None = None
    """bool (B, T, T), True = the query row may attend to the key column; None = all real tokens (the fast path)"""
    languages: Tensor | None = None
    """(B, T) rows of the mask-language table to add, 0 = none"""
    positions: Tensor | None = None
    """(B, T) position ids where they are not RoBERTa's"""
    select: Tensor | None = None
    """(M,) distinct positions in the flattened (B * T) tokens; the last layer returns only these"""
    padded: bool = True
    """False promises that there is no padding, which keeps the attention unmasked"""
    real: Tensor | None = None
    """(R,) where the flattened (B * T) tokens are not padding, ascending: only they go through the layers; with ``select``, all of
    which must be among them"""
    num_tokens: int | None = None
    """tokens that are not padding, where somebody counts them"""
    ids: Tensor | None = None
    """numbers of the examples, where somebody names them"""

    def mask(self, pad: int) -> Tensor | None:
        """Restriction of the attention: bool (B, 1, 1 or T, T), True = visible."""
        if self.visible is not None:
            return self.visible.unsqueeze(1)
        if not self.padded:
            return None
        real = self.tokens.ne(pad)
        # a row of nothing but padding attends to itself: softmax over no key is NaN
        return (real | ~real.any(dim=1, keepdim=True))[:, None, None, :]


@dataclass(frozen=True)
class Layout:
    """A batch as the attention has to see it: its shape (B, T), its mask, and which of its tokens are computed."""

    shape: torch.Size
    mask: Tensor | None
    real: Tensor | None

    @property
    def size(self) -> int:
        """Tokens that are computed, R or B * T."""
        return self.shape.numel() if self.real is None else self.real.numel()

    def spread(self, x: Tensor) -> Tensor:
        """(R, D) -> (B, T, D), zeros at padding."""
        if self.real is not None:
            x = x.new_zeros(self.shape.numel(), x.size(1)).index_copy(0, self.real, x)
        return x.unflatten(0, self.shape)

    def gather(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (R, D)."""
        x = x.flatten(0, 1)
        return x if self.real is None else x.index_select(0, self.real)


class SelfAttention(nn.Module):
    """Multi-head self-attention on ``scaled_dot_product_attention``."""

    def __init__(self, cfg: XlingModelConfig):
        super().__init__()
        dim = cfg.encoder_embed_dim
        self.num_heads = cfg.encoder_attention_heads
        self.dropout = cfg.attention_dropout
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(dim, dim) for _ in range(4))

    def forward(self, x: Tensor, layout: Sequence[Layout], select: Tensor | None) -> Tensor:
        """x (N, D); select None or (M,). Returns the heads' output, unprojected, (N, D) or of the selected positions (M, D)."""
        if select is None:
            q = self.q_proj(x)
        else:
            q = self.q_proj(x.index_select(0, select))
            q = q.new_zeros(x.shape).index_copy(0, select, q)
        sizes = [batch.size for batch in layout]
        parts = (projected.split(sizes) for projected in (q, self.k_proj(x), self.v_proj(x)))
        outputs = []
        for batch, *qkv in zip(layout, *parts, strict=True):
            q, k, v = (batch.spread(part).unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for part in qkv)
            out = attention(q, k, v, batch.mask, self.dropout if self.training else 0.0)
            outputs.append(batch.gather(out.transpose(1, 2).flatten(2)))
        out = outputs[0] if len(outputs) == 1 else torch.cat(outputs)
        return out if select is None else out.index_select(0, select)


class EncoderLayer(nn.Module):
    """One transformer layer, post-norm as RoBERTa or pre-norm (``--encoder-normalize-before``)."""

    def __init__(self, cfg: XlingModelConfig):
        super().__init__()
        dim, ffn = cfg.encoder_embed_dim, cfg.encoder_ffn_embed_dim
        self.normalize_before = cfg.encoder_normalize_before
        self.self_attn = SelfAttention(cfg)
        self.self_attn_layer_norm = nn.LayerNorm(dim, cfg.layer_norm_eps)
        self.fc1 = nn.Linear(dim, ffn)
        self.fc2 = nn.Linear(ffn, dim)
        self.final_layer_norm = nn.LayerNorm(dim, cfg.layer_norm_eps)
        self.dropout = Dropout(cfg.dropout)
        self.activation_dropout = Dropout(cfg.activation_dropout)

    def forward(self, x: Tensor, layout: Sequence[Layout], select: Tensor | None = None) -> Tensor:
        """x (N, D) -> (N, D); with ``select`` (M,) -> (M, D), the only positions that are needed."""
        residual = x
        out = self.self_attn(self.self_attn_layer_norm(x) if self.normalize_before else x, layout, select)
        if select is not None:
            residual = residual.index_select(0, select)
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
        self.layernorm_embedding = None if cfg.encoder_normalize_before else nn.LayerNorm(dim, cfg.layer_norm_eps)
        self.dropout = Dropout(cfg.dropout)
        self.layers = nn.ModuleList(EncoderLayer(cfg) for _ in range(cfg.encoder_layers))
        self.layer_norm = nn.LayerNorm(dim, cfg.layer_norm_eps) if cfg.encoder_normalize_before else None

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
        self, batches: Sequence[EncoderInput], all_layers: bool = False, num_layers: int | None = None
    ) -> list[Tensor] | list[list[Tensor]]:
        """Encode batches of any shapes in one pass.

        Args:
            batches: all with ``select`` or all without.
            all_layers: return the states after the embeddings and after every layer; for batches without ``select``.
            num_layers: stop after so many layers, at least 1; the states are then those of ``all_layers`` there.

        Returns:
            for each batch its states (B, T, D), or with ``select`` (M, D), or with ``all_layers`` a list of L + 1 of them.
        """
        x = self.dropout(self._embed(batches))
        layout = [Layout(batch.tokens.shape, batch.mask(self.pad), batch.real) for batch in batches]
        states = [x]
        layers = self.layers[:num_layers]
        for layer in layers[:-1]:
            x = layer(x, layout)
            if all_layers:
                states.append(x)
        select = _select(batches)
        x = layers[-1](x, layout, select)
        if self.layer_norm is not None and len(layers) == len(self.layers):
            x = self.layer_norm(x)
        shapes = [batch.tokens.shape if batch.select is None else batch.select.shape for batch in batches]
        if all_layers:
            assert select is None
            return [list(parts) for parts in zip(*(_split(x, shapes) for x in (*states, x)), strict=True)]
        return _split(x, shapes)

    def _embed(self, batches: Sequence[EncoderInput]) -> Tensor:
        """Sum of the embeddings, normalised where the architecture does so. (N, D)"""
        positions = [self.positions(batch.tokens) if batch.positions is None else batch.positions for batch in batches]
        x = self.embed_tokens(_join(batches, [batch.tokens for batch in batches]))
        x = x + self.embed_positions(_join(batches, positions))
        if self.embed_languages is not None:  # used in every pass: distributed training waits for all gradients
            rows = [torch.zeros_like(b.tokens) if b.languages is None else b.languages for b in batches]
            x = x + self.embed_languages(_join(batches, rows))
        return x if self.layernorm_embedding is None else self.layernorm_embedding(x)


def _join(batches: Sequence[EncoderInput], parts: Iterable[Tensor]) -> Tensor:
    """Lay (B, T) tensors end to end, without what is not computed. (N,)"""
    flat = (part.flatten() for part in parts)
    return torch.cat([x if b.real is None else x.index_select(0, b.real) for b, x in zip(batches, flat, strict=True)])


def _select(batches: Sequence[EncoderInput]) -> Tensor | None:
    """The selected positions of all batches, counted over what is computed of all. (M,)"""
    parts, start = [], 0
    for batch in batches:
        if batch.select is not None:
            parts.append(start + (batch.select if batch.real is None else torch.searchsorted(batch.real, batch.select)))
        assert batch.real is None or batch.select is not None
        start += batch.tokens.numel() if batch.real is None else batch.real.numel()
    assert len(parts) in (0, len(batches))
    return torch.cat(parts) if parts else None


def _split(x: Tensor, shapes: Sequence[torch.Size]) -> list[Tensor]:
    """Cut (N, D) into parts (..., D)."""
    if len(shapes) == 1:
        return [x.unflatten(0, shapes[0])]
    return [part.unflatten(0, shape) for part, shape in zip(x.split([s.numel() for s in shapes]), shapes, strict=True)]
