"""``results.json`` and ``report.md`` of ``xling wiki``: what is in the folder, what was left out, and why."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...text import open_outputs
from .articles import LEFT_OUT
from .redirects import OTHER_TITLE

COMMAND = "xling wiki"
RESULTS, REPORT = "results.json", "report.md"
PAGES_LEFT_OUT = (*LEFT_OUT, "damaged", "redirect in a loop", "repeated")
ANCHORS = ("anchors.redirected", "anchors.without article", "anchors.into a loop", "anchors.to the own page")

Languages = dict[str, list[dict[str, Any]]]  # the dumps of each language that is finished


def read_results(folder: Path) -> Languages | None:
    """What an earlier run finished; None where there was none.

    Raises:
        UserError: if the file is not ours.
    """
    path = folder / RESULTS
    if not path.exists():
        return None
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
        languages: Languages | None = results["languages"] if results["command"] == COMMAND else None
    except (OSError, ValueError, TypeError, KeyError):
        languages = None
    if languages is None:
        raise UserError(f"{path}: in the way, and not of {COMMAND}; take another --out")
    return languages


def write_results(folder: Path, languages: Languages) -> None:
    """Write both files. Raises UserError if they cannot be written."""
    ordered = dict(sorted(languages.items()))
    results = {"command": COMMAND, "languages": ordered}
    with open_outputs([folder / RESULTS, folder / REPORT]) as (first, second):
        first.write(json.dumps(results, ensure_ascii=False, indent=1).encode() + b"\n")
        second.write(_report([dump for dumps in ordered.values() for dump in dumps]).encode())


def is_damaged(dump: dict[str, Any]) -> bool:
    """Whether something of the dump could not be read."""
    return bool(dump["damage"] or dump["damaged_pages"])


def describe_damage(dump: dict[str, Any]) -> Iterable[str]:
    """A line for each damage, with its bytes."""
    for damage in dump["damage"]:
        places = [("byte {:,} of the file", damage["position"]), ("byte {:,} of its XML", damage["offset"])]
        where = ", ".join(text.format(place) for text, place in places if place is not None)
        yield f"{damage['reason']} ({where})"
    for page in dump["damaged_pages"]:
        yield f"the page at byte {page['offset']:,} of the XML is left out: {page['reason']}"
    if (more := dump["counts"].get("damaged", 0) - len(dump["damaged_pages"])) > 0:
        yield f"{more:,} more damaged pages are left out"


def describe_repeated(dump: dict[str, Any]) -> Iterable[str]:
    """A line if pages are left out because of their number alone."""
    if number := dump["counts"].get(OTHER_TITLE):
        yield (
            f"{number:,} articles are left out as repeated that have the number of another title: is it another wiki than the "
            "other dumps of its language? (a page that was renamed between two dumps is one, too)"
        )


def _report(dumps: Sequence[dict[str, Any]]) -> str:
    lines = ["# Articles and anchors of Wikipedia dumps", ""]
    columns = ("pages", "articles", "redirects", "anchors", "characters")
    lines += _table(dumps, {name: name for name in columns})
    lines += ["", "## Pages left out", ""]
    lines += _table(dumps, {name: name for name in PAGES_LEFT_OUT})
    lines += [
        "",
        "repeated: a page with the same title, or an article with the same number, came before it in this or an earlier dump.",
        "redirect in a loop: it leads to no page.",
        "",
        "## Anchors",
        "",
        "Dropped are those into a loop of redirects and those to the own page. Those without article are kept: the title that",
        "they lead to is no article of these dumps (or a disambiguation, or not there at all).",
        "",
    ]
    lines += _table(dumps, {name.partition(".")[2]: name for name in ANCHORS})
    for heading, describe in (
        ("Damage", describe_damage),
        ("Warnings", describe_repeated),
        ("Notes", lambda dump: dump["notes"]),
    ):
        found = [
            f"- `{_name(dump)}` ({dump['identity']['language']}): {line}" for dump in dumps for line in describe(dump)
        ]
        if found:
            lines += ["", f"## {heading}", "", *found]
    return "\n".join(lines) + "\n"


def _name(dump: dict[str, Any]) -> str:
    """The name of the file as it can stand in a table."""
    name: str = dump["identity"]["name"]
    return "".join(char if char.isprintable() else "?" for char in name).replace("|", "\\|").replace("`", "'")


def _table(dumps: Sequence[dict[str, Any]], columns: dict[str, str]) -> list[str]:
    """Columns that are 0 everywhere are left out, but for the pages; the last line is the sum."""
    totals = {name: sum(dump["counts"].get(key, 0) for dump in dumps) for name, key in columns.items()}
    shown = {name: key for name, key in columns.items() if totals[name] or name == "pages"}
    lines = [f"| dump | language | {' | '.join(shown)} |", f"|---|---|{'---:|' * len(shown)}"] if shown else ["none"]
    for dump in dumps if shown else ():
        cells = [f"{dump['counts'].get(key, 0):,}" for key in shown.values()]
        lines.append(f"| `{_name(dump)}` | {dump['identity']['language']} | {' | '.join(cells)} |")
    if shown and len(dumps) > 1:
        lines.append(f"| all | | {' | '.join(f'{totals[name]:,}' for name in shown)} |")
    return lines
