"""Exact blockwise search: hand-computed cases, brute force, bounded blocks."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from fairseq_xling.evaluation.tatoeba.retrieval import accuracy, best_matches, neighbour_means, num_blocks


def from_cosines(cosines: list[list[float]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Unit vectors x (N, D) and y (M, D) with the given cosines: x are axes, y are completed by an axis of their own."""
    table = torch.tensor(cosines, dtype=torch.float64)
    n, m = table.shape
    rest = (1 - table.square().sum(0)).clamp(min=0).sqrt()
    return torch.eye(n, n + m, dtype=torch.float64), torch.cat([table.T, torch.diag(rest)], dim=1)


# rows x0..x2, columns y0..y2
COSINES = [[0.6, 0.5, 0.1], [0.3, 0.4, 0.2], [0.2, 0.5, 0.3]]


def test_cosine_by_hand():
    forward, backward = best_matches(*from_cosines(COSINES))
    assert forward.tolist() == [0, 1, 1]
    assert backward.tolist() == [0, 0, 2]
    assert accuracy(forward) == pytest.approx(2 / 3)
    assert accuracy(backward) == pytest.approx(2 / 3)


def test_margin_by_hand():
    """k = 2: x means .55 .35 .40, y means .45 .50 .25. x2: y1 has .5/.45 = 1.11, y2 has .3/.325 = .92, y0 .2/.425 = .47.

    y1: x0 has .5/.525 = .952, x1 .4/.425 = .941, x2 .5/.45 = 1.11; by the cosine x0 and x2 tie and x0, the first, wins.
    """
    x, y = from_cosines(COSINES)
    near_x, near_y = neighbour_means(x, y, 2)
    assert near_x.tolist() == pytest.approx([0.55, 0.35, 0.40])
    assert near_y.tolist() == pytest.approx([0.45, 0.50, 0.25])
    forward, backward = best_matches(x, y, "margin", neighbours=2)
    assert forward.tolist() == [0, 1, 1]
    assert backward.tolist() == [0, 2, 2]


def test_margin_corrects_hubs():
    """y1 is near to everything: the cosine gives it to all three, the margin does not."""
    x, y = from_cosines([[0.50, 0.52, 0.0], [0.0, 0.55, 0.0], [0.0, 0.52, 0.50]])
    assert best_matches(x, y)[0].tolist() == [1, 1, 1]
    assert best_matches(x, y, "margin", neighbours=3)[0].tolist() == [0, 1, 2]


def test_lengths_do_not_matter():
    x, y = from_cosines(COSINES)
    scale = torch.tensor([[3.0], [0.1], [7.0]], dtype=torch.float64)
    assert best_matches(scale * x, y / scale)[0].tolist() == [0, 1, 1]


def test_of_equal_candidates_the_first_is_taken():
    x = torch.eye(4)
    y = x[[0, 1, 1, 1]]
    for block in (1, 2, 3, 4):
        forward, backward = best_matches(x[[0, 1, 1, 1]], y, block=block)
        assert forward.tolist() == [0, 1, 1, 1]
        assert backward.tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize("score", ["cosine", "margin"])
@pytest.mark.parametrize("block", [1, 7, 64, 1000])
def test_blocks_equal_brute_force(score, block):
    generator = torch.Generator().manual_seed(1)
    x, y = (torch.randn(size, 12, generator=generator, dtype=torch.float64) for size in (60, 83))
    similarity = F.normalize(x, dim=1) @ F.normalize(y, dim=1).T
    if score == "margin":
        means = similarity.topk(4, 1).values.mean(1)[:, None] + similarity.topk(4, 0).values.mean(0)[None, :]
        similarity = similarity / (means / 2)
    forward, backward = best_matches(x, y, score, neighbours=4, block=block)
    assert torch.equal(forward, similarity.argmax(1))
    assert torch.equal(backward, similarity.argmax(0))


def test_more_neighbours_than_sentences():
    x, y = from_cosines(COSINES)
    near_x, _ = neighbour_means(x, y, 99)
    assert near_x.tolist() == pytest.approx([0.4, 0.3, 1 / 3])


class LargestTensor(TorchFunctionMode):
    """Keeps the number of elements of the largest tensor that is made."""

    size = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor):
            self.size = max(self.size, made.numel())
        return made


def test_20000_sentences_equal_brute_force_in_bounded_blocks():
    """No tensor larger than the block is made, and for every tenth sentence nothing in the full product beats what is found."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(20_000, 16, generator=generator)
    y = x + 0.9 * torch.randn(20_000, 16, generator=generator)
    done = []
    with LargestTensor() as largest:
        forward, backward = best_matches(x, y, block=4096, advance=done.append)
    assert sum(done) == num_blocks(20_000, 20_000, "cosine", 4096) == 25
    assert largest.size == 4096**2
    unit_x, unit_y = F.normalize(x, dim=1), F.normalize(y, dim=1)
    some = torch.arange(0, 20_000, 10)
    for queries, candidates, found in ((unit_x, unit_y, forward), (unit_y, unit_x, backward)):
        best = torch.cat([(queries[part] @ candidates.T).amax(1) for part in some.split(200)])
        torch.testing.assert_close((queries[some] * candidates[found[some]]).sum(1), best)
    assert 0.05 < accuracy(forward) < 0.95
