"""Wikitext to the text that a person reads, and its links to articles.

Two steps, both linear in the length of the page: structure.py takes away what encloses something, this file what stands by
itself (quotes, headings, lists, entities), with regular expressions over the whole page. A pattern whose repetition could begin
at every mark is bounded or possessive: 20,000 unclosed marks cost no more than as much text.
"""

from __future__ import annotations

import html
import re
from typing import NamedTuple

from .converter import Converter
from .languages import CONVERTERS
from .site import Link, Site
from .structure import CLOSE, END_OF_NUMBER, GAP, OPEN, SENTINELS, SHOW, VERBATIM_MARK, Structure

# They begin with a literal character wherever possible, which is found ten times as fast as one of
# several; the text begins with a line end, so that \n stands before every line.
_QUOTES = re.compile("''+")
_HEADING = re.compile(rf"\n(={{1,6}})(.+?)\1[ \t{GAP}]*(?=\n|\Z)")
_LINE_MARKS = re.compile(r"\n(?:[*#:;]+|-{4,}|[ \t])[ \t]*")
_EXTERNAL = re.compile(
    r"\[(?:(?:https?|ftps?|news|irc|mailto|gopher|git|svn):|//)[^\s\]\[]{0,2000}+[ \t]*+([^\]\[\n]{0,2000}+)\]",
    re.IGNORECASE,
)
_MAGIC_WORD = re.compile(r"__[^\W_]{3,40}__")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_BRACKETS = {"(": re.compile(rf"\(([\s{GAP},;:]++)(\)?)"), "（": re.compile(rf"（([\s{GAP},;:、，；：]++)(）?)")}
# a blank for what was dropped between two words, but not in scripts without blanks
_SPACED = r"0-9A-Za-z\u00c0-\u0dff\u10a0-\u1fff"
_BETWEEN_WORDS = re.compile(rf"{GAP}(?<=[{_SPACED}{CLOSE}]{GAP}){GAP}*(?=[{_SPACED}{OPEN}])")
_BEFORE_COMMA = re.compile(rf" {GAP}+(?=[,.;:)])")
_EMPTY_ANCHOR = re.compile(rf"{OPEN}\d+{END_OF_NUMBER}[ \t{GAP}]*{CLOSE}")
_ANCHOR_BEGIN = re.compile(rf"({OPEN}\d+{END_OF_NUMBER})[ \t]+")
_MOVED = re.compile(f"[{VERBATIM_MARK}-{chr(max(SHOW))}]+")
_BLANKS = re.compile("  +")
_LINE_ENDS = re.compile("\n\n+")


class Anchor(NamedTuple):
    """A link to an article: ``text[start:end]`` is what is shown; title and fragment are normalised, redirects not followed."""

    start: int
    end: int
    title: str
    fragment: str


class Parsed(NamedTuple):
    """Clean text, a paragraph, heading or list item a line, and its anchors by their start; none crosses a line."""

    text: str
    anchors: list[Anchor]


class Parser:
    """Parses the pages of one wiki. ``parse`` never raises, whatever the page holds."""

    def __init__(self, site: Site) -> None:
        self._structure = Structure(site)
        self._converter = Converter(CONVERTERS[site.language]) if site.language in CONVERTERS else None

    def parse(self, wikitext: str) -> Parsed:
        """The text of a page and its anchors."""
        for sentinel in SENTINELS:
            if sentinel in wikitext:
                wikitext = wikitext.replace(sentinel, "")
        links: list[Link] = []
        text = self._structure.flatten(wikitext, links)
        return _place(self._clean(text), links)

    def _clean(self, text: str) -> str:
        if self._converter and "-{" in text:
            text = self._converter.convert(text)
        if "''" in text:
            text = _without_quotes(text)
        text = _EXTERNAL.sub(r"\1", text)
        if "__" in text:
            text = _MAGIC_WORD.sub(_magic_word, text)
        text = _HEADING.sub(r"\n\2", "\n" + text)
        text = _LINE_MARKS.sub("\n", text)
        text = _ENTITY.sub(_entity, text)
        text = _EMPTY_ANCHOR.sub(GAP, text)
        if GAP in text:
            for bracket, pattern in _BRACKETS.items():
                text = pattern.sub(lambda match, bracket=bracket: _without_gap(match, bracket), text)  # type: ignore[misc]
            text = _BEFORE_COMMA.sub("", text)
            text = _BETWEEN_WORDS.sub(" ", text).replace(GAP, "")
        if VERBATIM_MARK in text:
            text = _MOVED.sub(lambda match: match[0].translate(SHOW), text)
        text = _BLANKS.sub(" ", text.replace("\t", " ").replace("\r", ""))
        text = _ANCHOR_BEGIN.sub(r" \1", text).replace(" " + CLOSE, CLOSE + " ")  # blanks do not belong to an anchor
        text = _EMPTY_ANCHOR.sub("", text)
        if "  " in text:
            text = _BLANKS.sub(" ", text)
        return _LINE_ENDS.sub("\n", text.replace(" \n", "\n").replace("\n ", "\n")).strip(" \n")


def _without_quotes(text: str) -> str:
    """The text without the marks of italics and bold, but with the apostrophe of ``l'''avion''``."""
    pieces: list[str] = []
    position = 0
    while (found := text.find("'''", position)) >= 0:  # lines without bold need no closer look
        begin = text.rfind("\n", position, found) + 1 or position
        end = text.find("\n", found)
        end = len(text) if end < 0 else end
        pieces += (text[position:begin], _without_bold(text[begin:end]))
        position = end
    pieces.append(text[position:])
    return _QUOTES.sub("", "".join(pieces))


def _without_bold(line: str) -> str:
    runs = list(_QUOTES.finditer(line))
    bold = [run for run in runs if len(run[0]) in (3, 4)]
    num_bold = len(bold) + sum(len(run[0]) >= 5 for run in runs)
    num_italics = sum(len(run[0]) == 2 or len(run[0]) >= 5 for run in runs)
    apostrophe = _lone_apostrophe(line, bold) if num_bold % 2 and num_italics % 2 else None
    return _QUOTES.sub(lambda run: "'" if run.start() == apostrophe or len(run[0]) == 4 else "", line)


def _lone_apostrophe(line: str, bold: list[re.Match[str]]) -> int | None:
    """Which of the marks of bold is an apostrophe before italics, as MediaWiki finds it: behind a word of one letter first."""
    for pattern in (r"(?:^|\s)\S$", r"\S\S$", r"\s$"):
        for run in bold:
            if re.search(pattern, line[max(0, run.start() - 2) : run.start()]):
                return run.start()
    return None


def _magic_word(match: re.Match[str]) -> str:
    return GAP if match[0] == match[0].upper() else match[0]


def _without_gap(match: re.Match[str], bracket: str) -> str:
    """A bracket without the separators of what was dropped at its beginning; nothing if nothing else is in it."""
    if GAP not in match[1]:
        return match[0]
    return GAP if match[2] else bracket


def _entity(match: re.Match[str]) -> str:
    character = html.unescape(match[0])
    if character in SENTINELS:
        return ""
    return " " if character in "\n\r\x0b\x0c\x85\u2028\u2029" else character  # no anchor crosses a line


def _place(text: str, links: list[Link]) -> Parsed:
    """Take the limits of the anchors out of the text and say where they were."""
    first, *others = text.split(OPEN)
    pieces = [first.replace(CLOSE, "")]
    anchors: list[Anchor] = []
    position = len(pieces[0])
    for other in others:
        number, _, rest = other.partition(END_OF_NUMBER)
        shown, close, after = rest.partition(CLOSE)
        after = after.replace(CLOSE, "")  # a variant of the language converter may have cut an anchor in two
        surface = shown.strip() if close else ""
        if surface:
            link = links[int(number)]
            start = position + len(shown) - len(shown.lstrip())
            anchors.append(Anchor(start, start + len(surface), link.title, link.fragment))
        pieces += (shown, after)
        position += len(shown) + len(after)
    return Parsed("".join(pieces), anchors)
