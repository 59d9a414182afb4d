"""The tables and the plot of a word alignment evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..results import markdown_provenance, markdown_table
from .aligners import AlignerOptions
from .metrics import METRICS

PLOT = "layers.png"
_HEADER = ("AER", "precision", "recall", "F1")


def method_settings(options: AlignerOptions, methods: Sequence[str]) -> dict[str, dict[str, float]]:
    """The settings that each method used, under the names of their flags."""
    every: dict[str, dict[str, float]] = {
        "argmax": {},
        "itermax": {"itermax_iterations": options.iterations, "itermax_discount": options.discount},
        "softmax": {"softmax_threshold": options.threshold},
        "ot": {"ot_iterations": options.sinkhorn_iterations, "ot_entropy": options.entropy},
    }
    return {method: every[method] for method in methods}


def mean_scores(results: Mapping[str, Any], method: str, metric: str) -> np.ndarray:
    """(L + 1,) scores of a method, averaged over the test sets."""
    return np.mean([item["scores"][method][metric] for item in results["test_sets"]], axis=0)


def render_report(results: dict[str, Any]) -> str:
    """report.md of the results that ``xling eval alignment`` writes to results.json."""
    settings, test_sets, layer = results["settings"], results["test_sets"], results["settings"]["layer"]
    methods = list(settings["methods"])
    rows: list[list[Any]] = [
        [item["name"], item["pairs"], f"{item['sure']} + {item['possible']}", method]
        + [_percent(item["scores"][method][metric][layer]) for metric in METRICS]
        for item in test_sets
        for method in methods
    ]
    rows += [
        ["**average**", sum(item["pairs"] for item in test_sets), "", method]
        + [f"**{_percent(mean_scores(results, method, metric)[layer])}**" for metric in METRICS]
        for method in methods
    ]
    used = (
        f"{method} ({', '.join(f'{name} {value:g}' for name, value in values.items())})" if values else method
        for method, values in settings["methods"].items()
    )
    parts = [
        "# Word alignment",
        f"In per cent at **layer {layer}** of {settings['num_layers']} ({settings['layer_rule']}); a lower AER is better. A word's "
        f"state is the mean of its pieces' states. Methods: {', '.join(used)}.",
        markdown_table(["test set", "pairs", "sure + possible links", "method", *_HEADER], rows),
        _notes(test_sets),
        "## Every layer",
        "Averages over the test sets; layer 0 is the embeddings.",
        *(part for method in methods for part in (f"### {method}", _layer_table(results, method))),
        f"![Alignment error rate of every layer]({PLOT})",
        "## Made with",
        markdown_provenance(results),
    ]
    return "\n\n".join(parts)


def _layer_table(results: dict[str, Any], method: str) -> str:
    columns = np.stack([mean_scores(results, method, metric) for metric in METRICS], axis=1)
    return markdown_table(["layer", *_HEADER], [[i, *map(_percent, row)] for i, row in enumerate(columns)])


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _notes(test_sets: list[dict[str, Any]]) -> str:
    sentences, words, links, empty = (
        sum(item[name] for item in test_sets)
        for name in ("cut_sentences", "cut_words", "cut_sure", "words_without_pieces")
    )
    return (
        f"Cut to the model's positions: {sentences} sentences, which lost {words} words; the {links} sure links of these words "
        f"count as missed. Words without pieces: {empty}."
    )


def draw_layers(results: dict[str, Any], path: Path) -> None:
    """Draw the AER of every layer as MetaXLM's Figure 4: thin lines for the test sets, thick ones for the averages."""
    from ..figures import figure, save

    axes = figure("Word alignment by the states of every layer", "layer (0 = embeddings)", "AER (%), lower is better")
    for number, method in enumerate(results["settings"]["methods"]):
        colour = f"C{number}"
        for item in results["test_sets"]:
            axes.plot(100 * np.array(item["scores"][method]["aer"]), color=colour, linewidth=0.7, alpha=0.35)
        mean = 100 * mean_scores(results, method, "aer")
        axes.plot(mean, color=colour, linewidth=2, marker="o", markersize=3, label=f"{method}, average")
    settings = results["settings"]
    axes.axvline(settings["layer"], color="grey", linestyle=":", label=f"reported layer {settings['layer']}")
    axes.set_xticks(range(0, settings["num_layers"] + 1, max(1, settings["num_layers"] // 12)))
    axes.legend()
    save(axes, path)
