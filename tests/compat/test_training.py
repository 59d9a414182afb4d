"""Finished jobs, errors that name their batch, and the reading thread at the end of a run."""

import itertools
import time
from types import SimpleNamespace

import fairseq_cli.train
import pytest
from fairseq.criterions.masked_lm import MaskedLmLoss
from fairseq.data import data_utils, iterators
from fairseq.nan_detector import NanDetector
from fairseq.trainer import Trainer

from fairseq_xling.compat._replace import original
from fairseq_xling.compat.training import stop_consumers


def test_a_finished_job_makes_no_more_updates(train, without, tmp_path):
    last = tmp_path / "checkpoint_last.pt"
    train(tmp_path, "--max-update", "2")
    before = last.stat()
    assert train(tmp_path, "--max-update", "2")["optimizer_history"][-1]["num_updates"] == 2
    assert last.stat() == before, "not even rewritten"
    without(fairseq_cli.train, "train")
    assert train(tmp_path, "--max-update", "2")["optimizer_history"][-1]["num_updates"] == 3, "plain fairseq"


def test_validation_sets_are_looked_for_in_data_bins_only(tmp_path):
    """Of a task whose ``data`` is a model nothing is looked for, where fairseq would fail or find anything."""
    (tmp_path / "valid1.en.bin").touch()
    (tmp_path / "model.pt").touch()

    def look(task, data, check=data_utils.raise_if_valid_subsets_unintentionally_ignored):
        task = SimpleNamespace(_name=task, data=str(data))
        dataset = SimpleNamespace(
            ignore_unused_valid_subsets=False,
            combine_valid_subsets=False,
            disable_validation=False,
            valid_subset="valid",
        )
        check(SimpleNamespace(task=task, dataset=dataset))

    for task in ("sequence_classification", "token_classification", "question_answering"):
        look(task, tmp_path)
        look(task, tmp_path / "model.pt")
    for task in ("masked_lm", "mmlm", "retrieval"):
        with pytest.raises(ValueError, match="will be ignored"):
            look(task, tmp_path)
    with pytest.raises(NotADirectoryError):
        look(
            "sequence_classification",
            tmp_path / "model.pt",
            original(data_utils.raise_if_valid_subsets_unintentionally_ignored),
        )


@pytest.fixture
def broken_criterion(monkeypatch):
    """``masked_lm`` whose loss is not a number."""
    forward = MaskedLmLoss.forward

    def nan(self, model, sample, reduce=True):
        loss, size, log = forward(self, model, sample, reduce)
        return loss * float("nan"), size, log

    monkeypatch.setattr(MaskedLmLoss, "forward", nan)
    monkeypatch.setattr(MaskedLmLoss, "diagnose", lambda self: "masked_lm: examples 7, 8", raising=False)


@pytest.mark.parametrize(
    ("flags", "message"),
    [((), "gradients are Nan/Inf"), (("--fp16", "--min-loss-scale", "64"), "Minimum loss scale reached")],
)
def test_a_loss_that_is_not_finite_names_the_batch(broken_criterion, train, without, tmp_path, flags, message):
    with pytest.raises(FloatingPointError, match=rf"{message}.* \(masked_lm: examples 7, 8\)") as caught:
        train(tmp_path, "--max-update", "2", *flags)
    assert isinstance(caught.value.__cause__, FloatingPointError)
    without(Trainer, "train_step")
    with pytest.raises(FloatingPointError, match=message) as caught:
        train(tmp_path, "--max-update", "2", *flags)
    assert "examples 7" not in str(caught.value)


def test_the_search_for_the_nan_does_not_hide_it(broken_criterion, train, without, tmp_path):
    """RoBERTa's encoder returns a dictionary of lists, which PyTorch's non-full backward hooks cannot take."""
    without(NanDetector, "add_hooks")
    with pytest.raises(StopIteration):
        train(tmp_path, "--max-update", "1")


class Endless:
    """A loader that never runs dry."""

    def __len__(self):
        return 10**9

    def __iter__(self):
        return itertools.count()


def test_the_reading_thread_ends_before_python_does():
    buffered = iterators.BufferedIterator(3, Endless())
    assert next(buffered) == 0
    thread = buffered._consumer
    time.sleep(0.05)
    assert thread.is_alive(), "plain fairseq leaves it to the interpreter's end"
    stop_consumers()
    assert not thread.is_alive()


def test_plain_fairseq_does_not_know_its_reading_threads(monkeypatch):
    monkeypatch.setattr(iterators, "BackgroundConsumer", iterators.BackgroundConsumer.__base__)
    buffered = iterators.BufferedIterator(3, Endless())
    next(buffered)
    stop_consumers()
    assert buffered._consumer.is_alive()
    buffered._consumer._max_len = 0
    next(buffered)
