"""Fixtures and helpers shared by all tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parents[1]
PLUGIN = ROOT / "fairseq_xling"
BIN = Path(sys.executable).parent

# The time of an example says nothing: the first one may load a library's dictionary, and the machine may be busy.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")

# One thread per process: tests run beside each other, and sums are bit-reproducible.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real test corpora beside the repository; the test is skipped where there is none."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the corpora in ../shared/data, which are not there: they are no part of the repository")
    return folder


@pytest.fixture(scope="session")
def omp() -> dict[str, str]:
    """The environment for processes a test starts: one thread each, the repository importable."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(path for path in paths if path)}


@dataclass(frozen=True)
class Run:
    """What a command left: its exit status and what it printed."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def log(self) -> str:
        return self.stdout + self.stderr


@pytest.fixture(scope="session")
def command(omp: dict[str, str]) -> Callable[..., Run]:
    """``command(*words, cwd=…, env=…)`` runs a program of this environment and returns a ``Run``."""

    def run(
        *words: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None, timeout: int = 300
    ) -> Run:
        program = BIN / words[0]
        head: Sequence[str | Path] = [program] if program.exists() else [words[0]]
        done = subprocess.run(
            [*map(str, head), *map(str, words[1:])],
            cwd=cwd,
            env={**omp, **(env or {})},
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        return Run(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def run_block(tmp_path: Path, command: Callable[..., Run]) -> Callable[[str], Run]:
    """``run_block(commands)`` runs the bash commands of a page in ``tmp_path``, where ``examples`` and ``recipes`` are the repository's."""

    def run(block: str) -> Run:
        for name in ("examples", "recipes"):
            (tmp_path / name).symlink_to(ROOT / name)
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        done = command("bash", "-euo", "pipefail", "-c", block, cwd=tmp_path, env={"PATH": path})
        assert done.returncode == 0, done.log[-4000:]
        return done

    return run


@pytest.fixture(scope="session")
def fairseq_train(command: Callable[..., Run]) -> Callable[..., Run]:
    """``fairseq_train(data, *options)`` runs ``fairseq-train --user-dir fairseq_xling`` on the CPU."""

    def run(data: Path, *options: str | Path, **kwargs: object) -> Run:
        return command("fairseq-train", data, "--user-dir", PLUGIN, "--cpu", *options, **kwargs)

    return run
