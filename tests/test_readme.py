"""README's commands run as they are written, on the bundled text."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.pages import commands

BLOCKS = commands((ROOT / "README.md").read_text(encoding="utf-8"))


def test_the_first_commands_are_known() -> None:
    targets = [line.split()[1] for line in BLOCKS[0].splitlines() if line.startswith("make ")]
    assert targets
    subprocess.run(["make", "--dry-run", *targets], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.slow
def test_training_on_your_text(tmp_path: Path) -> None:
    block = "\n".join(BLOCKS[1:])  # training, then fine-tuning what it has left
    for name in ("examples", "recipes", "fairseq_xling", "preprocess"):
        (tmp_path / name).symlink_to(ROOT / name)
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block], cwd=tmp_path, env=env, text=True, capture_output=True, timeout=600
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    assert (tmp_path / "retrieval" / "report.md").is_file()
    assert (tmp_path / "huggingface" / "model.safetensors").is_file()
    assert "## pawsx" in (tmp_path / "out" / "pawsx-smoke" / "report" / "report.md").read_text(encoding="utf-8")
