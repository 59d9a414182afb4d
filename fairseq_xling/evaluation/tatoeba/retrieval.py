"""Exact nearest-neighbour search between two sets of embeddings, in blocks.

Axes: N queries (side x), M candidates (side y), D width. No matrix larger than block x block is ever made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

BLOCK = 4096


def best_matches(
    x: Tensor,
    y: Tensor,
    score: str = "cosine",
    neighbours: int = 4,
    block: int = BLOCK,
    advance: Callable[[int], object] = lambda blocks: None,
) -> tuple[Tensor, Tensor]:
    """Find the best candidate of every sentence in both directions.

    ``cosine``: the cosine. ``margin``: the ratio margin of Artetxe and Schwenk (2019, Eq. 2): the cosine divided by the
    average of the two sentences' mean cosine with their ``neighbours`` nearest on the other side. All sentences of the
    other side are candidates. Of candidates with exactly equal scores the first one is taken.

    Args:
        x: (N, D) embeddings; they need not be normalised.
        y: (M, D).
        neighbours: k of the margin; at most M and N are used.
        block: rows and columns of the similarities computed at a time.
        advance: called with the number of blocks done.

    Returns:
        (N,) rows of y, and (M,) rows of x.
    """
    assert score in ("cosine", "margin")
    x, y = F.normalize(x, dim=1), F.normalize(y, dim=1)
    margin = score == "margin"
    if margin:
        near_x, near_y = neighbour_means(x, y, neighbours, block, advance)
    best_x, match_x = _start(len(x), x)
    best_y, match_y = _start(len(y), y)
    for rows, columns, similarity in _blocks(x, y, block):
        if margin:
            # the clamp keeps the order of scores where neighbourhoods are, on average, orthogonal or opposite
            similarity /= ((near_x[rows, None] + near_y[None, columns]) / 2).clamp(min=1e-6)
        _keep_best(best_x[rows], match_x[rows], similarity, columns.start)
        _keep_best(best_y[columns], match_y[columns], similarity.T, rows.start)
        advance(1)
    return match_x, match_y


def neighbour_means(
    x: Tensor, y: Tensor, neighbours: int, block: int = BLOCK, advance: Callable[[int], object] = lambda blocks: None
) -> tuple[Tensor, Tensor]:
    """Mean cosine of each sentence with its nearest ones on the other side, for normalised x (N, D) and y (M, D).

    Returns:
        (N,) and (M,).
    """
    k_x, k_y = min(neighbours, len(y)), min(neighbours, len(x))
    top_x, top_y = x.new_full((len(x), k_x), -torch.inf), y.new_full((len(y), k_y), -torch.inf)
    for rows, columns, similarity in _blocks(x, y, block):
        top_x[rows] = torch.cat([top_x[rows], similarity], dim=1).topk(k_x).values
        top_y[columns] = torch.cat([top_y[columns], similarity.T], dim=1).topk(k_y).values
        advance(1)
    return top_x.mean(1), top_y.mean(1)


def num_blocks(size_x: int, size_y: int, score: str, block: int = BLOCK) -> int:
    """Number of blocks that `best_matches` computes, for a progress bar."""
    return -(-size_x // block) * -(-size_y // block) * (2 if score == "margin" else 1)


def accuracy(matches: Tensor | np.ndarray) -> float:
    """Accuracy@1, 0 to 1: the share of sentences whose match has their own line number."""
    matches = torch.as_tensor(matches)
    return float((matches == torch.arange(len(matches), device=matches.device)).double().mean())


def _blocks(x: Tensor, y: Tensor, block: int) -> Iterator[tuple[slice, slice, Tensor]]:
    for i in range(0, len(x), block):
        for j in range(0, len(y), block):
            yield (
                slice(i, min(i + block, len(x))),
                slice(j, min(j + block, len(y))),
                x[i : i + block] @ y[j : j + block].T,
            )


def _start(size: int, like: Tensor) -> tuple[Tensor, Tensor]:
    return like.new_full((size,), -torch.inf), torch.zeros(size, dtype=torch.long, device=like.device)


def _keep_best(best: Tensor, match: Tensor, similarity: Tensor, offset: int) -> None:
    """Take over the rows of ``similarity`` whose maximum beats ``best``; only those are searched for its position."""
    values = similarity.amax(1)
    better = (values > best).nonzero().squeeze(1)
    best[better] = values[better]
    match[better] = similarity[better].argmax(1) + offset
