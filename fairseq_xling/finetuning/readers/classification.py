"""Sentence classification: XNLI, PAWS-X, SICK (tab-separated) and Amazon reviews (XML)."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import cast
from xml.etree import ElementTree

from fairseq_xling_preprocess.text import open_input, read_lines, squeeze

from ...errors import UserError
from .malformed import malformed, shorten

# As written in the files -> the label. XNLI's translated training files write "contradictory", SICK capitals.
NLI_LABELS = {label: label for label in ("entailment", "neutral", "contradiction")} | {"contradictory": "contradiction"}
SICK_LABELS = {label.upper(): label for label in ("entailment", "neutral", "contradiction")}
PARAPHRASE_LABELS = {"0": "0", "1": "1"}

Header = tuple[str, str, str]


@dataclass(frozen=True)
class TextPair:
    """A text or two with a label; ``second`` is None for a single text."""

    first: str
    second: str | None
    label: str


def read_xnli(path: str, language: str | None = None) -> Iterator[TextPair]:
    """Yield premise, hypothesis and label of XNLI (Conneau et al., 2018).

    Args:
        path: XTREME's ``dev-xx.tsv`` (three columns, no header), the official ``xnli.dev.tsv`` and ``xnli.test.tsv`` (all
            languages in one file), or ``multinli.train.xx.tsv``.
        language: which lines of a file with all languages to read; needed there, ignored elsewhere.

    Raises:
        UserError: a line has another form or an unknown label, or no line is in ``language``.
    """
    headers = (("sentence1", "sentence2", "gold_label"), ("premise", "hypo", "label"))
    return _read_pairs(path, headers, NLI_LABELS, headerless=True, language=language)


def read_pawsx(path: str) -> Iterator[TextPair]:
    """Yield two sentences and ``0`` or ``1`` (paraphrases) of PAWS-X (Yang et al., 2019).

    Reads the official files (``id sentence1 sentence2 label`` with a header) and XTREME's (three columns, no header).

    Raises:
        UserError: a line has another form or label.
    """
    return _read_pairs(path, (("sentence1", "sentence2", "label"),), PARAPHRASE_LABELS, headerless=True)


def read_sick(path: str) -> Iterator[TextPair]:
    """Yield sentences and label of SICK (Marelli et al., 2014), labels as in XNLI.

    Raises:
        UserError: there is no header, or a line has another form or label.
    """
    return _read_pairs(path, (("sentence_A", "sentence_B", "entailment_judgment"),), SICK_LABELS, headerless=False)


def _read_pairs(
    path: str, headers: Sequence[Header], labels: Mapping[str, str], headerless: bool, language: str | None = None
) -> Iterator[TextPair]:
    """Read a table; its first line is a header if it names both texts and the label of one of ``headers``.

    Only tables without header are read with CSV's quoting: they are XTREME's, written so; the official ones are raw.
    """
    lines: Iterator[tuple[int, str]] = enumerate(read_lines(path), 1)
    number, line = next(lines)
    names = line.split("\t")
    header = next((header for header in headers if set(header) <= set(names)), None)
    if header is not None:
        columns = [names.index(name) for name in header]
    elif headerless:
        names = ["first", "second", "label"]
        columns = [0, 1, 2]
        lines = chain([(number, line)], lines)
    else:
        raise malformed(path, number, line, f"expected a header with {', '.join(headers[0])}")
    selector = names.index("language") if "language" in names else None
    if selector is not None and language is None:
        raise UserError(f"{path}: holds several languages; say which of them to read")

    found = False
    for number, line in lines:
        cells = _unquote(path, number, line) if header is None else line.split("\t")
        if len(cells) != len(names):
            raise malformed(path, number, line, f"expected {len(names)} columns (separator: tab), found {len(cells)}")
        if selector is not None and cells[selector] != language:
            continue
        first, second, label = (cells[column] for column in columns)
        if label not in labels:
            raise malformed(path, number, line, f"unknown label {shorten(label)}, expected {' '.join(labels)}")
        found = True
        yield TextPair(first, second, labels[label])
    if not found:
        raise UserError(f"{path}: no example" + (f" in language {language}" if selector is not None else ""))


def _unquote(path: str, number: int, line: str) -> list[str]:
    """The cells of a line; a quoted cell cannot hold a line end."""
    try:
        return next(csv.reader([line], delimiter="\t", strict=True), [])
    except csv.Error as error:
        raise malformed(path, number, line, f"wrong CSV quoting ({error})") from None


def read_amazon(path: str) -> Iterator[TextPair]:
    """Yield summary, text and ``positive`` or ``negative`` of the Amazon reviews (Prettenhofer and Stein, 2010).

    Reads the ``*.review`` files of cls-acl10-unprocessed, ``<items><item>…</item>…</items>``, an item at a time. More
    than three stars are positive, fewer negative. White space is squeezed. A review without summary has one text only.

    Raises:
        UserError: the XML is damaged, or an item lacks a text or a usable rating; the line is the last of the item.
    """
    parser: ElementTree.XMLPullParser = ElementTree.XMLPullParser(("end",))
    found = False
    with open_input(path) as stream:
        try:
            for number, line in enumerate(stream, 1):
                parser.feed(line)
                for _, element in cast(Iterator[tuple[str, ElementTree.Element]], parser.read_events()):
                    if element.tag == "item":
                        found = True
                        yield _review(path, number, element)
                        element.clear()  # or the text of the whole file stays in memory
            parser.close()
        except ElementTree.ParseError as error:
            raise UserError(f"{path}:{error.position[0]}: not well-formed XML ({error})") from error
    if not found:
        raise UserError(f"{path}: no <item> in it; expected a .review file of cls-acl10-unprocessed")


def _review(path: str, number: int, item: ElementTree.Element) -> TextPair:
    summary, text, rating = (squeeze(item.findtext(name, "")) for name in ("summary", "text", "rating"))
    try:
        stars = float(rating)
    except ValueError:
        stars = 3.0
    if stars == 3 or not text:
        problem = f"<rating> is {rating!r}, expected 1, 2, 4 or 5" if text else "no <text>"
        raise UserError(f"{path}:{number}: the item that ends here: {problem}")
    first, second = (summary, text) if summary else (text, None)
    return TextPair(first, second, "positive" if stars > 3 else "negative")
