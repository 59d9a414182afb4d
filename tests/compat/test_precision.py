"""fp16 and bf16 on the CPU, and their exact continuation."""

import pytest
import torch
from fairseq import options
from fairseq.optim.fp16_optimizer import _FP16OptimizerMixin
from fairseq.trainer import Trainer

from fairseq_xling.compat._replace import original


@pytest.mark.parametrize(
    ("flags", "tpu"), [(["--bf16"], False), (["--memory-efficient-bf16"], False), (["--bf16", "--tpu"], True)]
)
def test_bf16_does_not_mean_tpu(flags, tpu):
    words = ["data", "--task", "masked_lm", "--arch", "roberta_base", *flags]
    args = options.parse_args_and_arch(options.get_training_parser(), words)
    assert (args.bf16, args.tpu) == (True, tpu)
    assert original(options.parse_args_and_arch)(options.get_training_parser(), words).tpu, "fairseq's own reading"


def test_fp16_trains_on_the_cpu(train, without, tmp_path):
    assert train(tmp_path, "--fp16", "--max-update", "2")["optimizer_history"][-1]["num_updates"] == 2
    without(Trainer, "_build_optimizer")
    with pytest.raises((AssertionError, RuntimeError), match=r"CUDA|NVIDIA"):
        train(tmp_path / "without", "--fp16", "--max-update", "2")


@pytest.mark.skipif(torch.cuda.is_available(), reason="the cause is a missing CUDA device")
def test_an_fp16_overflow_skips_the_update_on_the_cpu(train, without, tmp_path):
    flags = ("--fp16", "--fp16-init-scale", str(2**40), "--max-update", "2")
    state = train(tmp_path, *flags)
    assert state["optimizer_history"][-1]["num_updates"] == 2
    assert state["last_optimizer_state"]["loss_scale"] < 2**40
    without(Trainer, "train_step")
    with pytest.raises((AssertionError, RuntimeError), match=r"CUDA|NVIDIA"):
        train(tmp_path / "without", *flags)


def continued(train, folder, precision):
    """Parameters after 6 updates, and after 3 updates, a stop and 3 more."""
    straight = train(folder / "straight", precision, "--max-update", "6")["model"]
    train(folder / "resumed", precision, "--max-update", "3")
    return straight, train(folder / "resumed", precision, "--max-update", "6")["model"]


@pytest.mark.parametrize("precision", ["--fp16", "--bf16", "--memory-efficient-bf16"])
def test_a_resumed_run_is_bit_identical(train, tmp_path, precision):
    straight, resumed = continued(train, tmp_path, precision)
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)


def test_a_resumed_run_differs_without_the_master_weights(train, without, tmp_path):
    without(_FP16OptimizerMixin, "state_dict")
    without(_FP16OptimizerMixin, "load_state_dict")
    straight, resumed = continued(train, tmp_path, "--bf16")
    assert not all(torch.equal(straight[name], resumed[name]) for name in straight)


def test_a_checkpoint_of_plain_fairseq_continues(train, tmp_path, monkeypatch, caplog):
    with monkeypatch.context() as patch:
        patch.setattr(_FP16OptimizerMixin, "state_dict", original(_FP16OptimizerMixin.state_dict))
        train(tmp_path, "--bf16", "--max-update", "2")
    assert train(tmp_path, "--bf16", "--max-update", "3")["optimizer_history"][-1]["num_updates"] == 3
    assert "no fp32 master weights" in caplog.text
