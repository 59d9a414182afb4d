"""What a wiki says of itself in ``<siteinfo>``, and its rules for titles and links."""

from __future__ import annotations

import contextlib
import enum
import html
import re
import unicodedata
import urllib.parse
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from .languages import CODES, DOTTED_I, FILES_AND_CATEGORIES, INTERWIKI, NAMESPACES

FILE, CATEGORY, MEDIA = 6, 14, -2
MAX_TITLE_BYTES = 255  # MediaWiki's own limit: a link to more is no link
# Georgian has capitals since Unicode 11, which titles do not use.
_GEORGIAN = ("\u10d0", "\u10ff")
_BLANKS = re.compile(
    r"[_\s\u200e\u200f\u202a-\u202e]+"
)  # MediaWiki drops marks of direction; beside blanks they are one
_MARKS = re.compile("[\u200e\u200f\u202a-\u202e]")
# most targets are titles as they are
_WORD = r"[^\s_&%#:\[\]{}|<>\ufffd\x00-\x1f\u200e\u200f\u202a-\u202e]++"
_PLAIN = re.compile(f"{_WORD}(?: {_WORD})*+")
_FORBIDDEN = re.compile(r"[\[\]{}|<>\ufffd\x00-\x1f]")


class Namespace(NamedTuple):
    """A namespace: its number, its name in the wiki's language (empty for articles), and how first letters count."""

    key: int
    name: str
    case: str  # "first-letter" or "case-sensitive"


@dataclass(frozen=True)
class SiteInfo:
    """The header of a dump as it stands there."""

    dbname: str = ""
    language: str = ""  # xml:lang of the root element
    case: str = "first-letter"
    namespaces: tuple[Namespace, ...] = ()


class Link(NamedTuple):
    """An article that a link leads to: its normalised title and the part after ``#``."""

    title: str
    fragment: str


class Kind(enum.Enum):
    """What a link is to a reader."""

    ARTICLE = enum.auto()
    HIDDEN = enum.auto()  # a category, or the same article in another language: shown elsewhere on the page
    FILE = enum.auto()  # a picture with its caption, beside the text
    TEXT = enum.auto()  # other pages and other sites: what is shown is text like any


class Site:
    """The rules of one wiki for titles and links."""

    def __init__(self, language: str, info: SiteInfo | None = None) -> None:
        """``info`` is None for a dump without ``<siteinfo>``: the usual rules and names of namespaces hold then."""
        self.language = language
        self.info = info or SiteInfo()
        self._case_sensitive = next(
            (space.case == "case-sensitive" for space in self.info.namespaces if space.key == 0),
            self.info.case == "case-sensitive",
        )
        self._namespaces = _namespaces(language, self.info)
        self.resolve = lru_cache(maxsize=1 << 16)(self._resolve)

    def title(self, text: str) -> str:
        """The normalised title of an article: blanks for underscores, no blanks at the ends, first letter by the wiki's rule."""
        return self._normalised(_MARKS.sub("", _BLANKS.sub(" ", text)).strip())

    def _normalised(self, text: str) -> str:
        if not text.isascii():
            text = unicodedata.normalize("NFC", text)
        return text if self._case_sensitive or not text else self._capital(text[0]) + text[1:]

    def article(self, target: str) -> Link | None:
        """The article that the target of a link or redirect (``Page#Part``) leads to; None for any other page."""
        return self.resolve(target)[1]

    def _resolve(self, target: str) -> tuple[Kind, Link | None]:
        """What a link to ``target`` is, and for an article which."""
        if len(target) < MAX_TITLE_BYTES // 4 and _PLAIN.fullmatch(target):
            return Kind.ARTICLE, Link(self._normalised(target), "")
        if "&" in target:
            target = html.unescape(target)
        if "%" in target:
            with contextlib.suppress(UnicodeDecodeError):
                target = urllib.parse.unquote(target, errors="strict")
        title, _, fragment = _MARKS.sub("", target).partition("#")
        title = _BLANKS.sub(" ", title).strip()
        colon = title.startswith(":")
        title = title.removeprefix(":").strip()
        prefix, separator, rest = title.partition(":")
        if separator:
            prefix = prefix.strip().lower()
            key = self._namespaces.get(prefix)
            if key is not None:
                kinds = {} if colon else {FILE: Kind.FILE, CATEGORY: Kind.HIDDEN}
                return kinds.get(key, Kind.TEXT), None
            if prefix == self.language and rest.strip():
                title = rest
            elif prefix in CODES:
                return Kind.TEXT if colon else Kind.HIDDEN, None
            elif prefix in INTERWIKI:
                return Kind.TEXT, None
        if not title or _FORBIDDEN.search(title) or len(title.encode()) > MAX_TITLE_BYTES:
            return Kind.TEXT, None
        return Kind.ARTICLE, Link(self.title(title), _BLANKS.sub(" ", fragment).strip())

    def _capital(self, letter: str) -> str:
        if letter == "i" and self.language in DOTTED_I:
            return "İ"
        if _GEORGIAN[0] <= letter <= _GEORGIAN[1]:
            return letter
        upper = letter.upper()
        return upper if len(upper) == 1 else letter  # ß has none


def _namespaces(language: str, info: SiteInfo) -> dict[str, int]:
    """Name of a namespace in lower case -> its number; what the wiki says of itself counts before what is usual."""
    names = {name: key for key, group in NAMESPACES.items() for name in group}
    for key, group in zip((FILE, CATEGORY), FILES_AND_CATEGORIES.get(language, ()), strict=False):
        names |= {name.replace("_", " "): key for name in group.split()}
    names |= {_BLANKS.sub(" ", space.name).strip().lower(): space.key for space in info.namespaces if space.name}
    return names
