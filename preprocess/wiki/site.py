"""What a wiki says of itself in ``<siteinfo>``, and its rules for titles and links."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


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


class Site:
    """The rules of one wiki for titles and links."""

    def __init__(self, language: str, info: SiteInfo | None = None) -> None:
        """``info`` is None for a dump without ``<siteinfo>``: the usual rules and names of namespaces hold then."""
        self.language = language
        self.info = info or SiteInfo()

    def title(self, text: str) -> str:
        """The normalised title of an article: blanks for underscores, no blanks at the ends, first letter by the wiki's rule."""
        raise NotImplementedError

    def article(self, target: str) -> Link | None:
        """The article that the target of a link or redirect (``Page#Part``) leads to; None for any other page."""
        raise NotImplementedError
