"""Kill -9 at a random moment, run the same command again: the run goes on as if nothing had happened."""

import collections
import json
import random
import re

import pytest
import torch

from fairseq_xling.criterions import XlingCriterion

from .conftest import kill_after_checkpoint, log_of

SAVING = ("--save-interval-updates", "5", "--keep-interval-updates", "1")
SPEED = re.compile(r"(wps|ups|wall|train_wall|tokens_per_s|data_wait)=[\d.e+-]+")


def trace(save_dir):
    """update -> its line in the log without times and speeds; of an update made twice, the last."""
    lines = {}
    for line in log_of(save_dir).read_text().splitlines():
        if line.startswith("train_inner |"):
            text = SPEED.sub("", line)
            lines[int(re.search(r"num_updates=(\d+)", text).group(1))] = text
    return lines


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "precision"),
    [
        ("btmlm", ()),
        ("btmlm", ("--bf16",)),
        ("btmlm", ("--fp16",)),
        ("weam", ()),
        ("weam", ("--fp16",)),
        ("word_alignment", ("--bf16",)),
        ("xlmk", ()),
        ("xlmk", ("--fp16",)),
    ],
    ids=[
        "btmlm fp32",
        "btmlm bf16",
        "btmlm fp16",
        "weam fp32",
        "weam fp16",
        "word_alignment bf16",
        "xlmk fp32",
        "xlmk fp16",
    ],
)
def test_a_killed_run_continues_bit_identically(start, train, tmp_path, task, precision):
    flags = (*precision, *SAVING, "--max-update", "45")
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    expected = train(straight, *flags, task=task)

    delay = random.uniform(0, 1)
    print(f"killed {delay:.3f} s after the first checkpoint")
    kill_after_checkpoint(start(resumed, *flags, task=task), resumed, delay)
    reached = torch.load(resumed / "checkpoint_last.pt")["optimizer_history"][-1]["num_updates"]
    print(f"the checkpoint is at update {reached}")
    assert reached > 0
    state = train(resumed, *flags, task=task)

    assert state["optimizer_history"][-1]["num_updates"] == 45
    assert all(torch.equal(tensor, state["model"][name]) for name, tensor in expected["model"].items())
    moments, again = (s["last_optimizer_state"]["state"] for s in (expected, state))
    assert all(torch.equal(moments[i]["exp_avg_sq"], again[i]["exp_avg_sq"]) for i in moments)
    assert trace(resumed) == trace(straight)
    assert set(trace(straight)) == set(range(1, 46))


def test_a_kill_while_a_checkpoint_is_written_costs_nothing(start, train, tmp_path):
    """Saving after every update and killing often must always leave a checkpoint that loads."""
    save_dir = tmp_path / "run"
    flags = ("--save-interval-updates", "1", "--keep-interval-updates", "1", "--max-update", "1000000")
    reached = [0]
    for _ in range(4):
        kill_after_checkpoint(start(save_dir, *flags), save_dir, random.uniform(0, 0.6))
        reached.append(torch.load(save_dir / "checkpoint_last.pt")["optimizer_history"][-1]["num_updates"])
    assert reached == sorted(reached)


@pytest.mark.slow
def test_it_continues_in_the_second_epoch(train, tmp_path):
    """Stopped and continued within epoch 2, where stock tasks show their workers other masks."""
    straight = train(tmp_path / "straight", "--max-update", "40")
    train(tmp_path / "resumed", "--max-update", "30")
    resumed = train(tmp_path / "resumed", "--max-update", "40")
    assert straight["extra_state"]["train_iterator"]["epoch"] >= 2
    assert all(torch.equal(tensor, resumed["model"][name]) for name, tensor in straight["model"].items())


def test_a_checkpoint_of_other_objectives_is_refused_and_kept(start, train, tmp_path):
    train(tmp_path / "run", "--max-update", "1", task="mmlm")
    before = (tmp_path / "run" / "checkpoint_last.pt").read_bytes()
    process = start(tmp_path / "run", "--max-update", "2", task="btmlm")
    process.join(timeout=100)
    assert process.exitcode == 2
    log = log_of(tmp_path / "run").read_text()
    assert "error: the checkpoint in --save-dir was trained with other parameters (--objectives, " in log
    assert (tmp_path / "run" / "checkpoint_last.pt").read_bytes() == before


@pytest.mark.parametrize(
    "precision", [(), ("--bf16",), ("--fp16", "--fp16-no-flatten-grads")], ids=["fp32", "bf16", "fp16"]
)
def test_layerwise_adam_resumes_bit_identically(train, tmp_path, precision):
    flags = ("--optimizer", "layerwise_adam", "--layer-lr-decay", "0.5", *precision)
    straight = train(tmp_path / "straight", *flags, "--max-update", "8")
    train(tmp_path / "resumed", *flags, "--max-update", "5")
    resumed = train(tmp_path / "resumed", *flags, "--max-update", "8")
    assert all(torch.equal(tensor, resumed["model"][key]) for key, tensor in straight["model"].items())
    groups = straight["last_optimizer_state"]["param_groups"]
    assert [group["lr"] / groups[0]["lr"] for group in groups] == pytest.approx([1, 0.5, 0.25])


def consumed(save_dir):
    """update -> examples of mmlm, as the spy of `spied` has written them; of an update made twice, the last."""
    lines = save_dir.with_name(f"{save_dir.name}.ids").read_text().splitlines()
    return [json.loads(line) for line in lines]


def spied(save_dir):
    """In a training process: write the ids of every micro-batch."""

    def prepare():
        forward = XlingCriterion.forward

        def spy(self, model, sample, reduce=True):
            if model.training and sample:
                with save_dir.with_name(f"{save_dir.name}.ids").open("a") as out:
                    out.write(json.dumps(sample["mmlm"]["id"].tolist()) + "\n")
            return forward(self, model, sample, reduce)

        XlingCriterion.forward = spy

    return prepare


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), [(2, 1), (1, 2)])
def test_another_number_of_processes_sees_the_rest_of_the_epoch(train, ranks, tmp_path, first, second):
    """36 examples an update of two batches: 8 updates of two processes, then the rest of the epoch on one, and the other way round."""
    run = tmp_path / "run"
    flags = ("--batch-size", "6", "--max-epoch", "1", "--save-interval-updates", "4")
    for processes, end in ((first, ("--max-update", str(16 // first))), (second, ())):
        (train if processes == 1 else ranks)(run, *flags, *end, task="mmlm", prepare=spied(run))
    seen = collections.Counter(i for batch in consumed(run) for i in batch)
    assert len(seen) == 186
    assert sum(seen.values()) - 186 <= 6  # what fills up the last update of two processes
    assert "Traceback" not in log_of(run).read_text()


@pytest.mark.slow
@pytest.mark.parametrize("change", [("--update-freq", "2"), ("--batch-size", "9"), ("--max-tokens", "80")])
def test_other_settings_continue_at_the_same_fraction(train, tmp_path, change):
    run = tmp_path / "run"
    flags = ("--max-epoch", "1", "--save-interval-updates", "4", "--batch-size", "6")
    train(run, *flags, "--max-update", "16", task="mmlm", prepare=spied(run))
    before = len(consumed(run))
    state = train(run, *flags, *change, task="mmlm", prepare=spied(run))
    assert state["extra_state"]["train_iterator"]["epoch"] == 2
    seen = collections.Counter(i for batch in consumed(run) for i in batch)
    assert before == 16
    if change[0] == "--update-freq":
        assert set(seen.values()) == {1}
        assert len(seen) == 186
    else:
        rest = sum(map(len, consumed(run)[before:]))
        assert abs(rest - (186 - 96)) <= 15
        assert "continuing after 51.6% of it" in log_of(run).read_text()
