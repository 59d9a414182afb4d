"""Aligning a bitext: words by shard, a model for each direction, links by shard, one file for each result."""

from __future__ import annotations

import json
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from .. import encode
from ..errors import UserError
from ..progress import bar, steps
from ..text import expand, open_outputs
from ..workers import process_pool
from .aligners import DIRECTIONS, Aligner, Precomputed
from .pharaoh import format_links, parse_links
from .shards import SHARDS, clear_work, identity, open_work, read_lines, read_shard, write_lines, write_shard
from .symmetrize import symmetrize
from .words import Tokenizer, split_words, tokenizer

SHARD_PAIRS = 10_000
SHARD_CHARACTERS = 1 << 23


@dataclass(frozen=True)
class Bitext:
    """Files of the sentence pairs, as for ``encode_files``; with ``pretokenized``, spaces separate their words."""

    pair: tuple[str, str]
    inputs: Sequence[str]
    kind: str = "lines"
    columns: Sequence[int] = (1, 2)
    pretokenized: bool = False


@dataclass
class Result:
    """Counts of ``align_files``: links by output path, pairs, and pairs without a word on a side."""

    num_links: dict[str, int]
    num_pairs: int = 0
    num_empty: int = 0


def align_files(
    bitext: Bitext,
    output: str,
    aligner: Aligner,
    heuristics: Sequence[str] = ("grow-diag-final-and",),
    workers: int = 1,
) -> Result:
    """Write ``output``.<lang> (words), one file of links for each direction and for each heuristic, all with a line a pair.

    An interrupted run leaves its finished parts in ``output``.work, and the same call does the rest. The result does not
    depend on the number of workers.

    Raises:
        UserError: for any wrong input, or an aligner that fails; no output is written then.
    """
    paths = [path for pattern in bitext.inputs for path in expand(pattern)]
    heuristics = list(dict.fromkeys(heuristics)) if aligner.directions == DIRECTIONS else []
    names = [*bitext.pair, *aligner.directions, *heuristics]
    outputs = [f"{output}.{name}" for name in names]
    encode.check_arguments(bitext.kind, paths, outputs, bitext.pair, bitext.columns)
    encode.check_overwrite(aligner.files, outputs)
    for lang in bitext.pair:
        _tokenizer(lang, bitext.pretokenized)  # complain here rather than in every worker
    work = Path(f"{output}.work")
    open_work(
        work,
        {
            "files": [identity(path) for path in paths],
            "bitext": [bitext.pair, bitext.kind, bitext.columns, bitext.pretokenized],
            "aligner": [type(aligner).__name__, aligner.settings()],
            "shard": [SHARD_PAIRS, SHARD_CHARACTERS],
        },
    )
    try:
        with process_pool(workers, _start_worker) as pool:
            try:
                shards = _tokenize(bitext, paths, work, pool, workers)
                _align(aligner, shards, work, pool, workers)
                result = _write(shards, aligner.directions, heuristics, outputs, pool, workers)
            except BrokenProcessPool as error:
                raise UserError(
                    f"a worker process was killed, most likely for want of memory; --workers 1 needs least, {work} keeps "
                    "what is done"
                ) from error
    except UserError as error:
        # the models of finished alignments are of no use once these are mended
        useful = not isinstance(aligner, Precomputed) and any(work.glob("*.model"))
        if not useful and not isinstance(error.__cause__, BrokenProcessPool):
            clear_work(work)
        raise
    clear_work(work)
    return result


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it even within a library; its output is all or nothing


def _ordered(
    pool: ProcessPoolExecutor, workers: int, function: Callable[..., Any], calls: Iterable[tuple[Any, ...]]
) -> Iterator[Any]:
    """Yield the results of ``function(*call)`` in order, with at most 2 x workers calls under way."""
    pending: deque[Future[Any]] = deque()
    for call in calls:
        pending.append(pool.submit(function, *call))
        if len(pending) >= 2 * workers:
            yield pending.popleft().result()
    for future in pending:
        yield future.result()


@lru_cache(maxsize=2)  # one for each side
def _tokenizer(lang: str, pretokenized: bool) -> Tokenizer:
    return split_words if pretokenized else tokenizer(lang)


def _tokenize(bitext: Bitext, paths: Sequence[str], work: Path, pool: ProcessPoolExecutor, workers: int) -> list[Path]:
    """The files of words, by shard; those that are there are not made again."""
    complete = work / SHARDS
    folder = work / "words"
    if not complete.is_file():
        with bar("words", paths) as progress:
            records = encode.read_records(bitext.kind, paths, bitext.pair, bitext.columns, progress.update)
            chunks = enumerate(encode.chunked(records, SHARD_PAIRS, SHARD_CHARACTERS))
            calls = ((bitext, chunk, folder / f"{index:06}") for index, chunk in chunks)
            sizes = list(_ordered(pool, workers, _tokenize_shard, calls))
        if not sum(sizes):
            raise UserError(f"{', '.join(paths)}: no pair has words on both sides")
        write_lines(complete, [json.dumps(len(sizes))])
    return [folder / f"{index:06}" for index in range(json.loads(complete.read_text(encoding="utf-8")))]


def _tokenize_shard(bitext: Bitext, chunk: Sequence[encode.Record], path: Path) -> int:
    """Returns the number of pairs with words on both sides."""
    if not path.exists():
        first, second = (_tokenizer(lang, bitext.pretokenized) for lang in bitext.pair)
        write_shard(path, [(list(first(source)), list(second(target))) for source, target in chunk])
    return sum(all(pair) for pair in read_shard(path))


def _align(aligner: Aligner, shards: Sequence[Path], work: Path, pool: ProcessPoolExecutor, workers: int) -> None:
    """Train a model for each direction, then make the file of links of each shard and direction."""
    models = {direction: work / f"{direction}.model" for direction in aligner.directions}
    missing = [direction for direction, model in models.items() if not model.exists()]
    with steps("train", len(missing)) as progress:
        for _ in _ordered(
            pool, workers, aligner.train, ((shards, models[direction], direction) for direction in missing)
        ):
            progress.update()
    calls = [
        (aligner, shard, models[direction], direction, links)
        for direction in aligner.directions
        for shard in shards
        if not (links := links_path(shard, direction)).exists()
    ]
    with steps("align", len(calls)) as progress:
        for _ in _ordered(pool, workers, _align_shard, calls):
            progress.update()


def links_path(shard: Path, direction: str) -> Path:
    """The file of the links of a shard of words."""
    return shard.parents[1] / direction / shard.name


def _align_shard(aligner: Aligner, shard: Path, model: Path, direction: str, links: Path) -> None:
    write_lines(links, aligner.align(shard, model, direction))


def _write(
    shards: Sequence[Path],
    directions: Sequence[str],
    heuristics: Sequence[str],
    outputs: Sequence[str],
    pool: ProcessPoolExecutor,
    workers: int,
) -> Result:
    result = Result(dict.fromkeys(outputs[2:], 0))
    with open_outputs(outputs) as streams, steps("symmetrize", len(shards)) as progress:
        for columns, num_empty in _ordered(
            pool, workers, _symmetrize_shard, ((shard, directions, heuristics) for shard in shards)
        ):
            for stream, column in zip(streams, columns, strict=True):
                stream.write("".join([f"{line}\n" for line in column]).encode())
            for path, column in zip(outputs[2:], columns[2:], strict=True):
                result.num_links[path] += sum(line.count("-") for line in column)
            result.num_pairs += len(columns[0])
            result.num_empty += num_empty
            progress.update()
    return result


def _symmetrize_shard(shard: Path, directions: Sequence[str], heuristics: Sequence[str]) -> tuple[list[list[str]], int]:
    """The lines of a shard for each output, and the number of pairs without a word on a side."""
    files = [read_lines(links_path(shard, direction)) for direction in directions]
    columns: list[list[str]] = [[] for _ in range(2 + len(directions) + len(heuristics))]
    num_empty = 0
    for pair, *lines in zip(read_shard(shard), *files, strict=True):
        num_empty += not all(pair)
        links = [parse_links(line, str(shard)) for line in lines]
        symmetric = [
            format_links(symmetrize(links[0], links[1], len(pair[0]), len(pair[1]), heuristic))
            for heuristic in heuristics
        ]
        for column, line in zip(columns, [*map(" ".join, pair), *lines, *symmetric], strict=True):
            column.append(line)
    return columns, num_empty
