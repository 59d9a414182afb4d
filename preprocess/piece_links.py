"""Links between words become links between pieces.

Words are matched to pieces by characters, so that neither the tokeniser of the words nor that of the pieces matters.
Only visible characters count: white space, control and format characters are ignored on both sides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, zip_longest
from typing import Any

from .alignment.pharaoh import Link, check_links, format_links, parse_links
from .alignment.words import split_words, visible
from .errors import UserError
from .text import read_lines

MODES = ("first", "all")
Spans = tuple[list[str], list[int], list[int]]
"""Pieces of a line, and the first and past-the-last character of the line each stands for."""

_WITHOUT_WORD = -1


@dataclass(frozen=True)
class WordLinks:
    """Word alignments to carry to pieces.

    Attributes:
        file: Pharaoh links, a line for each pair of the input.
        words: prefix of the words they count, in files ``words``.<lang>; None: the input's words, separated by spaces.
        mode: ``first``: of linked words the first pieces are linked; ``all``: each piece with each.
    """

    file: str
    words: str | None = None
    mode: str = "first"

    def files(self, pair: tuple[str, str]) -> list[str]:
        """The file of links, then those of the words."""
        return [self.file, *(f"{self.words}.{lang}" for lang in pair if self.words is not None)]


def with_links(
    records: Iterable[tuple[str, ...]], links: WordLinks, pair: tuple[str, str]
) -> Iterator[tuple[str, ...]]:
    """Yield (source, target, source words, target words, links, place) for each pair of sentences.

    Raises:
        UserError: a file has another number of lines than there are pairs.
    """
    files = links.files(pair)
    rows: Iterator[tuple[Any, ...]] = zip_longest(records, *map(read_lines, files))
    for number, (record, line, *words) in enumerate(rows, 1):
        if record is None or line is None or None in words:
            lengths = _lengths((record, line, *words), number, rows)
            name, length = next((n, k) for n, k in zip(files, lengths[1:], strict=True) if k != lengths[0])
            raise UserError(
                f"{name}: has {length} lines, the bitext {lengths[0]} pairs; it must have a line for each pair"
            )
        yield *record, *(words or record), line, f"{links.file}:{number}"


def _lengths(row: Sequence[object], number: int, rest: Iterable[Sequence[object]]) -> list[int]:
    """Number of entries of each column: ``row`` is the first, number ``number``, in which one is missing."""
    lengths = [number - (entry is None) for entry in row]
    for row in rest:
        lengths = [length + (entry is not None) for length, entry in zip(lengths, row, strict=True)]
    return lengths


def carry(record: tuple[str, ...], sides: Sequence[Spans], mode: str) -> str:
    """The line of piece links of a record of ``with_links`` and its pieces.

    Raises:
        UserError: a malformed link, one outside the words, or words of another sentence.
    """
    source, target, source_words, target_words, line, place = record
    words = split_words(source_words), split_words(target_words)
    links = parse_links(line, place)
    raw = (source_words, target_words) == (source, target)  # so it is without --words
    ask = "did you forget --words PREFIX (the --output of xling align)? Or: " if raw else ""
    check_links(links, len(words[0]), len(words[1]), place, ask)
    if not links:
        return ""
    numbers = []
    for text, side, (_, begins, ends) in zip((source, target), words, sides, strict=True):
        if visible(text) != visible("".join(side)):
            raise UserError(
                f"{place}: the words {' '.join(side)[:60]!r} are not those of the sentence {text[:60]!r}; "
                "give as --words the prefix that xling align wrote for this very input"
            )
        numbers.append(word_numbers(text, side, begins, ends))
    return format_links(link_pieces(links, numbers[0], numbers[1], mode))


def word_numbers(text: str, words: Sequence[str], begins: Sequence[int], ends: Sequence[int]) -> list[int]:
    """The word, from 0, that each piece of ``text`` belongs to: that of the piece's first visible character.

    -1 for a piece without a visible character, such as SentencePiece's mark of a word's beginning alone.

    Args:
        words: the words of the text; they have the same visible characters.
        begins, ends: characters of the text that each piece stands for.
    """
    owners = [number for number, word in enumerate(words) for _ in visible(word)]
    if text.isprintable():
        shown = [char != " " for char in text]
    else:
        shown = [bool(visible(char)) for char in text]
    before = list(accumulate(shown, initial=0))  # visible characters to the left
    return [
        owners[before[begin]] if before[begin] < before[end] else _WITHOUT_WORD
        for begin, end in zip(begins, ends, strict=True)
    ]


def link_pieces(links: Iterable[Link], source: Sequence[int], target: Sequence[int], mode: str) -> Iterator[Link]:
    """Yield the links between pieces, given the word of each piece on both sides; a word without a piece loses its links."""
    pieces = _pieces(source, mode), _pieces(target, mode)
    for i, j in links:
        for first in pieces[0].get(i, ()):
            for second in pieces[1].get(j, ()):
                yield first, second


def _pieces(numbers: Sequence[int], mode: str) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for piece, word in enumerate(numbers):
        if word != _WITHOUT_WORD and (mode == "all" or word not in found):
            found.setdefault(word, []).append(piece)
    return found
