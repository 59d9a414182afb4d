"""What needs all dumps of a language at once: pages that come twice, redirects in chains and loops, links to the own page.

The joins are DuckDB's, which goes to disk where memory is short.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...errors import UserError
from ..schemas import ANCHORS, ARTICLES, REDIRECTS
from ..tables import open_table

_TEMPORARY = "redirects-"  # begin of the name of a folder
OTHER_TITLE = "repeated.under another title"  # of the counts
_BATCH = 1 << 14  # rows
_ARTICLES_AT_A_TIME = 1 << 8

_PAGES = """
CREATE TABLE pages (dump INTEGER, is_redirect BOOLEAN, "row" BIGINT, title VARCHAR, page_id BIGINT, target VARCHAR)
"""
_ADD_ARTICLES = """
INSERT INTO pages SELECT $dump, false, file_row_number, title, page_id, NULL
FROM read_parquet($path, file_row_number = true)
"""
_ADD_REDIRECTS = """
INSERT INTO pages SELECT $dump, true, file_row_number, title, NULL, target
FROM read_parquet($path, file_row_number = true)
"""
# Of the pages with one title, and of the articles with one number, the first given stays.
_REPEATED = """
CREATE TABLE repeated AS
SELECT dump, is_redirect, "row" FROM pages
QUALIFY row_number() OVER (PARTITION BY title ORDER BY dump, is_redirect, "row") > 1
UNION
SELECT dump, is_redirect, "row" FROM pages WHERE NOT is_redirect
QUALIFY row_number() OVER (PARTITION BY page_id ORDER BY dump, "row") > 1
"""
# Articles whose number an article with another title has: of one wiki only those that were renamed between two dumps.
_RENAMED = """
CREATE TABLE renamed AS
SELECT dump FROM pages WHERE NOT is_redirect
QUALIFY title <> first_value(title) OVER (PARTITION BY page_id ORDER BY dump, "row")
"""
_ARTICLES = """
CREATE TABLE articles AS SELECT title FROM pages ANTI JOIN repeated USING (dump, is_redirect, "row") WHERE NOT is_redirect
"""
_CHAINS = """
CREATE TABLE chains AS SELECT title, target FROM pages ANTI JOIN repeated USING (dump, is_redirect, "row") WHERE is_redirect
"""
# Each round follows twice as many redirects as the one before.
_FOLLOW = """
CREATE TABLE followed AS
SELECT first.title, coalesce(second.target, first.target) AS target
FROM chains first LEFT JOIN chains second ON first.target = second.title
"""
_NUM_UNFINISHED = "SELECT count(*) FROM chains WHERE target IN (SELECT title FROM chains)"
_ENDS = """
CREATE TABLE ends AS
SELECT title, target, target IN (SELECT title FROM chains) AS is_loop FROM chains
"""
_REDIRECTS = """
SELECT $language AS language, title, ends.target, is_loop
FROM pages ANTI JOIN repeated USING (dump, is_redirect, "row") JOIN ends USING (title)
WHERE dump = $dump AND is_redirect
ORDER BY "row"
"""
_ANCHORS = """
SELECT $language AS language, page_id, "start", "end", surface, link, coalesce(ends.target, link) AS target, fragment,
    ends.title IS NOT NULL AS is_redirected, coalesce(is_loop, false) AS is_loop,
    coalesce(ends.target, link) = anchors.title AS is_own, articles.title IS NOT NULL AS is_here
FROM read_parquet($path, file_row_number = true) anchors
ANTI JOIN (SELECT "row" FROM repeated WHERE dump = $dump AND NOT is_redirect) repeated USING ("row")
LEFT JOIN ends ON link = ends.title
LEFT JOIN articles ON coalesce(ends.target, link) = articles.title
ORDER BY file_row_number
"""


@contextlib.contextmanager
def database(folder: Path, memory_limit: str, threads: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database in a folder of its own within ``folder``, which is removed in the end."""
    with tempfile.TemporaryDirectory(prefix=_TEMPORARY, dir=folder) as temporary:
        config: dict[str, Any] = {
            "memory_limit": memory_limit,
            "threads": threads,
            "temp_directory": temporary,
            "preserve_insertion_order": False,
        }
        with duckdb.connect(Path(temporary) / "database", config=config) as connection:
            connection.execute("SET enable_progress_bar = false")
            yield connection


def clear_databases(folder: Path) -> None:
    """Remove what killed runs left of ``database`` in ``folder``, by the names of the files; others stay."""
    for temporary in folder.glob(f"{_TEMPORARY}*"):
        for pattern in ("database", "database.wal", "duckdb_temp_*"):
            for path in temporary.glob(pattern):
                if path.is_file():
                    path.unlink()
        with contextlib.suppress(OSError):
            temporary.rmdir()


def resolve(
    connection: duckdb.DuckDBPyConnection,
    language: str,
    tables: Sequence[Mapping[str, Path]],
    outputs: Sequence[Mapping[str, Path]],
) -> list[Counter[str]]:
    """Write the tables of a language from the raw ones of its dumps.

    Args:
        tables, outputs: the files of each dump, by the names of ``TABLES``, in the order in which the dumps were given.

    Returns:
        For each dump the rows written (``articles``, ``anchors``, ``redirects``), pages that are dropped (``repeated``,
        ``redirect in a loop``; of the first ``OTHER_TITLE``) with minus their ``characters``, and of the anchors how many are redirected, lead to no article
        in the dumps, or are dropped.

    Raises:
        UserError: if memory or disk do not suffice.
    """
    try:
        connection.execute(_PAGES)
        for dump, files in enumerate(tables):
            connection.execute(_ADD_ARTICLES, {"dump": dump, "path": str(files["articles"])})
            connection.execute(_ADD_REDIRECTS, {"dump": dump, "path": str(files["redirects"])})
        for statement in (_REPEATED, _RENAMED, _ARTICLES, _CHAINS):
            connection.execute(statement)
        _follow_chains(connection)
        counts = []
        for dump, (files, paths) in enumerate(zip(tables, outputs, strict=True)):
            count = _write_anchors(connection, language, dump, files["anchors"], paths["anchors"])
            count.update(_write_redirects(connection, language, dump, paths["redirects"]))
            count.update(_write_articles(connection, dump, files["articles"], paths["articles"]))
            count[OTHER_TITLE] = _number(connection, "SELECT count(*) FROM renamed WHERE dump = $dump", dump=dump)
            counts.append(count)
        return counts
    except duckdb.OutOfMemoryException as error:
        raise UserError(
            f"--memory-limit is too low to follow the redirects of {language}: {_first_line(error)}"
        ) from error
    except duckdb.IOException as error:
        raise UserError(f"cannot follow the redirects of {language}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _number(connection: duckdb.DuckDBPyConnection, query: str, **values: Any) -> int:
    ((number,),) = connection.execute(query, values).fetchall()
    return int(number)


def _follow_chains(connection: duckdb.DuckDBPyConnection) -> None:
    """Until only loops, and what leads into them, are without end.

    While a chain has no end, one title on it is just as far from its end as the next round follows: the number falls.
    """
    before, unfinished = -1, _number(connection, _NUM_UNFINISHED)
    while unfinished and unfinished != before:
        connection.execute(_FOLLOW)
        connection.execute("DROP TABLE chains")
        connection.execute("ALTER TABLE followed RENAME TO chains")
        before, unfinished = unfinished, _number(connection, _NUM_UNFINISHED)
    connection.execute(_ENDS)


def _write_anchors(
    connection: duckdb.DuckDBPyConnection, language: str, dump: int, source: Path, path: Path
) -> Counter[str]:
    counts: Counter[str] = Counter()
    reader = _rows(connection, _ANCHORS, language=language, dump=dump, path=str(source))
    with open_table(path, ANCHORS) as table:
        for rows in reader:
            is_loop, is_own = rows["is_loop"], pc.and_(rows["is_own"], pc.invert(rows["is_loop"]))
            kept = rows.filter(pc.invert(pc.or_(is_loop, is_own)))
            counts["anchors.into a loop"] += is_loop.true_count
            counts["anchors.to the own page"] += is_own.true_count
            counts["anchors.redirected"] += kept["is_redirected"].true_count
            counts["anchors.without article"] += kept["is_here"].false_count
            table.write(_select(kept, ANCHORS))
        counts["anchors"] = table.num_rows
    return counts


def _write_redirects(connection: duckdb.DuckDBPyConnection, language: str, dump: int, path: Path) -> Counter[str]:
    counts: Counter[str] = Counter()
    reader = _rows(connection, _REDIRECTS, language=language, dump=dump)
    with open_table(path, REDIRECTS) as table:
        for rows in reader:
            counts["redirect in a loop"] += rows["is_loop"].true_count
            table.write(_select(rows.filter(pc.invert(rows["is_loop"])), REDIRECTS))
        counts["redirects"] = table.num_rows
    counts["repeated"] = _number(
        connection, "SELECT count(*) FROM repeated WHERE dump = $dump AND is_redirect", dump=dump
    )
    return counts


def _write_articles(connection: duckdb.DuckDBPyConnection, dump: int, source: Path, path: Path) -> Counter[str]:
    """The file is only moved where nothing in it is repeated."""
    query = 'SELECT "row" FROM repeated WHERE dump = $dump AND NOT is_redirect ORDER BY "row"'
    repeated = connection.execute(query, {"dump": dump}).fetchnumpy()["row"]
    counts = Counter({"repeated": len(repeated)})
    if not len(repeated):
        counts["articles"] = pq.read_metadata(source).num_rows
        if source != path:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.replace(source, path)
        return counts
    begin = 0
    with open_table(path, ARTICLES) as table, pq.ParquetFile(source) as file:
        for rows in file.iter_batches(_ARTICLES_AT_A_TIME):
            first, last = np.searchsorted(repeated, (begin, begin + rows.num_rows))
            is_repeated = np.zeros(rows.num_rows, dtype=bool)
            is_repeated[repeated[first:last] - begin] = True
            counts["characters"] -= pc.sum(pc.utf8_length(rows.filter(pa.array(is_repeated))["text"])).as_py() or 0
            table.write(rows.filter(pa.array(~is_repeated)).cast(ARTICLES))
            begin += rows.num_rows
    counts["articles"] = table.num_rows
    return counts


def _rows(connection: duckdb.DuckDBPyConnection, query: str, **values: Any) -> Iterator[pa.RecordBatch]:
    return iter(connection.sql(query, params=values).to_arrow_reader(_BATCH))


def _select(rows: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    return rows.select(schema.names).cast(schema)
