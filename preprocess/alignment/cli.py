"""The ``xling align`` command: options, help and the report at the end."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ..commands import parse_columns
from ..errors import UserError
from ..text import parse_pair
from ..workers import num_cores
from . import aligners, run
from .symmetrize import HEURISTICS

DEFAULT = "grow-diag-final-and"


def _aligner(name: str | None, program: str | None, alignments: Sequence[str]) -> aligners.Aligner:
    """The aligner that the options name. Raises UserError if they do not fit together, or it cannot run here."""
    if alignments and (name or program):
        raise UserError("--alignments takes finished alignments: leave --aligner and --fast-align-bin out")
    if program and name != "fast_align":
        raise UserError(f"--fast-align-bin {program}: give --aligner fast_align, too")
    if alignments:
        return aligners.Precomputed(alignments)
    if name == "fast_align":
        from .fast_align import FastAlign

        return FastAlign(program)
    from .embedded import Embedded

    return Embedded()


@click.command(
    epilog="""\b
Examples:
  # a pair in two files; writes align/train.en .fr (words), .forward .reverse .grow-diag-final-and (links)
  xling align --pair en-fr --input a.en --input a.fr --output align/train
  # tab-separated columns; the original fast_align; two symmetrised files
  xling align --pair en-zh --format tsv --input a.tsv --aligner fast_align --symmetrize intersect \\
      --symmetrize grow-diag-final-and --output align/train
  # tokenised text with links from elsewhere: checked and symmetrised
  xling align --pair en-fr --pretokenized --input a.en --input a.fr --alignments a.forward \\
      --alignments a.reverse --output align/train
  # then: pieces, and the links between them
  xling encode --model $SPM --pair en-fr --input a.en --input a.fr --words align/train \\
      --alignment align/train.grow-diag-final-and --output enc/train
"""
)
@click.option("--pair", required=True, metavar="A-B", help="The two languages, source first, as in en-fr.")
@click.option(
    "--input", "inputs", required=True, multiple=True, metavar="FILE",
    help="Raw text as for xling encode: two files per corpus in turn, or TSV or TMX files. Repeat it.",
)  # fmt: skip
@click.option(
    "--output", required=True, metavar="PREFIX",
    help="Prefix of the files to write; PREFIX.work keeps finished parts until the end.",
)  # fmt: skip
@click.option(
    "--format", "kind", type=click.Choice(("lines", "tsv", "tmx")), default="lines", show_default=True,
    help="lines: two files with a sentence a line. tsv: tab-separated columns. tmx: translation memory.",
)  # fmt: skip
@click.option("--columns", metavar="I,J", help="Columns of a TSV file, from 1.  [default: 1,2]")
@click.option("--pretokenized", is_flag=True, help="The text is tokenised: spaces separate the words.")
@click.option(
    "--aligner", "aligner_name", type=click.Choice(("embedded", "fast_align")),
    help="embedded: fast_align's model in the package sil-thot. fast_align: the original program.  [default: embedded]",
)  # fmt: skip
@click.option("--fast-align-bin", metavar="FILE", help="The program fast_align, if it is not on PATH.")
@click.option(
    "--alignments", multiple=True, metavar="FILE",
    help="Take these Pharaoh links (source-target, from 0) instead of aligning: once: final; twice: forward, reverse.",
)  # fmt: skip
@click.option(
    "--symmetrize", "heuristics", multiple=True, type=click.Choice(tuple(HEURISTICS)),
    help=f"How to combine the two directions. Repeat it for several files.  [default: {DEFAULT}]",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Processes.  [default: all cores]")
def align(
    pair: str, inputs: Sequence[str], output: str, kind: str, columns: str | None, pretokenized: bool,
    aligner_name: str | None, fast_align_bin: str | None, alignments: Sequence[str], heuristics: Sequence[str],
    workers: int | None,
) -> None:  # fmt: skip
    """Align the words of sentence pairs, in both directions, and combine the two.

    Line i of every file written is pair i of the input, also where a side is empty. Interrupted, the same command goes
    on where it was.
    """
    langs = parse_pair(pair)
    if columns is not None and kind != "tsv":
        raise UserError(f"--columns {columns}: --format {kind} has no columns; give --format tsv, or leave it out")
    aligner = _aligner(aligner_name, fast_align_bin, alignments)
    if heuristics and aligner.directions != aligners.DIRECTIONS:
        raise UserError(
            f"--symmetrize {heuristics[0]}: one file of --alignments is final; give forward and reverse, or leave it out"
        )
    bitext = run.Bitext(langs, inputs, kind, parse_columns(columns, langs), pretokenized)
    result = run.align_files(bitext, output, aligner, heuristics or (DEFAULT,), workers or num_cores())
    click.echo(f"{result.num_pairs:,} pairs, {result.num_empty:,} with an empty side")
    for path, num_links in result.num_links.items():
        click.echo(f"{path}: {num_links:,} links")
