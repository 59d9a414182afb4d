"""The pages of the documentation, as tests read them: sections, commands, tables of options, links."""

from __future__ import annotations

import re

from tests.conftest import ROOT


def page(name: str) -> str:
    """The text of a page; ``name`` is its path from ``docs/``."""
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    """What stands below the heading ``## title``."""
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def commands(text: str) -> list[str]:
    """The bash commands, block by block."""
    return [block.split("```")[0] for block in text.split("```bash\n")[1:]]


def options(text: str) -> dict[str, list[str]]:
    """Option -> further cells of its row, of the tables whose first column is headed "Option"."""
    found, header = {}, ""
    for line in text.splitlines():
        if not line.startswith("|"):
            header = ""
        elif not header:
            header = line
        elif header.startswith("| Option |") and line.startswith("| `"):
            first, *cells = (cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
            found[first.split("`")[1].split()[0]] = cells
    return found


def links(text: str) -> list[tuple[str, str]]:
    """File and anchor of every link to a page; the file is empty within the page."""
    return re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", text)


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings."""
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
