"""The ``xling vocab`` and ``xling encode`` commands: options, help and the report at the end."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from . import encode as encoding
from . import piece_links
from . import vocab as vocabulary
from .errors import UserError
from .fastbpe import FastBPEFiles
from .progress import bar
from .text import expand, parse_pair
from .wordpiece import WordPieceFiles
from .workers import num_cores


def parse_columns(text: str | None, pair: tuple[str, str] | None) -> list[int]:
    """``1,2`` -> [1, 2]; the default without a text. Raises UserError."""
    if text is None:
        return [1, 2] if pair else [1]
    columns = [int(part) if part.strip().isdigit() else 0 for part in text.split(",")]
    if min(columns) < 1:
        raise UserError(f"--columns {text}: expected numbers from 1 on, as in 1,2")
    return columns


def _tokeniser(
    model: str | None, wordpiece: str | None, lowercase: bool, fastbpe: str | None, fastbpe_vocab: str | None
) -> encoding.Tokeniser:
    """The tokeniser that the options of ``xling encode`` name. Raises UserError unless it is one tokeniser."""
    given = {"--model": model, "--wordpiece": wordpiece, "--fastbpe": fastbpe}
    named = [option for option, value in given.items() if value]
    if len(named) != 1:
        raise UserError(f"give exactly one of {', '.join(given)}, not {' and '.join(named) or 'none'}")
    if lowercase and not wordpiece:
        raise UserError(f"--lowercase is of --wordpiece, not of {named[0]}: leave it out")
    if fastbpe_vocab and not fastbpe:
        raise UserError(f"--fastbpe-vocab is of --fastbpe, not of {named[0]}: leave it out")
    if wordpiece:
        return WordPieceFiles(wordpiece, lowercase)
    if fastbpe:
        return FastBPEFiles(fastbpe, fastbpe_vocab)
    assert model
    return model


@click.command(
    epilog="""\b
Examples:
  # one language, plain text or CC-100
  SPM=data-bin/sentencepiece.bpe.model
  xling encode --model $SPM --input train.en --output enc/mono/train.en
  xling encode --model $SPM --format cc100 --input en.txt.xz --output enc/mono/train.en
  # pairs: two files (Moses), TSV, TMX; each writes enc/para/train.en and enc/para/train.de
  xling encode --model $SPM --pair en-de --input a.en --input a.de --output enc/para/train
  xling encode --model $SPM --pair en-de --format tsv --input a.tsv --output enc/para/train
  xling encode --model $SPM --pair en-de --format tmx --input a.tmx.gz --output enc/para/train
  # BERT's pieces, fastBPE's (tokenised text, as XLM's)
  xling encode --wordpiece mbert/vocab.txt --input train.en --output enc/mono/train.en
  xling encode --fastbpe codes --fastbpe-vocab vocab --input train.tok.en --output enc/mono/train.en
  # word alignments become links between pieces, enc/para/train.align
  xling encode --model $SPM --pair en-fr --input a.en --input a.fr --words align/train \\
      --alignment align/train.grow-diag-final-and --output enc/para/train
  # then
  fairseq-preprocess --only-source --srcdict data-bin/dict.txt --trainpref enc/mono/train.en \\
      --destdir data-bin/mono/en --workers 8
  fairseq-preprocess -s en -t de --srcdict data-bin/dict.txt --tgtdict data-bin/dict.txt \\
      --trainpref enc/para/train --destdir data-bin/para/en-de --workers 8

fairseq-preprocess reads plain files only: leave its inputs uncompressed.
"""
)
@click.option("--model", metavar="SPM", help="SentencePiece model, from xling vocab or XLM-R's own.")
@click.option(
    "--wordpiece", metavar="VOCAB", help="BERT's vocab.txt instead; its tokenizer_config.json beside it is read too."
)
@click.option("--lowercase", is_flag=True, help="With --wordpiece: lower-case and strip accents, as uncased BERT.")
@click.option("--fastbpe", metavar="CODES", help="fastBPE's codes instead; the text must be tokenised, as XLM's is.")
@click.option("--fastbpe-vocab", metavar="VOCAB", help="fastBPE's vocabulary: no other pieces are made, as XLM does.")
@click.option(
    "--input", "inputs", required=True, multiple=True, metavar="FILE",
    help="Raw text, or a quoted glob pattern; .gz .bz2 .xz .zst are decompressed. Repeat it for several "
    "files; with --pair and two files per corpus: first side, second side, in turn.",
)  # fmt: skip
@click.option(
    "--output", required=True, metavar="FILE",
    help="File to write; with --pair the prefix before .en and .de. A suffix .gz .bz2 .xz .zst compresses.",
)  # fmt: skip
@click.option(
    "--format", "kind", type=click.Choice(encoding.FORMATS), default="lines", show_default=True,
    help="lines: a sentence a line, output line i is input line i. cc100: blank line between documents. "
    "tsv: tab-separated columns. tmx: translation memory.",
)  # fmt: skip
@click.option("--pair", metavar="A-B", help="The two languages of sentence pairs, as in en-de.")
@click.option("--columns", metavar="I,J", help="Columns of a TSV file, from 1.  [default: 1,2; without --pair: 1]")
@click.option(
    "--alignment", metavar="FILE",
    help="With --pair: links between words, a line a pair (xling align); writes links between pieces to FILE.align.",
)  # fmt: skip
@click.option(
    "--words", metavar="PREFIX",
    help="The words that --alignment counts: the --output of xling align.  [default: the input, split at spaces]",
)  # fmt: skip
@click.option(
    "--links", "mode", type=click.Choice(piece_links.MODES),
    help="first: link the first pieces of linked words. all: each piece with each.  [default: first]",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Processes.  [default: all cores]")
def encode(
    model: str | None,
    wordpiece: str | None,
    lowercase: bool,
    fastbpe: str | None,
    fastbpe_vocab: str | None,
    inputs: Sequence[str],
    output: str,
    kind: str,
    pair: str | None,
    columns: str | None,
    alignment: str | None,
    words: str | None,
    mode: str | None,
    workers: int | None,
) -> None:
    """Turn raw text into pieces, ready for fairseq-preprocess: SentencePiece's, BERT's or fastBPE's.

    Uses all cores and little memory, whatever the size of the text. Pairs with an empty side are dropped and
    counted. The last lines printed are sentences, tokens and the share of <unk> of each file.
    """
    tokeniser = _tokeniser(model, wordpiece, lowercase, fastbpe, fastbpe_vocab)
    langs = parse_pair(pair) if pair else None
    if columns is not None and kind != "tsv":
        raise UserError(f"--columns {columns}: --format {kind} has no columns; give --format tsv, or leave it out")
    if alignment is None and (words or mode):
        raise UserError(f"{'--words' if words else '--links'}: there is nothing to carry to pieces without --alignment")
    links = piece_links.WordLinks(alignment, words, mode or "first") if alignment else None
    with bar("encode", [path for pattern in inputs for path in expand(pattern)]) as progress:
        result = encoding.encode_files(
            tokeniser,
            inputs,
            output,
            kind,
            langs,
            parse_columns(columns, langs),
            workers or num_cores(),
            progress.update,
            links,
        )
    for path, stats in result.files.items():
        click.echo(f"{path}: {stats.num_lines:,} lines, {stats.num_tokens:,} tokens, {stats.unknown_share:.3%} <unk>")
        if stats.unknown_share > encoding.UNKNOWN_LIMIT:
            common = ", ".join(
                f"{char if char.isprintable() else ''} U+{ord(char):04X} x{count}".strip()
                for char, count in stats.unknown_characters.most_common(10)
            )
            click.echo(f"warning: {path}: more than 3 per mille <unk>; unknown characters: {common}", err=True)
    if links:
        click.echo(f"{result.num_links:,} links between pieces")
    if result.num_dropped:
        click.echo(f"dropped {result.num_dropped:,} pairs with an empty side")


@click.command(
    epilog="""\b
Examples:
  # train on several languages; a language may have several files or a pattern
  xling vocab --input en=train.en --input de=train.de --input 'fr=cc100/fr.*.xz' --size 32000 \\
      --output data-bin
  # take XLM-R's vocabulary: the same ids as xlmr.base and xlmr.large
  xling vocab --from-spm xlmr.base/sentencepiece.bpe.model --output data-bin
  # take a BERT model's, or XLM's
  xling vocab --from-wordpiece mbert/vocab.txt --output data-bin
  xling vocab --from-fastbpe vocab --output data-bin

The number of fairseq symbols is --size + 2: <pad> and <mask> are added, as in XLM-R (250,000 + 2).
"""
)
@click.option(
    "--input", "inputs", multiple=True, metavar="LANG=FILE",
    help="Text of a language, or LANG='quoted glob'; .gz .bz2 .xz .zst are decompressed; of a .tmx file the "
    "segments in LANG are taken. Repeat it.",
)  # fmt: skip
@click.option("--from-spm", metavar="SPM", help="Take this SentencePiece model instead of training one.")
@click.option("--from-wordpiece", metavar="VOCAB", help="Take this vocab.txt of a BERT model.")
@click.option("--lowercase", is_flag=True, help="With --from-wordpiece: it is of an uncased model.")
@click.option("--from-fastbpe", metavar="VOCAB", help="Take this vocabulary of fastBPE, as XLM's.")
@click.option("--output", required=True, metavar="DIR", help="Folder for dict.txt and the file it comes from.")
@click.option("--size", type=click.IntRange(min=4), metavar="N", help="Pieces, <unk> <s> </s> included.")
@click.option(
    "--sampling-alpha", type=click.FloatRange(0, 1), default=0.3, show_default=True, metavar="A",
    help="A language of n lines gets a share proportional to n^A: 1 = as it comes, 0 = all languages alike.",
)  # fmt: skip
@click.option(
    "--max-sentences", type=click.IntRange(min=1), default=10_000_000, show_default=True, metavar="N",
    help="Train on at most so many lines, drawn at random.",
)  # fmt: skip
@click.option(
    "--character-coverage", type=click.FloatRange(0, 1, min_open=True), default=0.9999, show_default=True,
    metavar="C",
    help="Share of the characters of the sample that become pieces; rarer ones are <unk>.",
)  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Of the draw of lines.")
def vocab(
    inputs: Sequence[str], from_spm: str | None, from_wordpiece: str | None, lowercase: bool, from_fastbpe: str | None,
    output: str, size: int | None, sampling_alpha: float, max_sentences: int, character_coverage: float, seed: int,
) -> None:  # fmt: skip
    """Make the vocabulary: a SentencePiece model and fairseq's dict.txt.

    Trains a unigram model on several languages, small ones sampled up (--input, --size), or takes an
    existing one and writes its exact dictionary: of an XLM-R model (--from-spm), of a BERT model
    (--from-wordpiece), or of fastBPE (--from-fastbpe). The same input and options give the same bytes.
    """
    if sum(map(bool, (inputs, from_spm, from_wordpiece, from_fastbpe))) != 1:
        raise UserError(
            "give either --input LANG=FILE (train) or one of --from-spm MODEL, --from-wordpiece VOCAB, --from-fastbpe VOCAB "
            "(take an existing one)"
        )
    if lowercase and not from_wordpiece:
        raise UserError("--lowercase is of --from-wordpiece: leave it out")
    if from_spm:
        num_symbols = vocabulary.take(from_spm, output)
    elif from_wordpiece:
        num_symbols = vocabulary.take_wordpiece(from_wordpiece, output, lowercase)
    elif from_fastbpe:
        num_symbols = vocabulary.take_fastbpe(from_fastbpe, output)
    else:
        if size is None:
            raise UserError("--size is missing: the number of pieces, for example --size 32000")
        files = vocabulary.parse_inputs(inputs)
        with bar("vocab", [path for paths in files.values() for path in paths], passes=2) as progress:
            shares, num_symbols = vocabulary.train(
                files, output, size, sampling_alpha, max_sentences, character_coverage, seed, progress.update
            )
        for lang, share in shares.items():
            click.echo(f"{lang}: {share.num_lines:,} lines, {share.num_drawn:,} drawn")
    click.echo(f"{os.path.join(output, 'dict.txt')}: {num_symbols:,} symbols")
