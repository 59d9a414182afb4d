"""Every script parses; the runs at the paper's scale print commands that fairseq accepts and that have Table 11's numbers."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from fairseq import options
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from omegaconf import DictConfig

from tests.conftest import ROOT, Run

SCRIPTS = sorted(
    [*(ROOT / "recipes").rglob("*.sh"), *(ROOT / "recipes").rglob("*.sbatch")], key=lambda path: path.as_posix()
)
# steps, batch, learning rate, layers, width, feed-forward width, heads (ERNIE-M, Table 11)
TABLE_11 = {
    "small": (240_000, 1024, 3e-4, 6, 768, 3072, 12),
    "base": (150_000, 2048, 2e-4, 12, 768, 3072, 12),
    "large": (200_000, 2048, 1e-4, 24, 1024, 4096, 16),
}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_bash_accepts_the_script(script: Path) -> None:
    done = subprocess.run(["bash", "-n", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def training_commands(output: str) -> list[list[str]]:
    """What follows ``fairseq-train`` in the printed command lines, whatever launches it."""
    found = []
    for line in output.splitlines():
        words = shlex.split(line)
        programs = [i for i, word in enumerate(words) if Path(word).name == "fairseq-train"]
        if programs:
            found.append(words[programs[0] + 1 :])
    return found


def parse(words: list[str]) -> DictConfig:
    """Let fairseq's own parser read a training command."""
    args = options.parse_args_and_arch(options.get_training_parser(), input_args=words)
    return convert_namespace_to_omegaconf(args)


@pytest.mark.parametrize("gpus", [1, 8, 64])
@pytest.mark.parametrize("size", TABLE_11)
def test_pretraining_has_table_11(recipe: Callable[..., Run], size: str, gpus: int) -> None:
    run = recipe(f"ernie_m/{size}.sh", DRY_RUN=1, GPUS=gpus)
    assert run.returncode == 0, run.log
    (words,) = training_commands(run.stdout)
    cfg = parse(words)
    steps, batch, lr, layers, dim, ffn, heads = TABLE_11[size]
    assert cfg.optimization.max_update == cfg.lr_scheduler.total_num_update == steps
    assert gpus * cfg.dataset.max_tokens * cfg.optimization.update_freq[0] == batch * 512
    assert list(cfg.optimization.lr) == [lr]
    assert cfg.lr_scheduler._name == "polynomial_decay"
    assert cfg.lr_scheduler.warmup_updates == 10_000
    assert (cfg.optimizer._name, cfg.optimizer.adam_betas) == ("adam", "(0.98, 0.999)")
    assert (cfg.optimizer.adam_eps, cfg.optimizer.weight_decay) == (1e-6, 0.01)
    assert (cfg.model.dropout, cfg.model.attention_dropout) == (0.1, 0.1)
    shape = (
        cfg.model.encoder_layers,
        cfg.model.encoder_embed_dim,
        cfg.model.encoder_ffn_embed_dim,
        cfg.model.encoder_attention_heads,
    )
    assert shape == (layers, dim, ffn, heads)
    assert cfg.task._name == "btmlm"
    assert cfg.task.max_positions == 512
    assert bool(cfg.checkpoint.finetune_from_model) == (size != "small")


def test_retrieval_has_table_14(recipe: Callable[..., Run]) -> None:
    run = recipe("ernie_m/retrieval.sh", "large", DRY_RUN=1, TATOEBA="tatoeba")
    assert run.returncode == 0, run.log
    (words,) = training_commands(run.stdout)
    cfg = parse(words)
    assert cfg.optimization.max_update == 200_000
    assert (cfg.dataset.batch_size, list(cfg.optimization.lr)) == (32, [5e-5])
    assert cfg.lr_scheduler.warmup_updates == 20_000
    assert cfg.optimizer.weight_decay == 0
    assert cfg.task.retrieval_loss == "hardest_negative"
    assert run.stdout.count("xling eval tatoeba") == 2


def test_several_nodes_are_launched_by_torchrun(recipe: Callable[..., Run]) -> None:
    run = recipe("ernie_m/base.sh", DRY_RUN=1, NODES=8, GPUS=8, MASTER="node0")
    assert run.stdout.startswith("torchrun --nnodes 8 --nproc_per_node 8")
    assert "--rdzv_endpoint node0:29500" in run.stdout
    assert parse(training_commands(run.stdout)[0]).optimization.update_freq[0] == 2


def test_several_nodes_need_the_first_ones_name(recipe: Callable[..., Run]) -> None:
    run = recipe("ernie_m/base.sh", DRY_RUN=1, NODES=8, GPUS=8)
    assert run.returncode == 2
    assert "MASTER" in run.stderr


def test_an_ablation_is_two_variables(recipe: Callable[..., Run]) -> None:
    run = recipe("ernie_m/base.sh", DRY_RUN=1, GPUS=8, UPDATES=50_000, OBJECTIVES="mmlm,camlm")
    cfg = parse(training_commands(run.stdout)[0])
    assert (cfg.task.objectives, cfg.optimization.max_update) == ("mmlm,camlm", 50_000)


def test_an_unknown_size_is_refused(recipe: Callable[..., Run]) -> None:
    run = recipe("ernie_m/retrieval.sh", "huge", DRY_RUN=1)
    assert run.returncode == 2
    assert "small|base|large" in run.stderr


def test_missing_data_is_named(recipe: Callable[..., Run], tmp_path: Path) -> None:
    run = recipe("ernie_m/small.sh", GPUS=1, DATA_BIN=tmp_path / "none", OUT=tmp_path / "out")
    assert run.returncode == 2
    assert "prepare_data.sh" in run.stderr
    assert not (tmp_path / "out").exists()
