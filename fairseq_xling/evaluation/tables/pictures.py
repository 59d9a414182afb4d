"""Bars for every language, and curves over the updates of pre-training and of fine-tuning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...errors import UserError
from ..figures import figure, save
from ..plot import read_log
from .overview import other_languages, others_mean, transfer_gap
from .runs import Run
from .tables import Block, Row, Table

LOG = "train.log"


def draw_pictures(table: Table, out: Path) -> tuple[list[str], list[str]]:
    """Draw what the results of a table allow.

    Returns:
        Names of the files, and warnings of logs that cannot be read.

    Raises:
        UserError: a picture cannot be written.
    """
    names: list[str] = []
    warnings: list[str] = []
    for number, block in enumerate(table.blocks, start=1):
        ending = f"{table.benchmark}-{number}" if len(table.blocks) > 1 else table.benchmark
        title = f"{table.benchmark}: {block.setting}"
        names.append(_draw_bars(table, block, title, out, f"bars-{ending}.png"))
        names += _draw_pretraining(table, block, title, out, ending)
        drawn, unreadable = _draw_convergence(block, title, out, ending)
        names += drawn
        warnings += unreadable
    return names, warnings


def _draw_bars(table: Table, block: Block, title: str, out: Path, name: str) -> str:
    """Main metric of each language, the rows side by side; lines show the deviation over seeds."""
    main = table.metrics[0]
    languages = [code for code in table.languages if any(code in row.runs[0].scores for row in block.rows)]
    axes = figure(title, "", f"{main} (%)")
    width = 0.8 / len(block.rows)
    for index, row in enumerate(block.rows):
        values = [row.score(code, main) for code in languages] + [row.average(main)]
        places = [place + (index + 0.5) * width - 0.4 for place in range(len(values))]
        known = [(place, value) for place, value in zip(places, values, strict=True) if value is not None]
        axes.bar(
            [place for place, _ in known],
            [value.mean for _, value in known],
            width,
            yerr=[value.deviation or 0 for _, value in known] if len(row.runs) > 1 else None,
            label=row.name,
        )
    axes.set_xticks(range(len(languages) + 1), [*languages, "Avg"], rotation=90 if len(languages) > 10 else 0)
    axes.figure.set_figwidth(max(7, 0.25 * len(languages) * max(1, len(block.rows) / 2)))
    axes.legend()
    save(axes, out / name)
    return name


def _draw_pretraining(table: Table, block: Block, title: str, out: Path, ending: str) -> list[str]:
    """MetaXLM, Figure 5: other languages, English and the gap, or the average where there is no English."""
    curves: dict[str, list[Row]] = {}
    for row in block.rows:
        if row.runs[0].updates is not None:
            curves.setdefault(row.runs[0].label, []).append(row)
    curves = {label: rows for label, rows in curves.items() if len(rows) > 1}
    if not curves:
        return []
    main = table.metrics[0]
    figures: dict[str, Callable[[Run], float]] = {"average": lambda run: run.average(main)}
    if all(other_languages(row.runs[0]) for rows in curves.values() for row in rows):
        figures = {"others": others_mean, "en": lambda run: run.value("en", main), "gap": transfer_gap}
    names = []
    for kind, value in figures.items():
        what = {"others": "mean of the languages but English", "en": "English", "gap": "transfer gap"}.get(kind, kind)
        axes = figure(title, "update of pre-training", f"{main} (%), {what}")
        for label, rows in curves.items():
            points = sorted((row.runs[0].updates or 0, row.over_seeds(value)) for row in rows)
            axes.errorbar(
                [updates for updates, _ in points],
                [point.mean for _, point in points],
                yerr=[point.deviation or 0 for _, point in points],
                marker="o",
                label=label,
            )
        axes.legend()
        names.append(f"pretraining-{ending}-{kind}.png")
        save(axes, out / names[-1])
    return names


def find_logs(run: Run) -> list[Path]:
    """train.log in the folder of results.json or, as the recipes write them, in the one above.

    Without fine-tuning there is none: a log there is of the pre-training.
    """
    files = run.files if run.trained_on else ()
    folders = [folder for file in files for folder in (file.parent, file.parent.parent)]
    return [log for log in dict.fromkeys(folder / LOG for folder in folders) if log.is_file()]


def _draw_convergence(block: Block, title: str, out: Path, ending: str) -> tuple[list[str], list[str]]:
    """mPMR, Figures 2 to 4: training loss and validation score over the updates of fine-tuning, a line for each run."""
    curves: dict[str, list[tuple[str, list[tuple[float, float]]]]] = {"loss": [], "score": []}
    warnings = []
    for row in block.rows:
        for log in (log for run in row.runs for log in find_logs(run)):
            try:
                train, valid = read_log(log)
            except UserError as error:
                warnings.append(f"no curve of {row.name}: {error}")
                continue
            for kind, points in (("loss", train.get("loss")), ("score", valid.get("score"))):
                if points:
                    curves[kind].append((row.name, points))
    names = []
    for kind, lines in curves.items():
        if lines:
            what = "training loss" if kind == "loss" else "score on the validation part (%)"
            axes = figure(title, "update of fine-tuning", what)
            _draw_lines(axes, lines)
            names.append(f"convergence-{ending}-{kind}.png")
            save(axes, out / names[-1])
    return names, warnings


def _draw_lines(axes: Any, lines: list[tuple[str, list[tuple[float, float]]]]) -> None:
    """Lines of the same name have the same colour and one entry in the legend."""
    colours: dict[str, str] = {}
    for name, points in lines:
        label = None if name in colours else name
        colour = colours.setdefault(name, f"C{len(colours)}")
        axes.plot(
            *zip(*points, strict=True), color=colour, label=label, linewidth=1, marker="." if len(points) < 30 else None
        )
    axes.legend()
