"""The folder ``data-bin/wiki`` of ``xling entities``: its columns, how they are written, how they are read memory-mapped.

A row of ``entities.npy``, ``relations.txt`` or ``articles`` is what other columns mean by a number; nothing is stored twice.
``meta.json`` is the last file to appear: a folder without it is not finished.

============================= ======================== =============================================================
file                          dtype (shape)            content
============================= ======================== =============================================================
``entities.npy``              int64 (E,)               numbers of Wikidata's items, ascending: row 0 is the smallest Q-id
``description_offsets.npy``   int64 (E + 1,)           descriptions of entity e: rows offsets[e] to offsets[e + 1] of the next
``descriptions.npy``          DESCRIPTION              the article whose beginning describes it, a row for each language
``triples.npy``               int32 (N, 3)             subject, relation, object (rows), sorted
``group_offsets.npy``         int64 (G + 1,)           where the triples of one (subject, relation) begin
``{train,valid}_triples.npy`` int32 (N',)              rows of ``triples``, ascending
in ``<language>/<split>/``:
``tokens.npy``                uint16 or int32 (T,)     ids of dict.txt, articles end to end, no special symbols
``offsets.npy``               int64 (A + 1,)           article a: tokens offsets[a] to offsets[a + 1]
``page_ids.npy``              int64 (A,)               of Wikipedia
``entities.npy``              int32 (A,)               the entity that the article describes, -1: none
``mentions.npy``              MENTION (M,)             by article and place in it
``occurrence_offsets.npy``    int64 (M + 1,)           spans of mention m: rows offsets[m] to offsets[m + 1] of the next
``occurrences.npy``           int32 (S, 2)             first and past-the-last token, within the mention's window
============================= ======================== =============================================================
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from ...errors import UserError

FORMAT = 1
META = "meta.json"
RELATIONS = "relations.txt"
SPLITS = ("train", "valid")
SPECIALS = 2  # <s> and </s> around a window or description; max_tokens counts them
LANGUAGE = re.compile(r"[A-Za-z0-9]+([_-][A-Za-z0-9]+)*")

# language: its place in meta.json's list; valid: 1 if the article is of the split valid
DESCRIPTION = np.dtype([("article", "<i4"), ("language", "<i2"), ("valid", "<i2")])
# window: token of the split where it begins; length of the window; begin, end: the mention within the window
MENTION = np.dtype(
    [("window", "<i8"), ("article", "<i4"), ("entity", "<i4"), ("length", "<i4"), ("begin", "<i4"), ("end", "<i4")]
)

COLUMNS: Mapping[str, tuple[Any, tuple[int, ...]]] = {
    "entities": (np.int64, ()),
    "description_offsets": (np.int64, ()),
    "descriptions": (DESCRIPTION, ()),
    "triples": (np.int32, (3,)),
    "group_offsets": (np.int64, ()),
    "train_triples": (np.int32, ()),
    "valid_triples": (np.int32, ()),
}
SPLIT_COLUMNS: Mapping[str, tuple[Any, tuple[int, ...]]] = {
    "tokens": (None, ()),  # see token_dtype
    "offsets": (np.int64, ()),
    "page_ids": (np.int64, ()),
    "entities": (np.int32, ()),
    "mentions": (MENTION, ()),
    "occurrence_offsets": (np.int64, ()),
    "occurrences": (np.int32, (2,)),
}


def token_dtype(num_symbols: int) -> np.dtype[Any]:
    """The smallest of uint16 and int32 that holds the ids of so many symbols."""
    return np.dtype(np.uint16 if num_symbols <= 1 << 16 else np.int32)


class ColumnWriter:
    """Writes a ``.npy`` file of unknown length, a part at a time; the header is completed by ``close``."""

    def __init__(self, path: Path, dtype: Any, shape: tuple[int, ...] = ()) -> None:
        self.dtype = np.dtype(dtype)
        self._shape = shape
        self.length = 0
        self._stream: IO[bytes] = path.open("wb")
        self._begin = self._write_header()

    def _write_header(self) -> int:
        """NumPy pads a header so that the first dimension has room to grow."""
        description = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (self.length, *self._shape),
        }
        self._stream.seek(0)
        np.lib.format.write_array_header_1_0(self._stream, description)
        return self._stream.tell()

    def append(self, rows: Any) -> None:
        """Add rows, in this dtype or one that it holds."""
        array = np.ascontiguousarray(rows, self.dtype).reshape(-1, *self._shape)
        self._stream.write(array.data if array.size else b"")
        self.length += len(array)

    def close(self) -> None:
        with self._stream:
            if self._write_header() != self._begin:
                raise RuntimeError(f"{self._stream.name}: the header does not fit into its place")


class ColumnsWriter:
    """Writers of several columns in one folder, by name, for a ``with`` block."""

    def __init__(self, folder: Path, columns: Mapping[str, tuple[Any, tuple[int, ...]]]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._writers = {name: ColumnWriter(folder / f"{name}.npy", *kind) for name, kind in columns.items()}

    def __getitem__(self, name: str) -> ColumnWriter:
        return self._writers[name]

    def __enter__(self) -> ColumnsWriter:
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self._writers.values():
            writer.close()

    @property
    def lengths(self) -> dict[str, int]:
        return {name: writer.length for name, writer in self._writers.items()}


class Split:
    """The articles and mentions of one language and split, memory-mapped; the columns are attributes."""

    tokens: np.ndarray
    offsets: np.ndarray
    page_ids: np.ndarray
    entities: np.ndarray
    mentions: np.ndarray
    occurrence_offsets: np.ndarray
    occurrences: np.ndarray

    def __init__(self, columns: Mapping[str, np.ndarray]) -> None:
        self.__dict__.update(columns)

    def article(self, row: int, max_tokens: int | None = None) -> np.ndarray:
        """The tokens of an article, at most so many."""
        begin, end = self.offsets[row : row + 2]
        return self.tokens[begin : end if max_tokens is None else min(end, begin + max_tokens)]

    def window(self, mention: int) -> np.ndarray:
        """The tokens around a mention."""
        row = self.mentions[mention]
        return self.tokens[row["window"] : row["window"] + row["length"]]

    def spans(self, mention: int) -> np.ndarray:
        """(k, 2) places in the window where the surface occurs again: first and past-the-last token."""
        begin, end = self.occurrence_offsets[mention : mention + 2]
        return self.occurrences[begin:end]


class Relation(NamedTuple):
    """A relation of Wikidata: its id ("P31") and label."""

    name: str
    label: str


@dataclass(frozen=True)
class Shards:
    """All of a folder; ``open_shards`` makes it.

    Attributes:
        max_tokens: length of a window or description with its ``<s>`` and ``</s>``.
        languages: ``DESCRIPTION``'s ``language`` counts them.
        splits: by language and "train" or "valid".
    """

    meta: Mapping[str, Any]
    max_tokens: int
    languages: Sequence[str]
    relations: Sequence[Relation]
    entities: np.ndarray
    description_offsets: np.ndarray
    descriptions: np.ndarray
    triples: np.ndarray
    group_offsets: np.ndarray
    train_triples: np.ndarray
    valid_triples: np.ndarray
    splits: Mapping[tuple[str, str], Split]

    def descriptions_of(self, entity: int) -> np.ndarray:
        """The rows of ``descriptions`` of an entity, by language; there is at least one."""
        begin, end = self.description_offsets[entity : entity + 2]
        return self.descriptions[begin:end]

    def description(self, row: np.void) -> np.ndarray:
        """The tokens of a row of ``descriptions``, without ``<s>`` and ``</s>``."""
        split = self.splits[self.languages[row["language"]], SPLITS[row["valid"]]]
        return split.article(int(row["article"]), self.max_tokens - SPECIALS)

    def objects(self, triple: int) -> np.ndarray:
        """Every known object of the triple's subject and relation, its own among them, ascending."""
        group = np.searchsorted(self.group_offsets, triple, side="right")
        return self.triples[self.group_offsets[group - 1] : self.group_offsets[group], 2]


def open_shards(folder: str | Path, dictionary: str | Path) -> Shards:
    """Open what ``xling entities`` wrote, memory-mapped.

    Args:
        folder: ``data-bin/wiki``.
        dictionary: ``data-bin/dict.txt``; the tokens are numbers in it.

    Raises:
        UserError: nothing finished is there, another version wrote it, a file is missing, damaged or of another length, or the
            dictionary is another one.
    """
    folder = Path(folder)
    meta = read_meta(folder)
    if meta["dictionary"] != file_sha256(dictionary):
        raise UserError(
            f"{folder}: was made with another {dictionary}; run xling entities --overwrite again, or restore it"
        )
    dtype = np.dtype(meta["token_dtype"])
    lengths: dict[str, int] = meta["lengths"]
    splits = {
        (language, split): Split(_map_columns(folder, f"{language}/{split}/", SPLIT_COLUMNS, lengths, dtype))
        for language in meta["languages"]
        for split in SPLITS
    }
    top = _map_columns(folder, "", COLUMNS, lengths, dtype)
    return Shards(meta, meta["max_tokens"], meta["languages"], _read_relations(folder, lengths), splits=splits, **top)


def read_meta(folder: Path) -> dict[str, Any]:
    """The content of ``meta.json``, with nothing but names of languages among its languages. Raises UserError."""
    file = folder / META
    try:
        meta = json.loads(file.read_text(encoding="utf-8"))
        version, languages = meta["format"], [str(language) for language in meta["languages"]]
    except FileNotFoundError as error:
        raise UserError(f"{file}: no such file: {folder} holds no finished result of xling entities") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{file}: not of xling entities, or damaged ({error}); run xling entities --overwrite again"
        ) from error
    if version != FORMAT:
        raise UserError(f"{file}: format {version}, this version reads {FORMAT}; run xling entities --overwrite again")
    for language in languages:
        if not LANGUAGE.fullmatch(language):
            raise UserError(f"{file}: {language!r} is no code of a language; run xling entities --overwrite again")
    return meta


def file_sha256(path: str | Path) -> str:
    """Hexadecimal digest of a file. Raises UserError if it cannot be read."""
    try:
        with open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: {(error.strerror or str(error)).lower()}") from error


def _map_columns(
    folder: Path,
    prefix: str,
    columns: Mapping[str, tuple[Any, tuple[int, ...]]],
    lengths: Mapping[str, int],
    token_dtype: np.dtype[Any],
) -> dict[str, np.ndarray]:
    return {
        name: _map(
            folder / f"{prefix}{name}.npy", token_dtype if dtype is None else dtype, shape, lengths[prefix + name]
        )
        for name, (dtype, shape) in columns.items()
    }


def map_column(file: Path, length: int) -> np.ndarray:
    """A column of so many rows, memory-mapped (of no rows nothing can be). Raises what ``numpy.load`` does."""
    array: np.ndarray = np.load(file, mmap_mode="r" if length else None, allow_pickle=False)
    return array


def _map(file: Path, dtype: Any, shape: tuple[int, ...], length: int) -> np.ndarray:
    try:
        array = map_column(file, length)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{file}: missing or damaged ({error}); run xling entities --overwrite again") from error
    if array.dtype != dtype or array.shape != (length, *shape):
        raise UserError(
            f"{file}: holds {array.shape} of {array.dtype}, meta.json says {(length, *shape)} of {np.dtype(dtype)}; "
            "run xling entities --overwrite again"
        )
    return array


def _read_relations(folder: Path, lengths: Mapping[str, int]) -> list[Relation]:
    file = folder / RELATIONS
    try:
        lines = file.read_text(encoding="utf-8").split("\n")[:-1]
        relations = [Relation(*line.split("\t")) for line in lines]
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{file}: missing or damaged ({error}); run xling entities --overwrite again") from error
    if len(relations) != lengths["relations"]:
        raise UserError(f"{file}: {len(relations)} lines, meta.json says {lengths['relations']}")
    return relations
