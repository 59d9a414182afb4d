"""Tables of the benchmarks, and ``results.json`` and ``report.md`` with the machine and the commit."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from fairseq_xling.evaluation.results import (
    PACKAGES,
    markdown_provenance,
    markdown_table,
    provenance,
    versions,
    write_report,
)

ROOT = Path(__file__).resolve().parents[1]


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table; numbers get three significant digits."""

    def cell(value: Any) -> str:
        return (f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}") if isinstance(value, float) else str(value)

    return markdown_table(header, [[cell(value) for value in row] for row in rows]) + "\n"


def write(out: str | None, title: str, results: dict[str, Any], body: str) -> None:
    """Print the measurements, and write ``out/results.json`` and ``out/report.md``.

    Args:
        out: folder, made if need be; None only prints.
        results: the measurements, with ``ratios``, ``runs`` and ``seed`` among them.
        body: Markdown for people.

    Raises:
        UserError: the folder cannot be written.
    """
    print(f"# {title}\n\n{body}")
    print(json.dumps({"ratios": results["ratios"]}, indent=1))
    if out:
        results = {
            **provenance(seed=results["seed"]),
            "versions": versions((*PACKAGES, "transformers")),
            "commit": _commit(),
            "machine": {"processor": _processor(), "cores": os.cpu_count(), "threads": torch.get_num_threads()},
            **results,
        }
        machine = "{processor}, {cores} cores, {threads} thread(s)".format(**results["machine"])
        about = f"## Made with\n\n{markdown_provenance(results)}\n- Machine: {machine}\n- Commit: {results['commit']}"
        write_report(out, results, f"# {title}\n\n{body}\n{about}")


def _commit() -> str | None:
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
