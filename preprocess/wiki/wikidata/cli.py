"""The ``xling wikidata`` command: options, help and the summary at the end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import click

from ...errors import UserError
from ...progress import bar
from ...text import expand
from ...workers import num_cores
from ..tables import told_to_resume
from ..wikipedias import language_of
from .report import total, write_report
from .run import convert

DAMAGED = 3  # exit code
_CODE = re.compile(r"[a-z]+(-[a-z0-9]+)*")


@click.command(
    epilog="""\b
Examples:
  # the whole of Wikidata; .gz is the fastest to read
  xling wikidata latest-all.json.gz --label-language en --label-language de --out wikidata
  # items that were merged since, or before: Q1<TAB>Q2 a line, or Wikidata's own tables
  xling wikidata latest-all.json.gz --redirects wikidatawiki-latest-page.sql.gz \\
      --redirects wikidatawiki-latest-redirect.sql.gz --out wikidata
  # titles and their items without the JSON dump (no triples then)
  xling wikidata --sql enwiki=enwiki-latest-page.sql.gz --sql enwiki=enwiki-latest-page_props.sql.gz \\
      --sql enwiki=enwiki-latest-langlinks.sql.gz --out wikidata

Exit codes: 0 done, 3 done as far as damaged input went, 2 the input is wrong, 1 anything else.
"""
)
@click.argument("dumps", nargs=-1, metavar="[DUMP]...")
@click.option("--out", required=True, metavar="DIR", help="Folder for the tables, report.md and results.json.")
@click.option(
    "--label-language", "label_languages", multiple=True, default=("en",), show_default=True, metavar="CODE",
    help="Take labels of items and properties in this language. Repeat it.",
)  # fmt: skip
@click.option(
    "--redirects", multiple=True, metavar="FILE",
    help="Items that were merged into others: Q1<TAB>Q2 a line, or Wikidata's tables redirect and page (.sql). Repeat it.",
)  # fmt: skip
@click.option(
    "--sql", "tables", multiple=True, metavar="WIKI=FILE",
    help="Take sitelinks from a table of a Wikipedia, as enwiki=FILE: page with page_props and langlinks; redirect. Repeat it.",
)  # fmt: skip
@click.option(
    "--triples", multiple=True, metavar="FILE",
    help="Further triples, Q1<TAB>P1<TAB>Q2 a line, as those of CoDEx. Repeat it.",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Processes.  [default: all cores]")
@click.option("--resume", is_flag=True, help="Go on with what an earlier run left in --out.")
def wikidata(
    dumps: Sequence[str], out: str, label_languages: Sequence[str], redirects: Sequence[str], tables: Sequence[str],
    triples: Sequence[str], workers: int | None, resume: bool,
) -> int:  # fmt: skip
    """Turn dumps of Wikidata into tables: sitelinks, triples of best rank, labels, properties.

    A DUMP is the JSON of all entities, one a line, also compressed. All tables are Parquet. What is left out is counted
    in report.md.
    """
    sql = [_parse_table(text) for text in tables]
    if not dumps and not sql and not triples:
        raise UserError("nothing to read: give a JSON dump of Wikidata, tables with --sql, or --triples")
    for code in label_languages:
        if not _CODE.fullmatch(code):
            raise UserError(f"--label-language {code!r}: expected a code of Wikidata's labels, as en or zh-hant")
    patterns = [*dumps, *redirects, *triples, *(pattern for _, pattern in sql)]
    with told_to_resume(), bar("wikidata", [path for pattern in patterns for path in expand(pattern)]) as progress:
        parts = convert(
            dumps,
            out,
            sql,
            redirects,
            triples,
            list(dict.fromkeys(label_languages)),
            workers or num_cores(),
            resume,
            progress.update,
        )
    write_report(Path(out), parts)
    counts = total(parts)
    for name in ("entities", "sitelinks", "triples"):
        if dumps or name in counts:
            click.echo(f"{name}: {counts[name].total() if name in counts else 0:,}")
    if left_out := counts.get("left out"):
        click.echo(f"left out: {left_out.total():,}, see {Path(out) / 'report.md'}")
    for part in parts:
        for note in part.notes:
            click.echo(f"{part.files[0][0]}: {note}", err=True)
    found = {language for table in ("labels", "properties") for language in counts.get(table, ())}
    for code in dict.fromkeys(label_languages):
        if dumps and code not in found:
            click.echo(f"warning: --label-language {code}: there is no label in it", err=True)
    damage = [message for part in parts for message in part.damage]
    for message in damage:
        click.echo(f"warning: {message}", err=True)
    return DAMAGED if damage else 0


def _parse_table(text: str) -> tuple[str, str]:
    """``enwiki=FILE`` -> (``en``, FILE). Raises UserError."""
    wiki, separator, path = text.partition("=")
    language = language_of(wiki)
    if not separator or not path or language is None:
        raise UserError(f"--sql {text}: expected the database name of a Wikipedia and a file, as enwiki=FILE")
    return language, path
