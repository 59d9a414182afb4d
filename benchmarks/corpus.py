"""Synthetic corpora in fairseq's memory-mapped format, written directly, so that a benchmark needs no data.

Words are Zipfian, sentence lengths log-normal as SentencePiece pieces of web text are (median 22, mean 26 with ``</s>``).
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np

from fairseq_xling_preprocess.wiki.entities import shards

EOS, FIRST_WORD = 2, 4
_MAGIC = b"MMIDIDX\x00\x00"
_INT32, _UINT16 = 4, 8  # fairseq's codes of the types


def write_dictionary(path: Path, vocabulary: int) -> None:
    """Write a dict.txt whose vocabulary has ``vocabulary`` symbols, the four specials and ``<mask>`` included."""
    path.write_text("".join(f"w{i} 1\n" for i in range(vocabulary - FIRST_WORD - 1)), encoding="utf-8")


def sentence_lengths(rng: np.random.Generator, count: int, median: float) -> np.ndarray:
    """(count,) int32 lengths in tokens, ``</s>`` included, at most 255."""
    return np.clip(rng.lognormal(np.log(median), 0.55, count), 3, 254).astype(np.int32) + 1


def write_corpus(prefix: Path, lengths: np.ndarray, vocabulary: int, rng: np.random.Generator) -> None:
    """Write ``prefix.bin`` and ``prefix.idx``: sentences of Zipfian words, each ending in ``</s>``.

    Args:
        lengths: (N,) int32 tokens of each sentence, ``</s>`` included.
        vocabulary: number of symbols with the specials.
    """
    prefix.parent.mkdir(parents=True, exist_ok=True)
    frequency = 1 / (np.arange(vocabulary - FIRST_WORD - 1) + 2.7)
    cumulative = np.cumsum(frequency / frequency.sum())
    with open(f"{prefix}.bin", "wb") as stream:
        for part in np.array_split(lengths, max(1, len(lengths) // 500_000)):
            words = np.searchsorted(cumulative, rng.random(int(part.sum()), dtype=np.float32)) + FIRST_WORD
            tokens = np.minimum(words, vocabulary - 2).astype(np.uint16 if _code(vocabulary) == _UINT16 else np.int32)
            tokens[np.cumsum(part) - 1] = EOS
            tokens.tofile(stream)
    write_index(prefix, lengths, _code(vocabulary))


def _code(vocabulary: int) -> int:
    """The type fairseq takes for so many symbols."""
    return _UINT16 if vocabulary < 65_500 else _INT32


def write_index(prefix: Path, lengths: np.ndarray, code: int = _UINT16) -> None:
    """Write ``prefix.idx`` for sentences of these lengths that follow each other."""
    pointers = np.cumsum(lengths, dtype=np.int64) * {_INT32: 4, _UINT16: 2}[code]
    with open(f"{prefix}.idx", "wb") as stream:
        stream.write(_MAGIC + struct.pack("<QBQ", 1, code, len(lengths)))
        lengths.astype(np.int32).tofile(stream)
        np.concatenate([[0], pointers[:-1]]).astype(np.int64).tofile(stream)


def write_alignment(prefix: Path, left: np.ndarray, right: np.ndarray, rng: np.random.Generator) -> None:
    """Write ``prefix.bin`` and ``prefix.idx``: links along the diagonal, for five of six words of the left side.

    Args:
        left, right: (N,) tokens of the sentences, ``</s>`` included.
    """
    words = left - 1
    starts = np.cumsum(words) - words
    position = np.arange(words.sum()) - np.repeat(starts, words)
    partner = position * np.repeat((right - 1) / words, words)
    kept = rng.random(len(position)) < 5 / 6
    np.stack([position, partner], axis=1)[kept].astype(np.int32).tofile(f"{prefix}.bin")
    write_index(prefix, 2 * np.add.reduceat(kept.astype(np.int32), starts), _INT32)


def write_data_bin(
    folder: Path, sentences: int, vocabulary: int, seed: int = 1, pairs: int = 0, median: float = 22.0
) -> Path:
    """Write a data-bin of two languages with ``sentences`` sentences in all and ``pairs`` aligned sentence pairs.

    ``median`` is the median length of a sentence in words.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    write_dictionary(folder / "dict.txt", vocabulary)
    (folder / "languages.txt").write_text("aa\nbb\n", encoding="utf-8")
    for language, count in (("aa", sentences // 2), ("bb", sentences - sentences // 2)):
        write_corpus(folder / "mono" / language / "train", sentence_lengths(rng, count, median), vocabulary, rng)
    if pairs:
        left = sentence_lengths(rng, pairs, median)
        right = np.clip(left * rng.lognormal(0.0, 0.15, pairs), 4, 255).astype(np.int32)
        for language, lengths in (("aa", left), ("bb", right)):
            write_corpus(folder / "para" / "aa-bb" / f"train.aa-bb.{language}", lengths, vocabulary, rng)
        write_alignment(folder / "para" / "aa-bb" / "train.align.aa-bb", left, right, rng)
    return folder


def read_corpus(prefix: Path) -> tuple[np.ndarray, np.ndarray]:
    """Tokens (sum of lengths,) and lengths (N,) of a corpus of 16-bit tokens, memory-mapped.

    Raises:
        ValueError: its tokens are not 16 bits wide.
    """
    with open(f"{prefix}.idx", "rb") as stream:
        code, count = struct.unpack("<BQ", stream.read(26)[17:])
    if code != _UINT16:
        raise ValueError(f"{prefix}.idx: the benchmark reads 16-bit tokens only (vocabularies below 65,500 symbols)")
    lengths = np.memmap(f"{prefix}.idx", dtype=np.int32, mode="r", offset=26, shape=(count,))
    return np.memmap(f"{prefix}.bin", dtype=np.uint16, mode="r"), lengths


def merge_monolingual(data_bin: Path, folder: Path) -> Path:
    """Join ``data_bin/mono/*/train`` into one corpus, the form stock fairseq's ``masked_lm`` and `transformers` read."""
    folder.mkdir(parents=True, exist_ok=True)
    corpora = [read_corpus(path.with_suffix("")) for path in sorted((data_bin / "mono").glob("*/train.idx"))]
    with open(folder / "train.bin", "wb") as stream:
        for tokens, _ in corpora:
            tokens.tofile(stream)
    write_index(folder / "train", np.concatenate([lengths for _, lengths in corpora]))
    (folder / "dict.txt").write_bytes((data_bin / "dict.txt").read_bytes())
    return folder


def write_knowledge(data_bin: Path, entities: int, vocabulary: int, max_tokens: int, seed: int = 1) -> None:
    """Write ``wiki/``: articles of random words about so many entities in two languages, each longer than a window, a mention in each."""
    rng = np.random.default_rng(seed)
    folder, length, width = data_bin / "wiki", max_tokens + 50, max_tokens - shards.SPECIALS
    lengths: dict[str, int] = {}
    dtype = shards.token_dtype(vocabulary)
    for language in ("aa", "bb"):
        for split, count in (("train", entities), ("valid", 0)):
            columns = {**shards.SPLIT_COLUMNS, "tokens": (dtype, ())}
            with shards.ColumnsWriter(folder / language / split, columns) as writers:
                writers["tokens"].append(rng.integers(FIRST_WORD, vocabulary - 1, count * length))
                writers["offsets"].append(np.arange(count + 1) * length)
                writers["page_ids"].append(np.arange(count))
                writers["entities"].append(np.arange(count))
                mentions = np.zeros(count, dtype=shards.MENTION)
                mentions["window"], mentions["article"] = np.arange(count) * length, np.arange(count)
                mentions["entity"] = rng.integers(0, entities, count)
                mentions["length"], mentions["begin"], mentions["end"] = width, width // 2, width // 2 + 2
                writers["mentions"].append(mentions)
                writers["occurrence_offsets"].append(np.zeros(count + 1, dtype=np.int64))
            lengths |= {f"{language}/{split}/{name}": size for name, size in writers.lengths.items()}
    with shards.ColumnsWriter(folder, shards.COLUMNS) as writers:
        descriptions = np.zeros(2 * entities, dtype=shards.DESCRIPTION)
        descriptions["article"], descriptions["language"] = np.repeat(np.arange(entities), 2), np.tile([0, 1], entities)
        writers["entities"].append(np.arange(1, entities + 1))
        writers["descriptions"].append(descriptions)
        writers["description_offsets"].append(2 * np.arange(entities + 1))
        writers["group_offsets"].append([0])
    (folder / shards.RELATIONS).write_text("", encoding="utf-8")
    meta = {
        "format": shards.FORMAT,
        "dictionary": shards.file_sha256(data_bin / "dict.txt"),
        "token_dtype": dtype.name,
        "max_tokens": max_tokens,
        "languages": ["aa", "bb"],
        "lengths": {**lengths, **writers.lengths, "relations": 0},
    }
    (folder / shards.META).write_text(json.dumps(meta), encoding="utf-8")
