"""The fused Adam takes the same steps as fairseq's own, and its checkpoints are the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from fairseq.optim.adam import Adam
from torch.nn import Parameter

from fairseq_xling.compat._replace import original


class Plain(Adam):
    """fairseq's Adam as it is."""

    step = original(Adam.step)


OPTIONS: dict[str, Any] = {"lr": 0.01, "betas": (0.9, 0.98), "eps": 1e-3, "weight_decay": 0.1}
Learning = tuple[list[Parameter], Adam]


def make(kind: type[Adam], dtype: torch.dtype = torch.float32) -> Learning:
    generator = torch.Generator().manual_seed(1)
    parameters = [Parameter(torch.randn(shape, generator=generator).to(dtype)) for shape in ((5, 3), (4,), (2, 2))]
    return parameters, kind([{"params": parameters[:1], "lr": 0.05}, {"params": parameters[1:]}], **OPTIONS)


def update(learning: Learning, number: int) -> None:
    """An update; the last parameter has a gradient every other time only."""
    parameters, adam = learning
    generator = torch.Generator().manual_seed(number)
    for parameter in parameters:
        parameter.grad = torch.randn(parameter.shape, generator=generator).to(parameter.dtype)
    if number % 2:
        parameters[-1].grad = None
    adam.step()


def assert_same(found: Learning, expected: Learning) -> None:
    for a, b in zip(found[0], expected[0], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)


def test_the_steps_are_fairseqs(monkeypatch: pytest.MonkeyPatch) -> None:
    fused, plain = make(Adam), make(Plain)
    kernel, calls = torch._fused_adamw_, []
    monkeypatch.setattr(torch, "_fused_adamw_", lambda *args, **kwargs: (calls.append(1), kernel(*args, **kwargs)))
    for number in range(6):
        update(plain, number)
        update(fused, number)
        assert_same(fused, plain)
    assert len(calls) == 14, "one for each group, and for each step in it"


@pytest.mark.parametrize(("first", "second"), [(Adam, Plain), (Plain, Adam)])
def test_checkpoints_go_both_ways(first: type[Adam], second: type[Adam]) -> None:
    begun, whole, resumed = make(first), make(first), make(second)
    for number in range(3):
        update(begun, number)
        update(whole, number)
    resumed[1].load_state_dict(begun[1].state_dict())
    with torch.no_grad():
        for target, source in zip(resumed[0], begun[0], strict=True):
            target.copy_(source)
    for number in range(3, 6):
        update(resumed, number)
        update(whole, number)
    assert_same(resumed, whole)


def test_half_precision_is_left_to_fairseq(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch, "_fused_adamw_")
    halves = make(Adam, torch.bfloat16), make(Plain, torch.bfloat16)
    for number in range(3):
        for learning in halves:
            update(learning, number)
    assert_same(*halves)
