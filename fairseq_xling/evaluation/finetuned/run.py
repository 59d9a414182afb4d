"""The body of ``xling eval BENCHMARK``."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Unpack

from ...errors import UserError
from ...finetuning.benchmarks import BENCHMARKS, FORMATS, Benchmark
from ...finetuning.files import Option, locate
from ...finetuning.formulation import Formulation
from ...finetuning.formulations import FORMULATIONS, formulate
from ...interop.labels import LABELS
from ...interop.loaded import LoadedModel
from ..session import ModelFlags, Session
from .evaluate import evaluate, write_predictions
from .report import render_report

PREDICTIONS = "predictions"


def run(
    *,
    name: str,
    data: str | None,
    split: str,
    files: str | None,
    languages: str | None,
    skip_bad: bool,
    max_tokens: int,
    **model: Unpack[ModelFlags],
) -> None:
    """Evaluate and write results.json, report.md and the predictions; the arguments are the flags.

    Raises:
        UserError: a flag, a file or the checkpoint is wrong.
    """
    benchmark = BENCHMARKS[name]
    chosen = _files(name, benchmark, data, split, files, languages)
    records = {language: list(FORMATS[benchmark.format](file, language, skip_bad)) for language, file in chosen.items()}
    for language, items in records.items():
        if not items:
            raise UserError(
                f"{chosen[language]}: no example to evaluate; name another file, or leave {language} out with --languages"
            )
    session = Session.open(**model)
    formulation = _formulation(session.loaded, name, benchmark)
    predictions, scores = evaluate(formulation, records, chosen, max_tokens)
    finetuning = dict(session.loaded.options.get("finetuning", {}))
    results = session.results(
        "finetuned",
        data=chosen.values(),
        settings={"max_positions": formulation.max_positions},
        seed=finetuning.get("seed"),
        benchmark=name,
        split=None if files else split,
        finetuning={**finetuning, "updates": session.loaded.num_updates},
        metrics=list(benchmark.scoring.names),
        languages=list(chosen),
        files=chosen,
        **scores,
    )
    folder = session.make_folder()
    write_predictions(folder, folder / PREDICTIONS, records, predictions)
    session.finish(results, render_report(results), PREDICTIONS)


def _files(
    name: str, benchmark: Benchmark, data: str | None, split: str, files: str | None, languages: str | None
) -> dict[str, str]:
    """The test files by language, before anything heavy is done."""
    if (data is None) == (files is None):
        raise UserError("no test set: give --data DIR with the benchmark's files, or --files LANG=FILE (not both)")
    chosen = locate(name, split, Option("--data", data), Option("--files", files), Option("--languages", languages))
    for language in chosen:
        benchmark.scoring.check(language)
    return chosen


def _formulation(loaded: LoadedModel, name: str, benchmark: Benchmark) -> Formulation:
    """The formulation that the model was fine-tuned with."""
    head = FORMULATIONS[benchmark.task].head
    if head not in loaded.model.heads:
        raise UserError(
            f"{loaded.path}: is not fine-tuned for {name}: it has no {head} head; fine-tune it with fairseq-train --task "
            f"{benchmark.task} --benchmark {name} first"
        )
    if FORMULATIONS[benchmark.task].labelled and loaded.labels is None:
        raise UserError(
            f"{loaded.path.parent / LABELS}: not found; copy it from the folder the model was fine-tuned in"
        )
    longest = loaded.model.max_positions()
    limit = min(longest, loaded.options.get("max_positions", longest))
    return formulate(loaded, benchmark, loaded.labels or [], limit, SimpleNamespace(**loaded.options))
