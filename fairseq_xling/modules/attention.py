"""Scaled dot-product attention.

Axes: B batch, H heads, T tokens, d width of a head.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .dropout import dropout


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, p: float) -> Tensor:
    """PyTorch's attention, except for dropout on a CPU, for which PyTorch has no kernel of its own.

    Args:
        q, k, v: (B, H, T, d).
        mask: None or bool (B, 1, 1 or T, T), True = visible; every query sees at least one key.
        p: dropout of the attention weights, 0 outside training.

    Returns:
        (B, H, T, d).
    """
    if p == 0 or q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=p)
    scores = (q * q.size(-1) ** -0.5) @ k.transpose(-2, -1)
    if mask is not None:
        scores = scores.masked_fill_(~mask, float("-inf"))
    return dropout(torch.softmax(scores, dim=-1), p, training=True) @ v
