"""Known traps of fairseq's training loop that our tasks must not fall into. See also test_resume, test_distributed."""

import dataclasses
import multiprocessing
import os
from collections import defaultdict
from multiprocessing.util import Finalize

import fairseq_cli.train
import numpy as np
import pytest
import torch
from fairseq.criterions import CRITERION_REGISTRY
from fairseq.data import Dictionary, iterators
from fairseq.data.indexed_dataset import make_dataset
from fairseq.tasks.masked_lm import MaskedLMConfig, MaskedLMTask

from fairseq_xling.compat._replace import original

from ..helpers import build_examples, make_model, make_task
from .conftest import log_of


def masks_by_epoch(task, masked, epochs=2):
    """epoch -> example -> what was masked, read by two worker processes as the trainer reads."""
    seen = []
    for epoch in range(1, epochs + 1):
        iterator = task.get_batch_iterator(
            task.dataset("train"), max_sentences=24, seed=1, num_workers=2, epoch=epoch, data_buffer_size=0
        )
        masks = {}
        for sample in iterator.next_epoch_itr():
            masks.update(masked(sample))
        seen.append(masks)
    return seen


def share_unchanged(first, second):
    common = first.keys() & second.keys()
    assert len(common) > 20
    return np.mean([first[key] == second[key] for key in common])


def masked_of_ours(sample):
    """(objective, sentence) -> positions to predict and what stands there."""
    found = defaultdict(list)
    for name, batch in sample.items():
        width = batch["tokens"].size(1)
        for position in batch["predict"].tolist():
            row, column = divmod(position, width)
            found[name, batch["id"][row].item()].append((column, batch["tokens"][row, column].item()))
    return found


def masked_of_stock(sample):
    tokens = sample["net_input"]["src_tokens"]
    return {i: row.tolist() for i, row in zip(sample["id"].tolist(), tokens, strict=True)}


def test_masks_change_with_the_epoch_in_worker_processes(data_bin):
    task = make_task(data_bin, "btmlm")
    task.load_dataset("train")
    first, second = masks_by_epoch(task, masked_of_ours)
    assert share_unchanged(first, second) < 0.2
    again, _ = masks_by_epoch(task, masked_of_ours)
    assert again == first, "and depend on nothing but the seed and the epoch"


def test_stock_masked_lm_shows_the_trap(data_bin, tmp_path):
    folder = tmp_path / "stock"
    folder.mkdir()
    (folder / "dict.txt").write_bytes((data_bin / "dict.txt").read_bytes())
    for suffix in ("bin", "idx"):
        (folder / f"train.{suffix}").write_bytes((data_bin / "mono" / "en" / f"train.{suffix}").read_bytes())
    assert len(make_dataset(str(folder / "train"), "mmap")) == 62
    cfg = MaskedLMConfig(data=str(folder), sample_break_mode="eos", tokens_per_sample=32, seed=1)
    task = MaskedLMTask(cfg, Dictionary.load(str(folder / "dict.txt")))
    task.load_dataset("train")
    first, second = masks_by_epoch(task, masked_of_stock)
    for worker in multiprocessing.active_children():
        worker.terminate()  # it keeps them for further epochs
    assert share_unchanged(first, second) == 1


@pytest.mark.parametrize("training", [True, False])
def test_every_rank_logs_the_same_keys_whatever_its_batch_holds(data_bin, training):
    """fairseq adds up the ranks' values by position: a key that one of them lacks shifts all that follow."""
    task = make_task(data_bin, "btmlm")
    model = make_model(task).train(training)
    criterion = CRITERION_REGISTRY["btmlm"](task)
    build_examples(task, "mmlm")
    iterator = task.get_batch_iterator(task.dataset("train"), max_sentences=24).next_epoch_itr(shuffle=False)
    full = next(iterator)
    assert list(full) == ["mmlm", "tlm", "camlm", "btmlm"]
    logs = [criterion(model, sample)[2] for sample in (full, {"mmlm": full["mmlm"]}, {"tlm": full["tlm"]}, {})]
    assert all(list(log) == list(logs[0]) for log in logs)
    shapes = [[torch.as_tensor(value).shape for value in log.values()] for log in logs]
    assert all(shape == shapes[0] for shape in shapes)


def test_a_finished_job_stays_finished(train, tmp_path):
    train(tmp_path / "run", "--max-update", "3")
    before = (tmp_path / "run" / "checkpoint_last.pt").stat()
    train(tmp_path / "run", "--max-update", "3")
    after = (tmp_path / "run" / "checkpoint_last.pt").stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)

    def plain():
        fairseq_cli.train.train = original(fairseq_cli.train.train)

    state = train(tmp_path / "run", "--max-update", "3", prepare=plain)
    assert state["optimizer_history"][-1]["num_updates"] == 4, "what plain fairseq does"


def test_no_thread_reads_ahead_at_the_end_of_a_run(train, tmp_path):
    """fairseq's thread, interrupted by the end of the interpreter, sometimes aborts a finished job."""

    def forbid():
        del iterators.BackgroundConsumer

    state = train(tmp_path / "run", "--max-update", "3", prepare=forbid)
    assert state["optimizer_history"][-1]["num_updates"] == 3


def test_a_loss_that_is_not_finite_names_objective_and_examples(start, tmp_path):
    def poison():
        from fairseq_xling.objectives import OBJECTIVES

        inputs = OBJECTIVES["tlm"].inputs

        def nan(self, model, batch):
            (given,) = inputs(self, model, batch)
            languages = torch.full_like(given.tokens, len(self.data.languages))
            with torch.no_grad():
                model.encoder.sentence_encoder.embed_languages.weight[-1] = float("nan")
            return [dataclasses.replace(given, languages=languages)]

        OBJECTIVES["tlm"].inputs = nan

    process = start(tmp_path / "run", "--max-update", "3", task="tlm", prepare=poison)
    process.join(timeout=100)
    assert process.exitcode == 1
    last = log_of(tmp_path / "run").read_text().strip().splitlines()[-1]
    assert last.startswith("FloatingPointError: gradients are Nan/Inf")
    assert "tlm: loss nan on examples [" in last
    assert "mmlm: loss" not in last


def test_loader_processes_end_before_a_training_process_does(data_bin):
    """A run often stops within an epoch; left to Python's exit, the loaders' end is taken for a crash."""

    def stop_within_an_epoch():
        task = make_task(data_bin, "mmlm")
        task.load_dataset("train")
        iterator = task.get_batch_iterator(task.dataset("train"), max_sentences=24, num_workers=2).next_epoch_itr()
        next(iterator)
        # priority 0: the last thing before Python terminates what is left
        Finalize(None, lambda held: os._exit(len(multiprocessing.active_children())), (iterator,), exitpriority=0)

    process = multiprocessing.get_context("fork").Process(target=stop_within_an_epoch)
    process.start()
    process.join(timeout=60)
    assert process.exitcode == 0


def test_loader_processes_end_with_the_epoch(data_bin):
    """Left to the garbage collector, every epoch and every validation costs five seconds per loader process."""
    task = make_task(data_bin, "mmlm")
    task.load_dataset("train")
    iterator = task.get_batch_iterator(task.dataset("train"), max_sentences=24, num_workers=2).next_epoch_itr()
    next(iterator)
    workers = multiprocessing.active_children()
    assert len(workers) >= 2
    for _ in iterator:
        pass
    assert not any(worker.is_alive() for worker in workers)
