"""The body of ``xling eval lama``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Unpack

from fairseq_xling_preprocess.text import open_outputs, read_lines

from ..session import ModelFlags, Session, require_lm_head
from .evaluate import evaluate, result_rows
from .formats import detect_format, read_source
from .report import render_report

PREDICTIONS = "predictions.jsonl"


def read_vocabulary(path: Path) -> list[str]:
    """The words of a file with one word a line, as LAMA's ``common_vocab_cased.txt``; blank lines are left out."""
    return list(dict.fromkeys(word for line in read_lines(str(path)) if (word := line.strip())))


def write_predictions(path: Path, predictions: Iterable[dict[str, Any]]) -> None:
    """Write a JSONL file that appears complete or not at all."""
    with open_outputs([path]) as (stream,):
        stream.writelines((json.dumps(entry, ensure_ascii=False) + "\n").encode() for entry in predictions)


def run(
    *,
    data: str,
    data_format: str | None,
    common_vocabulary: str | None,
    all_patterns: bool,
    languages: str | None,
    max_tokens: int,
    **model: Unpack[ModelFlags],
) -> None:
    """Evaluate and write results.json, report.md and the predictions; the arguments are the flags.

    Raises:
        UserError: a flag, a file or the checkpoint is wrong.
    """
    data_format = data_format or detect_format(Path(data))
    wanted = languages.split(",") if languages else None
    source = read_source(Path(data), data_format, all_patterns=all_patterns, languages=wanted)
    vocabulary = read_vocabulary(Path(common_vocabulary)) if common_vocabulary else None
    session = Session.open(**model)
    require_lm_head(session.loaded)
    folder = session.make_folder()
    found = evaluate(session.loaded, source.relations, common_vocabulary=vocabulary, max_tokens=max_tokens)
    results = session.results(
        "lama",
        data=[*source.files, *([common_vocabulary] if common_vocabulary else [])],
        settings={
            "format": data_format,
            "patterns": "all" if all_patterns else "first",
            "languages": wanted,
            "common_vocabulary": common_vocabulary,
            "candidates": found.num_candidates,
        },
        rows=result_rows(found.relations),
        relations=found.relations,
        without_template=source.without_template,
    )
    write_predictions(folder / PREDICTIONS, found.predictions)
    session.finish(results, render_report(results), PREDICTIONS)
