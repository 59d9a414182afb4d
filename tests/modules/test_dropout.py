from __future__ import annotations

import pytest
import torch

from fairseq_xling.modules.dropout import Dropout, dropout


def test_share_and_scale() -> None:
    torch.manual_seed(0)
    out = dropout(torch.ones(1000, 1001), 0.1, training=True)
    dropped = (out == 0).float().mean().item()
    assert dropped == pytest.approx(0.1, abs=0.001)
    assert out.mean().item() == pytest.approx(1.0, abs=0.001)
    assert out.unique().numel() == 2


def test_neighbours_are_independent() -> None:
    torch.manual_seed(0)
    kept = (dropout(torch.ones(400_000), 0.5, training=True) > 0).float() - 0.5
    for shift in range(1, 9):
        assert abs((kept[shift:] * kept[:-shift]).mean().item()) < 0.002


def test_gradient_passes_where_the_value_does() -> None:
    x = torch.ones(7, 13, requires_grad=True)
    out = dropout(x, 0.3, training=True)
    out.sum().backward()
    torch.testing.assert_close(x.grad, out.detach())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_keeps_shape_and_type(dtype: torch.dtype) -> None:
    out = dropout(torch.ones(3, 5, 2, dtype=dtype), 0.5, training=True)
    assert (out.shape, out.dtype) == ((3, 5, 2), dtype)


@pytest.mark.parametrize(("p", "training", "expected"), [(0.5, False, 1.0), (0.0, True, 1.0), (1.0, True, 0.0)])
def test_limits(p: float, training: bool, expected: float) -> None:
    assert torch.equal(dropout(torch.ones(50), p, training), torch.full((50,), expected))


def test_same_seed_same_values() -> None:
    module, x = Dropout(0.2), torch.randn(11, 3)
    torch.manual_seed(5)
    first = module(x)
    torch.manual_seed(5)
    assert torch.equal(module(x), first)
    assert torch.equal(module.eval()(x), x)
