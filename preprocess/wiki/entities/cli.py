"""The ``xling entities`` command: options, help and what is printed at the end."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import click

from ...commands import num_cores
from ...encode import UNKNOWN_LIMIT
from ...errors import UserError
from ...wordpiece import WordPieceFiles
from ..inputs import check_memory_limit
from .engines import ENGINES
from .report import summarize, write_report
from .run import Options, build
from .shards import LANGUAGE, SPECIALS


def _languages(text: str | None) -> list[str] | None:
    if text is None:
        return None
    languages = list(dict.fromkeys(part.strip() for part in text.split(",")))
    for language in languages:
        if not LANGUAGE.fullmatch(language):
            raise UserError(
                f"--languages {text}: {language!r} is no code; expected codes of Wikipedia, as in en,de,zh-yue"
            )
    return languages


@click.command(
    epilog="""\b
Examples:
  xling wiki enwiki-20240101-pages-articles-multistream.xml.bz2 dewiki-….xml.bz2 --out wiki
  xling wikidata latest-all.json.gz --out wikidata
  xling entities --wiki wiki --wikidata wikidata --data data-bin
  # three languages; little memory; BERT's pieces
  xling entities --wiki wiki --wikidata wikidata --data data-bin --languages en,de,zh --memory-limit 1GB \\
      --wordpiece mbert/vocab.txt
  # the joins on a cluster that sees the same folders
  xling entities --wiki wiki --wikidata wikidata --data data-bin --engine spark --master spark://host:7077
"""
)
@click.option("--wiki", required=True, metavar="DIR", help="What xling wiki wrote: articles and anchors.")
@click.option(
    "--wikidata",
    required=True,
    metavar="DIR",
    help="What xling wikidata wrote: sitelinks, triples, properties, merged.",
)
@click.option("--data", required=True, metavar="DIR", help="Data-bin with dict.txt and sentencepiece.bpe.model.")
@click.option(
    "--wordpiece", metavar="VOCAB", help="BERT's vocab.txt instead of a SentencePiece model, as for xling encode."
)
@click.option("--lowercase", is_flag=True, help="With --wordpiece: lower-case and strip accents, as uncased BERT.")
@click.option("--out", metavar="DIR", help="Folder to write.  [default: DATA/wiki]")
@click.option("--languages", metavar="A,B,…", help="Keep these.  [default: all]")
@click.option(
    "--top-languages", type=click.IntRange(min=1), default=100, show_default=True, metavar="N",
    help="Keep at most the N languages with the most articles.",
)  # fmt: skip
@click.option(
    "--max-tokens", type=click.IntRange(min=SPECIALS + 1), default=256, show_default=True, metavar="N",
    help="Length of a description and of the window around a mention, with <s> and </s>.",
)  # fmt: skip
@click.option(
    "--valid-share", type=click.FloatRange(0, 1, max_open=True), default=0.01, show_default=True, metavar="X",
    help="Share of the articles, and of the triples, set aside for validation.",
)  # fmt: skip
@click.option(
    "--engine", type=click.Choice(ENGINES), default="duckdb", show_default=True,
    help="What joins: DuckDB within this process, or Spark SQL.",
)  # fmt: skip
@click.option("--master", metavar="URL", help="With --engine spark: the cluster.  [default: local[*]]")
@click.option(
    "--memory-limit", default="4GB", show_default=True, metavar="SIZE",
    help="Memory of the joins, as in 400MB; the rest is spilled to disk, in --out.",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Processes.  [default: all cores]")
@click.option("--overwrite", is_flag=True, help="Replace an earlier result; other files in the folder stay.")
def entities(
    wiki: str, wikidata: str, data: str, wordpiece: str | None, lowercase: bool, out: str | None, languages: str | None,
    top_languages: int, max_tokens: int, valid_share: float, engine: str, master: str | None, memory_limit: str,
    workers: int | None, overwrite: bool,
) -> None:  # fmt: skip
    """Make training data of entities: mentions in context, descriptions, triples.

    Joins the links of Wikipedia with Wikidata's items and statements and writes memory-mapped columns to DATA/wiki. Interrupted, it
    leaves nothing behind. What is left out, and why, is counted in report.md.
    """
    if lowercase and not wordpiece:
        raise UserError("--lowercase is of --wordpiece: leave it out")
    if master and engine != "spark":
        raise UserError(f"--master {master}: give --engine spark, too")
    check_memory_limit(memory_limit)
    if not 0 <= valid_share < 1:  # nan is neither below nor above, for click
        raise UserError(f"--valid-share {valid_share}: expected a number from 0 to below 1")
    if importlib.util.find_spec("matplotlib") is None:
        raise UserError("the picture of the report needs matplotlib: pip install 'fairseq_xling[report]'")
    options = Options(
        wiki=Path(wiki),
        wikidata=Path(wikidata),
        out=Path(out) if out else Path(data, "wiki"),
        dictionary=Path(data, "dict.txt"),
        tokeniser=WordPieceFiles(wordpiece, lowercase) if wordpiece else str(Path(data, "sentencepiece.bpe.model")),
        languages=_languages(languages),
        top_languages=top_languages,
        max_tokens=max_tokens,
        valid_share=valid_share,
        engine=engine,
        master=master or "local[*]",
        memory_limit=memory_limit,
        workers=workers or num_cores(),
        overwrite=overwrite,
    )
    summary = summarize(options, build(options))
    write_report(options.out, summary)
    totals = summary["totals"]
    click.echo(
        f"{options.out}: {totals['languages']:,} languages, {totals['articles']:,} articles, {totals['tokens']:,} tokens, "
        f"{totals['mentions']:,} mentions, {totals['entities']:,} entities, {totals['triples']:,} triples"
    )
    for kind, reasons in summary["left_out"].items():
        click.echo(f"left out of {kind}: " + ", ".join(f"{number:,} {reason}" for reason, number in reasons.items()))
    for table in summary["absent_tables"]:
        click.echo(f"warning: {Path(wikidata, table)}: not there, taken as empty", err=True)
    for language, row in summary["languages"].items():
        if (row["unknown_share"] or 0) > UNKNOWN_LIMIT:
            click.echo(
                f"warning: {language}: {row['unknown_share']:.1%} <unk>; does {options.dictionary} fit?", err=True
            )
