"""Cross entropy of a tied output layer, in one pass over the predictions of all objectives.

In fp32 the matrix of all logits is never made. In half precision it is: there, gradients are made from fp32 logits and, in
fp16, after the loss has been scaled up.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

# Logits of a chunk: 128 MB of them, or as many rows as keep the matrix products efficient.
CHUNK_LOGITS = 1 << 25
CHUNK_ROWS = 512


def linear_cross_entropy(
    hidden: Tensor, weight: Tensor, bias: Tensor, target: Tensor, scale: Tensor
) -> tuple[Tensor, Tensor]:
    """Cross entropies of ``softmax(hidden @ weight.T + bias)``, in fp32, and their sum weighted by ``scale``.

    Args:
        hidden: (M, D) states of the positions to predict.
        weight: (V, D) output matrix; bias: (V,).
        target: (M,) symbol ids.
        scale: (M,) fp32, what each prediction counts.

    Returns:
        scalar Σ scale · loss, and the losses (M,) without gradient.
    """
    if hidden.dtype == torch.float32:
        return _LinearCrossEntropy.apply(hidden, weight, bias, target, scale)
    losses = F.cross_entropy(F.linear(hidden, weight, bias).float(), target, reduction="none")
    return losses @ scale, losses.detach()


class _LinearCrossEntropy(torch.autograd.Function):
    """Makes the gradients along with the loss, chunk by chunk, so that no logits are kept for the backward pass.

    dL/dlogits = scale · (softmax - onehot(target)).
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, target: Tensor, scale: Tensor
    ) -> tuple[Tensor, Tensor]:
        losses = torch.empty_like(scale)
        grad_hidden, grad_bias = torch.empty_like(hidden), torch.zeros_like(bias)
        grad_weight = torch.empty_like(weight) if len(hidden) else torch.zeros_like(weight)
        chunk = max(CHUNK_ROWS, CHUNK_LOGITS // len(weight))
        for start in range(0, len(hidden), chunk):
            rows = slice(start, start + chunk)
            x, y, factor = hidden[rows], target[rows, None], scale[rows, None]
            logits = torch.log_softmax(torch.addmm(bias, x, weight.T), dim=1)
            losses[rows] = -logits.gather(1, y).squeeze(1)
            grad = logits.exp_().scatter_add_(1, y, logits.new_full((), -1.0).expand_as(y))
            torch.mul(grad @ weight, factor, out=grad_hidden[rows])
            scaled = x * factor
            if start:
                grad_weight.addmm_(grad.T, scaled)
            else:
                torch.mm(grad.T, scaled, out=grad_weight)
            grad_bias.addmv_(grad.T, scale[rows])
        ctx.gradients = grad_hidden, grad_weight, grad_bias
        ctx.mark_non_differentiable(losses)
        return losses @ scale, losses

    @staticmethod
    def backward(ctx: Any, grad_sum: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        gradients, ctx.gradients = ctx.gradients, None
        return *(grad.mul_(grad_sum) for grad in gradients), None, None
