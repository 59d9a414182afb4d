"""Several processes: torchrun's environment, and gloo for tensors on the CPU."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from fairseq import utils
from fairseq.distributed import utils as distributed_utils

from ._replace import replace

_TORCHRUN = ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "RANK")


def join_torchrun() -> None:
    """``torchrun … fairseq-train`` must train one model together.

    fairseq looks at torchrun's environment only when its world size, by default the number of GPUs of this machine, is
    not 1: with ``--cpu``, or one GPU on each of several machines, every process trains alone and all write the same
    files. On the CPU fairseq would also divide by the number of GPUs and ask for NCCL.
    """

    def build(original: Callable[..., Any]) -> Callable[..., Any]:
        def call_main(cfg: Any, main: Callable[..., Any], **kwargs: Any) -> Any:
            options = cfg.distributed_training
            launched = all(name in os.environ for name in _TORCHRUN) and int(os.environ["WORLD_SIZE"]) > 1
            if launched and options.distributed_init_method is None:
                options.distributed_world_size = int(os.environ["WORLD_SIZE"])
                if cfg.common.cpu or not torch.cuda.is_available():
                    options.distributed_rank = int(os.environ["RANK"])
                    options.distributed_init_method = "env://"
                    options.distributed_backend = "gloo"
                    options.distributed_no_spawn = True
            return original(cfg, main, **kwargs)

        return call_main

    replace(distributed_utils, "call_main", build)


def ddp_on_cpu() -> None:
    """``--ddp-backend pytorch_ddp`` names a GPU to DistributedDataParallel, which refuses that for a CPU module."""
    module: Any = importlib.import_module("fairseq.models.distributed_fairseq_model")
    base = module.DistributedDataParallel
    if getattr(base, "accepts_cpu", False):
        return

    class DistributedDataParallel(base):  # type: ignore[misc, valid-type]
        accepts_cpu = True

        def __init__(
            self, module: torch.nn.Module, device_ids: Any = None, output_device: Any = None, **kwargs: Any
        ) -> None:
            if next(module.parameters()).device.type == "cpu":
                device_ids = output_device = None
            super().__init__(module, device_ids=device_ids, output_device=output_device, **kwargs)

    module.DistributedDataParallel = DistributedDataParallel


def gather_on_gloo() -> None:
    """``all_gather_list`` (logging outputs that cannot be summed) gathers through a buffer on the GPU."""

    def build(original: Callable[..., Any]) -> Callable[..., Any]:
        def all_gather_list(data: Any, group: Any = None, max_size: int = 16384) -> list[Any]:
            group = distributed_utils.get_global_group() if group is None else group
            if not (dist.is_initialized() and dist.get_backend(group) == "gloo"):
                return original(data, group=group, max_size=max_size)
            gathered: list[Any] = [None] * distributed_utils.get_world_size(group)
            dist.all_gather_object(gathered, utils.move_to_cpu(data), group=group)
            return gathered

        return all_gather_list

    replace(distributed_utils, "all_gather_list", build)


SHIMS = (join_torchrun, ddp_on_cpu, gather_on_gloo)
