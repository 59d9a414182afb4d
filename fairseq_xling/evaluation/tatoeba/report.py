"""The table, the per-layer table and the plot of a Tatoeba evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..results import markdown_provenance, markdown_table
from .evaluate import CENTRED, PLAIN

PLOT = "layers.png"
_CENTRED = (
    " Centred: each language's mean embedding, that of the sentences of its file, is subtracted first. Plain: the score of the "
    "papers."
)


def render_report(results: dict[str, Any]) -> str:
    """report.md of the results that ``xling eval tatoeba`` writes to results.json."""
    settings, test_sets, layer = results["settings"], results["test_sets"], results["settings"]["layer"]
    shown = _shown(results)
    header = [f"{label}{direction}" for label in shown.values() for direction in ("a → b", "b → a")]
    rows: list[list[Any]] = [
        [item["pair"], item["sentences"]]
        + [f"{100 * values[layer]:.1f}" for kind in shown for values in item[f"accuracy{kind}"].values()]
        for item in test_sets
    ]
    means = np.concatenate([directions_mean(results, kind) for kind in shown])
    rows.append(
        ["**average**", sum(item["sentences"] for item in test_sets), *(f"**{100 * v:.1f}**" for v in means[:, layer])]
    )
    score = settings["score"] + (f" (k = {settings['neighbours']})" if settings["score"] == "margin" else "")
    parts = [
        "# Sentence retrieval",
        f"Accuracy@1 in per cent at **layer {layer}** of {settings['num_layers']} ({settings['layer_rule']}); mean-pooled states "
        f"without special symbols; score: {score}. A sentence counts as found only if the best match has its own line number."
        + (_CENTRED if CENTRED in shown else ""),
        *(_wide_tables(test_sets, layer, shown) if settings["xtreme"] else []),
        markdown_table(["pair a-b", "sentences", *header], rows),
        "Where one side is English, it is b. " + _notes(test_sets),
        "## Every layer",
        "Averages over the pairs; layer 0 is the embeddings.",
        markdown_table(
            ["layer", *header],
            [[number, *(f"{100 * value:.1f}" for value in values)] for number, values in enumerate(means.T)],
        ),
        f"![Accuracy of every layer]({PLOT})",
        "## Made with",
        markdown_provenance(results),
    ]
    return "\n\n".join(parts)


def _shown(results: dict[str, Any]) -> dict[str, str]:
    """Accuracies that there are, the reported one first -> what their columns begin with."""
    return {CENTRED: "centred ", PLAIN: "plain "} if results["settings"]["centre"] else {PLAIN: ""}


def directions_mean(results: dict[str, Any], kind: str) -> np.ndarray:
    """(2, L + 1) accuracies of both directions, averaged over the test sets; ``kind`` is `PLAIN` or `CENTRED`."""
    return np.mean([list(item[f"accuracy{kind}"].values()) for item in results["test_sets"]], axis=0)


def _wide_tables(test_sets: list[dict[str, Any]], layer: int, shown: dict[str, str]) -> list[str]:
    """Languages as columns, as papers print XTREME's; half of them in a table."""
    half = len(test_sets) // 2
    return [
        markdown_table(
            ["", *(item["a"] for item in part)],
            [
                [
                    label + name,
                    *(f"{100 * [*item[f'accuracy{kind}'].values()][direction][layer]:.1f}" for item in part),
                ]
                for kind, label in shown.items()
                for direction, name in enumerate(("xx → en", "en → xx"))
            ],
        )
        for part in (test_sets[:half], test_sets[half:])
    ]


def _notes(test_sets: list[dict[str, Any]]) -> str:
    cut = sum(item["cut"] for item in test_sets)
    repeated = sum(sum(item["duplicates"].values()) for item in test_sets)
    return (
        f"{cut or 'No'} sentence{'s' * (cut != 1)} had to be cut to the model's positions. {repeated or 'No'} "
        f"sentence{'s' * (repeated != 1)} repeat{'s' * (repeated == 1)} an earlier one of the same file; of equal scores the "
        "first line wins, so at most one copy can be found."
    )


def draw_layers(results: dict[str, Any], path: Path) -> None:
    """Draw the accuracy of every layer: thin lines for the pairs, thick ones for the averages; plain beside centred dashed."""
    from ..figures import figure, save

    axes = figure("Retrieval accuracy of every layer", "layer (0 = embeddings)", "accuracy@1 (%)")
    for (kind, label), style in zip(_shown(results).items(), ("-", "--"), strict=False):
        for item in results["test_sets"]:
            for values, colour in zip(item[f"accuracy{kind}"].values(), ("C0", "C1"), strict=True):
                axes.plot(100 * np.array(values), style, color=colour, linewidth=0.7, alpha=0.35)
        for values, colour, name in zip(directions_mean(results, kind), ("C0", "C1"), ("a → b", "b → a"), strict=True):
            axes.plot(
                100 * values,
                style,
                color=colour,
                linewidth=2,
                marker="o",
                markersize=3,
                label=f"{label}{name}, average",
            )
    layer = results["settings"]["layer"]
    axes.axvline(layer, color="grey", linestyle=":", label=f"reported layer {layer}")
    num_layers = results["settings"]["num_layers"]
    axes.set_xticks(range(0, num_layers + 1, max(1, (num_layers + 1) // 13)))
    axes.set_ylim(bottom=0)
    axes.legend()
    save(axes, path)
