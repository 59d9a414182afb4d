"""The contrastive loss against a naive one that builds the whole matrix of candidates, in double precision."""

from __future__ import annotations

import math

import pytest
import torch

from fairseq_xling.modules.contrastive import NO_ENTITY, contains, contrastive_loss


def test_by_hand() -> None:
    """Two queries, one older key; scores 2, 0, 1 and 0, 3, 0; the second may not count the older one."""
    queries = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    keys = torch.tensor([[2.0, 0.0], [0.0, 3.0]])
    older = torch.tensor([[1.0, 0.0]])
    hidden = torch.tensor([[False, False, False], [False, False, True]])
    losses, correct = contrastive_loss(queries, keys, older, hidden)
    expected = [math.log(math.e**2 + 1 + math.e) - 2, math.log(1 + math.e**3) - 3]
    torch.testing.assert_close(losses, torch.tensor(expected))
    assert correct.tolist() == [True, True]


def naive(queries, keys, older, hidden, temperature, is_symmetric):
    """A loop over queries and candidates."""
    losses = []
    candidates = [*keys, *older]
    for i, query in enumerate(queries):
        terms = [
            torch.exp((query * candidate).sum() / temperature)
            for j, candidate in enumerate(candidates)
            if j == i or not hidden[i, j]
        ]
        losses.append(torch.stack(terms).sum().log() - (query * keys[i]).sum() / temperature)
    if is_symmetric:
        for i, key in enumerate(keys):
            terms = [
                torch.exp((key * query).sum() / temperature)
                for j, query in enumerate(queries)
                if j == i or not hidden[j, i]
            ]
            losses[i] = (losses[i] + torch.stack(terms).sum().log() - (queries[i] * key).sum() / temperature) / 2
    return torch.stack(losses)


@pytest.mark.parametrize("temperature", [1.0, 0.3])
@pytest.mark.parametrize("is_symmetric", [False, True])
def test_values_and_gradients(temperature: float, is_symmetric: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    queries, keys = (torch.randn(5, 7, generator=generator, requires_grad=True) for _ in range(2))
    older = torch.randn(9, 7, generator=generator)
    hidden = torch.rand(5, 14, generator=generator) < 0.4
    found, _ = contrastive_loss(queries, keys, older, hidden, temperature, is_symmetric)
    expected = naive(queries.double(), keys.double(), older.double(), hidden, temperature, is_symmetric)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-6)
    weights = torch.randn(5, generator=generator)
    ours = torch.autograd.grad((found * weights).sum(), (queries, keys))
    theirs = torch.autograd.grad((expected * weights).sum(), (queries, keys))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_half_precision_does_not_overflow() -> None:
    """Scores of 400,000 are beyond fp16."""
    queries = torch.full((2, 100), 64.0, dtype=torch.float16)
    losses, _ = contrastive_loss(queries, queries, torch.zeros(3, 100), torch.zeros(2, 5, dtype=torch.bool))
    torch.testing.assert_close(losses, torch.full((2,), math.log(2)))


def test_contains() -> None:
    rows = torch.tensor([[3, 5, NO_ENTITY], [5, 6, 9]])
    assert contains(rows, torch.tensor([5, 3, 9, -1])).tolist() == [
        [True, True, False, False],
        [True, False, True, False],
    ]
