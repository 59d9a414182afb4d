"""The learning rate by hand, and how the length of the training is known."""

from __future__ import annotations

import pytest
import torch
from fairseq.data.iterators import GroupedIterator
from fairseq.optim.adam import FairseqAdam, FairseqAdamConfig
from omegaconf import OmegaConf

from fairseq_xling.errors import UserError
from fairseq_xling.optim import EpochLength
from fairseq_xling.optim.warmup_linear import WarmupLinear, WarmupLinearConfig
from tests.helpers import make_task, small_data_bin


@pytest.fixture(autouse=True)
def unknown_length(monkeypatch):
    monkeypatch.setattr(EpochLength, "updates", None)


def schedule(lr=0.1, ratio=0.1, max_epoch=0, max_update=0):
    cfg = OmegaConf.structured(WarmupLinearConfig(warmup_ratio=ratio))
    cfg = OmegaConf.merge(cfg, {"lr": [lr], "max_epoch": max_epoch, "max_update": max_update})
    return WarmupLinear(cfg, make_optimizer())


def make_optimizer():
    cfg = OmegaConf.merge(OmegaConf.structured(FairseqAdamConfig()), {"lr": [1.0], "tpu": False})
    return FairseqAdam(cfg, [torch.nn.Parameter(torch.zeros(1))])


def test_by_hand():
    """20 updates, 4 of warm-up: fifths of the peak, the peak, sixteenths down to one, then nothing."""
    rise = schedule(lr=0.8, ratio=0.2, max_update=20)
    rates = [rise.step_update(update) for update in range(22)]
    assert rates[:5] == pytest.approx([0.8 * part / 5 for part in (1, 2, 3, 4, 5)])
    assert rates[5:20] == pytest.approx([0.05 * left for left in range(15, 0, -1)])
    assert rates[20:] == [0, 0]
    assert rise.optimizer.get_lr() == 0


@pytest.mark.parametrize(
    ("ratio", "factors"),
    [
        (0, [1, 0.75, 0.5, 0.25, 0]),
        (1, [0.2, 0.4, 0.6, 0.8, 0]),
        (0.25, [0.5, 1, 2 / 3, 1 / 3, 0]),
        (0.375, [1 / 2.5, 2 / 2.5, 2 / 2.5, 1 / 2.5, 0]),  # a warm-up of 1.5 updates
    ],
)
def test_factors_of_four_updates(ratio, factors):
    assert [schedule(1, ratio, max_update=4).step_update(n) for n in range(5)] == pytest.approx(factors)


def test_the_sooner_end_counts(monkeypatch):
    monkeypatch.setattr(EpochLength, "updates", 10)
    for epochs, updates, total in ((3, 0, 30), (3, 20, 20), (3, 40, 30), (0, 40, 40)):
        rate = schedule(1, 0, max_epoch=epochs, max_update=updates)
        assert rate.step_update(0) == 1
        assert rate.step_update(total - 1) == pytest.approx(1 / total)


@pytest.mark.parametrize(("shards", "frequency"), [(1, [1]), (1, [2]), (2, [2]), (2, [1]), (2, [1, 4]), (3, [4])])
def test_updates_of_an_epoch_are_those_fairseq_makes(tmp_path, shards, frequency):
    """Batches shared out to processes, then grouped, each time rounded up."""
    task = make_task(small_data_bin(tmp_path), "mmlm", update_freq=frequency)
    task.load_dataset("train")
    for epoch in (1, 2):
        epochs = task.get_batch_iterator(task.dataset("train"), max_sentences=4, num_shards=shards, epoch=epoch)
        used = frequency[min(epoch, len(frequency)) - 1]
        assert EpochLength.updates == len(GroupedIterator(epochs.next_epoch_itr(), used))
        assert EpochLength.updates > 1


def test_only_the_training_set_has_a_length(tmp_path):
    task = make_task(small_data_bin(tmp_path), "mmlm")
    for split in ("train", "valid"):
        task.load_dataset(split)
    task.get_batch_iterator(task.dataset("train"), max_sentences=4)
    before = EpochLength.updates
    task.get_batch_iterator(task.dataset("valid"), max_sentences=1)
    assert EpochLength.updates == before


def test_a_task_that_does_not_tell_its_length():
    rate = schedule(max_epoch=3)
    assert rate.step_update(0) == 0, "fairseq asks before there are batches"
    with pytest.raises(UserError, match="this task does not tell the length of its epochs; give --max-update"):
        rate.step_begin_epoch(1)
    assert schedule(0.1, 0, max_update=4).step_begin_epoch(1) >= 0


@pytest.mark.parametrize("ratio", [-0.1, 1.1])
def test_a_ratio_out_of_range(ratio):
    with pytest.raises(UserError, match=rf"--warmup-ratio {ratio} must be between 0 and 1"):
        schedule(ratio=ratio, max_update=4)


def test_a_training_without_end():
    with pytest.raises(UserError, match="needs an end of the training: --max-epoch or --max-update"):
        schedule()
