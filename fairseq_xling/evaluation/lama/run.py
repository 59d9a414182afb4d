"""What ``xling eval lama`` does, from files to files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from fairseq_xling_preprocess.text import open_outputs, read_lines

from ...interop.load import load_model
from ..device import choose_device
from ..results import prepare_folder, provenance, write_report
from .evaluate import evaluate, require_lm_head, result_rows
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
    checkpoint: str,
    data: Path,
    out: Path,
    data_format: str | None,
    common_vocabulary: Path | None,
    all_patterns: bool,
    languages: Sequence[str] | None,
    max_tokens: int,
    device: str,
) -> str:
    """What ``xling eval lama`` does; returns the text of report.md."""
    data_format = data_format or detect_format(data)
    source = read_source(data, data_format, all_patterns=all_patterns, languages=languages)
    vocabulary = read_vocabulary(common_vocabulary) if common_vocabulary else None
    device = choose_device(device)
    loaded = load_model(checkpoint)
    require_lm_head(loaded)
    folder = prepare_folder(out)
    loaded.model.to(device)
    found = evaluate(loaded, source.relations, common_vocabulary=vocabulary, max_tokens=max_tokens)
    results = {
        "evaluation": "lama",
        **provenance(model=loaded, data=[*source.files, *([common_vocabulary] if common_vocabulary else [])]),
        "settings": {
            "format": data_format,
            "patterns": "all" if all_patterns else "first",
            "languages": None if languages is None else list(languages),
            "common_vocabulary": str(common_vocabulary) if common_vocabulary else None,
            "candidates": found.num_candidates,
            "device": device,
        },
        "rows": result_rows(found.relations),
        "relations": found.relations,
        "without_template": source.without_template,
    }
    report = render_report(results)
    write_predictions(folder / PREDICTIONS, found.predictions)
    write_report(folder, results, report)
    return report
