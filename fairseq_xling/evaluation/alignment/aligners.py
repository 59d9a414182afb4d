"""Word alignment from word states: mutual argmax, itermax, softmax threshold, optimal transport.

All take a batch of sentence pairs at once. Axes: B batch, I source words, J target words, D width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

METHODS = ("argmax", "itermax", "softmax", "ot")


@dataclass(frozen=True)
class AlignerOptions:
    """Settings of the methods; the defaults are those of the works that introduced them."""

    iterations: int = 2
    """itermax: rounds in all (SimAlign)"""
    discount: float = 0.9
    """itermax: factor on a similarity of which one word is linked already (alpha of SimAlign)"""
    threshold: float = 1e-3
    """softmax: probability that a link must exceed in both directions (c of awesome-align)"""
    sinkhorn_iterations: int = 2
    """ot: rounds of Sinkhorn's algorithm (XLM-Align's released aligner)"""
    entropy: float = 1.0
    """ot: weight of the entropy (mu of XLM-Align)"""


def align(method: str, x: Tensor, y: Tensor, x_words: Tensor, y_words: Tensor, options: AlignerOptions) -> Tensor:
    """Link the words of sentence pairs.

    Args:
        method: one of `METHODS`.
        x: (B, I, D) states of the source words.
        y: (B, J, D) states of the target words.
        x_words: bool (B, I), False = not a word (padding, or no state); it is never linked.
        y_words: bool (B, J).

    Returns:
        bool (B, I, J).
    """
    pairs = x_words.unsqueeze(2) & y_words.unsqueeze(1)
    if method == "softmax":
        return softmax_threshold(x @ y.transpose(1, 2), pairs, options.threshold)
    cosine = F.normalize(x, dim=-1) @ F.normalize(y, dim=-1).transpose(1, 2)
    if method == "argmax":
        return mutual_argmax(cosine, pairs)
    if method == "itermax":
        return itermax(cosine, pairs, options.iterations, options.discount)
    assert method == "ot"
    log_kernel = cosine.clamp(min=1e-6).log() / options.entropy
    return mutual_argmax(sinkhorn(log_kernel, pairs, options.sinkhorn_iterations), pairs)


def mutual_argmax(scores: Tensor, pairs: Tensor) -> Tensor:
    """Links that are the best of their row and of their column (SimAlign's Argmax); of equal ones the first.

    Args:
        scores: (B, I, J).
        pairs: bool (B, I, J), True = both are words.

    Returns:
        bool (B, I, J).
    """
    scores = scores.masked_fill(~pairs, -torch.inf)
    forward = torch.zeros_like(pairs).scatter_(2, scores.argmax(2, keepdim=True), True)
    backward = torch.zeros_like(pairs).scatter_(1, scores.argmax(1, keepdim=True), True)
    return forward & backward & pairs


def itermax(cosine: Tensor, pairs: Tensor, iterations: int, discount: float) -> Tensor:
    """Mutual argmax, repeated with the linked words' similarities lowered (SimAlign; Jalili Sabet et al., 2020).

    As in SimAlign's program, similarity is (1 + cosine) / 2, a similarity counts 0 if both its words are linked and
    ``discount`` if one is, and a pair is done when a side has no free word, or has two words or fewer.

    Returns:
        bool (B, I, J).
    """
    similarity = (1 + cosine) / 2
    links = mutual_argmax(similarity, pairs)
    x_words, y_words = pairs.any(2), pairs.any(1)
    long = torch.minimum(x_words.sum(1), y_words.sum(1)) > 2
    for _ in range(iterations - 1):
        x_free, y_free = x_words & ~links.any(2), y_words & ~links.any(1)
        go_on = long & x_free.any(1) & y_free.any(1)
        x_free, y_free = x_free.unsqueeze(2), y_free.unsqueeze(1)
        weight = (discount * (x_free.float() + y_free.float())).clamp(max=1)
        links = links | (mutual_argmax(similarity * weight, pairs) & (x_free | y_free) & go_on[:, None, None])
    return links


def softmax_threshold(products: Tensor, pairs: Tensor, threshold: float) -> Tensor:
    """Links whose softmax exceeds the threshold in both directions (awesome-align; Dou and Neubig, 2021).

    Args:
        products: (B, I, J) inner products of the states.
        pairs: bool (B, I, J).

    Returns:
        bool (B, I, J).
    """
    # not -inf, which would make a row without words NaN
    products = products.masked_fill(~pairs, torch.finfo(products.dtype).min)
    return (products.softmax(2) > threshold) & (products.softmax(1) > threshold) & pairs


def sinkhorn(log_kernel: Tensor, pairs: Tensor, iterations: int) -> Tensor:
    """Entropic optimal transport between uniform distributions over the words, in the log domain (MetaXLM, section 4.4).

    The plan A maximises <A, log_kernel> + H(A) subject to A 1 = 1/I and A' 1 = 1/J. One iteration scales the columns,
    then the rows; so the rows' sums are exact, the columns' in the limit.

    Args:
        log_kernel: (B, I, J) similarity over the weight of the entropy.
        pairs: bool (B, I, J), True = both are words.
        iterations: at least 1.

    Returns:
        (B, I, J) logarithm of the plan, -inf where there is no pair.
    """
    log_plan = log_kernel.masked_fill(~pairs, -torch.inf)
    log_rows, log_columns = (
        -pairs.any(dim).sum(1).clamp(min=1).to(log_kernel.dtype).log()[:, None, None] for dim in (2, 1)
    )
    for _ in range(iterations):
        for dim, log_mass in ((1, log_columns), (2, log_rows)):
            total = log_plan.logsumexp(dim, keepdim=True)
            # a row or column without a pair stays as it is: -inf minus -inf is NaN
            log_plan = log_plan + torch.where(total.isfinite(), log_mass - total, 0.0)
    return log_plan
