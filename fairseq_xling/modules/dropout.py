"""Dropout that is quick on a CPU too, where drawing one Bernoulli number a value costs more than all the rest of it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEVELS = 1 << 16


def random_bits(shape: torch.Size) -> Tensor:
    """Uniform int16 from PyTorch's default generator, of which one 64-bit number makes four."""
    count = shape.numel()
    bits = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(1 << 63), None)
    return bits.view(torch.int16)[:count].view(shape)


def dropout(x: Tensor, p: float, training: bool) -> Tensor:
    """``torch.nn.functional.dropout``; on a CPU one 64-bit random number decides on four values.

    There ``p`` is rounded to a multiple of 2^-16 and the scale is that of the rounded probability, so the expectation
    stays exact. Numbers come from PyTorch's default generator.
    """
    dropped = round(p * LEVELS)
    if not training or not dropped or x.device.type != "cpu":
        return F.dropout(x, p, training)
    keep = torch.ge(random_bits(x.shape), dropped - LEVELS // 2, out=torch.empty_like(x))
    return x * keep.mul_(LEVELS / (LEVELS - dropped) if dropped < LEVELS else 0.0)


class Dropout(nn.Module):
    """Module form of `dropout`."""

    def __init__(self, p: float):
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return dropout(x, self.p, self.training)
