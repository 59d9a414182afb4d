"""Articles and the mentions in them to columns of ``shards.py``, in parallel and in order."""

from __future__ import annotations

import contextlib
import signal
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...encode import CHUNK_CHARACTERS, Encoder, Tokeniser, make_encoders
from ...workers import process_pool
from .knowledge import read_batches
from .places import Places
from .shards import MENTION, SPECIALS, SPLIT_COLUMNS, SPLITS, ColumnsWriter
from .windows import UNK, Pieces, encode_text, occurrences, window

_CHUNK_ARTICLES = 500


class Mention(NamedTuple):
    """An anchor: characters of the text, what should stand there, and the row of its entity."""

    begin: int
    end: int
    surface: str
    entity: int


class Article(NamedTuple):
    """An article to encode; ``entity`` is the row of the one it describes, or -1."""

    page_id: int
    valid: bool
    entity: int
    text: str
    mentions: Sequence[Mention]


@dataclass(frozen=True)
class Settings:
    """What a worker needs to know: the tokeniser, the numbers of its symbols, the dtype of these, the length of a window."""

    tokeniser: Tokeniser
    numbers: Mapping[str, int]
    token_dtype: np.dtype[Any]
    max_tokens: int


class Part(NamedTuple):
    """Rows of the columns of a split; ``window`` and ``article`` of the mentions count from the first article of the part."""

    tokens: np.ndarray
    lengths: np.ndarray
    page_ids: np.ndarray
    entities: np.ndarray
    mentions: np.ndarray
    num_spans: np.ndarray
    spans: np.ndarray


@dataclass
class _Collector:
    """The rows of a part while it grows."""

    tokens: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    page_ids: list[int] = field(default_factory=list)
    entities: list[int] = field(default_factory=list)
    mentions: list[tuple[int, ...]] = field(default_factory=list)
    num_spans: list[int] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)

    def part(self, token_dtype: np.dtype[Any]) -> Part:
        return Part(
            np.array(self.tokens, token_dtype),
            np.array(self.lengths, np.int64),
            np.array(self.page_ids, np.int64),
            np.array(self.entities, np.int32),
            np.array(self.mentions, MENTION),
            np.array(self.num_spans, np.int64),
            np.array(self.spans, np.int32).reshape(-1, 2),
        )

    def add(self, article: Article, pieces: Pieces, room: int, counts: Counter[str]) -> None:
        """Add an article and its mentions; ``counts`` tells what became of these."""
        row, offset = len(self.lengths), len(self.tokens)
        self.tokens.extend(pieces.ids)
        self.lengths.append(len(pieces.ids))
        self.page_ids.append(article.page_id)
        self.entities.append(article.entity)
        before = None
        for mention in article.mentions:
            begin, end, surface, entity = mention
            repeated, before = (begin, end) == before, (begin, end)
            if repeated:
                counts["repeated"] += 1
                continue
            if not surface or article.text[begin:end] != surface:
                counts["surface not in its place"] += 1
                continue
            first, last = pieces.cover(begin, end)
            if first >= last:
                counts["no piece"] += 1
                continue
            around = window(first, last, len(pieces.ids), room)
            if around is None:
                counts["longer than a window"] += 1
                continue
            spans = occurrences(article.text, begin, end, pieces, around)
            length = around.end - around.begin
            inside = first - around.begin, last - around.begin
            self.mentions.append((offset + around.begin, row, entity, length, *inside))
            self.num_spans.append(len(spans))
            self.spans.extend(spans)
            counts["mentions"] += 1
            counts["recurring"] += bool(spans)
            counts["window pieces"] += length
            counts["masked pieces"] += last - first + sum(right - left for left, right in spans)
        counts["articles"] += 1
        counts["empty articles"] += not pieces.ids
        counts["tokens"] += len(pieces.ids)
        counts["unknown"] += pieces.ids.count(UNK)


class SplitWriter:
    """Appends parts to the columns of a split."""

    def __init__(self, columns: ColumnsWriter) -> None:
        self._columns = columns
        for name in ("offsets", "occurrence_offsets"):
            columns[name].append([0])

    def append(self, part: Part) -> None:
        columns = self._columns
        mentions = part.mentions.copy()
        mentions["window"] += columns["tokens"].length
        mentions["article"] += columns["page_ids"].length
        columns["mentions"].append(mentions)
        columns["offsets"].append(columns["tokens"].length + np.cumsum(part.lengths))
        columns["occurrence_offsets"].append(columns["occurrences"].length + np.cumsum(part.num_spans))
        columns["tokens"].append(part.tokens)
        columns["page_ids"].append(part.page_ids)
        columns["entities"].append(part.entities)
        columns["occurrences"].append(part.spans)


# language, a part for each of SPLITS, counts
Encoded = tuple[str, list[Part], Counter[str]]

_state: tuple[Settings, Encoder] | None = None  # of this worker process


def _start_worker(settings: Settings) -> None:
    global _state
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent process, which ends this one
    _state = settings, make_encoders(settings.tokeniser, 1)[0]


def _encode_chunk(chunk: Sequence[Article]) -> tuple[list[Part], Counter[str]]:
    """A part for each of ``SPLITS``, and counts."""
    assert _state
    settings, encoder = _state
    collectors = [_Collector() for _ in SPLITS]
    counts: Counter[str] = Counter()
    for article in chunk:
        pieces = encode_text(encoder, settings.numbers, article.text)
        collectors[article.valid].add(article, pieces, settings.max_tokens - SPECIALS, counts)
    return [collector.part(settings.token_dtype) for collector in collectors], counts


def encode_articles(articles: Iterable[tuple[str, Article]], settings: Settings, workers: int) -> Iterator[Encoded]:
    """Yield what becomes of runs of articles of a language, in order.

    At most 2 x workers runs are under way; the result does not depend on the number of workers.
    """
    pending: deque[tuple[str, Future[tuple[list[Part], Counter[str]]]]] = deque()
    with process_pool(workers, _start_worker, (settings,)) as pool:
        for language, chunk in _chunked(articles):
            pending.append((language, pool.submit(_encode_chunk, chunk)))
            if len(pending) >= 2 * workers:
                language, future = pending.popleft()
                yield language, *future.result()
        for language, future in pending:
            yield language, *future.result()


def _chunked(articles: Iterable[tuple[str, Article]]) -> Iterator[tuple[str, list[Article]]]:
    chunk: list[Article] = []
    current, size = "", 0
    for language, article in articles:
        if chunk and (language != current or len(chunk) >= _CHUNK_ARTICLES or size >= CHUNK_CHARACTERS):
            yield current, chunk
            chunk, size = [], 0
        chunk.append(article)
        current = language
        size += len(article.text)
    if chunk:
        yield current, chunk


def read_articles(
    pages: Sequence[Path], mentions: Sequence[Path], places: Places, entities: np.ndarray
) -> Iterator[tuple[str, Article]]:
    """Yield (language, article) by language and place.

    Args:
        pages, mentions: files of the views of joins.sql, sorted by language and place.
        places: where the texts are.
        entities: numbers of Wikidata, ascending; rows are counted in it.
    """
    found = groupby(_mentions(mentions, entities), lambda row: row[:2])
    key, group = next(found, ((), ()))
    columns = "language", "place", "page_id", "valid", "entity"
    for language, rows in groupby(_with_rows(pages, columns, entities), lambda row: row[0]):
        texts = places.texts(language)
        for _, place, page_id, valid, entity in rows:
            text = next(text for where, text in texts if where == place)
            inside: list[Mention] = []
            if key == (language, place):
                inside = [mention for _, _, mention in group]
                key, group = next(found, ((), ()))
            yield language, Article(page_id, valid, entity, text, inside)


def _mentions(files: Sequence[Path], entities: np.ndarray) -> Iterator[tuple[str, int, Mention]]:
    columns = "language", "place", "char_begin", "char_end", "surface", "entity"
    for language, place, *mention in _with_rows(files, columns, entities):
        yield language, place, Mention(*mention)


def _with_rows(files: Sequence[Path], columns: Sequence[str], entities: np.ndarray) -> Iterator[tuple[Any, ...]]:
    """The rows of a table whose last column, an item or none, becomes the item's row in ``entities`` or -1."""
    for *others, entity in read_batches(files, *columns):
        numbers = entity.fill_null(-1).to_numpy()
        rows = np.where(numbers < 0, -1, np.searchsorted(entities, numbers))
        yield from zip(*(column.to_pylist() for column in others), rows.tolist(), strict=True)


def write_language(
    folder: Path, language: str, parts: Iterable[Encoded], token_dtype: np.dtype[Any], advance: Callable[[int], object]
) -> tuple[Counter[str], dict[str, int]]:
    """Write the splits of a language; returns the sum of the counts and the length of each column, by path."""
    total: Counter[str] = Counter()
    kinds = {**SPLIT_COLUMNS, "tokens": (token_dtype, ())}
    with contextlib.ExitStack() as stack:
        columns = [stack.enter_context(ColumnsWriter(folder / language / split, kinds)) for split in SPLITS]
        writers = [SplitWriter(column) for column in columns]
        for _, pair, counts in parts:
            for writer, part in zip(writers, pair, strict=True):
                writer.append(part)
            total.update(counts)
            advance(counts["articles"])
    return total, {
        f"{language}/{split}/{name}": length
        for split, column in zip(SPLITS, columns, strict=True)
        for name, length in column.lengths.items()
    }
