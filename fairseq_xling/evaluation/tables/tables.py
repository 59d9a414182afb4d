"""Runs grouped into tables, blocks and rows, with means and deviations over seeds.

A table is a benchmark; a block of it holds what was fine-tuned on the same languages; a row is a model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev

from ...errors import UserError
from ...finetuning.benchmarks import BENCHMARKS
from ..tatoeba.xtreme import LANGUAGES as TATOEBA
from .runs import SUPERVISED, TRANSFER, Run

# the feature-based benchmarks; the others' are in BENCHMARKS
ORDER = {"tatoeba": tuple(TATOEBA)}
AS_WRITTEN = ("lama", "restoration")


@dataclass(frozen=True)
class Statistic:
    """One figure over the seeds: mean, sample standard deviation (None for one seed), value of the best seed."""

    mean: float
    deviation: float | None
    best: float


@dataclass(frozen=True)
class Row:
    """A model with its seeds.

    Attributes:
        name: label, and updates of pre-training where the label has several.
        runs: one for each seed, in their order.
    """

    name: str
    runs: tuple[Run, ...]

    @property
    def best(self) -> Run:
        """The seed with the best average of the main metric (XLM-K, Table 1: "max"); of equal ones the first."""
        return max(self.runs, key=lambda run: run.average(run.metrics[0]))

    def over_seeds(self, figure: Callable[[Run], float]) -> Statistic:
        """Statistics of ``figure(run)``."""
        values = [figure(run) for run in self.runs]
        return Statistic(fmean(values), stdev(values) if len(values) > 1 else None, figure(self.best))

    def score(self, language: str, metric: str) -> Statistic | None:
        """Figure of one language, None where it was not evaluated."""
        if language not in self.runs[0].scores:
            return None
        return self.over_seeds(lambda run: run.value(language, metric))

    def average(self, metric: str) -> Statistic:
        """Figure of the average: over the languages first, then over the seeds (MetaXLM, §4.2)."""
        return self.over_seeds(lambda run: run.average(metric))


@dataclass(frozen=True)
class Block:
    """Rows that can be compared: the same setting and training languages."""

    setting: str
    trained_on: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def transfer(self) -> bool:
        """True for the zero-shot transfer from English."""
        return self.setting == TRANSFER + "en"


@dataclass(frozen=True)
class Table:
    """A benchmark: its languages in the paper's order, those unknown to it after them, sorted."""

    benchmark: str
    split: str | None
    metrics: tuple[str, ...]
    shown: tuple[str, ...]
    languages: tuple[str, ...]
    blocks: tuple[Block, ...]

    @property
    def rows(self) -> list[Row]:
        """Rows of all blocks."""
        return [row for block in self.blocks for row in block.rows]


def make_tables(runs: Sequence[Run]) -> list[Table]:
    """Group the runs; tables in the order of `BENCHMARKS`, rows as first met.

    Raises:
        UserError: two results of the same model, benchmark and seed; seeds of a row, or splits or metrics of a table, differ.
    """
    updates = {label: {run.updates for run in runs if run.label == label} for label in {run.label for run in runs}}

    def name(run: Run) -> str:
        if len(updates[run.label] - {None}) < 2 or run.updates is None:
            return run.label
        return f"{run.label} ({run.updates:,} updates)"

    known = [*BENCHMARKS, *ORDER]
    benchmarks = sorted(
        dict.fromkeys(run.benchmark for run in runs), key=lambda b: known.index(b) if b in known else len(known)
    )
    return [_table(benchmark, [run for run in runs if run.benchmark == benchmark], name) for benchmark in benchmarks]


def _table(benchmark: str, runs: list[Run], name: Callable[[Run], str]) -> Table:
    first = runs[0]
    for run in runs:
        if run.split != first.split:
            raise UserError(
                f"{first.files[0]} is of {benchmark}'s {first.split or 'files named one by one'}, {run.files[0]} of its "
                f"{run.split or 'files named one by one'}: these cannot stand in one table; report them apart"
            )
        if run.metrics != first.metrics:
            raise UserError(
                f"{first.files[0]} has the metrics {', '.join(first.metrics)}, {run.files[0]} has {', '.join(run.metrics)}: these "
                "cannot stand in one table; report them apart"
            )
    groups: dict[tuple[str, tuple[str, ...]], dict[str, list[Run]]] = {}
    for run in runs:
        block = (run.setting, () if run.setting == SUPERVISED else run.trained_on)
        groups.setdefault(block, {}).setdefault(name(run), []).append(run)
    return Table(
        benchmark,
        first.split,
        first.metrics,
        first.shown,
        _order(benchmark, (language for run in runs for language in run.scores)),
        tuple(
            Block(setting, trained_on, tuple(Row(label, _seeds(label, group)) for label, group in rows.items()))
            for (setting, trained_on), rows in groups.items()
        ),
    )


def _order(benchmark: str, languages: Iterable[str]) -> tuple[str, ...]:
    found = list(dict.fromkeys(languages))
    if benchmark in AS_WRITTEN:
        return tuple(found)
    paper = BENCHMARKS[benchmark].languages if benchmark in BENCHMARKS else ORDER.get(benchmark, ())
    return (*(code for code in paper if code in found), *sorted(set(found).difference(paper)))


def _seeds(name: str, runs: list[Run]) -> tuple[Run, ...]:
    """One run for each seed; those that were trained and tested on one language are joined."""
    merged: dict[int | None, Run] = {}
    for number, run in enumerate(runs):
        for other in runs[:number]:
            if other.seed == run.seed and (run.setting != SUPERVISED or set(run.scores) & set(other.scores)):
                seed = "no seed" if run.seed is None else f"seed {run.seed}"
                raise UserError(
                    f"{other.files[0]} and {run.files[0]}: two results of {name} on {run.benchmark} with {seed}; remove one, or "
                    "give the models different names with LABEL=RUN_DIR"
                )
        merged[run.seed] = _join(merged[run.seed], run) if run.seed in merged else run
    ordered = sorted(merged.values(), key=lambda run: -1 if run.seed is None else run.seed)
    for run in ordered:
        if set(run.scores) != set(ordered[0].scores):
            odd = sorted(set(run.scores) ^ set(ordered[0].scores))
            raise UserError(
                f"{run.files[0]}: {run.benchmark} of {name} with seed {run.seed} has other languages than with seed "
                f"{ordered[0].seed} ({', '.join(odd)}), so their averages differ in meaning; evaluate the same for all"
            )
    return tuple(ordered)


def _join(one: Run, other: Run) -> Run:
    return replace(
        one,
        trained_on=one.trained_on + other.trained_on,
        scores=one.scores | other.scores,
        examples=one.examples | other.examples,
        averaged=one.averaged + other.averaged,
        hashes=one.hashes | other.hashes,
        files=one.files + other.files,
    )
