from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from fairseq_xling.modules.attention import attention


@pytest.mark.parametrize("masked", [False, True])
def test_the_dropout_path_computes_attention(masked: bool) -> None:
    """With a vanishing dropout both paths agree, gradients too."""
    torch.manual_seed(0)
    tensors = [torch.randn(2, 3, 7, 4, requires_grad=True) for _ in range(3)]
    mask = (torch.rand(2, 1, 7, 7) < 0.5) | torch.eye(7, dtype=torch.bool) if masked else None
    outputs = [attention(*tensors, mask, p) for p in (0.0, 1e-9)]
    torch.testing.assert_close(outputs[1], outputs[0])
    weight = torch.randn_like(outputs[0])
    expected, found = (torch.autograd.grad((out * weight).sum(), tensors, retain_graph=True) for out in outputs)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b)


def test_dropout_keeps_the_mean() -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 2, 5, 4) for _ in range(3))
    mean = torch.stack([attention(q, k, v, None, 0.3) for _ in range(4000)]).mean(0)
    torch.testing.assert_close(mean, F.scaled_dot_product_attention(q, k, v), atol=0.05, rtol=0)
