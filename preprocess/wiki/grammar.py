"""Wikitext to the text that a person reads, and its links to articles."""

from __future__ import annotations

from typing import NamedTuple

from .site import Site


class Anchor(NamedTuple):
    """A link to an article: ``text[start:end]`` is what is shown; title and fragment are normalised, redirects not followed."""

    start: int
    end: int
    title: str
    fragment: str


class Parsed(NamedTuple):
    """Clean text and its anchors by their start."""

    text: str
    anchors: list[Anchor]


class Parser:
    """Parses the pages of one wiki."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def parse(self, wikitext: str) -> Parsed:
        """Never raises, whatever the page holds; linear in its length."""
        raise NotImplementedError


def redirect_target(wikitext: str) -> str | None:
    """The target of a page that is a redirect by its text (``#REDIRECT [[Page#Part]]``, in any language), else None."""
    raise NotImplementedError


def is_disambiguation(wikitext: str, language: str) -> bool:
    """Whether the page lists several meanings of its title: by magic word, or by the name of a template."""
    raise NotImplementedError
