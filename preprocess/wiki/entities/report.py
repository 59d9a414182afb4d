"""``report.md``, ``results.json`` and ``entities.png`` of ``xling entities``: the numbers of XLM-K's section 3.1, and what is left out."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ...text import open_outputs
from .run import Options, Result

# Jiang et al. 2022, section 3.1
PAPER = {"entities": 85_000_000, "relations": 1_304, "triples": 280_000_000, "languages": 298, "tokens_per_anchor": 64}
_TABLE_LANGUAGES = 40


def summarize(options: Options, result: Result) -> dict[str, Any]:
    """Everything that the report says, as JSON."""
    languages = {language: _language(result, language) for language in result.languages}
    sums = {name: sum(row[name] for row in languages.values()) for name in next(iter(languages.values()))}
    totals = {"languages": len(languages), **_ratios(sums)}
    described = sum(result.num_languages.values())
    totals["entities"] = described
    totals["relations"] = result.lengths["relations"]
    totals["triples"] = result.lengths["triples"]
    totals["groups"] = result.lengths["group_offsets"] - 1
    totals["languages_per_entity"] = _ratio(sum(k * n for k, n in result.num_languages.items()), described)
    return {
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "max_tokens": options.max_tokens,
        "paper": PAPER,
        "totals": totals,
        "languages": {language: _ratios(row) for language, row in languages.items()},
        "entities_by_number_of_languages": {str(k): n for k, n in sorted(result.num_languages.items())},
        "left_out": {kind: dict(reasons) for kind, reasons in _left_out(result).items()},
        "absent_tables": result.absent,
    }


def _language(result: Result, language: str) -> dict[str, int]:
    contexts = result.contexts[language]
    anchors = sum(
        number
        for (kind, name, reason), number in result.counts.items()
        if (kind, name) == ("anchors", language) and reason != "page left out"
    )
    return {
        "articles": contexts["articles"],
        "described": result.counts.get(("descriptions", language, "kept"), 0),
        "tokens": contexts["tokens"],
        "unknown": contexts["unknown"],
        "anchors": anchors,
        "mentions": contexts["mentions"],
        "recurring": contexts["recurring"],
        "window_pieces": contexts["window pieces"],
        "masked_pieces": contexts["masked pieces"],
    }


def _ratios(row: dict[str, int]) -> dict[str, Any]:
    return {
        **row,
        "tokens_per_anchor": _ratio(row["tokens"], row["anchors"]),
        "tokens_per_mention": _ratio(row["tokens"], row["mentions"]),
        "recurring_share": _ratio(row["recurring"], row["mentions"]),
        "masked_share": _ratio(row["masked_pieces"], row["window_pieces"]),
        "unknown_share": _ratio(row["unknown"], row["tokens"]),
    }


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _left_out(result: Result) -> dict[str, dict[str, int]]:
    """Kind -> reason -> number, over all languages."""
    sums: dict[str, dict[str, int]] = {}

    def add(kind: str, reason: str, number: int) -> None:
        if number:
            row = sums.setdefault(kind, {})
            row[reason] = row.get(reason, 0) + number

    kept = {kind: 0 for kind, _, _ in result.counts}
    for (kind, _, reason), number in result.counts.items():
        if reason == "kept":
            kept[kind] += number
        elif kind != "triples":
            add(kind, reason, number)
    add("sitelinks", "repeated title", kept.get("sitelinks", 0) - kept.get("titles", 0))
    add("statements", "repeated", kept.get("statements", 0) - result.lengths["triples"])
    for counts in result.contexts.values():
        for reason in ("repeated", "surface not in its place", "no piece", "longer than a window"):
            add("mentions", reason, counts[reason])
        add("descriptions", "no piece of the vocabulary", counts["empty articles"])
    return sums


def write_report(folder: Path, summary: dict[str, Any]) -> None:
    """Write the three files. Raises UserError if the folder cannot be written."""
    paths = [folder / name for name in ("results.json", "report.md", "entities.png")]
    with open_outputs(paths) as (results, report, picture):
        results.write((json.dumps(summary, indent=2, ensure_ascii=False) + "\n").encode())
        report.write(_markdown(summary).encode())
        _draw(summary, picture)


def _markdown(summary: dict[str, Any]) -> str:
    totals, paper = summary["totals"], summary["paper"]
    names = {
        "entities": "entities with a description",
        "relations": "relations",
        "triples": "triples, both ends described",
        "languages": "languages",
        "tokens_per_anchor": "tokens an anchor",
    }
    above = [(label, _figure(totals[name]), _figure(paper[name])) for name, label in names.items()]
    more = {
        "articles": "articles",
        "tokens": "tokens",
        "mentions": "mentions",
        "tokens_per_mention": "tokens a mention",
        "languages_per_entity": "languages an entity",
        "groups": "different (subject, relation)",
        "recurring_share": "mentions whose surface recurs in the window",
        "masked_share": "masked tokens of the windows",
        "unknown_share": "unknown tokens",
    }
    above += [(label, _figure(totals[name], name.endswith("share")), "") for name, label in more.items()]
    largest = sorted(summary["languages"].items(), key=lambda item: (-item[1]["articles"], item[0]))
    columns = ("articles", "described", "tokens", "mentions", "tokens_per_anchor", "recurring_share", "unknown_share")
    rows = [
        (language, *(_figure(row[name], name.endswith("share")) for name in columns))
        for language, row in largest[:_TABLE_LANGUAGES]
    ]
    left_out = [
        (kind, reason, _figure(number))
        for kind, reasons in sorted(summary["left_out"].items())
        for reason, number in sorted(reasons.items())
    ]
    parts = [
        "# Entities, descriptions, mentions, triples",
        "The paper (XLM-K, section 3.1) counts all entities and triples of Wikidata; here an entity has a page in one of the "
        "languages, and a triple two such entities.",
        _table(("", "here", "paper"), above),
        "## Languages",
        _table(
            ("", "articles", "described entities", "tokens", "mentions", "tokens an anchor", "recurring", "unknown"),
            rows,
        ),
        f"The {_TABLE_LANGUAGES} largest; all are in results.json." if len(largest) > _TABLE_LANGUAGES else "",
        "![Entities by the number of languages that describe them; tokens an anchor by language](entities.png)",
        "## Left out",
        _table(("of", "reason", "number"), left_out) if left_out else "Nothing.",
        f"Not given, taken as empty: {', '.join(summary['absent_tables'])}." if summary["absent_tables"] else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _figure(number: float | None, share: bool = False) -> str:
    if number is None:
        return "–"
    if share:
        return f"{number:.1%}"
    return f"{number:,}" if isinstance(number, int) else f"{number:,.1f}"


def _draw(summary: dict[str, Any], stream: Any) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    sizes = {int(number): count for number, count in summary["entities_by_number_of_languages"].items()}
    left.bar(list(sizes), list(sizes.values()), width=0.9)
    left.set(title="Entities by the languages that describe them", xlabel="languages", ylabel="entities", yscale="log")
    rates = {name: row["tokens_per_anchor"] for name, row in summary["languages"].items() if row["tokens_per_anchor"]}
    largest = sorted(rates, key=lambda name: (-summary["languages"][name]["articles"], name))[:_TABLE_LANGUAGES]
    right.bar(largest, [rates[name] for name in largest])
    right.axhline(summary["paper"]["tokens_per_anchor"], color="black", linewidth=1, linestyle="--", label="XLM-K")
    right.set(title="Tokens an anchor, largest languages first", ylabel="tokens")
    right.tick_params(axis="x", rotation=90)
    right.legend()
    for axes in (left, right):
        axes.grid(axis="y", alpha=0.3)
    figure.savefig(stream, format="png", dpi=120)
