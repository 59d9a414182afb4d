"""The fused cross entropy is the plain one."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fairseq_xling.modules import lm_loss

IGNORED = 1


def inputs(rows: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    hidden, weight, bias = torch.randn(rows, 16), torch.randn(50, 16), torch.randn(50)
    target = torch.randint(0, 50, (rows,))
    target[::3] = IGNORED
    return *(t.to(dtype).requires_grad_() for t in (hidden, weight, bias)), target


def loss_and_gradients(rows: int, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    hidden, weight, bias, target = inputs(rows, dtype)
    loss = lm_loss.linear_cross_entropy_sum(hidden, weight, bias, target, IGNORED)
    loss.backward()
    return [loss.detach(), hidden.grad, weight.grad, bias.grad]


def by_definition(rows: int) -> list[Tensor]:
    """-Σ log softmax(h·Wᵀ + b)[target] over the targets that count, in double precision."""
    hidden, weight, bias, target = inputs(rows, torch.float64)
    log_probs = torch.log_softmax(hidden @ weight.T + bias, dim=1)
    real = target != IGNORED
    loss = -log_probs[real, target[real]].sum()
    loss.backward()
    return [loss.detach(), hidden.grad, weight.grad, bias.grad]


@pytest.mark.parametrize("rows", [1, 2, 7, 40, lm_loss.CHUNK_ROWS + 3])
@pytest.mark.parametrize("fused", [True, False])
def test_value_and_gradients(rows, fused, monkeypatch):
    if not fused:
        monkeypatch.setattr(lm_loss, "_fused", None)
    elif lm_loss._fused is None:
        pytest.skip("this PyTorch has no fused linear cross entropy")
    for found, expected in zip(loss_and_gradients(rows), by_definition(rows), strict=True):
        assert found.dtype == torch.float32
        torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("fused", [True, False])
def test_ignored_targets_count_nothing(fused, monkeypatch):
    if not fused:
        monkeypatch.setattr(lm_loss, "_fused", None)
    loss, *grads = loss_and_gradients(1)  # row 0 is ignored
    assert loss == 0
    assert not any(grad.any() for grad in grads)


def test_half_precision_is_summed_in_single():
    loss, hidden_grad, *_ = loss_and_gradients(40, torch.bfloat16)
    assert loss.dtype == torch.float32
    assert hidden_grad.dtype == torch.bfloat16
    hidden, weight, bias, target = inputs(40, torch.bfloat16)
    expected = F.cross_entropy(F.linear(hidden, weight, bias).float(), target, ignore_index=IGNORED, reduction="sum")
    assert loss == expected.detach()
