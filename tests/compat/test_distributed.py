"""torchrun's environment and gloo. Whole runs of two processes are in tests/training/test_distributed.py."""

import argparse
import importlib

import pytest
import torch
import torch.distributed as dist
from fairseq.dataclass.configs import FairseqConfig
from fairseq.distributed import utils as distributed_utils
from omegaconf import OmegaConf

from fairseq_xling.compat._replace import original

wrapper = importlib.import_module("fairseq.models.distributed_fairseq_model")


@pytest.fixture
def group(tmp_path):
    """A process group of this one process, on gloo."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", world_size=1, rank=0)
    yield distributed_utils.get_global_group()
    del distributed_utils.get_global_group._global_group
    dist.destroy_process_group()


@pytest.fixture
def launched(monkeypatch):
    """Run ``call_main`` as the second of four processes of torchrun; returns the options it ends up with, or None."""
    for name, value in (("MASTER_ADDR", "localhost"), ("MASTER_PORT", "1"), ("WORLD_SIZE", "4"), ("RANK", "1")):
        monkeypatch.setenv(name, value)

    def call(call_main, *, cpu, gpus=0, **given):
        joined = []
        monkeypatch.setattr(distributed_utils, "distributed_main", lambda i, main, cfg, kwargs: joined.append(cfg))
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
        cfg = OmegaConf.structured(FairseqConfig)
        cfg.common.cpu = cpu
        cfg.distributed_training.distributed_world_size = max(1, gpus)
        for name, value in given.items():
            cfg.distributed_training[name] = value
        alone = []
        call_main(cfg, alone.append)
        assert len(alone) + len(joined) == 1
        return joined[0].distributed_training if joined else None

    return call


def test_processes_on_the_cpu_train_together(launched):
    assert launched(original(distributed_utils.call_main), cpu=True) is None, "plain fairseq trains alone"
    options = launched(distributed_utils.call_main, cpu=True)
    assert (options.distributed_world_size, options.distributed_rank) == (4, 1)
    assert (options.distributed_init_method, options.distributed_backend) == ("env://", "gloo")


def test_one_gpu_per_machine_trains_together(launched):
    assert launched(original(distributed_utils.call_main), cpu=False, gpus=1) is None, "plain fairseq trains alone"
    options = launched(distributed_utils.call_main, cpu=False, gpus=1)
    assert (options.distributed_world_size, options.distributed_rank) == (4, 1)
    assert (options.distributed_init_method, options.distributed_backend) == ("env://", "nccl")


def test_an_explicit_init_method_is_left_alone(launched):
    given = {"distributed_init_method": "tcp://a:1", "distributed_world_size": 2, "distributed_rank": 0}
    options = launched(distributed_utils.call_main, cpu=True, distributed_no_spawn=True, **given)
    assert {name: options[name] for name in given} == given


def test_pytorch_ddp_takes_a_module_on_the_cpu(group, monkeypatch):
    args = argparse.Namespace(
        tpu=False,
        ddp_backend="pytorch_ddp",
        device_id=0,
        broadcast_buffers=False,
        bucket_cap_mb=25,
        find_unused_parameters=False,
        gradient_as_bucket_view=False,
        ddp_comm_hook="none",
        heartbeat_timeout=-1,
    )
    model = wrapper.DistributedFairseqModel(args, torch.nn.Linear(2, 1), group, torch.device("cpu"))
    model(torch.ones(1, 2)).sum().backward()
    monkeypatch.setattr(wrapper, "DistributedDataParallel", wrapper.DistributedDataParallel.__base__)
    with pytest.raises(ValueError, match="device_ids"):
        wrapper.DistributedFairseqModel(args, torch.nn.Linear(2, 1), group, torch.device("cpu"))


def test_all_gather_list_on_gloo(group):
    data = [{"loss": torch.tensor(1.5)}, 3]
    assert distributed_utils.all_gather_list(data) == [data]
    with pytest.raises((AssertionError, RuntimeError, TypeError, AttributeError)):
        original(distributed_utils.all_gather_list)(data)
