"""The numbers of the tables as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from .tables import Statistic, Table


def cell_rows(tables: Sequence[Table]) -> list[dict[str, Any]]:
    """An entry for each table, row, language and metric; the language ``average`` is the Avg column."""
    return [
        {
            "benchmark": table.benchmark,
            "split": table.split,
            "setting": block.setting,
            "trained_on": " ".join(block.trained_on),
            "model": row.runs[0].label,
            "pretraining_updates": row.runs[0].updates,
            "language": language or "average",
            "metric": metric,
            "seeds": len(row.runs),
            "mean": value.mean,
            "sd": value.deviation,
            "max": value.best,
            "max_seed": row.best.seed,
            "n": row.runs[0].examples[language] if language else sum(row.runs[0].examples.values()),
        }
        for table in tables
        for block in table.blocks
        for row in block.rows
        for language in (*table.languages, None)
        for metric in table.metrics
        if (value := row.score(language, metric) if language else row.average(metric)) is not None
    ]


def table_csv(table: Table) -> str:
    """The table as in report.md with full precision: a column for each language and shown metric."""
    columns = [(code, metric) for code in table.languages for metric in table.shown]
    header = ["setting", "trained_on", "model", "row", "seeds"]
    header += [f"{code} {metric}" for code, metric in columns]
    header += [f"{name} {metric}" for metric in table.shown for name in ("Avg", "sd")]
    lines: list[list[Any]] = []
    for block in table.blocks:
        for row in block.rows:
            kinds = (("avg", len(row.runs)), ("max", row.best.seed)) if len(row.runs) > 1 else (("avg", 1),)
            for kind, seeds in kinds:
                lines.append([block.setting, " ".join(block.trained_on), row.name, kind, seeds])
                lines[-1] += [_csv_cell(row.score(*column), kind) for column in columns]
                for metric in table.shown:
                    average = row.average(metric)
                    lines[-1] += [_csv_cell(average, kind), average.deviation if kind == "avg" else None]
    return to_csv(header, lines)


def _csv_cell(value: Statistic | None, kind: str) -> float | None:
    return None if value is None else value.best if kind == "max" else value.mean


def to_csv(header: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    """CSV text (RFC 4180 but for the line ends, which are ``\\n``)."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([header, *lines])
    return stream.getvalue()
