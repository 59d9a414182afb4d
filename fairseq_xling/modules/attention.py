"""Scaled dot-product attention.

Axes: B batch, H heads, T tokens, d width of a head.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from .dropout import LEVELS, random_bits

# scores (H, T, T) of as many rows of a batch as stay in the cache are worked on at once
_CHUNK = 1 << 19


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, p: float) -> Tensor:
    """PyTorch's attention, except for dropout on a CPU, for which PyTorch has no kernel of its own.

    Args:
        q, k, v: (B, H, T, d).
        mask: None or bool (B, 1, 1 or T, T), True = visible; every query sees at least one key.
        p: dropout of the attention weights, 0 outside training.

    Returns:
        (B, H, T, d).
    """
    if round(p * LEVELS) == 0 or q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=p)
    out: Tensor = _DropoutAttention.apply(q, k, v, mask, p)
    return out


class _DropoutAttention(torch.autograd.Function):
    """Attention with the dropout of `dropout.dropout`, a few rows of the batch at a time.

    All scores of a batch at once are too much for the cache, and each of the many tensors of that size would be fetched
    from the system anew.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, p: float) -> Tensor:
        batch, heads, length, width = q.shape
        ctx.dropped = round(p * LEVELS)
        ctx.scale = LEVELS / (LEVELS - ctx.dropped) if ctx.dropped < LEVELS else 0.0
        ctx.rows = max(1, _CHUNK // (heads * length * length))
        q, k, v = (q * width**-0.5).contiguous(), k.contiguous(), v.contiguous()
        weights = q.new_empty(batch, heads, length, length)
        bits = random_bits(weights.shape)
        # laid out as the caller wants it
        out = q.new_empty(batch, length, heads, width).transpose(1, 2)
        for part in _parts(batch, ctx.rows):
            scores = q[part] @ k[part].transpose(-2, -1)
            if mask is not None:
                scores.masked_fill_(~mask[part], float("-inf"))
            torch.softmax(scores, dim=-1, out=weights[part])
            out[part] = torch.ge(bits[part], ctx.dropped - LEVELS // 2, out=scores).mul_(weights[part]) @ v[part]
        ctx.save_for_backward(q, k, v, weights, bits)
        return out.mul_(ctx.scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, weights, bits = ctx.saved_tensors  # q is scaled
        batch, heads, length, width = q.shape
        grads = [q.new_empty(batch, length, heads, width).transpose(1, 2) for _ in range(3)]
        for part in _parts(batch, ctx.rows):
            kept = torch.ge(bits[part], ctx.dropped - LEVELS // 2, out=torch.empty_like(weights[part]))
            out = grad[part] * ctx.scale
            grad_weights = (out @ v[part].transpose(-2, -1)).mul_(kept)
            grad_scores = torch._softmax_backward_data(grad_weights, weights[part], -1, q.dtype)
            grads[0][part] = (grad_scores @ k[part]).mul_(width**-0.5)
            grads[1][part] = grad_scores.transpose(-2, -1) @ q[part]
            grads[2][part] = kept.mul_(weights[part]).transpose(-2, -1) @ out
        return *grads, None, None


def _parts(batch: int, rows: int) -> list[slice]:
    return [slice(start, start + rows) for start in range(0, batch, rows)]
