"""The benchmarks with the code they need: readers of their file formats and their metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import fairseq_xling_preprocess.benchmarks as table

from ..errors import UserError
from .readers.classification import read_amazon, read_pawsx, read_sick, read_xnli
from .readers.squad import read_squad
from .readers.tagging import read_absa, read_conll, read_conllu, read_uner, read_wikiann
from .scoring import SCORINGS, Scoring

Reader = Callable[[str, str, bool], Iterator[Any]]

# name of a file format -> read(path, language, skip_bad)
FORMATS: dict[str, Reader] = {
    "xnli": lambda path, language, skip_bad: read_xnli(path, language),
    "pawsx": lambda path, language, skip_bad: read_pawsx(path),
    "sick": lambda path, language, skip_bad: read_sick(path),
    "amazon": lambda path, language, skip_bad: read_amazon(path),
    "squad": lambda path, language, skip_bad: read_squad(path, skip_bad),
    "conll": lambda path, language, skip_bad: read_conll(path),
    "wikiann": lambda path, language, skip_bad: read_wikiann(path),
    "uner": lambda path, language, skip_bad: read_uner(path),
    "absa": lambda path, language, skip_bad: read_absa(path),
    "conllu": lambda path, language, skip_bad: read_conllu(path),
}


@dataclass(frozen=True)
class Benchmark(table.Benchmark):
    """A line of the table."""

    @property
    def scoring(self) -> Scoring:
        """The official metric."""
        return SCORINGS[self.metric]


BENCHMARKS = {name: Benchmark(**vars(entry)) for name, entry in table.BENCHMARKS.items()}


# SICK is a training set for another benchmark's task
TASK_OF_FORMAT = {benchmark.format: benchmark.task for benchmark in BENCHMARKS.values()} | {
    "sick": BENCHMARKS["xnli"].task
}


def get_benchmark(name: str | None, task: str) -> Benchmark:
    """The benchmark of that name.

    Raises:
        UserError: there is none, or another task learns it.
    """
    fitting = [key for key, benchmark in BENCHMARKS.items() if benchmark.task == task]
    if name not in BENCHMARKS:
        raise UserError(f"--benchmark {name or '(none given)'}: expected one of {', '.join(fitting)}")
    if name not in fitting:
        raise UserError(f"--benchmark {name} needs --task {BENCHMARKS[name].task}; {task} learns {', '.join(fitting)}")
    return BENCHMARKS[name]
