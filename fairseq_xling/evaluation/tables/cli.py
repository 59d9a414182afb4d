"""The command ``xling report``. Everything heavy is imported when it runs."""

from __future__ import annotations

import click


@click.command()
@click.argument("run_dirs", nargs=-1, required=True, metavar="[LABEL=]RUN_DIR...")
@click.option("--out", required=True, metavar="DIR", help="Folder for report.md, results.json, CSV files and pictures.")
def report(run_dirs: tuple[str, ...], out: str) -> None:
    """Put results of xling eval into tables as the papers print them.

    All results.json below each RUN_DIR are taken. LABEL names the model, a row of the tables; without it the folder's name does.
    Runs of one label with different seeds are averaged.

    \b
    Examples:
      xling report out/finetune/mlqa --out out/report
      xling report XLM-R=out/xlmr ERNIE-M=out/ernie_m --out out/report
    """
    from .run import run

    run(run_dirs, out)
