"""Cross entropy of a tied output layer, without keeping the (M, V) matrix of logits where PyTorch can avoid it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# PyTorch >= 2.13: fused and chunked. Feature-tested, because machines with an older PyTorch are in use.
_fused = getattr(F, "linear_cross_entropy", None)

# Rows of logits in memory at a time. PyTorch's automatic choice is a few rows where V is large, which makes the
# matrix products memory-bound: on a CPU two to nine times slower than no chunks at all.
CHUNK_ROWS = 512


def linear_cross_entropy_sum(hidden: Tensor, weight: Tensor, bias: Tensor, target: Tensor, ignore_index: int) -> Tensor:
    """Summed cross entropy of ``softmax(hidden @ weight.T + bias)``, in fp32.

    Args:
        hidden: (M, D) states of the positions to predict.
        weight: (V, D) output matrix; bias: (V,).
        target: (M,) symbol ids; those equal to ``ignore_index`` count nothing.

    Returns:
        scalar, fp32.
    """
    if _fused is not None and hidden.dtype == torch.float32:
        options = torch.nn.LinearCrossEntropyOptions(batch_chunk_size=CHUNK_ROWS, chunking_method=None)
        return _fused(
            hidden,
            weight,
            target,
            linear_bias=bias,
            reduction="sum",
            ignore_index=ignore_index,
            options=options,
        )
    logits = F.linear(hidden, weight, bias).float()
    return F.cross_entropy(logits, target, reduction="sum", ignore_index=ignore_index)
