"""Finding and reading the results.json files of ``xling eval``."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...finetuning.benchmarks import BENCHMARKS
from .readers import READERS
from .runs import Run


def collect(folders: Sequence[str]) -> tuple[list[Run], list[Path]]:
    """Read all results below the folders, each ``RUN_DIR`` or ``LABEL=RUN_DIR``.

    Returns:
        The runs, and the results.json files that are of something else than ``xling eval``.

    Raises:
        UserError: a folder is missing or has no results, two folders have the same label by chance, a file is damaged or found
            under two labels.
    """
    runs: list[Run] = []
    ignored: list[Path] = []
    labels: dict[Path, str] = {}
    for label, folder in _labelled(folders):
        paths = sorted(folder.rglob("results.json"))
        found = False
        for path in paths:
            content = read_json(path)
            reader = READERS.get(str(content.get("evaluation")))
            if reader is None:
                if content.get("evaluation") != "report":
                    ignored.append(path)
                continue
            found = True
            real = path.resolve()
            if real in labels and labels[real] != label:
                raise UserError(
                    f"{path}: is below the folders of two rows, {labels[real]} and {label}; give each folder once"
                )
            if real not in labels:
                labels[real] = label
                runs += _checked(reader, label, content, path)
        if not found:
            raise UserError(
                f"{folder}: no results.json of xling eval in it or below"
                + (f" ({len(paths)} of other commands)" if paths else "")
                + "; evaluate a model with xling eval … --out there first"
            )
    return runs, ignored


def _labelled(folders: Sequence[str]) -> list[tuple[str, Path]]:
    entries = []
    chosen: dict[str, str] = {}
    for text in folders:
        label, equals, path = text.partition("=")
        if not equals or Path(text).is_dir():
            label, path = Path(text).resolve().name, text
            if label in chosen and Path(chosen[label]).resolve() != Path(path).resolve():
                raise UserError(
                    f"{chosen[label]} and {text}: both rows would be called {label}; name them with LABEL=RUN_DIR"
                )
            chosen[label] = text
        if not label.strip():
            raise UserError(f"{text}: the label before = is empty; write LABEL=RUN_DIR")
        if not Path(path).is_dir():
            raise UserError(f"{path}: no such folder; give folders that xling eval wrote to, or that hold such folders")
        entries.append((label, Path(path)))
    return entries


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        UserError: the file cannot be read, or is no JSON object (with the line).
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 (byte {error.start}); evaluate the model again") from error
    except json.JSONDecodeError as error:
        raise UserError(f"{path}:{error.lineno}: not JSON ({error.msg}); evaluate the model again") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}:1: expected a JSON object; evaluate the model again")
    return content


def _checked(reader: Any, label: str, content: dict[str, Any], path: Path) -> list[Run]:
    remedy = "evaluate the model again with this version"
    try:
        runs: list[Run] = reader(label, content, path)
    except KeyError as error:
        raise UserError(f"{path}: the entry {error} is missing; {remedy}") from error
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise UserError(f"{path}: not the layout of xling eval ({error}); {remedy}") from error
    for run in runs:
        # the names of the report's files are made of it
        if run.benchmark not in (*BENCHMARKS, content["evaluation"]):
            raise UserError(
                f"{path}: {str(run.benchmark)[:64]!r} is no benchmark of this version ({', '.join(BENCHMARKS)}); {remedy}"
            )
        if not run.scores:
            raise UserError(f"{path}: holds no scores; {remedy}")
        for language, values in run.scores.items():
            if not all(math.isfinite(value) for value in values):
                raise UserError(f"{path}: a value of {language} is not a finite number: {values}; {remedy}")
    return runs
