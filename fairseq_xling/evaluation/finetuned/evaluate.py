"""Predictions of a fine-tuned model and their scores."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from ...finetuning.examples import Examples
from ...finetuning.formulation import Formulation
from ..encoding import length_batches
from ..results import prepare_folder, write_text


def evaluate(
    formulation: Formulation, records: Mapping[str, Sequence[Any]], files: Mapping[str, str], max_tokens: int
) -> tuple[dict[str, list[Any]], dict[str, Any]]:
    """Predict and score, in batches of similar length.

    Args:
        records: what each language's file holds.
        files: their paths, for messages.
        max_tokens: padded tokens in a batch; a longer example is a batch of its own.

    Returns:
        Predictions of each language in the file's order; ``rows`` and ``average`` for results.json.

    Raises:
        UserError: a label is unknown to the model.
    """
    scoring, languages = formulation.benchmark.scoring, list(records)
    examples = Examples(keep_records=True)
    for group, (language, items) in enumerate(records.items()):
        formulation.examples(items, group, False, examples, files[language])
    model = formulation.loaded.model
    device = next(model.parameters()).device
    sums = np.zeros((len(languages), scoring.width))
    predicted: list[Any] = [None] * len(examples)
    bar = tqdm(total=len(examples), unit="example", disable=None, leave=False)
    with torch.inference_mode(), bar:
        for numbers in length_batches([int(size) for size in examples.sizes], max_tokens):
            batch = formulation.collate([examples[number] for number in numbers])
            batch = {key: value.to(device) if torch.is_tensor(value) else value for key, value in batch.items()}
            found = formulation.predictions(formulation.logits(model, batch), batch)
            np.add.at(sums, batch["group"].cpu().numpy(), formulation.scores(found, batch, languages))
            for number, prediction in zip(numbers, found, strict=True):
                predicted[number] = prediction
            bar.update(len(numbers))
    position, predictions = 0, {}
    for language, items in records.items():
        predictions[language] = predicted[position : position + len(items)]
        position += len(items)
    return predictions, _summary(scoring.names, [scoring.figures(row) for row in sums], records)


def _summary(
    names: Sequence[str], figures: Sequence[Mapping[str, float]], records: Mapping[str, Sequence[Any]]
) -> dict[str, Any]:
    rows = [
        {"language": language, "metric": name, "value": row[name], "n": len(items)}
        for (language, items), row in zip(records.items(), figures, strict=True)
        for name in names
    ]
    return {"rows": rows, "average": {name: sum(row[name] for row in figures) / len(figures) for name in names}}


def write_predictions(
    out: Path, folder: Path, records: Mapping[str, Sequence[Any]], predictions: Mapping[str, Sequence[Any]]
) -> None:
    """Write ``LANG.jsonl`` for each language into ``folder``; those of an earlier evaluation in ``out``, and nothing else, go.

    A line is an object with ``id`` where the record has one, and ``prediction``, in the file's order.
    """
    prepare_folder(folder)
    for language, items in records.items():
        lines = []
        for record, prediction in zip(items, predictions[language], strict=True):
            entry = {"id": record.id} if hasattr(record, "id") else {}
            lines.append(json.dumps({**entry, "prediction": prediction}, ensure_ascii=False))
        write_text(folder / f"{language}.jsonl", "".join(f"{line}\n" for line in lines))
    earlier = _languages(out / "results.json")
    for file in folder.glob("*.jsonl"):
        if file.stem in earlier and file.stem not in records:
            file.unlink()


def _languages(results: Path) -> list[str]:
    """The languages of an earlier evaluation, none if there is no such file."""
    try:
        found = json.loads(results.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    languages = found.get("languages") if isinstance(found, dict) else None
    return languages if isinstance(languages, list) else []
