"""What every benchmark shares: the environment it ran in, ``results.json`` and ``report.md``."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("torch", "numpy", "fairseq-fixed", "transformers")


def environment() -> dict[str, Any]:
    """Versions, machine, threads and the commit that is measured."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return {
        "date": date.today().isoformat(),
        "command": " ".join(["python", os.path.relpath(sys.argv[0], ROOT), *sys.argv[1:]]),
        "commit": commit.stdout.strip() or None,
        "versions": versions,
        "machine": {"processor": _processor(), "cores": os.cpu_count(), "threads": torch.get_num_threads()},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table; numbers get three significant digits."""

    def cell(value: Any) -> str:
        return (f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}") if isinstance(value, float) else str(value)

    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(map(cell, line)) + " |\n" for line in lines)


def write(out: str | None, title: str, results: dict[str, Any], body: str) -> None:
    """Print the report and write ``out/results.json`` and ``out/report.md``.

    Args:
        out: folder, made if need be; None only prints.
        results: the measurements, with ``ratios`` and ``runs`` among them.
        body: Markdown for people.
    """
    results = {**environment(), **results}
    machine = results["machine"]
    about = (
        f"{results['date']}, {machine['processor']}, {machine['cores']} cores, {machine['threads']} thread(s), "
        + ", ".join(f"{name} {number}" for name, number in results["versions"].items() if number)
    )
    report = f"# {title}\n\n{about}\n\n`{results['command']}`\n\n{body}"
    print(report)
    print(json.dumps({key: results[key] for key in ("ratios",)}, indent=1))
    if out:
        folder = Path(out)
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in (("results.json", json.dumps(results, indent=1) + "\n"), ("report.md", report)):
            partial = folder / f"{name}.tmp"
            partial.write_text(text, encoding="utf-8")
            os.replace(partial, folder / name)
