"""Sitelinks of Wikipedias from dumps of their tables: pages with their items, and their links to other languages."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ...errors import UserError
from ...text import Advance
from ..schemas import REDIRECTS, SITELINKS
from ..tables import TableWriter, batch, open_table
from ..wikipedias import language_of
from .ids import is_item
from .merged import Merged
from .parse import Counts
from .parts import Part, nested
from .sql_dumps import SqlDump

MEMORY_LIMIT, THREADS = "2GB", 4  # of the joins; what does not fit goes to the disk of the results
_BATCH_ROWS = 1 << 16
_WORK = ".xling-sql."

# what is kept of each table, with the language of the wiki and the number of the page
_COLUMNS = {
    "page": ("title",),
    "page_props": ("entity",),
    "langlinks": ("target_language", "target"),
    "redirect": ("target",),
}
_SCHEMAS = {
    table: pa.schema([("language", pa.string()), ("page_id", pa.int64()), *((name, pa.string()) for name in names)])
    for table, names in _COLUMNS.items()
}

_FOUND = """
-- a page's item: what the JSON dumps say, else what the wiki says
CREATE TABLE known AS
    SELECT language, page_id, title, coalesce(earlier.entity, page_props.entity) AS entity,
        earlier.entity IS NULL AS is_new, page_props.entity AS own
    FROM page LEFT JOIN page_props USING (language, page_id) LEFT JOIN earlier USING (language, title)
    WHERE coalesce(earlier.entity, page_props.entity) IS NOT NULL;

-- the wiki's own word goes before that of other wikis
CREATE TABLE found AS
    SELECT language, title, entity, 0 AS source FROM known WHERE is_new
    UNION ALL
    SELECT target_language, target, entity, 1 FROM langlinks JOIN known USING (language, page_id);

CREATE TABLE titles AS
    SELECT * FROM found WHERE NOT EXISTS (
        SELECT 1 FROM earlier WHERE earlier.language = found.language AND earlier.title = found.title
    )
    QUALIFY row_number() OVER (PARTITION BY language, title ORDER BY source, length(entity), entity) = 1;

CREATE TABLE sitelinks AS
    SELECT language, title, entity FROM titles WHERE NOT EXISTS (
        SELECT 1 FROM earlier WHERE earlier.language = titles.language AND earlier.entity = titles.entity
    )
    QUALIFY row_number() OVER (PARTITION BY language, entity ORDER BY source, title) = 1;
"""
_RESULTS = {
    "sitelinks": (SITELINKS, "SELECT * FROM sitelinks ORDER BY language, title"),
    "redirects": (
        REDIRECTS,
        "SELECT language, title, target FROM page JOIN redirect USING (language, page_id) ORDER BY language, title",
    ),
}
# left out, and the query that counts it
_COUNTS = {
    "page_props: another item than in the dumps": "count(*) FROM known WHERE own <> entity",
    "sitelinks: of a title that has one": "(SELECT count(*) FROM found) - (SELECT count(*) FROM titles)",
    "sitelinks: of an item that has one in the language": "(SELECT count(*) FROM titles) - (SELECT count(*) FROM sitelinks)",
    "page_props: of pages that are no articles": "count(*) FROM page_props WHERE NOT EXISTS (SELECT 1 FROM page WHERE "
    "page.language = page_props.language AND page.page_id = page_props.page_id)",
}


def check_tables(tables: Sequence[tuple[str, str]]) -> None:
    """Raise UserError unless each (language, path) is of a table that is known here, with the pages of its wiki."""
    given: dict[str, dict[str, str]] = {}
    for language, path in tables:
        table = SqlDump(path).table
        if table not in _COLUMNS:
            raise UserError(f"{path}: --sql takes the tables {', '.join(_COLUMNS)}, not {table}")
        given.setdefault(language, {})[table] = path
    for language, paths in given.items():
        if "page" not in paths:
            raise UserError(f"{min(paths.values())}: --sql needs the table page of the Wikipedia in {language}, too")


def convert_tables(
    tables: Sequence[tuple[str, str]], out: Path, part: Part, merged: Merged, advance: Advance | None = None
) -> None:
    """Write ``out``/sitelinks and ``out``/redirects from (language, path) of tables; only what other parts do not have.

    Raises:
        UserError: a column is missing, or ``out`` cannot be written.
    """
    counts: Counts = Counter()
    for left in out.glob(f"{_WORK}*"):  # by a run that was killed
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=_WORK, dir=out) as folder:
        work = Path(folder)
        with contextlib.ExitStack() as stack:
            writers = {
                table: stack.enter_context(open_table(work / f"{table}.parquet", schema))
                for table, schema in _SCHEMAS.items()
            }
            for language, path in tables:
                dump = SqlDump(path, advance)
                _copy(dump, language, writers[dump.table], merged, counts)
                if dump.damage:
                    part.damage.append(f"{path}: {dump.damage}")
                counts["left out", "bytes: not UTF-8, in so many values"] += dump.num_invalid
        try:
            _join(work, out, part.name, counts)
        except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
            raise UserError(f"--out {out}: the join of the tables failed: {error}") from error
    part.counts = nested(counts)


def _copy(dump: SqlDump, language: str, writer: TableWriter, merged: Merged, counts: Counts) -> None:
    schema = _SCHEMAS[dump.table]
    rows = ((language, int(page), *values) for page, *values in _ROWS[dump.table](dump, counts))
    while some := list(islice(rows, _BATCH_ROWS)):
        columns: list[Any] = list(zip(*some, strict=True))
        if dump.table == "page_props":
            columns[-1], replaced = merged.replace(pa.array(columns[-1]))
            counts["merged items replaced", "sitelinks"] += replaced
        writer.write(batch(schema, columns))


def _page(dump: SqlDump, counts: Counts) -> Iterator[tuple[Any, ...]]:
    for page, namespace, title in dump.rows("page_id", "page_namespace", "page_title"):
        if namespace == "0":
            yield page, _title(title)


def _page_props(dump: SqlDump, counts: Counts) -> Iterator[tuple[Any, ...]]:
    for page, name, value in dump.rows("pp_page", "pp_propname", "pp_value"):
        if name == "wikibase_item":
            if value and is_item(value):
                yield page, value
            else:
                counts["left out", "page_props: wikibase_item without a Q-id"] += 1


def _langlinks(dump: SqlDump, counts: Counts) -> Iterator[tuple[Any, ...]]:
    for page, code, title in dump.rows("ll_from", "ll_lang", "ll_title"):
        language = language_of(f"{(code or '').replace('-', '_')}wiki")
        if language is None:
            counts["left out", "langlinks: to no language of a Wikipedia"] += 1
        elif not title or "#" in title:
            counts["left out", "langlinks: to a part of a page, or to none"] += 1
        else:
            yield page, language, _title(title)


def _redirect(dump: SqlDump, counts: Counts) -> Iterator[tuple[Any, ...]]:
    for page, namespace, title, wiki in dump.rows("rd_from", "rd_namespace", "rd_title", "rd_interwiki"):
        if namespace == "0" and not wiki:
            yield page, _title(title)
        else:
            counts["left out", "redirects: to no article"] += 1


_ROWS = {"page": _page, "page_props": _page_props, "langlinks": _langlinks, "redirect": _redirect}


def _title(title: str | None) -> str:
    return (title or "").replace("_", " ").strip()


def _join(work: Path, out: Path, name: str, counts: Counts) -> None:
    config: dict[str, Any] = {"memory_limit": MEMORY_LIMIT, "threads": THREADS, "temp_directory": str(work / "spill")}
    with duckdb.connect(str(work / "join.duckdb"), config=config) as connection:
        for table in _SCHEMAS:
            connection.read_parquet(str(work / f"{table}.parquet")).create_view(table)
        earlier = [str(path) for path in (out / "sitelinks").glob("[0-9]*.parquet")]
        if earlier:
            connection.read_parquet(earlier).create_view("earlier")
        else:
            connection.execute("CREATE TABLE earlier (language TEXT, title TEXT, entity TEXT)")
        connection.execute(_FOUND)
        for kind, expression in _COUNTS.items():
            counts["left out", kind] += connection.execute(f"SELECT {expression}").fetchall()[0][0]
        languages = connection.execute("SELECT language, count(*) FROM sitelinks GROUP BY language").fetchall()
        counts.update({("sitelinks", language): number for language, number in languages})
        for table, (schema, query) in _RESULTS.items():
            with open_table(out / table / f"{name}.parquet", schema) as writer:
                for rows in connection.sql(query).to_arrow_reader(_BATCH_ROWS):
                    writer.write(rows.cast(schema))
