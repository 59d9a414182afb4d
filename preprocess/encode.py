"""``xling encode``: raw text to space-separated pieces, in parallel, in order, in constant memory."""

from __future__ import annotations

import os
import signal
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from . import piece_links, spm
from .errors import UserError
from .fastbpe import FastBPEFiles
from .text import (
    Advance,
    expand,
    open_outputs,
    read_documents,
    read_lines,
    read_pairs,
    read_tmx,
    read_tsv,
    split_compression,
)
from .wordpiece import WordPieceFiles
from .workers import process_pool

FORMATS = ("lines", "cc100", "tsv", "tmx")
CHUNK_RECORDS = 2_000
CHUNK_CHARACTERS = 1 << 18
UNKNOWN_LIMIT = 0.003  # of the tokens; above it the vocabulary does not fit the text

Record = tuple[str, ...]
# what the pieces come from: a SentencePiece model, or the files of another tokeniser
Tokeniser = str | Path | WordPieceFiles | FastBPEFiles


class Encoder(Protocol):
    """Turns lines into space-separated pieces and counts what the vocabulary does not know."""

    num_unknown: int
    unknown_characters: Counter[str]

    def reset(self) -> None:
        """Begin to count anew."""

    def encode(self, lines: Sequence[str]) -> list[str]:
        """One string of pieces for each line."""

    def encode_spans(self, lines: Sequence[str]) -> list[tuple[list[str], list[int], list[int]]]:
        """Pieces of each line, and where the characters of the line begin and end that each stands for."""


@dataclass
class Stats:
    """Counts of one output file."""

    num_lines: int = 0
    num_tokens: int = 0
    num_unknown: int = 0
    unknown_characters: Counter[str] = field(default_factory=Counter)

    @property
    def unknown_share(self) -> float:
        return self.num_unknown / max(1, self.num_tokens)

    def add(self, other: Stats) -> None:
        self.num_lines += other.num_lines
        self.num_tokens += other.num_tokens
        self.num_unknown += other.num_unknown
        self.unknown_characters.update(other.unknown_characters)


@dataclass
class Result:
    """Counts of ``encode_files``: by output path, pairs dropped for an empty side, links between pieces."""

    files: dict[str, Stats]
    num_dropped: int = 0
    num_links: int = 0


def read_records(
    kind: str,
    paths: Sequence[str],
    pair: tuple[str, str] | None,
    columns: Sequence[int],
    advance: Advance | None,
) -> Iterator[Record]:
    """Yield 1-tuples (sentences) or, with ``pair``, 2-tuples (sentence pairs) of all files in turn."""
    if pair is None:
        for index, path in enumerate(paths):
            if kind == "cc100":
                if index:
                    yield ("",)
                yield from ((line,) for line in read_documents(path, advance))
            elif kind == "tsv":
                yield from read_tsv(path, columns, advance)
            else:
                yield from ((line,) for line in read_lines(path, advance))
    elif kind == "lines":
        for first, second in zip(paths[::2], paths[1::2], strict=True):
            yield from read_pairs(first, second, advance)
    else:
        for path in paths:
            yield from read_tsv(path, columns, advance) if kind == "tsv" else read_tmx(path, pair, advance)


def chunked(
    records: Iterable[Record], max_records: int = CHUNK_RECORDS, max_characters: int = CHUNK_CHARACTERS
) -> Iterator[list[Record]]:
    """Group records; a chunk ends once it reaches either bound."""
    chunk: list[Record] = []
    size = 0
    for record in records:
        chunk.append(record)
        size += sum(map(len, record))
        if len(chunk) >= max_records or size >= max_characters:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


_encoders: list[Encoder] = []  # one for each side; of this worker process


def make_encoders(tokeniser: Tokeniser, number: int) -> Sequence[Encoder]:
    """Encoders over one model, ``number`` of them. Raises UserError if a file of it is missing or wrong."""
    if isinstance(tokeniser, WordPieceFiles | FastBPEFiles):
        return tokeniser.encoders(number)
    model = spm.load(str(tokeniser))
    return [spm.PieceEncoder(model) for _ in range(number)]


def _start_worker(tokeniser: Tokeniser, num_columns: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent process, which ends this one
    _encoders[:] = make_encoders(tokeniser, num_columns)


def _encode_chunk(chunk: list[Record], mode: str | None = None) -> tuple[list[bytes], list[Stats]]:
    """The text for each output and the counts of each side; pairs with an empty side are left out.

    With ``mode``, of ``piece_links.MODES``, the records are those of ``piece_links.with_links`` and the last text is that
    of the links between pieces.
    """
    num_sides = len(_encoders)
    if mode is None:
        columns = [encoder.encode(lines) for encoder, lines in zip(_encoders, zip(*chunk, strict=True), strict=True)]
    else:
        columns = _encode_linked(chunk, mode)
    if num_sides > 1:
        kept = [row for row in zip(*columns, strict=True) if all(row[:num_sides])]
        columns = [[row[column] for row in kept] for column in range(len(columns))]
    texts = ["".join([line + "\n" for line in column]) for column in columns]
    stats = []
    for encoder, column, text in zip(_encoders, columns[:num_sides], texts[:num_sides], strict=True):
        tokens = text.count(" ") + sum(1 for line in column if line)
        stats.append(Stats(len(column), tokens, encoder.num_unknown, encoder.unknown_characters))
        encoder.reset()
    return [text.encode() for text in texts], stats


def _encode_linked(chunk: list[Record], mode: str) -> list[list[str]]:
    """The lines of pieces of both sides and those of the links between them."""
    sides = [encoder.encode_spans(lines) for encoder, lines in zip(_encoders, zip(*chunk, strict=True), strict=False)]
    links = [
        piece_links.carry(record, spans, mode) for record, spans in zip(chunk, zip(*sides, strict=True), strict=True)
    ]
    return [*([" ".join(pieces) for pieces, _, _ in side] for side in sides), links]


def _encode_chunks(
    chunks: Iterable[list[Record]], tokeniser: Tokeniser, num_columns: int, workers: int, mode: str | None = None
) -> Iterator[tuple[int, list[bytes], list[Stats]]]:
    """Yield (records read, texts, counts) of every chunk in order, with at most 2 x workers in flight."""
    if workers == 1:
        _encoders[:] = make_encoders(tokeniser, num_columns)
        for chunk in chunks:
            yield len(chunk), *_encode_chunk(chunk, mode)
        return
    # Not Pool.imap: it would read the whole input ahead of the workers.
    pending: deque[tuple[int, Future[tuple[list[bytes], list[Stats]]]]] = deque()
    with process_pool(workers, _start_worker, (tokeniser, num_columns)) as pool:
        for chunk in chunks:
            pending.append((len(chunk), pool.submit(_encode_chunk, chunk, mode)))
            if len(pending) >= 2 * workers:
                size, future = pending.popleft()
                yield size, *future.result()
        for size, future in pending:
            yield size, *future.result()


def output_paths(output: str, names: Sequence[str] | None) -> list[str]:
    """``enc/train.gz`` -> itself, or for the names of a pair ``enc/train.en.gz`` and ``enc/train.de.gz``."""
    if names is None:
        return [output]
    prefix, compression = split_compression(output)
    return [f"{prefix}.{name}{compression}" for name in names]


def check_arguments(
    kind: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    pair: tuple[str, str] | None,
    columns: Sequence[int],
) -> None:
    """Raise UserError for options that do not fit together, before anything is read."""
    if kind == "cc100" and pair:
        raise UserError("--format cc100 has one language: leave --pair out")
    if kind == "tmx" and not pair:
        raise UserError("--format tmx needs --pair, for example --pair en-de")
    if kind == "tsv" and len(columns) != (2 if pair else 1):
        wanted = "two columns with --pair, as in 1,2" if pair else "one column without --pair"
        raise UserError(f"--columns {','.join(map(str, columns))}: --format tsv takes {wanted}")
    if kind == "lines" and pair:
        if len(inputs) % 2:
            raise UserError(f"--pair {'-'.join(pair)}: {len(inputs)} input files; give two for every corpus")
        for first, second in zip(inputs[::2], inputs[1::2], strict=True):
            suffixes = tuple(split_compression(path)[0].rsplit(".", 1)[-1] for path in (first, second))
            if suffixes == pair[::-1]:
                raise UserError(f"--pair {'-'.join(pair)}: {first} comes first but is {suffixes[0]}; swap the inputs")
    check_overwrite(inputs, outputs)


def check_overwrite(inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Raise UserError if a file is both read and written."""
    clash = {os.path.realpath(path) for path in inputs} & {os.path.realpath(path) for path in outputs}
    if clash:
        raise UserError(f"--output would overwrite the input {min(clash)}")


def encode_files(
    tokeniser: Tokeniser,
    inputs: Sequence[str],
    output: str | Path,
    kind: str = "lines",
    pair: tuple[str, str] | None = None,
    columns: Sequence[int] = (1,),
    workers: int = 1,
    advance: Callable[[int], object] | None = None,
    links: piece_links.WordLinks | None = None,
) -> Result:
    """Encode raw text into one file of pieces, or two with ``pair``; the same whatever the number of workers.

    Args:
        tokeniser: SentencePiece model in XLM-R's convention, or the files of another tokeniser.
        inputs: files or glob patterns; with ``pair`` and ``lines``, first and second side in turn.
        output: the file, or for a pair the prefix before ``.<lang>``; a compression suffix is honoured.
        kind: one of ``FORMATS``.
        columns: of a TSV file, from 1.
        advance: called with the number of bytes read.
        links: word alignments of the pairs; the links between pieces go to a third file, ``.align``.

    Raises:
        UserError: for any wrong input; nothing is written then.
    """
    make_encoders(tokeniser, 1)  # complain here rather than in every worker
    paths = [path for pattern in inputs for path in expand(pattern)]
    outputs = output_paths(str(output), pair)
    check_arguments(kind, paths, outputs, pair, columns)
    result = Result({path: Stats() for path in outputs})
    records = read_records(kind, paths, pair, columns, advance)
    if links is not None:
        if pair is None:
            raise UserError(f"--alignment {links.file}: links are between two languages; give --pair")
        records = piece_links.with_links(records, links, pair)
        outputs = output_paths(str(output), [*pair, "align"])
        check_overwrite([*paths, *links.files(pair)], outputs)
    mode = links.mode if links else None
    with open_outputs(outputs) as streams:
        for size, texts, stats in _encode_chunks(chunked(records), tokeniser, len(result.files), workers, mode):
            for stream, text in zip(streams, texts, strict=True):
                stream.write(text)
            for total, part in zip(result.files.values(), stats, strict=True):
                total.add(part)
            result.num_dropped += size - stats[0].num_lines
            result.num_links += sum(text.count(b"-") for text in texts[len(stats) :])
        if not any(total.num_tokens for total in result.files.values()):
            raise UserError(f"{', '.join(paths)}: nothing to encode")
    return result
