"""results.json and report.md of ``xling wikidata``: what was found, and what was left out and why."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...text import open_outputs
from .parts import Part

_TOP = 25  # languages, relations and sites that the report names


def total(parts: Sequence[Part]) -> dict[str, Counter[str]]:
    """The counts of all parts."""
    found: dict[str, Counter[str]] = {}
    for part in parts:
        for what, counts in part.counts.items():
            found.setdefault(what, Counter()).update(counts)
    return found


def write_report(out: Path, parts: Sequence[Part]) -> None:
    """Write both files, each complete or not at all. Raises UserError if the folder cannot be written."""
    counts = total(parts)
    results: dict[str, Any] = {
        "command": "wikidata",
        "totals": {what: found.total() for what, found in counts.items()},
        "counts": counts,
        "parts": [asdict(part) for part in parts],
    }
    with open_outputs([out / "results.json", out / "report.md"]) as streams:
        streams[0].write((json.dumps(results, indent=1, ensure_ascii=False) + "\n").encode())
        streams[1].write(_report(counts, parts).encode())


def _report(counts: dict[str, Counter[str]], parts: Sequence[Part]) -> str:
    entities, triples = counts.get("entities", Counter()), counts.get("triples", Counter())
    sitelinks, labels = (counts.get(name, Counter()) for name in ("sitelinks", "labels"))
    lines = ["# Wikidata", "", "| | |", "|---|---:|"]
    lines += [
        f"| {name} | {number:,} |"
        for name, number in (
            ("items", entities["items"]),
            ("properties", entities["properties"]),
            ("sitelinks to Wikipedias", sitelinks.total()),
            ("languages of sitelinks", len(sitelinks)),
            ("triples", triples.total()),
            ("relations", len(triples)),
            ("labels of items", labels.total()),
            ("merged items", counts.get("merged", Counter()).total()),
        )
    ]
    lines += ["", "## Inputs", "", "| part | file | state |", "|---|---|---|"]
    for part in parts:
        for index, (path, *_) in enumerate(part.files):
            state = "<br>".join([*(part.damage or ["read to its end"]), *part.notes])
            lines.append(f"| {part.name} | {path} | {state if index == 0 else ''} |")
    lines += _table("Left out", "what", counts.get("left out", Counter()))
    lines += _table("Sitelinks to other sites, left out", "site", counts.get("other sites", Counter()))
    lines += _table("Sitelinks", "language", sitelinks)
    lines += _table("Triples", "relation", triples)
    shown = {"read", "entities", "sitelinks", "triples", "merged", "left out", "other sites"}
    for what in sorted(counts.keys() - shown):
        lines += _table(what.capitalize(), "which", counts[what])
    return "\n".join(lines) + "\n"


def _table(heading: str, column: str, counts: Counter[str]) -> list[str]:
    if not counts:
        return []
    rows = [f"| {name} | {number:,} |" for name, number in counts.most_common(_TOP)]
    rest = counts.most_common()[_TOP:]
    if rest:
        rows.append(f"| {len(rest)} others | {sum(number for _, number in rest):,} |")
    return ["", f"## {heading}", "", f"| {column} | number |", "|---|---:|", *rows]
