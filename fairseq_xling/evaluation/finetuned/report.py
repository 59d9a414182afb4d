"""report.md of a fine-tuned model's evaluation."""

from __future__ import annotations

from typing import Any

from ..results import markdown_provenance, markdown_table


def render_report(results: dict[str, Any]) -> str:
    """A table of the languages and the averages over them."""
    metrics, finetuning = results["metrics"], results["finetuning"]
    cells = {(row["language"], row["metric"]): row for row in results["rows"]}
    rows = [
        [language, cells[language, metrics[0]]["n"], *(f"{cells[language, name]['value']:.1f}" for name in metrics)]
        for language in results["languages"]
    ]
    total = sum(row[1] for row in rows)
    rows.append(["**average**", total, *(f"**{results['average'][name]:.1f}**" for name in metrics)])
    part = f"its {results['split']} part" if results["split"] else "the files named"
    lines = [
        f"# {results['benchmark']}",
        f"{', '.join(metrics)} in per cent on {part}; the average is over languages, each counting the same.",
        markdown_table(["language", "examples", *metrics], rows),
    ]
    if finetuning.get("languages"):
        lines.append(
            f"Fine-tuned on {' '.join(finetuning['languages'])} of {finetuning['benchmark']} for {finetuning['updates']} updates, seed "
            f"{finetuning['seed']}, from `{finetuning['model']}`."
        )
    return "\n\n".join([*lines, "## Made with", markdown_provenance(results)])
