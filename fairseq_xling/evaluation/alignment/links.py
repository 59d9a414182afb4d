"""Gold links of one sentence pair: checked against the sentences, counted from 0."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from fairseq_xling_preprocess.alignment.pharaoh import Link

from ...errors import UserError

PlacedLink = tuple[str, Link, bool]
"""Place in the file ("file:line"), link as written, whether it is sure."""

_WORD = re.compile(r"[^ \t\r]+")


@dataclass(frozen=True)
class GoldPair:
    """A sentence pair with its gold links.

    Attributes:
        source, target: words.
        sure: S, links every annotator made, 0-based (source, target).
        possible: P, sure and possible links (Och and Ney, 2003: S is a subset of P).
    """

    source: list[str]
    target: list[str]
    sure: frozenset[Link]
    possible: frozenset[Link]


def checked_pair(source: list[str], target: list[str], links: Iterable[PlacedLink], base: int) -> GoldPair:
    """A pair with its links counted from 0. A link that is both sure and possible is sure; repeated links count once.

    Args:
        links: as written in the file.
        base: what the file counts from, 0 or 1.

    Raises:
        UserError: a link is outside its sentences.
    """
    sure, possible = set(), set()
    for where, (i, j), is_sure in links:
        link = i - base, j - base
        if not (0 <= link[0] < len(source) and 0 <= link[1] < len(target)):
            raise UserError(
                f"{where}: link {i}-{j} is out of range: {len(source)} source and {len(target)} target words, counted "
                f"from {base}; {_remedy(i, j, len(source), len(target), base)}"
            )
        possible.add(link)
        if is_sure:
            sure.add(link)
    return GoldPair(source, target, frozenset(sure), frozenset(possible))


def _remedy(i: int, j: int, num_source: int, num_target: int, base: int) -> str:
    if base == 1 and 0 in (i, j):
        return "is the file 0-based (pharaoh: --index-base 0), or is this a link to the null word? Remove such links"
    if base == 0 and i <= num_source and j <= num_target and min(i, j) > 0:
        return "is the file 1-based (pharaoh: --index-base 1)?"
    if base <= j < num_source + base and base <= i < num_target + base:
        return "are source and target swapped?"
    return "do the gold links belong to these sentences?"


def split_words(text: str, where: str) -> list[str]:
    """Words of tokenised text, split at spaces and tabs only: a no-break space may be part of a number.

    Raises:
        UserError: there is none.
    """
    words = _WORD.findall(text)
    if not words:
        raise UserError(f"{where}: a sentence without a word; remove the pair from every file")
    return words
