"""Small dumps for tests, made as MediaWiki makes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pyarrow.parquet as pq

SITE = (
    "<siteinfo><sitename>Wikipedia</sitename><dbname>{dbname}</dbname><case>first-letter</case><namespaces>"
    '<namespace key="0" case="first-letter" /><namespace key="1" case="first-letter">Talk</namespace>'
    '<namespace key="14" case="first-letter">Category</namespace></namespaces></siteinfo>'
)


def page(
    page_id: int, title: str, text: str = "", ns: int = 0, redirect: str | None = None, model: str = "wikitext"
) -> str:
    """A page of an export of version 0.10."""
    to = "" if redirect is None else f"<redirect title={quoteattr(redirect)} />"
    return (
        f"  <page><title>{escape(title)}</title><ns>{ns}</ns><id>{page_id}</id>{to}<revision><id>9{page_id}</id>"
        f'<model>{model}</model><text xml:space="preserve">{escape(text)}</text></revision></page>\n'
    )


def export(pages: Sequence[str], dbname: str = "enwiki", site: bool = True, closed: bool = True) -> bytes:
    """A dump of these pages."""
    head = f'<mediawiki version="0.10" xml:lang="en">{SITE.format(dbname=dbname) if site else ""}\n'
    return (head + "".join(pages) + ("</mediawiki>\n" if closed else "")).encode()


def write(path: Path, pages: Sequence[str] | bytes) -> str:
    path.write_bytes(pages if isinstance(pages, bytes) else export(pages))
    return str(path)


def rows(folder: Path, table: str, name: str = "*") -> list[dict[str, Any]]:
    files = sorted((folder / table).glob(f"{name}.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def links(folder: Path) -> list[tuple[str, str]]:
    """Surface and target."""
    return [(row["surface"], row["target"]) for row in rows(folder, "anchors")]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
