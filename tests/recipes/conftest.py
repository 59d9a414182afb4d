"""Fixtures of the recipes' tests."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ..conftest import BIN, ROOT, Run


@pytest.fixture(scope="session")
def recipe(omp: dict[str, str]) -> Callable[..., Run]:
    """``recipe("demo.sh", *arguments, NAME=value, …)`` runs a recipe of the repository with these variables."""

    def run(name: str, *arguments: str | Path, timeout: int = 900, **variables: str | Path) -> Run:
        done = subprocess.run(
            [ROOT / "recipes" / name, *map(str, arguments)],
            env={**omp, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "THREADS": "1"}
            | {key: str(value) for key, value in variables.items()},
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        return Run(done.returncode, done.stdout, done.stderr)

    return run
