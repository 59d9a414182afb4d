"""The contrastive loss over a list of candidates (XLM-K, Eq. 5). Axes: B queries, N older candidates, D width, K known entities."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

NO_ENTITY = torch.iinfo(torch.int64).max  # fills up a row of known entities


def contains(rows: Tensor, values: Tensor) -> Tensor:
    """Bool (B, C): whether each of ``values`` (C,) is in each of ``rows`` (B, K), which are ascending."""
    values = values.expand(len(rows), -1).contiguous()
    places = torch.searchsorted(rows.contiguous(), values).clamp(max=rows.size(1) - 1)
    return rows.gather(1, places) == values


def contrastive_loss(
    queries: Tensor,
    keys: Tensor,
    older: Tensor,
    hidden: Tensor,
    temperature: float = 1.0,
    is_symmetric: bool = False,
) -> tuple[Tensor, Tensor]:
    """−log softmax of each query's own key among all keys, in fp32.

    Args:
        queries, keys: (B, D), each query beside its key; the other keys of the batch are candidates too.
        older: (N, D) further candidates, without gradient.
        hidden: bool (B, B + N), the candidates that are left out of the sum: what is no wrong answer. A query's own key never is.
        is_symmetric: also find each key's own query among those of the batch, and take the mean of both.

    Returns:
        (B,) losses, and bool (B,): whether no candidate scores higher than the own key.
    """
    queries, keys = queries.float(), keys.float()
    own = torch.arange(len(queries), device=queries.device)
    within = queries @ keys.T
    # the scores of the queue are joined, not its keys: those would be copied in every step
    scores = torch.cat([within, queries @ older.float().T], dim=1) / temperature
    hidden = hidden.clone()
    hidden[own, own] = False
    scores = scores.masked_fill(hidden, -torch.inf)
    losses = F.cross_entropy(scores, own, reduction="none")
    if is_symmetric:
        reverse = (within.T / temperature).masked_fill(hidden[:, : len(own)].T, -torch.inf)
        losses = (losses + F.cross_entropy(reverse, own, reduction="none")) / 2
    return losses, scores.argmax(1) == own
