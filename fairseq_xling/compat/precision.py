"""fp16 and bf16: on the CPU, and resumed exactly."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

import torch
from fairseq import options
from fairseq.logging import metrics
from fairseq.optim.fp16_optimizer import _FP16OptimizerMixin
from fairseq.trainer import Trainer
from omegaconf import open_dict

from ._replace import replace

logger = logging.getLogger(__name__)


def bf16_is_not_tpu() -> None:
    """fairseq's command line takes ``--bf16`` for a wish to train on a TPU; only ``--tpu`` is one."""

    def build(original: Callable[..., Any]) -> Callable[..., Any]:
        def parse_args_and_arch(parser: Any, input_args: list[str] | None = None, *rest: Any, **kwargs: Any) -> Any:
            result = original(parser, input_args, *rest, **kwargs)
            args = result[0] if isinstance(result, tuple) else result
            if hasattr(args, "tpu"):
                args.tpu = "--tpu" in (sys.argv[1:] if input_args is None else input_args)
            return result

        return parse_args_and_arch

    replace(options, "parse_args_and_arch", build)


def fp16_unflattened_on_cpu() -> None:
    """``--fp16`` flattens the fp32 copy of the parameters on the current CUDA device; there is none on the CPU."""

    def build(original: Callable[..., Any]) -> Callable[..., Any]:
        def _build_optimizer(self: Any) -> Any:
            if self.cfg.common.fp16 and not self.cuda:
                with open_dict(self.cfg):
                    self.cfg.common.fp16_no_flatten_grads = True
            return original(self)

        return _build_optimizer

    replace(Trainer, "_build_optimizer", build)


def fp16_overflow_on_cpu() -> None:
    """After an fp16 overflow fairseq puts a zero gradient norm on the GPU; without one, skipping the update crashes.

    The gradients are not needed any more at that point, so the rest of the skipped update is done here.
    """

    def build(original: Callable[..., Any]) -> Callable[..., Any]:
        def train_step(self: Any, samples: Any, raise_oom: bool = False) -> Any:
            try:
                return original(self, samples, raise_oom)
            except (AssertionError, RuntimeError) as error:
                if self.cuda or not isinstance(error.__context__, OverflowError):
                    raise
            self.zero_grad()
            with metrics.aggregate("train"):
                metrics.log_scalar("loss_scale", self.optimizer.scaler.loss_scale, priority=700, round=4, weight=0)
                metrics.log_stop_time("train_wall")
            return None

        return train_step

    replace(Trainer, "train_step", build)


def _master(optimizer: Any) -> list[torch.Tensor]:
    """The fp32 copies that are trained: one per parameter, or one flat tensor per device."""
    copies = optimizer.fp32_params
    return [copy.data for copy in (copies.values() if isinstance(copies, dict) else copies)]


def fp32_master_weights() -> None:
    """``--fp16`` and ``--bf16`` train fp32 copies of the parameters, and fairseq saves only the rounded ones.

    A resumed run therefore differs from an uninterrupted one. Save the copies with the optimizer and restore them.
    """

    def build_save(original: Callable[..., Any]) -> Callable[..., Any]:
        def state_dict(self: Any) -> dict[str, Any]:
            return {**original(self), "fp32_master": _master(self)}

        return state_dict

    def build_load(original: Callable[..., Any]) -> Callable[..., Any]:
        def load_state_dict(self: Any, state_dict: dict[str, Any], optimizer_overrides: Any = None) -> None:
            state = dict(state_dict)
            saved = state.pop("fp32_master", None)
            original(self, state, optimizer_overrides)
            if saved is None:
                logger.warning("the checkpoint has no fp32 master weights: continuing from the rounded ones")
                return
            for current, tensor in zip(_master(self), saved, strict=True):
                current.copy_(tensor)
            self._sync_fp32_params_to_fp16()

        return load_state_dict

    replace(_FP16OptimizerMixin, "state_dict", build_save)
    replace(_FP16OptimizerMixin, "load_state_dict", build_load)


SHIMS = (bf16_is_not_tpu, fp16_unflattened_on_cpu, fp16_overflow_on_cpu, fp32_master_weights)
