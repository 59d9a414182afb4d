"""A tag for each word: CoNLL-2002/2003, WikiAnn, SemEval-16 ABSA, UNER (entities, all as IOB2) and UD (UPOS).

Tags of entities are read as conlleval reads them and yielded as IOB2: IOB1 (CoNLL-2003) and broken IOB2 (WikiAnn zh, ja)
come out valid. How many tags that changed is logged, once a file.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from fairseq_xling_preprocess.benchmarks import UPOS
from fairseq_xling_preprocess.text import read_lines

from ...metrics.iob import TAG, to_iob2
from .malformed import malformed, shorten

logger = logging.getLogger(__name__)
_UPOS_TAG = re.compile("|".join(UPOS))
_ABSA_TAG = re.compile(r"O|T-(?:POS|NEG|NEU)")
_LANGUAGE = re.compile(r"[a-z]+(?:-[a-z]+)*:")


@dataclass(frozen=True)
class TaggedSentence:
    """A sentence of as many ``tags`` as ``words``. A word may be empty or hold a space (``2 001`` in UD)."""

    words: tuple[str, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True)
class _Columns:
    """A format with a word a line and a blank line between sentences.

    Attributes:
        separator: between columns.
        width: number of columns; None for as many as in the first line, at least two.
        word, tag: their columns, from 0.
        allowed: what a tag may be.
        comments: lines with ``#`` at the start are no words (elsewhere # is a word like others).
        skip: whether to leave out a line with these cells.
    """

    separator: str
    width: int | None
    word: int
    tag: int
    allowed: re.Pattern[str] = TAG
    comments: bool = False
    skip: Callable[[list[str]], bool] = lambda cells: False


_CONLL = _Columns(" ", None, word=0, tag=-1, skip=lambda cells: cells[0] == "-DOCSTART-")
_WIKIANN = _Columns("\t", 2, word=0, tag=1)
_ABSA = _Columns("\t", 3, word=0, tag=1, allowed=_ABSA_TAG)
_UNER = _Columns("\t", 5, word=1, tag=2, comments=True)
_CONLLU = _Columns(
    "\t", 10, word=1, tag=3, allowed=_UPOS_TAG, comments=True, skip=lambda cells: "-" in cells[0] or "." in cells[0]
)


class _Word(NamedTuple):
    number: int
    line: str
    word: str
    tag: str


def read_conll(path: str) -> Iterator[TaggedSentence]:
    """Yield the sentences of CoNLL-2002 or CoNLL-2003 (Tjong Kim Sang and De Meulder, 2003).

    Columns are separated by one space; the first is the word, the last the tag, those between are not read.
    ``-DOCSTART-`` lines are left out.

    Raises:
        UserError: a line has another number of columns than the first, or another tag than O, B-TYPE, I-TYPE.
    """
    return _as_iob2(path, _read(path, _CONLL))


def read_wikiann(path: str) -> Iterator[TaggedSentence]:
    """Yield the sentences of WikiAnn (Pan et al., 2017): ``token TAB tag``, or ``xx:token TAB tag`` as first published.

    If all words of the first sentence have the same ``xx:``, it is taken off all words of the file.

    Raises:
        UserError: a line has another form, or no ``xx:`` where the first sentence has it.
    """
    return _as_iob2(path, _without_language(path, _read(path, _WIKIANN)))


def read_uner(path: str) -> Iterator[TaggedSentence]:
    """Yield the sentences of Universal NER (Mayhew et al., 2024): index, word, tag and two further columns.

    Raises:
        UserError: a line has another form.
    """
    return _as_iob2(path, _read(path, _UNER))


def read_absa(path: str) -> Iterator[TaggedSentence]:
    """Yield the opinion targets of SemEval-2016 Task 5 as entities POS, NEG, NEU: ``token TAB tag TAB category``.

    The files have ``T-POS T-NEG T-NEU O`` without B and I. The rule here: a longest run of equal tags is one target.
    The category is not read, so neighbouring targets of one polarity become one, as in any reading of the tags alone.

    Raises:
        UserError: a line has another form.
    """
    for words in _read(path, _ABSA):
        yield _sentence(words, to_iob2(word.tag.replace("T-", "I-") for word in words))


def read_conllu(path: str) -> Iterator[TaggedSentence]:
    """Yield the words and UPOS tags of a Universal Dependencies treebank in CoNLL-U.

    Words are the lines with an integer id: ranges of multiword tokens (``1-2``) and empty nodes (``8.1``) are left out.

    Raises:
        UserError: a line has not 10 columns, or its UPOS is none of UD's.
    """
    for words in _read(path, _CONLLU):
        yield _sentence(words, [word.tag for word in words])


def _sentence(words: list[_Word], tags: list[str]) -> TaggedSentence:
    return TaggedSentence(tuple(word.word for word in words), tuple(tags))


def _read(path: str, columns: _Columns) -> Iterator[list[_Word]]:
    """Yield the words of each sentence; sentences without words do not count."""
    words: list[_Word] = []
    width = columns.width
    for number, line in chain(enumerate(read_lines(path), 1), [(0, "")]):
        if not line.strip():
            if words:
                yield words
            words = []
            continue
        if columns.comments and line.startswith("#"):
            continue
        cells = line.split(columns.separator)
        width = width or max(2, len(cells))
        if len(cells) != width:
            name = "tab" if columns.separator == "\t" else "one space"
            raise malformed(path, number, line, f"expected {width} columns (separator: {name}), found {len(cells)}")
        if columns.skip(cells):
            continue
        tag = cells[columns.tag]
        if not columns.allowed.fullmatch(tag):
            raise malformed(path, number, line, f"unknown tag {shorten(tag)}, expected {columns.allowed.pattern}")
        words.append(_Word(number, line, cells[columns.word], tag))


def _as_iob2(path: str, sentences: Iterator[list[_Word]]) -> Iterator[TaggedSentence]:
    changed, first = 0, 0
    for words in sentences:
        tags = to_iob2(word.tag for word in words)
        for word, tag in zip(words, tags, strict=True):
            if word.tag != tag:
                changed, first = changed + 1, first or word.number
        yield _sentence(words, tags)
    if changed:
        logger.warning(
            "%s: %d I- tags begin an entity (first: line %d) and were read as B-; the file is IOB1 or broken IOB2",
            path, changed, first,
        )  # fmt: skip


def _without_language(path: str, sentences: Iterator[list[_Word]]) -> Iterator[list[_Word]]:
    prefix: str | None = None
    for words in sentences:
        if prefix is None:
            found = {match[0] if (match := _LANGUAGE.match(word.word)) else "" for word in words}
            prefix = found.pop() if len(found) == 1 else ""
        for word in words:
            if not word.word.startswith(prefix):
                raise malformed(path, word.number, word.line, f"the word has no {prefix!r} as those before it have")
        yield [word._replace(word=word.word.removeprefix(prefix)) for word in words]
