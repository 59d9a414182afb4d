"""Tags of entities: ``O``, ``B-TYPE`` and ``I-TYPE``, read as conlleval (the CoNLL-2000 to 2003 shared tasks) reads them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

OUTSIDE = "O"
TAG = re.compile(r"O|[BI]-.+", re.DOTALL)


class Span(NamedTuple):
    """An entity of the words ``start`` to ``end - 1``."""

    type: str
    start: int
    end: int


def to_iob2(tags: Iterable[str]) -> list[str]:
    """Rewrite tags so that every entity begins with ``B-``, and only there.

    An entity begins at ``B-``, and at ``I-`` after ``O``, at the start, or after another type. That is the definition
    of IOB1, leaves valid IOB2 as it is, and is conlleval's reading of invalid IOB2 (``O I-LOC``, ``B-PER I-LOC``).
    """
    iob2, previous = [], OUTSIDE
    for tag in tags:
        if tag == OUTSIDE:
            iob2.append(tag)
            previous = tag
            continue
        prefix, _, entity = tag.partition("-")
        iob2.append(f"{'B' if prefix == 'B' or entity != previous else 'I'}-{entity}")
        previous = entity
    return iob2


def spans(tags: Iterable[str]) -> set[Span]:
    """The entities of a sentence, of tags in IOB1 or IOB2, valid or not (see `to_iob2`)."""
    found: list[Span] = []
    for position, tag in enumerate(to_iob2(tags)):
        if tag.startswith("B-"):
            found.append(Span(tag[2:], position, position + 1))
        elif tag != OUTSIDE:
            found[-1] = found[-1]._replace(end=position + 1)
    return set(found)
