"""The tables of a restoration."""

from __future__ import annotations

from typing import Any

from ..results import markdown_provenance, markdown_table
from .evaluate import class_names


def render_report(results: dict[str, Any]) -> str:
    """report.md of the results that ``xling eval restoration`` writes to results.json."""
    settings = results["settings"]
    frequencies = [*class_names(settings["frequencies"]), "all"]
    cells = {(row["pair"], row["language"], row["metric"], row["frequency"]): row for row in results["rows"]}
    metrics = list(dict.fromkeys(row["metric"] for row in results["rows"]))
    places = list(dict.fromkeys((row["pair"], row["language"]) for row in results["rows"]))

    def line(pair: str, language: str, metric: str) -> list[str]:
        return [_percent(cells[pair, language, metric, frequency]) for frequency in frequencies]

    def num_tokens(pair: str, language: str) -> list[str]:
        return [f"{cells[pair, language, metrics[0], frequency]['tokens']:,}" for frequency in frequencies]

    unknown = f" {results['unknown']:,} masked `<unk>` are left out." if results["unknown"] else ""
    parts = [
        "# Restoration of masked tokens",
        f"Accuracy in per cent of predicting masked tokens of the pairs of '{settings['split']}', of which {settings['mask_prob']:.0%} are "
        f"masked at random, {settings['passes']} times each with other masks; by how often the training pairs hold the token, on its "
        f"own side. tlm: from both sentences; camlm: from the other one only.{unknown}",
        markdown_table(
            ["occurrences in the training pairs", *frequencies],
            [
                *([metric.removeprefix("restoration_acc_"), *line("all", "all", metric)] for metric in metrics),
                ["masked tokens", *num_tokens("all", "all")],
            ],
        ),
        "## Every language",
        markdown_table(
            ["pair", "language", "", *frequencies],
            [
                [pair, language, name, *values]
                for pair, language in places
                if pair != "all"
                for name, values in (
                    *((metric.removeprefix("restoration_acc_"), line(pair, language, metric)) for metric in metrics),
                    ("masked tokens", num_tokens(pair, language)),
                )
            ],
        ),
        "## Made with",
        markdown_provenance(results),
    ]
    return "\n\n".join(parts)


def _percent(row: dict[str, Any]) -> str:
    return "–" if row["value"] is None else f"{100 * row['value']:.1f}"
