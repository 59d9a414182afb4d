"""The pieces of an article, the window of pieces around a mention, and where its surface occurs again in the window."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from typing import NamedTuple

from ...encode import Encoder

UNK = 3  # fairseq's number of <unk>


class Pieces(NamedTuple):
    """The pieces of a text: their numbers, and the characters from begin to before end that each stands for.

    Both columns of characters ascend; a piece that stands for none has begin = end.
    """

    ids: list[int]
    begins: list[int]
    ends: list[int]

    def cover(self, begin: int, end: int) -> tuple[int, int]:
        """First and past-the-last piece with a character of these; first >= last if there is none."""
        return bisect_right(self.ends, begin), bisect_left(self.begins, end)


class Window(NamedTuple):
    """First and past-the-last piece."""

    begin: int
    end: int


def encode_text(encoder: Encoder, numbers: Mapping[str, int], text: str) -> Pieces:
    """The pieces of each line of a text, one after the other."""
    pieces = Pieces([], [], [])
    offset = 0
    lines = text.split("\n")
    for line, (symbols, begins, ends) in zip(lines, encoder.encode_spans(lines), strict=True):
        pieces.ids.extend([numbers.get(symbol, UNK) for symbol in symbols])
        pieces.begins.extend([begin + offset for begin in begins])
        pieces.ends.extend([end + offset for end in ends])
        offset += len(line) + 1
    return pieces


def window(first: int, last: int, num_pieces: int, room: int) -> Window | None:
    """At most ``room`` pieces with the mention (first to before last) in their middle, moved where the text ends.

    None if the mention does not fit.

    >>> window(10, 12, num_pieces=100, room=6)
    Window(begin=8, end=14)
    >>> window(1, 3, num_pieces=100, room=6)
    Window(begin=0, end=6)
    """
    length = min(room, num_pieces)
    if last - first > length:
        return None
    begin = min(max(0, first - (length - (last - first)) // 2), num_pieces - length)
    return Window(begin, begin + length)


def occurrences(text: str, begin: int, end: int, pieces: Pieces, around: Window) -> list[tuple[int, int]]:
    """Other places in a window with the characters ``text[begin:end]``, as spans of the window's pieces (from 0).

    Every occurrence counts, also within a word: a compound or an inflected form gives the masked word away, and many scripts
    have no word boundaries. Same case, left to right, without overlaps; one that the window cuts counts with the pieces inside.
    The spans ascend and are disjoint from each other and from the mention.
    """
    surface = text[begin:end]
    margin = end - begin - 1
    low = max(0, pieces.begins[around.begin] - margin)
    high = pieces.ends[around.end - 1] + margin
    first, last = pieces.cover(begin, end)
    spans: list[tuple[int, int]] = []
    for side, sides in (((low, begin), (around.begin, first)), ((end, high), (last, around.end))):
        at = text.find(surface, *side)
        while at >= 0:
            left, right = pieces.cover(at, at + len(surface))
            left, right = max(left, sides[0]), min(right, sides[1])
            if spans and left < spans[-1][1] + around.begin:
                left = spans[-1][1] + around.begin
            if left < right:
                spans.append((left - around.begin, right - around.begin))
            at = text.find(surface, at + len(surface), side[1])
    return spans
