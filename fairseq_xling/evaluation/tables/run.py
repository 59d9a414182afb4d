"""The body of ``xling report``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click

from ..results import prepare_folder, provenance, write_report, write_text
from .collect import collect
from .comparability import find_warnings
from .csv_files import cell_rows, table_csv, to_csv
from .overview import overviews, transfer_gaps
from .pictures import draw_pictures
from .render import render_report
from .tables import make_tables

CELLS = "cells.csv"


def run(folders: Sequence[str], out: str) -> None:
    """Write report.md, results.json, the CSV files and the pictures; the arguments are those of the command.

    Raises:
        UserError: the results cannot be read or do not fit together.
    """
    runs, ignored = collect(folders)
    tables = make_tables(runs)
    warnings = find_warnings(tables)
    gaps, summaries, rows = transfer_gaps(tables), overviews(tables), cell_rows(tables)
    folder = prepare_folder(out)
    pictures = {}
    for table in tables:
        pictures[table.benchmark], unreadable = draw_pictures(table, folder)
        warnings += unreadable
        write_text(folder / f"{table.benchmark}.csv", table_csv(table))
    write_text(folder / CELLS, to_csv(list(rows[0]), (list(row.values()) for row in rows)))
    results = {
        "evaluation": "report",
        **provenance(data=[file for run in runs for file in run.files]),
        "warnings": warnings,
        "rows": rows,
        "gaps": [
            {"model": gap.name, "benchmark": gap.benchmark, "seeds": gap.seeds, "mean": gap.value.mean}
            | {"sd": gap.value.deviation, "max": gap.value.best}
            for gap in gaps
        ],
        "overviews": [
            {**asdict(summary), "average": {name: summary.average(name) for name in summary.rows}}
            for summary in summaries
        ],
    }
    report = render_report(tables, gaps, summaries, warnings, pictures, results)
    write_report(folder, results, report)
    for path in ignored:
        click.echo(f"xling report: not of xling eval, left out: {path}", err=True)
    for text in warnings:
        click.echo(f"xling report: warning: {text}", err=True)
    click.echo(
        f"{len({file for run in runs for file in run.files})} results, {len(tables)} table{'s' * (len(tables) != 1)}"
    )
    click.echo(
        f"wrote {folder / 'report.md'}, {folder / 'results.json'}, {folder / CELLS} and a CSV for each benchmark"
    )
