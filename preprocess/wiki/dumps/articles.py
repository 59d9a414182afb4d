"""What a worker does: from the pages of a part of a dump to rows of articles, anchors and redirects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import pyarrow as pa

from ..schemas import ANCHORS, ARTICLES, REDIRECTS
from ..tables import batch
from ..wikitext.grammar import Parser
from ..wikitext.page_kinds import is_disambiguation, redirect_target
from ..wikitext.site import Site, SiteInfo
from .chunks import Chunk, Range, load
from .decompress import Damage
from .pages import Broken, Page, read_pages

# Before redirects are followed: without target, but with the title of the page and the row of ``articles`` that it is.
LINKS = pa.schema(
    [
        ("row", pa.int64()),
        ("title", pa.string()),
        *(field for field in ANCHORS if field.name not in ("language", "target")),
    ]
)
TABLES = {"articles": ARTICLES, "anchors": LINKS, "redirects": REDIRECTS}
"""The tables of one dump, by name."""
LEFT_OUT = ("other namespace", "not wikitext", "disambiguation", "redirect to no article", "no text", "no title")


@dataclass
class Rows:
    """The rows of a part of a dump, and what was counted.

    Attributes:
        tables: by the names of ``TABLES``; rows of articles are numbered from 0 in each part.
        counts: pages, characters, and pages left out by reason (``LEFT_OUT``).
        broken: damaged pages, which are left out; offsets in the decompressed stream, of a range from its begin.
        head, tail: the incomplete pages at the limits of a range.
        num_bytes: of XML, in a range.
        damage: of the compression of a range; offsets as above.
    """

    tables: dict[str, pa.RecordBatch]
    counts: Counter[str]
    broken: list[Broken]
    head: bytes = b""
    tail: bytes = b""
    num_bytes: int = 0
    damage: list[Damage] = field(default_factory=list)


def convert(part: Chunk | Range, language: str, info: SiteInfo) -> Rows:
    """The rows of a part of a dump."""
    if isinstance(part, Chunk):
        return _convert(read_pages(part.data, part.offset), language, info)
    content = load(part)
    rows = _convert(read_pages(content.pages, len(content.head)), language, info)
    rows.head, rows.tail, rows.damage = content.head, content.tail, content.damage
    rows.num_bytes = len(content.head) + len(content.pages) + len(content.tail)
    return rows


@lru_cache(maxsize=4)
def _tools(language: str, info: SiteInfo) -> tuple[Site, Parser]:
    site = Site(language, info if info.namespaces else None)
    return site, Parser(site)


def _convert(pages: Iterable[Page | Broken], language: str, info: SiteInfo) -> Rows:
    site, parser = _tools(language, info)
    rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in TABLES}
    counts: Counter[str] = Counter()
    broken = []
    for page in pages:
        counts["pages"] += 1
        if isinstance(page, Broken):
            broken.append(page)
            continue
        title = site.title(page.title)
        target = page.redirect if page.redirect is not None else redirect_target(page.text)
        if reason := _left_out(page, title, site):
            counts[reason] += 1
        elif target is not None:
            if link := site.article(target):
                rows["redirects"].append((language, title, link.title))
            else:
                counts["redirect to no article"] += 1
        elif is_disambiguation(page.text, language):
            counts["disambiguation"] += 1
        else:
            text, anchors = parser.parse(page.text)
            if not text.strip():
                counts["no text"] += 1
                continue
            row = len(rows["articles"])
            rows["articles"].append((language, page.page_id, title, text))
            counts["characters"] += len(text)
            for start, end, link_title, fragment in anchors:
                surface = text[start:end]
                assert len(surface) == end - start > 0, (title, start, end)
                rows["anchors"].append((row, title, page.page_id, start, end, surface, link_title, fragment))
    tables = {
        name: batch(schema, list(zip(*rows[name], strict=True)) or [[]] * len(schema))
        for name, schema in TABLES.items()
    }
    return Rows(tables, counts, broken)


def _left_out(page: Page, title: str, site: Site) -> str | None:
    """Why a page is none that can be read, if so."""
    if page.namespace != 0 and (page.namespace is not None or site.article(page.title) is None):
        return "other namespace"
    if page.model not in ("", "wikitext"):
        return "not wikitext"
    return None if title else "no title"
