"""report.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...finetuning.benchmarks import BENCHMARKS
from ..results import markdown_provenance, markdown_table
from .overview import Gap, Overview
from .runs import SUPERVISED, TRANSFER
from .tables import Block, Statistic, Table

WIDEST = 20  # columns of languages side by side; the 40 of WikiAnn take two tables
TITLES = {"f1": "F1", "exact_match": "EM", "accuracy": "accuracy", "aer": "AER (lower is better)"}


def render_report(
    tables: Sequence[Table],
    gaps: Sequence[Gap],
    overviews: Sequence[Overview],
    warnings: Sequence[str],
    pictures: Mapping[str, Sequence[str]],
    results: dict[str, Any],
) -> str:
    """report.md; ``pictures`` are names of files by benchmark."""
    parts = [
        "# Results",
        "In per cent. Avg is the mean over the languages, each counting the same. With several seeds a row holds their mean, Avg "
        "also ± the sample standard deviation over them; (max) is the one seed with the best Avg of the first metric.",
        *(["## Warnings", "\n".join(f"- **{text}**" for text in warnings)] if warnings else []),
        *(part for overview in overviews for part in render_overview(overview)),
        *render_gaps(gaps),
    ]
    for table in tables:
        parts += [f"## {table.benchmark}", _caption(table)]
        parts += [part for block in table.blocks for part in render_block(table, block)]
        parts += [f"![{name.removesuffix('.png')}]({name})" for name in pictures.get(table.benchmark, ())]
    return "\n\n".join([*parts, "## Made with", markdown_provenance(results)])


def _caption(table: Table) -> str:
    shown = " / ".join(TITLES.get(metric, metric) for metric in table.shown)
    where = f" on the {table.split} part" if table.split else ""
    paper = BENCHMARKS[table.benchmark].languages if table.benchmark in BENCHMARKS else ()
    missing = [code for code in paper if code not in table.languages]
    return f"{shown}{where}." + (f" Not evaluated: {', '.join(missing)}." if missing else "")


def _heading(block: Block) -> str:
    if block.setting == SUPERVISED:
        return "Supervised: trained and tested on the same language"
    if block.trained_on and not block.setting.startswith(TRANSFER):
        return f"{block.setting}: trained on {' '.join(block.trained_on)} together"
    return block.setting


def render_block(table: Table, block: Block) -> list[str]:
    """Heading and table of a block: a row for each model, and one for its best seed."""
    languages = [code for code in table.languages if any(code in row.runs[0].scores for row in block.rows)]
    count = -(-len(languages) // WIDEST)
    width = -(-len(languages) // count)
    parts = [f"### {_heading(block)}"]
    for start in range(0, len(languages), width):
        part = languages[start : start + width]
        last = start + width >= len(languages)
        lines = []
        for row in block.rows:
            several = len(row.runs) > 1
            cells = [[row.score(code, metric) for metric in table.shown] for code in part]
            averages = [row.average(metric) for metric in table.shown]
            lines.append(
                [
                    row.name + " (avg)" * several,
                    len(row.runs),
                    *(" / ".join(_mean(value) for value in cell) for cell in cells),
                    *([" / ".join(map(_mean_deviation, averages))] if last else []),
                ]
            )
            if several:
                lines.append(
                    [
                        f"{row.name} (max)",
                        f"seed {row.best.seed}",
                        *(" / ".join(_best(value) for value in cell) for cell in cells),
                        *([" / ".join(map(_best, averages))] if last else []),
                    ]
                )
        parts.append(markdown_table(["model", "seeds", *part, *(["Avg"] if last else [])], lines))
    return parts


def _mean(value: Statistic | None) -> str:
    return "–" if value is None else f"{value.mean:.1f}"


def _best(value: Statistic | None) -> str:
    return "–" if value is None else f"{value.best:.1f}"


def _mean_deviation(value: Statistic) -> str:
    return _mean(value) + ("" if value.deviation is None else f" ± {value.deviation:.1f}")


def render_overview(overview: Overview) -> list[str]:
    """Models x benchmarks, laid out as MetaXLM's and mPMR's Table 1."""
    two = any(cell is not None and len(cell) > 1 for cells in overview.rows.values() for cell in cells)
    lines = [
        [
            name,
            *("–" if cell is None else " / ".join(f"{value:.1f}" for value in cell) for cell in cells),
            _number(overview.average(name)),
            *([_number(overview.main_average(name))] if two else []),
        ]
        for name, cells in overview.rows.items()
    ]
    text = "Averages over the languages, then over the seeds."
    if two:
        text += " Avg takes the mean of F1 and EM for question answering (XTREME, MetaXLM), Avg F1 takes F1 (mPMR)."
    return [
        f"## Overview: {overview.setting}",
        text,
        markdown_table(["model", *overview.columns, "Avg", *(["Avg F1"] if two else [])], lines),
    ]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def render_gaps(gaps: Sequence[Gap]) -> list[str]:
    """Models x benchmarks, laid out as ERNIE-M's Table 7."""
    if not gaps:
        return []
    cells = {(gap.name, gap.benchmark): gap.value for gap in gaps}
    columns = list(dict.fromkeys(gap.benchmark for gap in gaps))
    lines = []
    for name in dict.fromkeys(gap.name for gap in gaps):
        values = [cells.get((name, column)) for column in columns]
        known = [value.mean for value in values if value is not None]
        average = sum(known) / len(known) if len(known) == len(columns) else None
        lines.append([name, *("–" if v is None else _mean_deviation(v) for v in values), _number(average)])
    return [
        "## Cross-lingual transfer gap",
        "The English score minus the mean over the other languages, after fine-tuning on English; smaller is better.",
        markdown_table(["model", *columns, "Avg"], lines),
    ]
