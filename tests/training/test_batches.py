"""An epoch is gone through once, on whatever number of processes, however often it is stopped and with what settings continued."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from fairseq.data.iterators import GroupedIterator

from fairseq_xling.training.batches import MeasuredBatchIterator
from tests.helpers import make_task, random_sentences, write_data_bin

SENTENCES = 333


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data_bin(tmp_path_factory.mktemp("batches"), {"en": random_sentences(SENTENCES, seed=5)})


class Run:
    """The iterators of ``processes`` processes, side by side."""

    def __init__(
        self,
        folder: Path,
        processes: int,
        state: dict[str, Any] | None = None,
        update_freq: int = 1,
        limits: dict[str, int] | None = None,
        **options: Any,
    ):
        task = make_task(folder, "mmlm", **options)
        task.cfg.update_freq = [update_freq]
        task.load_dataset("train")
        epoch = state["epoch"] if state else 1
        self.iterators: list[MeasuredBatchIterator] = [
            task.get_batch_iterator(
                task.datasets["train"],
                num_shards=processes,
                shard_id=shard,
                epoch=epoch,
                **(limits or {"max_sentences": 9}),
            )
            for shard in range(processes)
        ]
        for iterator in self.iterators:
            if state:
                iterator.load_state_dict(state)
        self.streams = [iterator.next_epoch_itr(shuffle=True) for iterator in self.iterators]

    def read(self, count: int | None = None) -> list[list[int]]:
        """Ids of the next ``count`` batches of every process, in the order of the epoch; of all that are left."""
        seen: list[list[int]] = []
        while (count is None or count > 0) and self.streams[0].has_next():
            seen += [next(stream)["mmlm"]["id"].tolist() for stream in self.streams]
            count = None if count is None else count - 1
        return seen

    @property
    def state(self) -> dict[str, Any]:
        return self.iterators[0].state_dict()


def test_the_order_does_not_depend_on_the_number_of_processes(folder):
    """Also where the number of batches, 37, is no multiple of it; what fills it up stands at the end."""
    expected = Run(folder, 1).read()
    assert len(expected) == 37
    for processes in (2, 3, 4):
        found = Run(folder, processes).read()
        assert len(found) == -(-37 // processes) * processes
        assert found[:37] == expected


@pytest.mark.parametrize(("before", "updates", "after"), [(1, 20, 2), (2, 10, 1), (2, 9, 3), (3, 6, 2), (4, 2, 4)])
def test_another_number_of_processes_continues_exactly(folder, before, updates, after):
    run = Run(folder, before)
    seen = run.read(updates)
    seen += Run(folder, after, run.state).read()
    assert seen[:37] == Run(folder, 1).read()


def test_batches_that_the_processes_cannot_divide_are_seen_again_and_that_is_said(folder, caplog):
    run = Run(folder, 1)
    seen = run.read(7)
    with caplog.at_level(logging.WARNING):
        rest = Run(folder, 2, run.state).read()
    assert rest[0] == seen[6]
    assert (seen + rest[1:])[:37] == Run(folder, 1).read()
    assert "the checkpoint is after batch 7 of epoch 1, an update has 2: starting again at batch 7" in caplog.text
    assert caplog.text.count("starting again") == 1  # the first process speaks for all


@pytest.mark.parametrize(("done", "update_freq", "processes"), [(5, 2, 1), (5, 3, 1), (7, 4, 1), (3, 2, 2), (36, 4, 1)])
def test_an_update_is_not_begun_in_its_middle(folder, caplog, done, update_freq, processes):
    """Else fairseq would miscount the updates that are left, and begin the epoch anew."""
    run = Run(folder, 1)
    seen = run.read(done)
    with caplog.at_level(logging.WARNING):
        rest = Run(folder, processes, run.state, update_freq=update_freq)
    start = done // (update_freq * processes) * update_freq * processes
    groups = GroupedIterator(rest.streams[0], update_freq)
    assert len(groups) == -(-len(rest.iterators[0]) // update_freq)
    sizes = [len(group) for group in groups]
    assert not groups.has_next()
    assert sum(sizes) == -(-37 // processes) - start // processes
    assert not rest.streams[0].has_next()
    assert (start != done) == (f"starting again at batch {start + 1}" in caplog.text)
    assert (seen[:start] + Run(folder, processes, run.state, update_freq=update_freq).read())[:37] == Run(
        folder, 1
    ).read()


def test_another_seed_or_mix_makes_other_batches_and_that_is_said(folder, caplog):
    run = Run(folder, 1)
    run.read(18)
    with caplog.at_level(logging.WARNING):
        Run(folder, 1, run.state, seed=2, sampling_alpha=0.5)
    assert "(--seed 2, was 1; --sampling-alpha 0.5, was 0.7): continuing after 48.6% of it" in caplog.text


@pytest.mark.parametrize("limits", [{"max_sentences": 4}, {"max_sentences": 30}, {"max_tokens": 100}])
def test_other_limits_continue_at_the_same_fraction(folder, caplog, limits):
    run = Run(folder, 1)
    run.read(18)
    whole = Run(folder, 2, limits=limits).read()
    with caplog.at_level(logging.WARNING):
        rest = Run(folder, 2, run.state, limits=limits).read()
    assert len(rest) / len(whole) == pytest.approx(19 / 37, abs=2 / len(whole))
    assert whole[-len(rest) :] == rest
    flag = "--max-tokens 100, was None" if "max_tokens" in limits else "--batch-size"
    assert flag in caplog.text
    assert "continuing after 48.6% of it; some of its text may be seen twice or not at all" in caplog.text


def test_the_same_settings_say_nothing(folder, caplog):
    run = Run(folder, 2)
    seen = run.read(5)
    with caplog.at_level(logging.WARNING):
        seen += Run(folder, 2, run.state).read()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert seen == Run(folder, 2).read()


@pytest.mark.parametrize("after", [1, 2, 3])
def test_an_epoch_that_is_done_is_not_begun_again(folder, after):
    run = Run(folder, 2)
    first = run.read()
    state = run.state
    assert (state["epoch"], state["iterations_in_epoch"]) == (2, 0)
    second = Run(folder, after, state).read()
    assert second[:37] != first[:37]
    times = Counter(i for batch in second[:37] for i in batch)
    assert times == Counter(range(SENTENCES))


def test_a_checkpoint_from_before_continues_as_it_did(folder):
    """Older ones do not say in what the position is counted: the present settings are taken."""
    run = Run(folder, 2)
    run.read(5)
    old = {key: run.state[key] for key in ("version", "epoch", "iterations_in_epoch", "shuffle")}
    assert Run(folder, 2, old).read() == Run(folder, 2, run.state).read()


def test_almost_done_with_many_processes_leaves_something_to_do(folder):
    run = Run(folder, 1)
    run.read(36)
    assert len(Run(folder, 8, run.state).read()) == 8


class Numbers(torch.utils.data.Dataset[int]):
    """A dataset as those of fine-tuning, which does not fill up the last round of the processes."""

    def __getitem__(self, index: int) -> int:
        return index

    def read(self, processes: int, state: dict[str, Any] | None = None, count: int | None = None) -> tuple[Any, Any]:
        """Batches of 37, two numbers each, that are read from ``state`` on, and the state after them."""
        iterators = [
            MeasuredBatchIterator(
                plan={},
                update_freq=1,
                dataset=self,
                collate_fn=list,
                batch_sampler=[[2 * i, 2 * i + 1] for i in range(37)],
                num_shards=processes,
                shard_id=shard,
            )
            for shard in range(processes)
        ]
        for iterator in iterators:
            if state:
                iterator.load_state_dict(state)
        streams = [iterator.next_epoch_itr(shuffle=True) for iterator in iterators]
        seen = []
        while streams[0].has_next() and (count is None or count > 0):
            seen += [batch for stream in streams if (batch := next(stream))]
            count = None if count is None else count - 1
        return seen, iterators[0].state_dict()


@pytest.mark.parametrize(("before", "updates", "after"), [(1, 20, 2), (2, 10, 1), (2, 18, 1), (3, 6, 2), (4, 9, 3)])
def test_fine_tuning_continues_exactly_on_other_processes(before, updates, after):
    first, state = Numbers().read(before, count=updates)
    rest, _ = Numbers().read(after, state)
    assert first + rest == [[2 * i, 2 * i + 1] for i in range(37)]
