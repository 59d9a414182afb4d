"""Readers of what each evaluation writes, as runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..tatoeba.evaluate import CENTRED, kinds
from .runs import SUPERVISED, TOGETHER, TRANSFER, UNRECORDED, Run


def _finetuned(label: str, content: dict[str, Any], path: Path) -> list[Run]:
    finetuning, languages, metrics = content["finetuning"], content["languages"], tuple(content["metrics"])
    rows = {(row["language"], row["metric"]): row for row in content["rows"]}
    sha256 = {entry["path"]: entry["sha256"] for entry in content["data"]}
    trained_on = tuple(finetuning.get("languages") or ())
    return [
        Run(
            label=label,
            benchmark=content["benchmark"],
            split=content["split"],
            setting=_setting(trained_on, languages),
            trained_on=trained_on,
            seed=finetuning.get("seed"),
            updates=finetuning.get("model_updates"),
            model=finetuning.get("model"),
            metrics=metrics,
            shown=("f1", "exact_match") if "exact_match" in metrics else metrics[:1],
            scores={name: tuple(float(rows[name, metric]["value"]) for metric in metrics) for name in languages},
            examples={name: int(rows[name, metrics[0]]["n"]) for name in languages},
            averaged=tuple(languages),
            hashes={name: sha256[file] for name, file in content["files"].items()},
            files=(path,),
        )
    ]


def _setting(trained_on: tuple[str, ...], languages: list[str]) -> str:
    if not trained_on:
        return UNRECORDED
    if len(trained_on) > 1:
        return TOGETHER
    return SUPERVISED if languages == list(trained_on) else TRANSFER + trained_on[0]


def _tatoeba(label: str, content: dict[str, Any], path: Path) -> list[Run]:
    """Accuracy@1 at the reported layer; a run for the plain one, and one for the centred one if it was measured."""
    settings, sets, data = content["settings"], content["test_sets"], content["data"]
    layer = settings["layer"]
    names = [item["a"] if item["b"] in ("en", "eng") else item["pair"] for item in sets]
    score = settings["score"] + (f" (k = {settings['neighbours']})" if settings["score"] == "margin" else "")
    # two files of each test set, in their order, unless one file is in several
    pairs = zip(data[::2], data[1::2], strict=True) if len(data) == 2 * len(sets) else ()
    hashes = {name: a["sha256"] + b["sha256"] for name, (a, b) in zip(names, pairs, strict=False)}
    return [
        _feature_based(
            label,
            "tatoeba",
            f"Layer {layer} of {settings['num_layers']}, {score}" + (", centred" if kind == CENTRED else ""),
            ("xx → en", "en → xx") if all(item["b"] in ("en", "eng") for item in sets) else ("a → b", "b → a"),
            {
                name: tuple(100 * float(values[layer]) for values in item[f"accuracy{kind}"].values())
                for name, item in zip(names, sets, strict=True)
            },
            {name: item["sentences"] for name, item in zip(names, sets, strict=True)},
            hashes or _whole_hash(content),
            path,
        )
        for kind in kinds(sets[0])
    ]


def _alignment(label: str, content: dict[str, Any], path: Path) -> list[Run]:
    """AER at the reported layer, a run for every method."""
    settings, sets = content["settings"], content["test_sets"]
    layer = settings["layer"]
    return [
        _feature_based(
            label,
            "alignment",
            f"Layer {layer} of {settings['num_layers']}, {method}"
            + "".join(f", {name.removeprefix(f'{method}_')} {value:g}" for name, value in options.items()),
            ("aer", "f1", "precision", "recall"),
            {
                item["name"]: tuple(
                    100 * float(item["scores"][method][metric][layer])
                    for metric in ("aer", "f1", "precision", "recall")
                )
                for item in sets
            },
            {item["name"]: item["pairs"] for item in sets},
            _whole_hash(content),
            path,
            shown=("aer",),
        )
        for method, options in settings["methods"].items()
    ]


def _lama(label: str, content: dict[str, Any], path: Path) -> list[Run]:
    """The rows of XLM-K's Table 5 as columns; the average is over the totals of the corpora."""
    settings = content["settings"]
    kept: dict[str, dict[str, Any]] = {}
    for row in content["rows"]:
        part = row["type"] if row["relation"] == "average" else row["relation"]
        if row["value"] is not None and (row["relation"] in ("average", "total") or row["corpus"] == "Google-RE"):
            kept[f"{row['corpus']} {part}"] = row
    patterns = "all patterns of a relation" if settings["patterns"] == "all" else "one pattern of a relation"
    vocabulary = "common vocabulary" if settings["common_vocabulary"] else "all symbols as candidates"
    return [
        _feature_based(
            label,
            "lama",
            f"{settings['format']}, {patterns}, {vocabulary}",
            ("P@1",),
            {name: (100 * float(row["value"]),) for name, row in kept.items()},
            {name: row["n"] for name, row in kept.items()},
            _whole_hash(content),
            path,
            averaged=tuple(name for name, row in kept.items() if row["relation"] == "total"),
        )
    ]


def _restoration(label: str, content: dict[str, Any], path: Path) -> list[Run]:
    """Classes of frequency as columns, those without tokens left out; the average is that of all tokens."""
    settings = content["settings"]
    rows = [row for row in content["rows"] if row["pair"] == "all" and row["tokens"]]
    metrics = tuple(dict.fromkeys(row["metric"] for row in rows))
    values = {(row["frequency"], row["metric"]): 100 * float(row["value"]) for row in rows}
    examples = {row["frequency"]: row["tokens"] for row in rows}
    return [
        _feature_based(
            label,
            "restoration",
            f"{settings['mask_prob']:.0%} of the tokens of {settings['split']} masked",
            tuple(metric.removeprefix("restoration_acc_") for metric in metrics),
            {name: tuple(values[name, metric] for metric in metrics) for name in examples},
            examples,
            _whole_hash(content),
            path,
            averaged=("all",),
        )
    ]


def _whole_hash(content: dict[str, Any]) -> dict[str, str]:
    """Evaluations that do not say which file belongs to which test set: all files together."""
    return {"all files together": " ".join(sorted(entry["sha256"] for entry in content["data"]))}


def _feature_based(
    label: str,
    benchmark: str,
    setting: str,
    metrics: tuple[str, ...],
    scores: dict[str, tuple[float, ...]],
    examples: dict[str, int],
    hashes: dict[str, str],
    path: Path,
    shown: tuple[str, ...] | None = None,
    averaged: tuple[str, ...] | None = None,
) -> Run:
    """A run without fine-tuning."""
    return Run(
        label=label,
        benchmark=benchmark,
        split=None,
        setting=setting,
        trained_on=(),
        seed=None,
        updates=None,
        model=None,
        metrics=metrics,
        shown=shown or metrics,
        scores=scores,
        examples=examples,
        averaged=tuple(scores) if averaged is None else averaged,
        hashes=hashes,
        files=(path,),
    )


# "evaluation" in results.json -> its reader
READERS: dict[str, Callable[[str, dict[str, Any], Path], list[Run]]] = {
    "finetuned": _finetuned,
    "tatoeba": _tatoeba,
    "alignment": _alignment,
    "lama": _lama,
    "restoration": _restoration,
}
