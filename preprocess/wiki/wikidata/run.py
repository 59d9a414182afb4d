"""``xling wikidata``: dumps of Wikidata and of MediaWiki's tables to columns, input by input."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

import pyarrow as pa

from ...alignment.shards import identity
from ...errors import UserError
from ...text import Advance
from ..inputs import expand_regular
from ..schemas import MERGED, REDIRECTS
from ..tables import open_table
from . import triple_lists
from .dump import check_beginning, convert_dump, open_pool
from .ids import Seen, items_of
from .merged import Merged, read_merged
from .parse import TABLES
from .parts import Part, Parts

OUTPUTS = {**TABLES, "merged": MERGED, "redirects": REDIRECTS}
_SQL = "sql"  # the name of the part that comes of tables
_BATCH_ROWS = 1 << 16


def convert(
    dumps: Sequence[str],
    out: str | Path,
    sql: Sequence[tuple[str, str]] = (),
    redirects: Sequence[str] = (),
    triples: Sequence[str] = (),
    label_languages: Sequence[str] = ("en",),
    workers: int = 1,
    resume: bool = False,
    advance: Advance | None = None,
) -> list[Part]:
    """Write the tables of ``OUTPUTS`` into ``out``, a folder each; the same rows whatever the number of workers.

    Args:
        dumps: JSON dumps of Wikidata, files or glob patterns. Of an entity that comes twice the first is taken.
        sql: (language, file or pattern) of tables of Wikipedias; they add the sitelinks that the dumps do not have.
        redirects: files for ``read_merged``.
        triples: files for ``convert_lists``.
        resume: go on with what an earlier run left; files that have not changed are not read again, unless they
            come after one that has.
        advance: called with the number of bytes read.

    Returns:
        The parts in ``out``, those of earlier runs too.

    Raises:
        UserError: for any wrong input. Parts that are done stay.
    """
    paths = list(dict.fromkeys(os.path.realpath(path) for pattern in dumps for path in expand_regular(pattern)))
    tables = [(language, path) for language, pattern in sql for path in expand_regular(pattern)]
    redirects = [path for pattern in redirects for path in expand_regular(pattern)]
    lists = [path for pattern in triples for path in expand_regular(pattern)]
    triple_lists.check_lists(lists)
    for path in paths:
        check_beginning(path)
    if tables:
        from . import sql_sitelinks  # DuckDB, of no use to the JSON dumps

        sql_sitelinks.check_tables(tables)
    merged = read_merged(redirects, advance)
    options = {"label languages": list(label_languages), "redirects": [identity(path) for path in redirects]}
    parts = Parts(Path(out), options, resume, OUTPUTS)
    names = {part.name for part in parts.all()}
    if not tables and _SQL in names:
        raise UserError(f"--out {out}: holds sitelinks from tables; give these with --sql, too")
    if not lists and triple_lists.NAME in names:
        raise UserError(f"--out {out}: holds triples from lists; give these with --triples, too")
    _convert_dumps(paths, parts, merged, label_languages, workers, advance)
    if redirects:
        _write_merged(parts, redirects, merged)
    if tables:
        part, done = parts.find([path for _, path in tables], name=_SQL)
        if not done:
            sql_sitelinks.convert_tables(tables, parts.out, part, merged, advance)
            parts.save(part)
    if lists:
        part, done = parts.find(lists, name=triple_lists.NAME)
        if not done:
            triple_lists.convert_lists(lists, parts.out, part, merged, advance)
            parts.save(part)
    return parts.all()


def _convert_dumps(
    paths: Sequence[str],
    parts: Parts,
    merged: Merged,
    label_languages: Sequence[str],
    workers: int,
    advance: Advance | None,
) -> None:
    """Convert those that are not done, and all that were converted after the first of these.

    A later part has skipped what an earlier one had, so that it must be made anew with it.

    Raises:
        UserError: such a later one is not given, or a file is wrong.
    """
    paths = sorted(paths, key=lambda path: int(parts.find([path])[0].name))
    num_done = sum(1 for _ in takewhile(lambda path: parts.find([path])[1], paths))
    wanted = paths[num_done:]
    if not wanted:
        return
    first = parts.find(wanted[:1])[0].name
    notes = {path: _reasons(*parts.find([path]), first) for path in wanted}
    later = [part for part in parts.all() if part.name.isdecimal() and int(part.name) >= int(first)]
    for part in later:
        if part.files[0][0] not in wanted:
            raise UserError(
                f"--out {parts.out}: {wanted[0]} is to be read anew, and {part.files[0][0]} was read after it and holds only "
                "what was new then; give this one, too"
            )
    for part in later:
        parts.forget(part.name)
    parts.forget(_SQL)  # it holds what the dumps do not have
    seen = {"items": Seen(), "properties": Seen()}
    for part in parts.all():
        for name, bits in parts.arrays(part).items():
            seen[name].add_bits(bits)
    with open_pool(label_languages, workers) as pool:
        for path in wanted:
            part, _ = parts.find([path])
            part.notes = notes[path]
            added = convert_dump(path, parts.out, part, pool, seen, merged, advance)
            parts.save(part, **added)


def _reasons(part: Part, done: bool, first: str) -> list[str]:
    """Why a part is made anew; nothing if it was not there."""
    return [f"made anew: part {first} was, and what that has is left out here"] if done else part.notes


def _write_merged(parts: Parts, redirects: Sequence[str], merged: Merged) -> None:
    with open_table(parts.out / "merged" / "merged.parquet", MERGED) as writer:
        for start in range(0, len(merged), _BATCH_ROWS):
            columns = [items_of(numbers[start : start + _BATCH_ROWS]) for numbers in (merged.sources, merged.targets)]
            writer.write(pa.RecordBatch.from_arrays(columns, schema=MERGED))
    part, _ = parts.find(redirects, name="merged")
    part.counts = {"merged": {"items": len(merged)}, "left out": {"redirects: into a loop": merged.num_loops}}
    parts.save(part)
