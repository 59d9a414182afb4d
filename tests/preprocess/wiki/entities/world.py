"""A tiny world in the tables of ``xling wiki`` and ``xling wikidata``, with what must come of it worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from fairseq_xling_preprocess.wiki import schemas
from fairseq_xling_preprocess.wiki.tables import batch, open_table

TEXTS = {
    ("en", 1, "Town"): "The river flows through the old town.",
    ("en", 2, "Book"): "She wrote a book about the mountains.\nTwo dogs run. The book",
    ("en", 3, "Dog"): "Two dogs run.",
    ("en", 4, "Mercury"): "the town",  # a disambiguation
    ("en", 5, "Nothing"): " \n",
    ("de", 1, "Stadt"): "Der Fluss fließt durch die alte Stadt.",
    ("de", 7, "Hund"): "Zwei Hunde.",
    ("zh", 9, "城"): "这条河流过老城。",
    ("zu", 1, "Town"): "old town",  # a language that is not kept: fewest articles, last by name
}


def anchor(
    language: str, page: int, surface: str, link: str, target: str | None = None, skip: int = 0
) -> tuple[Any, ...]:
    """A row of anchors over the occurrence of the surface after ``skip`` others."""
    text = next(text for (name, number, _), text in TEXTS.items() if (name, number) == (language, page))
    start = -1
    for _ in range(skip + 1):
        start = text.index(surface, start + 1)
    return language, page, start, start + len(surface), surface, link, target or link, ""


# Q1 town, Q2 book, Q3 dog, Q4 the disambiguation; Q11 is merged into Q10, Q10 into Q1; Q20 and Q21 into each other.
TABLES: dict[str, tuple[pa.Schema, list[tuple[Any, ...]]]] = {
    "articles": (schemas.ARTICLES, [(*key, text) for key, text in TEXTS.items()]),
    "anchors": (
        schemas.ANCHORS,
        [
            anchor("en", 1, "river", "Stream", "Book"),  # Q3 is the item of the redirect itself, before its target's
            anchor("en", 1, "old", "Settlement", "Town"),  # over redirects, Q1
            anchor("en", 1, "town", "Loop", "Loop"),  # redirects in a loop: no entity
            anchor("en", 2, "book", "Book"),  # Q2, and "book" again in its window
            anchor("en", 2, "mountains", "Far", "Far"),  # Q5 has no page
            anchor("en", 2, "Two", "Mercury"),  # a disambiguation
            anchor("de", 1, "Stadt", "Stadt"),  # merged twice: Q1
            anchor("zh", 9, "老城", "城"),
            anchor("zu", 1, "town", "Town"),  # another language
            ("en", 5, 0, 1, " ", "Book", "Book", ""),  # on a page without text
            ("en", 3, 0, 3, "Owt", "Book", "Book", ""),  # the text says something else
        ],
    ),
    "sitelinks": (
        schemas.SITELINKS,
        [
            ("en", "Town", "Q1"),
            ("en", "Book", "Q2"),
            ("en", "Dog", "Q3"),
            ("en", "Stream", "Q3"),
            ("en", "Mercury", "Q4"),
            ("en", "Far", "Q5"),
            ("de", "Stadt", "Q11"),
            ("de", "Hund", "Q20"),
            ("zh", "城", "Q1"),
            ("zu", "Town", "Q1"),
        ],
    ),
    "triples": (
        schemas.TRIPLES,
        [
            ("Q2", "P361", "Q1"),
            ("Q2", "P361", "Q3"),
            ("Q2", "P361", "Q10"),  # Q1 by another name
            ("Q3", "P31", "Q2"),
            ("Q4", "P31", "Q4167410"),
            ("Q1", "P31", "Q5"),
            ("Q20", "P31", "Q1"),
        ],
    ),
    "properties": (
        schemas.PROPERTIES,
        [("P31", "de", "ist ein"), ("P31", "en", "instance of"), ("P361", "de", "Teil von")],
    ),
    "merged": (schemas.MERGED, [("Q11", "Q10"), ("Q10", "Q1"), ("Q20", "Q21"), ("Q21", "Q20")]),
}
WIKI = ("articles", "anchors")


def write_table(file: Path, schema: pa.Schema, rows: Sequence[Sequence[Any]]) -> None:
    with open_table(file, schema) as table:
        table.write(batch(schema, list(zip(*rows, strict=True)) if rows else [[] for _ in schema]))


def write_world(folder: Path, **changed: list[tuple[Any, ...]]) -> tuple[Path, Path]:
    """Write all tables, some with other rows; returns the two folders."""
    folders = folder / "wiki", folder / "wikidata"
    for name, (schema, rows) in TABLES.items():
        write_table(folders[name not in WIKI] / name / "part.parquet", schema, changed.get(name, rows))
    return folders
