from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import fairseq_xling.modules.attention as attention_module
from fairseq_xling.modules.attention import attention
from fairseq_xling.modules.dropout import random_bits

P = 0.25  # a multiple of 2^-16, so it is not rounded


def reference(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """softmax(q·k / sqrt(d)), dropout, times v, with the bits that the present seed gives."""
    scores = q @ k.transpose(-2, -1) / q.size(-1) ** 0.5
    kept = random_bits(scores.shape) >= P * 2**16 - 2**15
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return (torch.softmax(scores, -1) * kept / (1 - P)) @ v


@pytest.mark.parametrize("rows", [1, 2, 8])
@pytest.mark.parametrize("masked", [None, 1, 7])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_dropout_path_computes_attention(
    rows: int, masked: int | None, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In parts of any size, gradients too; ``masked`` is the number of queries that a mask tells apart."""
    monkeypatch.setattr(attention_module, "_CHUNK", rows * 2 * 7 * 7)
    torch.manual_seed(0)
    tensors = [torch.randn(3, 7, 2, 4, dtype=dtype, requires_grad=True) for _ in range(3)]
    q, k, v = (tensor.transpose(1, 2) for tensor in tensors)
    mask = None
    if masked:
        mask = torch.rand(3, 1, masked, 7) < 0.5
        mask[..., 0] = True
    outputs = []
    for function in (lambda: attention(q, k, v, mask, P), lambda: reference(q, k, v, mask)):
        torch.manual_seed(1)
        outputs.append(function())
    torch.testing.assert_close(outputs[0], outputs[1])
    weight = torch.randn_like(outputs[0])
    found, expected = (torch.autograd.grad((out * weight).sum(), tensors) for out in outputs)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b)


def test_without_dropout_it_is_pytorchs() -> None:
    q, k, v = (torch.randn(2, 3, 5, 4) for _ in range(3))
    assert torch.equal(attention(q, k, v, None, 0.0), F.scaled_dot_product_attention(q, k, v))


def test_dropout_of_everything_is_zero() -> None:
    q, k, v = (torch.randn(2, 3, 5, 4) for _ in range(3))
    assert not attention(q, k, v, None, 1.0).any()


def test_half_precision_keeps_its_type() -> None:
    q, k, v = (torch.randn(2, 3, 5, 4, dtype=torch.bfloat16, requires_grad=True) for _ in range(3))
    out = attention(q, k, v, None, P)
    out.float().sum().backward()
    assert out.dtype == q.grad.dtype == torch.bfloat16
    assert all(tensor.grad.isfinite().all() for tensor in (q, k, v))


def test_dropout_keeps_the_mean() -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 2, 5, 4) for _ in range(3))
    mean = torch.stack([attention(q, k, v, None, 0.3) for _ in range(4000)]).mean(0)
    torch.testing.assert_close(mean, F.scaled_dot_product_attention(q, k, v), atol=0.05, rtol=0)
