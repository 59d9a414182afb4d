"""Adam on a CPU in one pass over memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from fairseq.optim.adam import Adam
from torch import Tensor
from torch.optim.adamw import adamw

from ._replace import replace


def adam_in_one_pass() -> None:
    """fairseq's Adam goes over memory a dozen times and allocates tensors of the model's size in each update.

    PyTorch's fused kernel does the same in one pass. It is used where all gradients are fp32 on the CPU; the state has the
    same names, so checkpoints go both ways.
    """

    def build(original: Callable[..., Any]) -> Callable[..., Any]:
        @torch.no_grad()
        def step(self: Any, closure: Callable[[], Any] | None = None) -> Any:
            learning = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
            if closure is not None or self.defaults["amsgrad"] or not all(map(_is_plain, learning)):
                return original(self, closure)
            for group in self.param_groups:
                _step(self.state, group)
            return None

        return step

    replace(Adam, "step", build)


def _step(state: dict[Tensor, dict[str, Any]], group: dict[str, Any]) -> None:
    """Update the parameters of a group that have a gradient."""
    # parameters that have not always had one are at another step
    by_step: dict[int, list[Tensor]] = {}
    for parameter in group["params"]:
        if parameter.grad is None:
            continue
        own = state[parameter]
        if not own:
            own |= {"step": 0} | {name: torch.zeros_like(parameter) for name in ("exp_avg", "exp_avg_sq")}
        own["step"] += 1
        by_step.setdefault(own["step"], []).append(parameter)
    beta1, beta2 = group["betas"]
    for step, parameters in by_step.items():
        adamw(
            parameters,
            [parameter.grad for parameter in parameters if parameter.grad is not None],
            [state[parameter]["exp_avg"] for parameter in parameters],
            [state[parameter]["exp_avg_sq"] for parameter in parameters],
            [],
            [torch.tensor(step - 1.0) for _ in parameters],  # counted up in there
            fused=True,
            lr=group["lr"],
            beta1=beta1,
            beta2=beta2,
            weight_decay=group["weight_decay"],
            # fairseq adds it before the correction of the second moment's bias, PyTorch after it
            eps=group["eps"] / math.sqrt(1 - beta2**step),
            amsgrad=False,
            maximize=False,
        )


def _is_plain(parameter: Tensor) -> bool:
    """Test whether the kernel can take it: fp32, dense and on the CPU."""
    gradient = parameter.grad
    assert gradient is not None
    return (
        parameter.device.type == "cpu"
        and parameter.dtype == gradient.dtype == torch.float32
        and gradient.layout == torch.strided
    )


SHIMS = (adam_in_one_pass,)
