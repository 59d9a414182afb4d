"""Wikitext to the text that a person reads, and its links to articles.

Two steps, both linear in the length of the page:

1. ``_scan`` goes over the marks that enclose something (links, templates, tables, tags, comments) once, with a stack of what
   is open. What a reader does not see is dropped when it closes; what never closes stays as text.
2. ``_clean`` takes away the marks that stand by themselves (quotes, headings, lists, entities) with regular expressions over
   the whole page.

Between the two, noncharacters of Unicode stand for the limits of the anchors and for what was dropped, so that every offset
follows from the final text. A pattern whose repetition could begin at every mark is bounded: 20,000 unclosed marks cost no more
than as much text.
"""

from __future__ import annotations

import html
import re
from typing import NamedTuple

from . import kept_templates
from .converter import Converter
from .languages import CONVERTERS, TRAILS
from .site import Kind, Link, Site

OPEN, CLOSE, END_OF_NUMBER, GAP = "\ufdd0", "\ufdd1", "\ufdd2", "\ufdd3"
_SENTINELS = re.compile("[\ufdd0-\ufdd3]")
MAX_LINK = 20_000  # characters; what is longer between [[ and ]] was not closed where it should have been
MAX_DEPTH = 100  # of open marks; a template further down leaves nothing

# Elements that are dropped with what they hold, and those whose text is not wikitext.
_DROPPED = frozenset(
    [
        "ref",
        "gallery",
        "timeline",
        "math",
        "chem",
        "ce",
        "score",
        "graph",
        "imagemap",
        "templatestyles",
        "mapframe",
        "maplink",
        "hiero",
        "indicator",
        "inputbox",
        "categorytree",
        "syntaxhighlight",
        "source",
        "rt",
        "rp",
        "rtc",
        "style",
        "script",
        "includeonly",
        "references",
        "charinsert",
        "section",
    ]
)
_VERBATIM = frozenset(("nowiki", "pre"))
# Elements that begin a line, those that leave a blank, and those that leave nothing.
_BLOCKS = frozenset(
    [
        "p",
        "div",
        "blockquote",
        "li",
        "ul",
        "ol",
        "dl",
        "dt",
        "dd",
        "hr",
        "center",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "poem",
        "caption",
        "tr",
        "section",
        "table",
        "left",
        "right",
    ]
)
_INLINE = frozenset(
    [
        "b",
        "i",
        "u",
        "s",
        "em",
        "strong",
        "small",
        "big",
        "sup",
        "sub",
        "span",
        "font",
        "tt",
        "code",
        "var",
        "samp",
        "kbd",
        "cite",
        "abbr",
        "bdi",
        "bdo",
        "del",
        "ins",
        "mark",
        "q",
        "dfn",
        "strike",
        "a",
        "noinclude",
        "onlyinclude",
        "ruby",
        "rb",
        "nowiki",
        "pre",
        "td",
        "th",
        "tbody",
        "thead",
        "tfoot",
        "wbr",
        "data",
        "time",
        "translate",
        "tvar",
        "languages",
    ]
)

_LINK, _TEMPLATE, _TABLE, _HTML_TABLE = range(4)

_ATTRIBUTES = re.compile(r"([^<>]{0,2000})>")
_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_TARGET = re.compile(r"([^\[\]{}|<>\n]+)\|")
_NAMED = re.compile(r"\s*([\w -]{1,40}?)\s*=(.*)", re.DOTALL)

# Patterns of the second step. They begin with a literal character wherever possible, which is found ten times as fast as one of
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
_BLANKS = re.compile("  +")
_LINE_ENDS = re.compile("\n\n+")

# what <nowiki> holds is kept from the second step by moving its marks into a private area
_PRIVATE = 0xF0000
_HIDE = {ord(mark): _PRIVATE + ord(mark) for mark in "'=*#:;-[]{}|_<>&~"}
_SHOW = {_PRIVATE: None} | {moved: plain for plain, moved in _HIDE.items()}
_VERBATIM_MARK = chr(_PRIVATE)  # stands before every such text


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
        self._site = site
        letters = TRAILS.get(site.language, "à-öø-ÿ")
        self._trail = re.compile(f"[a-z{letters}]*" if letters else "")
        self._token = re.compile(
            r"\[\[([^\[\]{}|<>\n]+)(?:\|([^\[\]{}<>|\n]*))?\]\]"  # 1, 2: a link without anything within
            r"|(\[\[|\]\]|\{\{\{[^{}<]*\}\}\}|\{\{[^{}<]*\}\}|\{\{|\}\}|\{\||\|\}(?!\}(?!\})))"  # 3
            r"|<(?:(!--)|(/?[a-zA-Z][a-zA-Z0-9]*))"  # 4, 5
        )
        self._converter = Converter(CONVERTERS[site.language]) if site.language in CONVERTERS else None

    def parse(self, wikitext: str) -> Parsed:
        """The text of a page and its anchors."""
        wikitext = _SENTINELS.sub("", wikitext)
        links: list[Link] = []
        text = self._clean("".join(self._scan(wikitext, links)))
        return _place(text, links)

    # ---- step 1: what encloses something ----------------------------------------------------------------------------

    def _scan(self, text: str, links: list[Link]) -> list[str]:
        """Pieces of the text without what a reader does not see; the anchors are numbered by ``links``."""
        search = self._token.search
        resolve = self._site.resolve
        out: list[str] = []
        stack: list[tuple[int, int, str, list[str]]] = []  # kind, where it began, target, pieces before it
        open_kinds = [0, 0, 0, 0]
        unclosed: set[str] = set()  # elements that no end follows any more
        position = 0
        while (match := search(text, position)) is not None:
            begin, end = match.span()
            if begin > position:
                out.append(text[position:begin])
            position = end
            group = match.lastindex
            if group is not None and group <= 2:
                target, label = match.group(1, 2)
                kind, link = resolve(target)
                if kind is Kind.ARTICLE or kind is Kind.TEXT:
                    trail = self._trail.match(text, end)
                    position = trail.end()  # type: ignore[union-attr]
                    shown = (_shown(target) if label is None else label or _pipe_trick(target)) + text[end:position]
                    if link is not None:
                        out.append(f"{OPEN}{len(links)}{END_OF_NUMBER}{shown}{CLOSE}")
                        links.append(link)
                    else:
                        out.append(shown)
                continue
            if group == 3:
                mark = match[3]
                if mark == "[[" and len(stack) <= MAX_DEPTH:
                    bar = _TARGET.match(text, end)
                    stack.append((_LINK, begin, bar[1] if bar else "", out))
                    open_kinds[_LINK] += 1
                    out = ["[["]
                    if bar:
                        position = bar.end()
                elif mark == "]]":
                    if stack and stack[-1][0] == _LINK:
                        _, start, target, before = stack.pop()
                        open_kinds[_LINK] -= 1
                        out = self._close_link(text, start, end, target, before, out, links)
                        if out[-1:] == [CLOSE]:
                            trail = self._trail.match(text, end)
                            position = trail.end()  # type: ignore[union-attr]
                            out[-1:] = [text[end:position], CLOSE]
                    else:
                        out.append(mark)
                elif mark == "{{":
                    stack.append((_TEMPLATE, begin, "", out))
                    open_kinds[_TEMPLATE] += 1
                    out = ["{{"]
                elif mark == "}}":
                    if open_kinds[_TEMPLATE]:
                        inner, deep = out, len(stack) > MAX_DEPTH
                        closed_directly = stack[-1][0] == _TEMPLATE
                        out = _unwind(stack, open_kinds, _TEMPLATE)
                        out.append(_template("".join(inner[1:])) if closed_directly and not deep else GAP)
                    else:
                        out.append(mark)
                elif mark == "{|":
                    if _at_line_start(text, begin):
                        stack.append((_TABLE, begin, "", out))
                        open_kinds[_TABLE] += 1
                        out = ["{|"]
                    else:
                        out.append(mark)
                elif mark == "|}":
                    if open_kinds[_TABLE] and _at_line_start(text, begin):
                        out = _unwind(stack, open_kinds, _TABLE)
                        out.append(GAP)
                    else:
                        out.append(mark)
                elif mark == "[[":
                    out.append(mark)
                elif mark.startswith("{{{"):  # a parameter, which has no value on an article
                    out.append(GAP)
                else:
                    inner = (
                        self._scan(mark[2:-2], links)
                        if "[[" in mark and kept_templates.is_kept(_name(mark[2:-2]))
                        else mark[2:-2]
                    )
                    out.append(_template("".join(inner)))
                continue
            if group == 4:  # a comment leaves nothing, not even a gap
                close = -1 if "!--" in unclosed else text.find("-->", end)
                if close < 0:
                    unclosed.add("!--")
                    out.append("<!--")
                else:
                    position = close + 3
                continue
            name = match[5].lower()
            attributes = _ATTRIBUTES.match(text, end)
            if attributes is None or (name.lstrip("/") not in _ELEMENTS):
                out.append(match[0])
                continue
            position = attributes.end()
            if name == "table":
                stack.append((_HTML_TABLE, begin, "", out))
                open_kinds[_HTML_TABLE] += 1
                out = ["\n"]
            elif name == "/table" and open_kinds[_HTML_TABLE]:
                out = _unwind(stack, open_kinds, _HTML_TABLE)
                out.append("\n")
            elif attributes[1].endswith("/"):
                out.append(_left_by(name))
            elif name in _DROPPED or name in _VERBATIM or (name in ("span", "div") and _HIDDEN.search(attributes[1])):
                close_tag = None if name in unclosed else _end_tag(name).search(text, position)
                if close_tag is None:
                    unclosed.add(name)
                elif name in _VERBATIM:
                    out.append(_VERBATIM_MARK + html.unescape(text[position : close_tag.start()]).translate(_HIDE))
                    position = close_tag.end()
                else:
                    out.append(GAP)
                    position = close_tag.end()
            else:
                out.append(_left_by(name.lstrip("/")))
        out.append(text[position:])
        # what was never closed is text; from the outermost inwards, so that nothing is copied twice
        pieces: list[str] = []
        for *_, before in stack:
            pieces += before
        return pieces + out

    def _close_link(
        self, text: str, start: int, end: int, target: str, before: list[str], inside: list[str], links: list[Link]
    ) -> list[str]:
        """``before`` with what a link that holds other marks leaves; the last piece is CLOSE if it is an anchor."""
        kind, link = self._site.resolve(target) if target else (Kind.TEXT, None)
        if end - start > MAX_LINK or (kind is not Kind.FILE and "\n\n" in text[start:end]):
            before += inside
            before.append("]]")
            return before
        inside[0] = ""
        if kind is Kind.FILE or kind is Kind.HIDDEN:
            before.append(GAP)
        elif link is None:
            if target:
                before += inside
            else:  # its target was made by a template: what is shown comes after the first bar
                shown = "".join(inside)
                before.append(shown.partition("|")[2] or shown)
        else:
            shown = "".join(inside)
            if OPEN in shown:  # a link within a link: the inner one is the link
                before.append(shown)
            else:
                before += (f"{OPEN}{len(links)}{END_OF_NUMBER}", shown.replace("\n", " "), CLOSE)
                links.append(link)
        return before

    # ---- step 2: what stands by itself ------------------------------------------------------------------------------

    def _clean(self, text: str) -> str:
        if self._converter and "-{" in text:
            text = self._converter.convert(text)
        if "''" in text:
            text = "\n".join([_without_quotes(line) if "''" in line else line for line in text.split("\n")])
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
        if _VERBATIM_MARK in text:
            text = text.translate(_SHOW)
        text = _BLANKS.sub(" ", text.replace("\t", " ").replace("\r", ""))
        text = _ANCHOR_BEGIN.sub(r" \1", text).replace(" " + CLOSE, CLOSE + " ")  # blanks do not belong to an anchor
        text = _EMPTY_ANCHOR.sub("", text)
        if "  " in text:
            text = _BLANKS.sub(" ", text)
        return _LINE_ENDS.sub("\n", text.replace(" \n", "\n").replace("\n ", "\n")).strip(" \n")


_ELEMENTS = _DROPPED | _VERBATIM | _BLOCKS | _INLINE | {"br"}


def _end_tag(name: str) -> re.Pattern[str]:
    return re.compile(rf"</{name}\s*>", re.IGNORECASE)  # re keeps it


def _left_by(name: str) -> str:
    """What a single tag leaves of the place where it stood."""
    return "\n" if name == "br" or name in _BLOCKS else " " if name in ("td", "th") else GAP if name in _DROPPED else ""


def _at_line_start(text: str, position: int) -> bool:
    """Whether only blanks and colons, at most 20 of them, stand before ``position`` in its line."""
    before = text[max(0, position - 20) : position].rstrip(" \t:")
    return not before or before[-1] == "\n"


def _unwind(stack: list[tuple[int, int, str, list[str]]], open_kinds: list[int], kind: int) -> list[str]:
    """Close everything that is open down to the last mark of ``kind``; the pieces before it."""
    while True:
        last, _, _, before = stack.pop()
        open_kinds[last] -= 1
        if last == kind:
            return before


def _name(inner: str) -> str:
    """The name of a template from what stands between its braces, in lower case and with blanks."""
    name = inner[:60].partition("|")[0]
    return name.replace("_", " ").strip().lower()


def _template(inner: str) -> str:
    """What a template leaves; in ``inner``, all that it holds is already text."""
    name = _name(inner)
    if not kept_templates.is_kept(name):
        return GAP
    arguments: list[str] = []
    numbered: dict[int, str] = {}
    for argument in inner.split("|")[1:]:
        named = _NAMED.match(argument)
        if named is None:
            arguments.append(argument)
        elif named[1].isdecimal():
            numbered[int(named[1])] = named[2]
    for number in sorted(numbered):
        if number == len(arguments) + 1:
            arguments.append(numbered[number])
    return kept_templates.text_of(name, arguments) or GAP


def _shown(target: str) -> str:
    """What a link without a label shows."""
    return target.strip().removeprefix(":")


def _pipe_trick(target: str) -> str:
    """What ``[[target|]]`` shows: the title without its namespace and what tells it from others."""
    title = target.strip().removeprefix(":")
    title = title.partition(":")[2] or title
    return (
        re.sub(r"\s*[(（][^()（）]*[)）]$", "", title)
        if title.rstrip().endswith((")", "）"))
        else title.partition(", ")[0]
    )


def _without_quotes(line: str) -> str:
    """A line without the marks of italics and bold, but with the apostrophe of ``l'''avion''``."""
    if "'''" in line:
        runs = list(_QUOTES.finditer(line))
        bold = [run for run in runs if len(run[0]) in (3, 4)]
        num_bold = len(bold) + sum(len(run[0]) >= 5 for run in runs)
        num_italics = sum(len(run[0]) == 2 or len(run[0]) >= 5 for run in runs)
        apostrophe = _lone_apostrophe(line, bold) if num_bold % 2 and num_italics % 2 else None
        return _QUOTES.sub(lambda run: "'" if run.start() == apostrophe or len(run[0]) == 4 else "", line)
    return line.replace("''", "")


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
    return _SENTINELS.sub("", html.unescape(match[0]))


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
