"""Word alignments in Pharaoh format: a line per sentence pair, links ``i-j`` (source-target, from 0).

Gold alignments also have possible links, ``ipj`` or ``i?j``, which not every annotator made (Och and Ney, 2003), and some
count from 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ..errors import UserError

Link = tuple[int, int]

# Nine digits are more words than any sentence has, and fewer than int() refuses to read.
_LINK = re.compile(r"([0-9]{1,9})-([0-9]{1,9})")
_GOLD_LINK = re.compile(r"([0-9]{1,9})([-p?])([0-9]{1,9})")


def parse_links(line: str, where: str) -> list[Link]:
    """The links of one line, in its order. ``where`` ("file:line") stands in the message.

    Raises:
        UserError: something in the line is not ``i-j``.
    """
    found = _parse(line, where, _LINK, "i-j (source-target, counted from 0)")
    return [(int(match[1]), int(match[2])) for match in found]


def parse_gold_links(line: str, where: str) -> list[tuple[Link, bool]]:
    """The links of one line of a gold alignment as they are written, and whether each is sure.

    Raises:
        UserError: something in the line is neither ``i-j`` (sure) nor ``ipj`` or ``i?j`` (possible).
    """
    found = _parse(line, where, _GOLD_LINK, "i-j (sure), or ipj or i?j (possible)")
    return [((int(match[1]), int(match[3])), match[2] == "-") for match in found]


def _parse(line: str, where: str, form: re.Pattern[str], expected: str) -> Iterator[re.Match[str]]:
    for text in line.split():
        match = form.fullmatch(text)
        if match is None:
            raise UserError(f"{where}: {text[:40]!r} is not a link; expected {expected}")
        yield match


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
