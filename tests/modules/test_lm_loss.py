"""The chunked cross entropy and its gradients are those of the definition."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fairseq_xling.modules import lm_loss

V, D = 50, 16


def inputs(rows: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, ...]:
    torch.manual_seed(0)
    hidden, weight, bias = torch.randn(rows, D), torch.randn(V, D), torch.randn(V)
    scale = torch.rand(rows)
    scale[::3] = 0
    leaves = (t.to(dtype).requires_grad_() for t in (hidden, weight, bias))
    return *leaves, torch.randint(0, V, (rows,)), scale


def computed(rows: int, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    hidden, weight, bias, target, scale = inputs(rows, dtype)
    loss, losses = lm_loss.linear_cross_entropy(hidden, weight, bias, target, scale)
    assert not losses.requires_grad
    (3 * loss).backward()
    return [loss.detach(), losses, hidden.grad, weight.grad, bias.grad]


def by_definition(rows: int) -> list[Tensor]:
    """-Σ scale · log softmax(h·Wᵀ + b)[target], in double precision."""
    hidden, weight, bias, target, scale = inputs(rows, torch.float64)
    losses = -torch.log_softmax(hidden @ weight.T + bias, dim=1)[range(rows), target]
    loss = (losses * scale).sum()
    (3 * loss).backward()
    return [loss.detach(), losses.detach(), hidden.grad, weight.grad, bias.grad]


@pytest.mark.parametrize("rows", [0, 1, 2, 7, 8, 9, 40])
def test_value_and_gradients(rows, monkeypatch):
    monkeypatch.setattr(lm_loss, "CHUNK_ROWS", 8)
    monkeypatch.setattr(lm_loss, "CHUNK_LOGITS", 8 * V)
    for found, expected in zip(computed(rows), by_definition(rows), strict=True):
        assert found.dtype == torch.float32
        torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)


def test_what_counts_nothing_has_no_gradient():
    loss, _, *grads = computed(1)  # row 0 is scaled by 0
    assert loss == 0
    assert not any(grad.any() for grad in grads)


def test_the_logits_of_one_chunk_are_in_memory(monkeypatch):
    monkeypatch.setattr(lm_loss, "CHUNK_ROWS", 8)
    monkeypatch.setattr(lm_loss, "CHUNK_LOGITS", 8 * V)
    rows = []
    original = torch.log_softmax
    monkeypatch.setattr(torch, "log_softmax", lambda x, dim: rows.append(len(x)) or original(x, dim))
    hidden, weight, bias, target, scale = inputs(20)
    loss, _ = lm_loss.linear_cross_entropy(hidden, weight, bias, target, scale)
    assert rows == [8, 8, 4]
    loss.backward()
    assert rows == [8, 8, 4]  # nothing is computed again


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_summed_in_single(dtype):
    loss, losses, hidden_grad, *_ = computed(40, dtype)
    assert loss.dtype == losses.dtype == torch.float32
    assert hidden_grad.dtype == dtype
    hidden, weight, bias, target, scale = inputs(40, dtype)
    expected = F.cross_entropy(F.linear(hidden, weight, bias).float(), target, reduction="none")
    assert torch.equal(losses, expected.detach())
    assert loss == (expected @ scale).detach()


def test_bf16_gradients_are_those_of_the_definition_as_far_as_bf16_goes():
    for found, expected in zip(computed(40, torch.bfloat16), by_definition(40), strict=True):
        torch.testing.assert_close(found.double(), expected, rtol=0.05, atol=0.05)


def test_small_fp16_gradients_survive_loss_scaling():
    """A gradient that fp16 cannot hold becomes one it can, if the scale comes before the cast."""
    hidden, weight, bias, target, _ = inputs(4, torch.float16)
    loss, _ = lm_loss.linear_cross_entropy(hidden, weight, bias, target, torch.full((4,), 1e-9))
    (loss * 2.0**30).backward()
    assert all(leaf.grad.any() for leaf in (hidden, weight, bias))
