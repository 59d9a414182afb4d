"""Two processes on gloo: one model, disjoint data, the same log keys."""

import hashlib
import json
import os

import pytest
import torch
from fairseq.trainer import Trainer

from ..conftest import BIN, PLUGIN
from .conftest import OPTIONS, TASKS, free_port


def record(folder):
    """In a training process: write for every update the examples, the log keys and a hash of the parameters."""

    def prepare():
        step, out = Trainer.train_step, (folder / f"rank{os.environ['RANK']}.jsonl").open("a")

        def train_step(self, samples, raise_oom=False):
            keys, forward = [], self.get_criterion().forward

            def spied(*args, **kwargs):
                result = forward(*args, **kwargs)
                keys.append(list(result[2]))
                return result

            self.get_criterion().forward = spied
            log = step(self, samples, raise_oom)
            self.get_criterion().forward = forward
            parameters = torch.cat([p.detach().reshape(-1) for p in self.get_model().parameters()])
            entry = {
                "ids": [{name: batch["id"].tolist() for name, batch in sample.items()} for sample in samples if sample],
                "keys": keys,
                "hash": hashlib.sha1(parameters.numpy().tobytes()).hexdigest(),
                "loss": float(log["loss"]),
            }
            out.write(json.dumps(entry) + "\n")
            out.flush()
            return log

        Trainer.train_step = train_step

    return prepare


def examples(entries):
    """(objective, example) of the first updates; an epoch is one pass over every corpus."""
    return {(name, i) for entry in entries[:2] for ids in entry["ids"] for name in ids for i in ids[name]}


def both_ranks(folder):
    files = [folder / f"rank{rank}.jsonl" for rank in range(2)]
    return [[json.loads(line) for line in file.read_text().splitlines()] for file in files]


@pytest.mark.slow
@pytest.mark.parametrize("task", ["mmlm", *TASKS])
def test_two_ranks_train_one_model_on_disjoint_data(ranks, tmp_path, task):
    hashes = {}
    for backend in ("legacy_ddp", "pytorch_ddp"):
        folder = tmp_path / backend
        folder.mkdir()
        flags = ("--ddp-backend", backend, "--max-update", "5", "--update-freq", "2")
        ranks(folder / "run", *flags, task=task, prepare=record(folder))
        first, second = both_ranks(folder)
        hashes[backend] = [entry["hash"] for entry in first]
        assert len(set(hashes[backend])) == 5, "the parameters move"
        assert hashes[backend] == [entry["hash"] for entry in second]
        assert [entry["loss"] for entry in first] == [entry["loss"] for entry in second], "the log counts both ranks"
        assert [entry["keys"] for entry in first] == [entry["keys"] for entry in second]
        a, b = examples(first), examples(second)
        assert a
        assert b
        assert not a & b
    assert hashes["legacy_ddp"] == hashes["pytorch_ddp"]


@pytest.mark.slow
def test_a_stopped_pair_continues_bit_identically(ranks, tmp_path):
    """Also that the second rank accepts the checkpoint that the first one broadcasts."""
    flags = ("--ddp-backend", "legacy_ddp", "--save-interval-updates", "4", "--bf16")
    ranks(tmp_path / "straight", *flags, "--max-update", "16")
    ranks(tmp_path / "resumed", *flags, "--max-update", "8")
    ranks(tmp_path / "resumed", *flags, "--max-update", "16")
    straight, resumed = (torch.load(tmp_path / name / "checkpoint_last.pt") for name in ("straight", "resumed"))
    assert resumed["optimizer_history"][-1]["num_updates"] == 16
    assert all(torch.equal(tensor, resumed["model"][name]) for name, tensor in straight["model"].items())


@pytest.mark.slow
def test_plain_torchrun_with_cpu_is_one_training(command, data_bin, tmp_path):
    run = command(
        *("torchrun", "--nproc_per_node", "2", "--master_addr", "localhost", "--master_port", free_port()),
        *(BIN / "fairseq-train", data_bin, "--user-dir", PLUGIN, "--task", "mmlm", *OPTIONS.split()),
        *("--save-dir", tmp_path / "run", "--max-update", "3"),
    )
    assert run.returncode == 0, run.log
    assert run.stdout.count("training on 2 devices") == 1, "rank 0 logs for both"
    assert run.stdout.count("done training") == 1
