"""What encloses something in wikitext: links, templates, tables, elements, comments; one pass over the page with a stack.

What a reader does not see is dropped when it closes; what never closes stays as text. Where wikitext is not well-formed, it reads as
MediaWiki reads it: the attributes of an element end at the first ``>``, ``<ref>`` at the first ``</ref>``. Noncharacters of Unicode stand for the
limits of the anchors and for what was dropped, so that every offset follows from the text that is left in the end.

Linear in the length of the page: every character is looked at a bounded number of times, and pieces move from an inner mark to
the one around it at most MAX_DEPTH times.
"""

from __future__ import annotations

import html
import re
from functools import cache
from typing import NamedTuple

from . import kept_templates
from .languages import TRAILS
from .site import Kind, Link, Site

# An anchor is OPEN, its number, END_OF_NUMBER, what it shows, CLOSE. GAP: here something was dropped.
OPEN, CLOSE, END_OF_NUMBER, GAP = "\ufdd0", "\ufdd1", "\ufdd2", "\ufdd3"
MAX_LINK = 20_000  # characters; what is longer between [[ and ]] was not closed where it should have been
MAX_DEPTH = 100  # of open marks; a template further down leaves nothing, a link there is none

# Elements that are dropped with what they hold.
_DROPPED = """
    ref gallery timeline math chem ce score graph imagemap templatestyles mapframe maplink hiero indicator inputbox
    categorytree syntaxhighlight source rt rp rtc style script includeonly references charinsert section
"""
DROPPED = frozenset(_DROPPED.split())
# Those whose text is no wikitext.
VERBATIM = frozenset(("nowiki", "pre"))
# Those that begin a line.
_BLOCKS = """
    br p div blockquote li ul ol dl dt dd hr center h1 h2 h3 h4 h5 h6 poem caption table tr left right
"""
BLOCKS = frozenset(_BLOCKS.split())
# Those that leave no trace; what is in none of these groups is text with a < in it.
_INLINE = """
    b i u s em strong small big sup sub span font tt code var samp kbd cite abbr bdi bdo del ins mark q dfn strike a
    noinclude onlyinclude ruby rb td th tbody thead tfoot wbr data time translate tvar
"""
ELEMENTS = DROPPED | VERBATIM | BLOCKS | frozenset(_INLINE.split())

_LINK, _TEMPLATE, _TABLE, _HTML_TABLE = range(4)
_ATTRIBUTES = re.compile(r"([^<>]{0,2000})>")
_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_TARGET = re.compile(r"([^\[\]{}|<>\n]+)\|")
_NAME_OF_ARGUMENT = re.compile(r"[\w -]{1,40}")
_COMMENT_OR_VERBATIM = re.compile(r"<!--|<(nowiki|pre)(?=[\s>])[^<>]{0,2000}(?<!/)>", re.IGNORECASE)
_IN_BRACKETS = re.compile(r"\s*[(（][^()（）]*[)）]$")
# The last group that matched: 3 a link without other marks in it (1 target, 2 label, 3 the letters behind it), 4 a template and 5
# a reference likewise, 6 an element, none: another mark. Every alternative begins with a literal character, which lets
# re skip what cannot begin one.
_TOKEN = (
    r"\[\[([^\[\]{{}}|<>\n]+)(?:\|([^\[\]{{}}<>|\n]*))?\]\]({trail})"
    r"|\{{\{{([^{{}}<]*)\}}\}}"
    r"|<ref(?:\s[^<>]{{0,2000}}/>|(?:\s[^<>]{{0,2000}})?(?<!/)>[^<]*</ref>)()"
    r"|<(/?[a-zA-Z][a-zA-Z0-9]*)"
    r"|\[\[|\]\]|\{{\{{\{{[^{{}}<]*\}}\}}\}}|\{{\{{|\}}\}}|\{{\||\|\}}(?!\}}(?!\}}))"
)
_LINK_GROUP, _TEMPLATE_GROUP, _REFERENCE_GROUP, _ELEMENT_GROUP = range(3, 7)

# What <nowiki> holds is kept from later steps by moving its marks to noncharacters, behind this one.
VERBATIM_MARK = "\ufdd4"
_HIDE = {ord(mark): 0xFDD5 + index for index, mark in enumerate("'=*#:;-[]{}|_<>&~")}
SHOW = {ord(VERBATIM_MARK): None} | {moved: plain for plain, moved in _HIDE.items()}
SENTINELS = (OPEN, CLOSE, END_OF_NUMBER, GAP, VERBATIM_MARK)


class _Frame(NamedTuple):
    """A mark that is open."""

    kind: int
    begin: int  # its first character
    target: str  # of a link
    before: list[str]  # the pieces around it


class Structure:
    """The marks of one wiki."""

    def __init__(self, site: Site) -> None:
        self.resolve = site.resolve
        letters = TRAILS.get(site.language, "à-öø-ÿ")
        trail = f"[a-z{letters}]*" if letters else ""
        self.trail = re.compile(trail)
        self.token = re.compile(_TOKEN.format(trail=trail))

    def flatten(self, text: str, links: list[Link]) -> str:
        """The text without what a reader does not see. The number of an anchor is its place in ``links``, which grows."""
        return _Page(self, _without_comments(text), links).flatten()


class _Page:
    """The state of the pass over one page."""

    def __init__(self, wiki: Structure, text: str, links: list[Link]) -> None:
        self.wiki = wiki
        self.text = text
        self.links = links
        self.position = 0
        self.out: list[str] = []  # the pieces within the innermost open mark
        self.stack: list[_Frame] = []
        self.num_open = [0, 0, 0, 0]  # of each kind
        self.unclosed: set[str] = set()  # elements that no end follows any more

    def flatten(self) -> str:
        text, links = self.text, self.links
        search, resolve = self.wiki.token.search, self.wiki.resolve
        while (match := search(text, self.position)) is not None:
            begin, end = match.span()
            if begin > self.position:
                self.out.append(text[self.position : begin])
            self.position = end
            group = match.lastindex
            if group == _LINK_GROUP:
                target, label, trail = match.group(1, 2, 3)
                kind, link = resolve(target)
                if kind is Kind.FILE or kind is Kind.HIDDEN:
                    self.out.append(trail)
                    continue
                shown = label or (_shown(target) if label is None else _pipe_trick(target))
                if link is None:
                    self.out.append(shown + trail)
                else:
                    self.out.append(f"{OPEN}{len(links)}{END_OF_NUMBER}{shown}{trail}{CLOSE}")
                    links.append(link)
            elif group == _TEMPLATE_GROUP:
                self.simple_template(match[4])
            elif group == _REFERENCE_GROUP:
                self.out.append(GAP)
            elif group == _ELEMENT_GROUP:
                self.element(match[6].lower(), match[0], begin, end)
            else:
                self.mark(match[0], begin, end)
        # what was never closed is text; from the outermost inwards, so that nothing is copied twice
        pieces = [piece for frame in self.stack for piece in frame.before]
        return "".join([*pieces, *self.out, text[self.position :]])

    def push(self, kind: int, begin: int, mark: str, target: str = "") -> None:
        """Open a mark; its first piece is what stands there if it never closes."""
        self.stack.append(_Frame(kind, begin, target, self.out))
        self.num_open[kind] += 1
        self.out = [mark]

    def close(self, kind: int) -> list[str]:
        """Close everything down to the last open mark of ``kind``, and return what the innermost held."""
        inside = self.out
        while True:
            frame = self.stack.pop()
            self.num_open[frame.kind] -= 1
            if frame.kind == kind:
                self.out = frame.before
                return inside

    def take_trail(self) -> str:
        """The letters that belong to the link before them."""
        end = self.wiki.trail.match(self.text, self.position).end()  # type: ignore[union-attr]
        letters = self.text[self.position : end]
        self.position = end
        return letters

    # ---- links ------------------------------------------------------------------------------------------------------

    def close_link(self, begin: int, end: int) -> None:
        """What a link leaves that holds other marks."""
        target = self.stack[-1].target
        inside = self.close(_LINK)
        kind, link = self.wiki.resolve(target) if target else (Kind.TEXT, None)
        if end - begin > MAX_LINK or (kind is not Kind.FILE and "\n\n" in self.text[begin:end]):
            self.out += [*inside, "]]"]
            return
        if kind is Kind.FILE or kind is Kind.HIDDEN:
            self.out.append(GAP)
            return
        shown = "".join(inside[1:])
        if not target:  # a template made it: what is shown comes after the first bar
            shown = shown.partition("|")[2] or shown
        if self.text.startswith("]", end) and shown.count("[") > shown.count("]"):  # [[a|[b]]]
            shown += "]"
            self.position += 1
        if link is None or OPEN in shown:  # of a link within a link, the inner one is the link
            self.out.append(shown)
        else:
            shown = shown.replace("\n", " ") + self.take_trail()
            self.out.append(f"{OPEN}{len(self.links)}{END_OF_NUMBER}{shown}{CLOSE}")
            self.links.append(link)

    # ---- other marks ------------------------------------------------------------------------------------------------

    def simple_template(self, inner: str) -> None:
        if "[[" in inner and kept_templates.is_kept(_name(inner)):
            inner = self.wiki.flatten(inner, self.links)
        self.out.append(_template(inner))

    def mark(self, mark: str, begin: int, end: int) -> None:
        if mark == "[[" and len(self.stack) <= MAX_DEPTH:
            target = _TARGET.match(self.text, end)
            self.push(_LINK, begin, mark, target[1] if target else "")
            self.position = target.end() if target else end
        elif mark == "]]" and self.stack and self.stack[-1].kind == _LINK:
            self.close_link(self.stack[-1].begin, end)
        elif mark == "{{":
            self.push(_TEMPLATE, begin, mark)
        elif mark == "}}" and self.num_open[_TEMPLATE]:
            readable = self.stack[-1].kind == _TEMPLATE and len(self.stack) <= MAX_DEPTH
            inside = self.close(_TEMPLATE)
            self.out.append(_template("".join(inside[1:])) if readable else GAP)
        elif mark == "{|" and _at_line_start(self.text, begin):
            self.push(_TABLE, begin, mark)
        elif mark == "|}" and self.num_open[_TABLE] and _at_line_start(self.text, begin):
            self.close(_TABLE)
            self.out.append(GAP)
        elif mark.startswith("{{{"):  # a parameter, which has no value on an article
            self.out.append(GAP)
        else:
            self.out.append(mark)

    def element(self, name: str, tag: str, begin: int, end: int) -> None:
        attributes = _ATTRIBUTES.match(self.text, end)
        if attributes is None or name.lstrip("/") not in ELEMENTS:
            self.out.append(tag)
            return
        self.position = attributes.end()
        if name == "table":
            self.push(_HTML_TABLE, begin, "\n")
        elif name == "/table" and self.num_open[_HTML_TABLE]:
            self.close(_HTML_TABLE)
            self.out.append("\n")
        elif attributes[1].endswith("/"):
            self.out.append(_left_by(name))
        elif name in DROPPED or name in VERBATIM:
            self.enclosed(name)
        elif name in ("span", "div") and _HIDDEN.search(attributes[1]):
            self.hidden(name)
        else:
            self.out.append(_left_by(name.lstrip("/")))

    def enclosed(self, name: str) -> None:
        """An element of which nothing is read but its end."""
        close = None if name in self.unclosed else _end_tag(name).search(self.text, self.position)
        if close is None:
            self.unclosed.add(name)
            return
        held = self.text[self.position : close.start()]
        self.out.append(VERBATIM_MARK + html.unescape(held).translate(_HIDE) if name in VERBATIM else GAP)
        self.position = close.end()

    def hidden(self, name: str) -> None:
        """An element that is not shown, with the elements of its name in it."""
        depth = 1
        for tag in () if name in self.unclosed else _tags(name).finditer(self.text, self.position):
            depth += -1 if tag[1] else 1
            if not depth:
                self.out.append(GAP)
                self.position = tag.end()
                return
        self.unclosed.add(name)


def _without_comments(text: str) -> str:
    """The text without its comments, which leave nothing, not even a gap; but as they stand where text is no wikitext."""
    if "<!--" not in text:
        return text
    pieces = []
    kept = position = 0
    unclosed: set[str] = set()
    while (match := _COMMENT_OR_VERBATIM.search(text, position)) is not None:
        if match[1]:
            name = match[1].lower()
            end = None if name in unclosed else _end_tag(name).search(text, match.end())
            if end is None:
                unclosed.add(name)
            position = end.end() if end else match.end()
            continue
        close = text.find("-->", match.end())
        if close < 0:
            break
        pieces.append(text[kept : match.start()])
        kept = position = close + 3
    return "".join([*pieces, text[kept:]])


@cache
def _tags(name: str) -> re.Pattern[str]:
    return re.compile(rf"<(/?){name}(?=[\s>])[^<>]{{0,2000}}(?<!/)>", re.IGNORECASE)


@cache
def _end_tag(name: str) -> re.Pattern[str]:
    return re.compile(rf"</{name}\s*>", re.IGNORECASE)


def _left_by(name: str) -> str:
    """What a single tag leaves of the place where it stood."""
    return "\n" if name in BLOCKS else " " if name in ("td", "th") else GAP if name in DROPPED else ""


def _at_line_start(text: str, position: int) -> bool:
    """Whether only blanks and colons, at most 20 of them, stand before ``position`` in its line."""
    before = text[max(0, position - 20) : position].rstrip(" \t:")
    return not before or before[-1] == "\n"


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
    named: dict[str, str] = {}
    for argument in inner.split("|")[1:]:
        key, equals, value = argument.partition("=")
        key = key.strip()
        if equals and _NAME_OF_ARGUMENT.fullmatch(key):
            named[key.lower()] = value
        else:
            arguments.append(argument)
    while (number := str(len(arguments) + 1)) in named:
        arguments.append(named.pop(number))
    shown = kept_templates.text_of(name, arguments, named)
    if name in ("=", "!", "pipe"):  # no mark of the template around it
        shown = VERBATIM_MARK + shown.translate(_HIDE)
    return shown or GAP


def _shown(target: str) -> str:
    """What a link without a label shows."""
    return target.strip().removeprefix(":")


def _pipe_trick(target: str) -> str:
    """What ``[[target|]]`` shows: the title without its namespace and what tells it from others."""
    title = target.strip().removeprefix(":")
    title = title.partition(":")[2] or title
    return _IN_BRACKETS.sub("", title) if title.rstrip().endswith((")", "）")) else title.partition(", ")[0]
