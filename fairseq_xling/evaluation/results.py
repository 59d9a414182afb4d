"""results.json and report.md: what every evaluation, recipe and benchmark leaves in its ``--out`` folder."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..interop.loaded import LoadedModel, file_sha256

PACKAGES = ("fairseq_xling", "fairseq-fixed", "torch", "numpy", "sentencepiece")


def provenance(
    *, model: LoadedModel | None = None, data: Iterable[str | Path] = (), seed: int | None = None
) -> dict[str, Any]:
    """Everything a number depends on, for results.json.

    Args:
        model: the evaluated model.
        data: the files that were read.
        seed: seed of what was drawn at random, None if nothing was.

    Returns:
        ``command``, ``date`` (UTC), ``seed``, ``versions``, ``data`` [{path, sha256}] and, with a model, ``checkpoint``.
    """
    entry: dict[str, Any] = {
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "versions": versions(),
        "data": [{"path": str(path), "sha256": file_sha256(path)} for path in dict.fromkeys(data)],
    }
    if model is not None:
        entry["checkpoint"] = {"path": str(model.path), "sha256": model.sha256()}
    return entry


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Versions of Python and of the packages that decide the numbers; those not installed are left out."""
    found = {"python": platform.python_version()}
    for name in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def prepare_folder(out: str | Path) -> Path:
    """Make the ``--out`` folder before the work starts.

    Raises:
        UserError: it cannot be made or written.
    """
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {out}: cannot make the folder: {(error.strerror or str(error)).lower()}") from error
    if not os.access(out, os.W_OK):
        raise UserError(f"--out {out}: no permission to write there; choose another folder")
    return out


def write_report(out: str | Path, results: Mapping[str, Any], report: str) -> None:
    """Write ``results.json`` and ``report.md``, each complete or not at all.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    out = prepare_folder(out)
    write_text(out / "results.json", json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    write_text(out / "report.md", report.rstrip("\n") + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file under a temporary name beside it, then rename it.

    Raises:
        UserError: it cannot be written.
    """
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from error
    finally:
        temporary.unlink(missing_ok=True)


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table; every column but the first is right-aligned."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def markdown_provenance(results: dict[str, Any]) -> str:
    """The command, checkpoint and versions of ``results`` for the end of a report."""
    lines = [f"- Command: `{results['command']}`", f"- Date: {results['date']}"]
    if "checkpoint" in results:
        lines.append(
            f"- Checkpoint: `{results['checkpoint']['path']}`, SHA-256 `{results['checkpoint']['sha256'][:16]}…`"
        )
    lines.append("- Versions: " + ", ".join(f"{name} {version}" for name, version in results["versions"].items()))
    return "\n".join(lines)
