"""README's commands run as they are written, on the bundled text."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def _blocks() -> list[str]:
    return re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)


def test_the_two_commands_exist() -> None:
    targets = re.findall(r"^make (\w+)", _blocks()[0], flags=re.MULTILINE)
    assert targets == ["demo", "test"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(re.search(rf"^{target}:", makefile, flags=re.MULTILINE) for target in targets)


@pytest.mark.slow
def test_training_on_your_text(tmp_path: Path) -> None:
    block = "\n".join(_blocks()[1:])  # training, then fine-tuning what it has left
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


def test_links_lead_to_files() -> None:
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "recipes" / "README.md"]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
