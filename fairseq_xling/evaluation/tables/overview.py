"""Tables over several benchmarks: MetaXLM's Table 1, mPMR's Table 1, ERNIE-M's Table 7."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from ...finetuning.benchmarks import BENCHMARKS
from .runs import TOGETHER, Run
from .tables import Block, Row, Statistic, Table


@dataclass(frozen=True)
class Gap:
    """The cross-lingual transfer gap of a model on a benchmark."""

    name: str
    benchmark: str
    seeds: int
    value: Statistic


@dataclass(frozen=True)
class Overview:
    """Models x benchmarks of one setting.

    Attributes:
        columns: titles, in the order of the tables.
        rows: name -> the figures shown for each column, None where a model has no results.
    """

    setting: str
    columns: tuple[str, ...]
    rows: dict[str, tuple[tuple[float, ...] | None, ...]]

    def average(self, name: str) -> float | None:
        """Mean over benchmarks as in XTREME and MetaXLM, of F1 and EM first their mean; None if one is missing."""
        return _mean([None if cell is None else fmean(cell) for cell in self.rows[name]])

    def main_average(self, name: str) -> float | None:
        """Mean over benchmarks as in mPMR, F1 alone where there is EM too; None if one is missing."""
        return _mean([None if cell is None else cell[0] for cell in self.rows[name]])


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(values) else None


def other_languages(run: Run) -> list[str]:
    """Languages to compare English with; none if English was not evaluated.

    Cross pairs of MLQA (``de-en``) are no languages of their own.
    """
    paper = BENCHMARKS[run.benchmark].languages if run.benchmark in BENCHMARKS else ()
    pairs = {code for code in run.scores if "-" in code and set(code.split("-")) <= set(paper)}
    return [code for code in run.scores if code != "en" and code not in pairs] if "en" in run.scores else []


def others_mean(run: Run) -> float:
    """Mean of the main metric over `other_languages`."""
    return fmean(run.value(code, run.metrics[0]) for code in other_languages(run))


def transfer_gap(run: Run) -> float:
    """The English score minus the mean of the other languages' (ERNIE-M, Table 7), of the main metric."""
    return run.value("en", run.metrics[0]) - others_mean(run)


def transfer_gaps(tables: Sequence[Table]) -> list[Gap]:
    """Gaps of all models that were fine-tuned on English and tested on English and other languages."""
    return [
        Gap(row.name, table.benchmark, len(row.runs), row.over_seeds(transfer_gap))
        for table in tables
        for block in table.blocks
        if block.transfer
        for row in block.rows
        if other_languages(row.runs[0])
    ]


def overviews(tables: Sequence[Table]) -> list[Overview]:
    """Overviews, one for each setting of fine-tuning in which several benchmarks were evaluated."""
    found: dict[str, list[tuple[Table, Block]]] = {}
    for table in tables:
        for block in table.blocks:
            # results without fine-tuning are of other kinds than percentages of right answers
            if any(run.trained_on for row in block.rows for run in row.runs):
                found.setdefault(block.setting, []).append((table, block))
    return [_overview(setting, parts) for setting, parts in found.items() if len({t.benchmark for t, _ in parts}) > 1]


def _overview(setting: str, parts: Sequence[tuple[Table, Block]]) -> Overview:
    names = [table.benchmark for table, _ in parts]
    titles = tuple(
        f"{table.benchmark} ({' '.join(block.trained_on)})"
        if setting == TOGETHER and names.count(table.benchmark) > 1
        else table.benchmark
        for table, block in parts
    )
    models = dict.fromkeys(row.name for _, block in parts for row in block.rows)
    return Overview(setting, titles, {name: tuple(_cell(name, *part) for part in parts) for name in models})


def _cell(name: str, table: Table, block: Block) -> tuple[float, ...] | None:
    row: Row | None = next((row for row in block.rows if row.name == name), None)
    return None if row is None else tuple(row.average(metric).mean for metric in table.shown)
