"""An objective of somebody else, that of docs/objectives.md: trained, validated, killed, resumed, on two processes and under Hydra, with no edit to the package."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ..conftest import BIN, ROOT
from .conftest import free_port

PAGE = (ROOT / "docs" / "objectives.md").read_text(encoding="utf-8")
OPTIONS = """
    --task contrast --objectives mmlm,contrast --contrast-temperature 0.2 --arch xling_tiny --encoder-layers 1
    --encoder-embed-dim 16 --encoder-ffn-embed-dim 32 --encoder-attention-heads 2 --max-positions 64 --batch-size 16
    --optimizer adam --lr 1e-2 --log-format json --log-interval 1 --no-epoch-checkpoints --num-workers 0
    --save-interval-updates 4 --keep-interval-updates 1 --cpu
"""


def block(language: str) -> str:
    """The page's code in a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)[0]


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plugin") / "contrast"
    folder.mkdir()
    (folder / "__init__.py").write_text(block("python"), encoding="utf-8")
    return folder


def state_of(folder: Path) -> dict[str, Any]:
    return torch.load(folder / "checkpoint_last.pt")


def same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return all(torch.equal(tensor, second["model"][name]) for name, tensor in first["model"].items())


@pytest.fixture
def train(plugin: Path, data_bin: Path, command: Callable[..., Any]) -> Callable[..., Any]:
    def run(save_dir: Path, *options: str) -> Any:
        words = [data_bin, "--user-dir", plugin, *OPTIONS.split(), "--save-dir", save_dir, *options]
        return command("fairseq-train", *words)

    return run


@pytest.mark.slow
def test_it_trains_and_validates(train, tmp_path):
    done = train(tmp_path / "run", "--max-update", "6")
    assert done.returncode == 0, done.log[-3000:]
    valid = re.findall(r"valid \| (\{.*)", done.log)[-1]
    for name in ("valid_loss_contrast", "valid_acc_contrast", "valid_acc_contrast_de-en", "valid_loss_mmlm"):
        assert f'"{name}"' in valid
    state = state_of(tmp_path / "run")["model"]
    # once a micro-batch, of 16 pairs split among the two objectives: validation has added nothing
    assert state["heads.contrast.seen"].dtype == torch.int64
    assert state["heads.contrast.seen"] == 6 * 8


@pytest.mark.slow
@pytest.mark.parametrize("precision", [[], ["--fp16"]], ids=["fp32", "fp16"])
def test_it_is_killed_and_continues_bit_identically(train, plugin, data_bin, omp, tmp_path, precision):
    flags = [*precision, "--update-freq", "2", "--disable-validation"]
    assert train(tmp_path / "straight", *flags, "--max-update", "30").returncode == 0
    words = [BIN / "fairseq-train", data_bin, "--user-dir", plugin, *OPTIONS.split(), *flags, "--max-update", "30"]
    process = subprocess.Popen(
        [*map(str, words), "--save-dir", tmp_path / "killed"],
        env=omp,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 100
    while not (tmp_path / "killed" / "checkpoint_last.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert train(tmp_path / "killed", *flags, "--max-update", "30").returncode == 0
    straight, killed = state_of(tmp_path / "straight"), state_of(tmp_path / "killed")
    assert same(straight, killed)
    assert killed["model"]["heads.contrast.seen"].dtype == torch.int64
    # an epoch's last batch may be smaller than 8
    assert 55 * 8 < killed["model"]["heads.contrast.seen"] <= 60 * 8


@pytest.mark.slow
def test_two_processes_train_one_model(plugin, data_bin, command, tmp_path):
    """With the same state on both; and what they train is what one process trains with twice the micro-batches."""
    words = [data_bin, "--user-dir", plugin, *OPTIONS.split(), "--disable-validation", "--max-update", "6"]
    words += ["--dropout", "0", "--attention-dropout", "0"]
    torchrun = ("torchrun", "--nproc_per_node", "2", "--master_addr", "localhost", "--master_port", str(free_port()))
    done = command(*torchrun, BIN / "fairseq-train", *words, "--save-dir", tmp_path / "two")
    assert done.returncode == 0, done.log[-3000:]
    done = command("fairseq-train", *words, "--update-freq", "2", "--save-dir", tmp_path / "one")
    assert done.returncode == 0, done.log[-3000:]
    two, one = state_of(tmp_path / "two")["model"], state_of(tmp_path / "one")["model"]
    assert two["heads.contrast.seen"] == one["heads.contrast.seen"] == 6 * 2 * 8
    assert one.keys() == two.keys()


@pytest.mark.slow
def test_it_runs_under_hydra(plugin, data_bin, command, tmp_path):
    (tmp_path / "contrast.yaml").write_text(block("yaml"), encoding="utf-8")
    words = ["--config-dir", str(tmp_path), "--config-name", "contrast"]
    done = command(
        "fairseq-hydra-train", *words, f"task.data={data_bin}", f"common.user_dir={plugin}",
        "hydra.run.dir=.", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.log[-3000:]
    assert state_of(tmp_path / "checkpoints")["model"]["heads.contrast.seen"] == 6 * 8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--contrast-temperature", "0"], "error: --contrast-temperature 0.0 must be above 0"),
        (["--task", "mmlm"], "--contrast-temperature"),
        (["--objectives", "contrst"], "error: --objectives: 'contrst' is unknown; there are"),
    ],
)
def test_mistakes_are_one_line(train, tmp_path, options, message):
    done = train(tmp_path / "run", "--max-update", "2", *options)
    assert done.returncode == 2, done.log[-2000:]
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_commands_of_the_page(plugin, data_bin, command, tmp_path):
    (tmp_path / "data-bin").symlink_to(data_bin)
    (tmp_path / "contrast").symlink_to(plugin)
    done = command("bash", "-euo", "pipefail", "-c", f'PATH="{BIN}:$PATH"\n{block("bash")}', cwd=tmp_path)
    assert done.returncode == 0, done.log[-3000:]
    assert "done training" in done.log
