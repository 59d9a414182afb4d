"""Whole training runs on a tiny data-bin, each in a forked process: no start-up cost, and free to be killed."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import fairseq_cli.train
import pytest
import torch
import torch._dynamo  # every forked process would import it anew, for its optimizer

import fairseq_xling  # noqa: F401  (registers the tasks)
from fairseq_xling.objectives import MIXES, OBJECTIVES

from ..helpers import make_model, make_task, random_links, random_sentences, write_data_bin
from ..knowledge import write_knowledge

OPTIONS = """
    --arch xling_tiny --encoder-layers 1 --encoder-embed-dim 16 --encoder-ffn-embed-dim 32 --encoder-attention-heads 2
    --dropout 0.1 --attention-dropout 0.1 --max-positions 64 --optimizer adam --lr 1e-3 --clip-norm 1
    --lr-scheduler inverse_sqrt --warmup-updates 10 --batch-size 24 --log-interval 1 --log-format simple
    --no-epoch-checkpoints --disable-validation --cpu --num-workers 2
"""

# tasks whose mixes hold every objective, for what is tried with each
TASKS = ("btmlm", "weam", "word_alignment", "xlmk")
assert {name for task in TASKS for name in MIXES[task]} == set(OBJECTIVES)


@pytest.fixture(scope="session")
def data_bin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three languages and two aligned pairs, 186 examples each so that none is drawn twice; an epoch of `btmlm` is 31 updates."""
    para = {
        "de-en": (random_sentences(93, seed=10), random_sentences(93, seed=11)),
        "en-fr": (random_sentences(93, seed=12), random_sentences(93, seed=13)),
    }
    folder = write_data_bin(
        tmp_path_factory.mktemp("data-bin"),
        mono={language: random_sentences(62, seed=number) for number, language in enumerate(("de", "en", "fr"))},
        para=para,
        links={pair: random_links(*sides) for pair, sides in para.items()},
        splits=("train", "valid"),
    )
    return write_knowledge(folder, copies=4, facts=[(r, d) for r in (0, 1) for d in range(1, 10)])


@pytest.fixture(scope="session")
def initial_model(data_bin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What word_alignment holds the model to."""
    file = tmp_path_factory.mktemp("initial") / "model.pt"
    torch.save({"model": make_model(make_task(data_bin, "mmlm"), layers=1).state_dict()}, file)
    return file


Start = Callable[..., BaseProcess]


def _main(words: list[str], environment: dict[str, str], log: Path, prepare: Callable[[], None] | None) -> None:
    os.environ.update(environment)
    sys.argv = words
    sys.stdout = sys.stderr = log.open("a", buffering=1)
    logging.basicConfig(force=True, level=logging.INFO, stream=sys.stdout, format="%(name)s | %(message)s")
    torch.set_num_threads(1)
    if prepare is not None:
        prepare()
    fairseq_cli.train.cli_main()


def launch(
    words: list[Any],
    save_dir: Path,
    prepare: Callable[[], None] | None = None,
    environment: dict[str, str] | None = None,
) -> BaseProcess:
    """Start ``fairseq-train`` with these arguments; see ``start``."""
    process = multiprocessing.get_context("fork").Process(
        target=_main,
        args=(["fairseq-train", *map(str, words)], environment or {}, log_of(save_dir), prepare),
    )
    process.start()
    return process


@pytest.fixture
def start(data_bin: Path, initial_model: Path) -> Start:
    """``start(save_dir, *options)`` starts ``fairseq-train --task btmlm …`` and returns the process.

    ``prepare`` is called in the new process before the training, ``environment`` is added to its environment; what it
    prints goes to ``save_dir.log``. The last of options given twice counts.
    """

    def run(
        save_dir: Path,
        *options: str,
        task: str = "btmlm",
        prepare: Callable[[], None] | None = None,
        environment: dict[str, str] | None = None,
    ) -> BaseProcess:
        words = [data_bin, "--task", task, "--criterion", task, *OPTIONS.split(), "--save-dir", save_dir, *options]
        if task == "word_alignment":
            words += ["--initial-model", initial_model]
        if task == "xlmk":
            words += ["--queue-size", 64]
        return launch(words, save_dir, prepare, environment)

    return run


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def log_of(save_dir: Path) -> Path:
    return save_dir.with_name(f"{save_dir.name}.log")


@pytest.fixture
def train(start: Start) -> Callable[..., dict[str, Any]]:
    """``train(save_dir, *options)`` runs a job to its end and returns its last checkpoint."""

    def run(save_dir: Path, *options: str, **kwargs: Any) -> dict[str, Any]:
        process = start(save_dir, *options, **kwargs)
        process.join(timeout=200)
        assert process.exitcode == 0, log_of(save_dir).read_text()[-4000:]
        return torch.load(save_dir / "checkpoint_last.pt")

    return run


@pytest.fixture
def ranks(start: Start) -> Callable[..., None]:
    """``ranks(save_dir, *options)`` runs a job as two processes that find each other as torchrun's would."""

    def run(save_dir: Path, *options: str, **kwargs: Any) -> None:
        common = {"MASTER_ADDR": "localhost", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2"}
        processes = [
            start(save_dir, *options, environment={**common, "RANK": str(rank)}, **kwargs) for rank in range(2)
        ]
        for process in processes:
            process.join(timeout=200)
        assert [process.exitcode for process in processes] == [0, 0], log_of(save_dir).read_text()[-6000:]

    return run


def kill_after_checkpoint(process: BaseProcess, save_dir: Path, delay: float) -> None:
    """SIGKILL ``process`` and, as their pipes close, its loaders, ``delay`` seconds after its first checkpoint."""
    deadline = time.monotonic() + 100
    while not (save_dir / "checkpoint_last.pt").exists():
        assert process.is_alive(), log_of(save_dir).read_text()[-4000:]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(delay)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
