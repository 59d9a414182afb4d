"""``xling vocab``: a SentencePiece model and its fairseq dictionary, in XLM-R's convention; or another's dictionary.

SentencePiece ids are ``<unk> <s> </s>`` + pieces; fairseq's are ``<s> <pad> </s> <unk>`` + ``dict.txt``. With
the pieces in order in ``dict.txt``, fairseq id = SentencePiece id + 1, XLM-R's layout.
"""

from __future__ import annotations

import io
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import sentencepiece

from . import fastbpe, spm, wordpiece
from .errors import UserError
from .text import Advance, expand, open_outputs, read_lines, read_tmx, split_compression, squeeze

MODEL_NAME = "sentencepiece.bpe.model"
DICT_NAME = "dict.txt"
# Part of the result: SentencePiece adds up its expectations thread by thread.
NUM_THREADS = 16
MAX_LINE_BYTES = 1 << 16  # SentencePiece leaves longer lines out


@dataclass
class Share:
    """Lines with text of one language, and how many were drawn (more than there are = repeated)."""

    num_lines: int
    num_characters: int
    num_drawn: int = 0


def parse_inputs(inputs: Sequence[str]) -> dict[str, list[str]]:
    """``["en=a.txt", "de=b*.gz"]`` -> files by language, sorted by language. Raises UserError."""
    files: dict[str, list[str]] = {}
    for text in inputs:
        match = re.fullmatch(r"(\w+)=(.+)", text)
        if match is None:
            raise UserError(f"--input {text}: expected LANG=FILE, for example en=train.en (a region: pt_BR=FILE)")
        files.setdefault(match[1], []).extend(expand(match[2]))
    return dict(sorted(files.items()))


def _lines(lang: str, paths: Sequence[str], advance: Advance | None) -> Iterator[str]:
    """The lines with text of one language."""
    for path in paths:
        if split_compression(path)[0].endswith(".tmx"):
            lines: Iterator[str] = (unit[0] for unit in read_tmx(path, [lang], advance))
        else:
            lines = read_lines(path, advance)
        yield from filter(None, map(squeeze, lines))


def _count(files: Mapping[str, Sequence[str]], advance: Advance | None) -> dict[str, Share]:
    shares = {}
    for lang, paths in files.items():
        share = Share(0, 0)
        for line in _lines(lang, paths, advance):
            share.num_lines += 1
            share.num_characters += len(line)
        shares[lang] = share
    return shares


def allot(shares: Mapping[str, Share], alpha: float, max_sentences: int) -> None:
    """Set ``num_drawn``: a sample as large as the corpus (at most ``max_sentences``), p_i ~ n_i^alpha.

    The same law as for training (XLM-R section 3.1); a small language may get more lines than it has.
    """
    total = min(max_sentences, sum(share.num_lines for share in shares.values()))
    weights = {lang: share.num_lines**alpha for lang, share in shares.items()}
    for lang, share in shares.items():
        share.num_drawn = max(1, round(total * weights[lang] / sum(weights.values())))


def draw(lines: Iterator[str], share: Share, generator: random.Random) -> Iterator[str]:
    """Draw ``num_drawn`` of ``num_lines`` lines in one pass, without replacement before any repeat."""
    repeats, wanted = divmod(share.num_drawn, share.num_lines)
    left = share.num_lines
    for line in lines:
        # Selection sampling: of `left` lines to come `wanted` are still to be taken.
        extra = generator.random() * left < wanted
        wanted -= extra
        left -= 1
        for _ in range(repeats + extra):
            yield line


def train(
    files: Mapping[str, Sequence[str]],
    output: str | Path,
    size: int,
    alpha: float = 0.3,
    max_sentences: int = 10_000_000,
    character_coverage: float = 0.9999,
    seed: int = 1,
    advance: Advance | None = None,
) -> tuple[dict[str, Share], int]:
    """Train a unigram model as XLM-R's (nmt_nfkc normalisation, no byte fallback), write it and dict.txt.

    The files are read twice. Returns what was drawn of each language and the number of symbols in dict.txt.

    Raises:
        UserError: bad input, or a ``size`` that the text cannot fill or its characters exceed.
    """
    shares = _count(files, advance)
    allot(shares, alpha, max_sentences)
    generator = random.Random(seed)
    sample = (
        line for lang, paths in files.items() for line in draw(_lines(lang, paths, advance), shares[lang], generator)
    )
    characters = sum(share.num_characters * share.num_drawn / share.num_lines for share in shares.values())
    with _outputs(output) as streams:  # an unwritable folder shows before the training, not after
        proto = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=sample,
                model_writer=proto,
                model_type="unigram",
                vocab_size=size,
                character_coverage=character_coverage,
                normalization_rule_name="nmt_nfkc",
                byte_fallback=False,
                max_sentence_length=MAX_LINE_BYTES,
                num_threads=NUM_THREADS,
                train_extremely_large_corpus=characters > 1 << 30,  # beyond 2^31 its 32-bit positions overflow
                minloglevel=2,
            )
        except RuntimeError as error:
            raise _explain(error, size) from error
        return shares, _write(proto.getvalue(), streams, "the trained model")


def take(model: str, output: str | Path) -> int:
    """Copy an existing model and write its exact dictionary; returns the number of symbols."""
    spm.load(model)
    with _outputs(output) as streams:
        return _write(Path(model).read_bytes(), streams, model)


def take_wordpiece(vocab: str, output: str | Path, lowercase: bool = False) -> int:
    """Copy a BERT model's ``vocab.txt`` with its options and write its dictionary; returns the number of symbols."""
    model = wordpiece.load(vocab, lowercase)
    names = (wordpiece.VOCAB_NAME, wordpiece.OPTIONS_NAME, DICT_NAME)
    content = Path(vocab).read_bytes()
    with open_outputs([Path(output, name) for name in names]) as streams:
        for stream, data in zip(streams, (content, model.options.to_bytes()), strict=False):
            stream.write(data)
        return _write_dictionary(((symbol, 1) for symbol in wordpiece.symbols(model.pieces)), streams[-1])


def take_fastbpe(vocab: str, output: str | Path) -> int:
    """Write the dictionary of fastBPE's vocabulary, with its counts; returns the number of symbols."""
    tokens = fastbpe.read_vocabulary(vocab)
    with open_outputs([Path(output, DICT_NAME)]) as (stream,):
        return _write_dictionary(tokens, stream)


def _write_dictionary(symbols: Iterable[tuple[str, int]], stream: IO[bytes]) -> int:
    lines = [f"{symbol} {count}\n" for symbol, count in symbols]
    stream.write("".join(lines).encode())
    return len(lines)


def _outputs(folder: str | Path) -> AbstractContextManager[Sequence[IO[bytes]]]:
    return open_outputs([Path(folder, MODEL_NAME), Path(folder, DICT_NAME)])


def _write(proto: bytes, streams: Sequence[IO[bytes]], name: str) -> int:
    symbols = spm.pieces(spm.from_bytes(proto, name))
    model_stream, dict_stream = streams
    model_stream.write(proto)
    # XLM-R's dict.txt has a count of 1 everywhere too: fairseq keeps the order of the file.
    return _write_dictionary(((symbol, 1) for symbol in symbols), dict_stream)


def _explain(error: RuntimeError, size: int) -> UserError | RuntimeError:
    message = str(error)
    if match := re.search(r"set it to a value <= (\d+)", message):
        return UserError(f"--size {size} is too large for this text: the maximum is {match[1]}; or give more text")
    if match := re.search(r"smaller than required_chars. \d+ vs (\d+)", message):
        return UserError(
            f"--size {size} is too small: the text needs {match[1]} for its characters alone; "
            "raise it, or lower --character-coverage"
        )
    return error
