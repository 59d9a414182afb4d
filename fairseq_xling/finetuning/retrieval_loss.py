"""Losses of retrieval fine-tuning on a batch of sentence pairs. Axes: B pairs, D width."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def similarities(x: Tensor, y: Tensor, false_negatives: Tensor, scale: float, threshold: float) -> Tensor:
    """Scores (B, B) of all x with all y, scale · (cosine - threshold).

    Args:
        x, y: (B, D).
        false_negatives: bool (B, B); off the diagonal their score is -inf.
        threshold: the cosine at which a pair is as likely as not a translation; without it the binary cross-entropy could
            only part pairs at right angles, and collapses (the softmax is indifferent to it).
    """
    scores = scale * (F.normalize(x.float(), dim=1) @ F.normalize(y.float(), dim=1).T - threshold)
    own = torch.eye(len(x), dtype=torch.bool, device=x.device)
    return scores.masked_fill(false_negatives & ~own, -torch.inf)


def shared_sentences(left: Tensor, right: Tensor) -> Tensor:
    """Mark pairs with a sentence in common, on whatever side: they may translate each other, so they are no negatives.

    Args:
        left: (B,) numbers of the sentences, equal for identical ones.
        right: (B,) the same numbering.

    Returns:
        Bool (B, B).
    """
    sides = (left, right)
    return torch.stack([a[:, None] == b[None, :] for a in sides for b in sides]).any(0)


def hardest_negatives(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Best score of a wrong candidate for each x and for each y, -inf where there is none: (B,) and (B,)."""
    wrong = scores.masked_fill(torch.eye(len(scores), dtype=torch.bool, device=scores.device), -torch.inf)
    return wrong.amax(1), wrong.amax(0)


def hardest_negative_loss(scores: Tensor) -> Tensor:
    """Binary cross-entropy of the positive and of the hardest negative in the batch, both directions summed.

    -2 log σ(s⁺) - log(1 - σ(max s⁻ of x)) - log(1 - σ(max s⁻ of y)): Wang et al. (2019b) with the hardest negatives of
    Faghri et al. (2017). It is 4 ln 2 = 2.77 where all scores are 0.

    Args:
        scores: (B, B), -inf at what is no negative.

    Returns:
        (B,) losses in nats.
    """
    positive = F.softplus(-scores.diagonal())
    of_x, of_y = (F.softplus(negative) for negative in hardest_negatives(scores))
    return 2 * positive + of_x + of_y


def in_batch_loss(scores: Tensor) -> Tensor:
    """Cross-entropy of the softmax over the batch's candidates, both directions summed.

    Args:
        scores: (B, B), -inf at what is no negative.

    Returns:
        (B,) losses in nats.
    """
    labels = torch.arange(len(scores), device=scores.device)
    return sum(F.cross_entropy(s, labels, reduction="none") for s in (scores, scores.T))  # type: ignore[return-value]


LOSSES = {"hardest_negative": hardest_negative_loss, "in_batch": in_batch_loss}
