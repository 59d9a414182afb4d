"""The tables of a LAMA evaluation, laid out as XLM-K's Table 5."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ..results import markdown_provenance, markdown_table


def render_report(results: dict[str, Any]) -> str:
    """report.md of the results that ``xling eval lama`` writes to results.json."""
    settings = results["settings"]
    vocabulary = (
        f"the {settings['candidates']:,} words of the common vocabulary that are one piece"
        if settings["common_vocabulary"]
        else f"all {settings['candidates']:,} ordinary symbols"
    )
    patterns = (
        "of all patterns of a relation, averaged"
        if settings["patterns"] == "all"
        else "of the first (or only) pattern of a relation"
    )
    parts = [
        "# LAMA probe",
        "P@1 in per cent: how often the object of a fact is the most probable symbol at the mask. Candidates: "
        f"{vocabulary}. Sentences: {patterns}. Averages over relations give each the same weight; ConceptNet and SQuAD are "
        "averaged over facts.",
        markdown_table(["corpus", "relation", "facts", "relations", "P@1"], _summary(results)),
        _notes(results),
        "## Every relation",
        markdown_table(
            ["corpus", "relation", "type", "facts", "left out", "P@1"],
            [
                [
                    entry["corpus"],
                    entry["relation"],
                    entry["type"],
                    entry["n"],
                    sum(entry["left_out"].values()),
                    _percent(entry),
                ]
                for entry in results["relations"]
            ],
        ),
        "## Made with",
        markdown_provenance(results),
    ]
    return "\n\n".join(parts)


def _percent(row: dict[str, Any]) -> str:
    return "–" if row["value"] is None else f"{100 * row['value']:.1f}"


def _summary(results: dict[str, Any]) -> list[list[Any]]:
    """Types and totals; of Google-RE, which has no types, its three relations, as in Table 5."""
    lines = []
    for corpus in dict.fromkeys(row["corpus"] for row in results["rows"]):
        own = [row for row in results["rows"] if row["corpus"] == corpus]
        if corpus == "Google-RE":
            lines += [
                [corpus, row["relation"], row["n"], 1, _percent(row)] for row in own if row["relation"] != "total"
            ]
        lines += [[corpus, r["type"], r["n"], r["relations"], _percent(r)] for r in own if r["relation"] == "average"]
        total = own[-1]
        lines.append([corpus, "**total**", total["n"], total["relations"], f"**{_percent(total)}**"])
    return lines


def _notes(results: dict[str, Any]) -> str:
    reasons: Counter[str] = Counter()
    for entry in results["relations"]:
        reasons.update(entry["left_out"])
    notes = [
        "Facts left out: "
        + ("; ".join(f"{count:,} {reason}" for reason, count in reasons.most_common()) or "none")
        + "."
    ]
    empty = [f"{entry['corpus']} {entry['relation']}" for entry in results["relations"] if not entry["n"]]
    if empty:
        notes.append(f"In no average, since no fact is left: {', '.join(empty)}.")
    if results["without_template"]:
        notes.append(f"Not evaluated, no template: {', '.join(results['without_template'])}.")
    return " ".join(notes)
