"""The ``xling wiki`` command: options, help and the report at the end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ...commands import num_cores
from ...errors import UserError

DAMAGED = 3  # exit code


@click.command(
    epilog="""\b
Examples:
  # two languages; the codes come from the names of the files, else from their headers
  xling wiki enwiki-20240101-pages-articles-multistream.xml.bz2 dewiki-20240101-pages-articles.xml.bz2 --out wiki
  # the parts of a large dump; a dump whose name says nothing
  xling wiki 'enwiki-20240101-pages-articles*.xml-p*.bz2' sw=dump.xml --out wiki
  # go on after an interruption, or with more languages
  xling wiki enwiki-*.bz2 dewiki-*.bz2 frwiki-*.bz2 --out wiki --resume

Exit codes: 0 done, 2 the input is wrong, 3 done as far as a damaged input went, 1 anything else.
"""
)
@click.argument("dumps", nargs=-1, required=True, metavar="[CODE=]DUMP...")
@click.option("--out", required=True, metavar="DIR", help="Folder of articles/, anchors/, redirects/, report.md.")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Processes.  [default: all cores]")
@click.option(
    "--memory-limit", default="4GB", show_default=True, metavar="SIZE",
    help="Of DuckDB, which follows redirects; beyond it goes to disk, in DIR.",
)  # fmt: skip
@click.option(
    "--resume", is_flag=True, help="Go on in DIR: dumps that were read there and are the same are not read again."
)
def wiki(dumps: Sequence[str], out: str, workers: int | None, memory_limit: str, resume: bool) -> int:
    """Turn Wikipedia dumps (pages-articles XML) into tables of articles and anchors.

    Reads plain XML, gz, bz2, xz and zst by content, multistream bz2 on all cores. Writes the text that a person reads, the
    links in it with their exact place, and redirects, as Parquet. A damaged dump gives what comes before the damage.
    """
    try:
        from .report import PAGES_LEFT_OUT, REPORT, describe_damage, describe_repeated, is_damaged
        from .run import extract_dumps, unfinished
    except ImportError as error:
        raise UserError(f"xling wiki needs {error.name}: pip install 'fairseq_xling[wiki]'") from error
    languages = extract_dumps(dumps, out, workers or num_cores(), memory_limit, resume)
    left_out, damaged = 0, False
    for language, records in sorted(languages.items()):
        counts = {
            name: sum(record["counts"].get(name, 0) for record in records)
            for name in ("articles", "anchors", "redirects", *PAGES_LEFT_OUT)
        }
        click.echo(
            f"{language}: {', '.join(f'{counts[name]:,} {name}' for name in ('articles', 'anchors', 'redirects'))}"
        )
        left_out += sum(counts[name] for name in PAGES_LEFT_OUT)
        for record in records:
            damaged |= is_damaged(record)
            for line in (*describe_damage(record), *describe_repeated(record)):
                click.echo(f"warning: {record['identity']['name']}: {line}", err=True)
    click.echo(f"{left_out:,} pages left out, see {Path(out) / REPORT}")
    if rest := unfinished(out):
        click.echo(f"unfinished: {', '.join(rest)}; give their dumps with --resume to go on", err=True)
    return DAMAGED if damaged else 0
