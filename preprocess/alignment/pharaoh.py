"""Word alignments in Pharaoh format: a line per sentence pair, links ``i-j`` (source-target, from 0)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..errors import UserError

Link = tuple[int, int]

_LINK = re.compile(r"([0-9]+)-([0-9]+)")


def parse_links(line: str, where: str) -> list[Link]:
    """The links of one line, in its order. ``where`` ("file:line") stands in the message.

    Raises:
        UserError: something in the line is not ``i-j``.
    """
    links = []
    for text in line.split():
        match = _LINK.fullmatch(text)
        if match is None:
            raise UserError(f"{where}: {text!r} is not a link; expected i-j (source-target, counted from 0)")
        links.append((int(match[1]), int(match[2])))
    return links


def check_links(links: Iterable[Link], num_source: int, num_target: int, where: str, ask: str = "") -> None:
    """Raise UserError if a link is outside a pair of so many source and target words; ``ask`` comes before the remedy."""
    for i, j in links:
        if i >= num_source or j >= num_target:
            raise UserError(
                f"{where}: link {i}-{j} is out of range: {num_source} source and {num_target} target words, counted "
                f"from 0; {ask}{_remedy(i, j, num_source, num_target)}"
            )


def _remedy(i: int, j: int, num_source: int, num_target: int) -> str:
    causes = []
    if 0 < i <= num_source and 0 < j <= num_target:
        causes.append("is the file 1-based? Subtract 1 from every index")
    if i < num_target and j < num_source:
        causes.append("are source and target swapped?")
    return "; or ".join(causes) or "do the links belong to this text, tokenised in this way?"


def format_links(links: Iterable[Link]) -> str:
    """``i-j i-j …``, sorted, each link once; empty for no links."""
    return " ".join([f"{i}-{j}" for i, j in sorted(set(links))])
