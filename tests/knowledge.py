"""A tiny world of entities in the folder ``wiki`` of a data-bin, as ``xling entities`` writes it, without running it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fairseq_xling_preprocess.wiki.entities import shards
from tests.helpers import FIRST, NUM_WORDS

NUM_ENTITIES = 12
RELATIONS = ("P31", "P361")
MAX_TOKENS = 24


def words(entity: int) -> tuple[int, int, list[int]]:
    """The word that only the entity's descriptions have, the one before its mentions, and its surface of two pieces."""
    return (
        FIRST + entity,
        FIRST + NUM_ENTITIES + entity,
        [FIRST + 2 * NUM_ENTITIES + entity % 8, FIRST + 2 * NUM_ENTITIES + 8],
    )


FACTS = ((0, 1), (0, 2), (1, 5))


def triples(facts: Sequence[tuple[int, int]]) -> np.ndarray:
    """(N, 3): each entity e has the object e + d by the relation r, for (r, d) of ``facts``."""
    rows = [(e, r, (e + d) % NUM_ENTITIES) for e in range(NUM_ENTITIES) for r, d in facts]
    return np.array(sorted(rows), dtype=np.int32)


def write_knowledge(
    data_bin: Path,
    languages: Sequence[str] = ("de", "en"),
    relations: Sequence[str] = RELATIONS,
    only: dict[int, str] | None = None,
    copies: int = 1,
    facts: Sequence[tuple[int, int]] = FACTS,
) -> Path:
    """Every entity is described in every language, those of ``only`` in one; each article mentions two others, one of them twice.

    Entity e is Q(10 (e + 1)). Articles are set aside for validation in the last language, a sixth of them.
    """
    folder = data_bin / "wiki"
    rng = np.random.default_rng(0)
    lengths: dict[str, int] = {}
    described: list[list[tuple[int, int, int]]] = [[] for _ in range(NUM_ENTITIES)]
    for number, language in enumerate(languages):
        for valid, split in enumerate(shards.SPLITS):
            with shards.ColumnsWriter(
                folder / language / split, {**shards.SPLIT_COLUMNS, "tokens": (np.uint16, ())}
            ) as columns:
                columns["offsets"].append([0])
                columns["occurrence_offsets"].append([0])
                entities = [e for e in range(NUM_ENTITIES) for _ in range(copies)]
                for e in entities:
                    if (only or {}).get(e, language) != language:
                        continue
                    if valid != (number == len(languages) - 1 and e % 6 == 5):
                        continue
                    _write_article(columns, e, rng, described[e], number, valid)
            lengths |= {f"{language}/{split}/{name}": length for name, length in columns.lengths.items()}
    rows = triples(facts)
    groups = np.flatnonzero(np.any(np.diff(rows[:, :2], axis=0, prepend=-1) != 0, axis=1))
    held_out = np.arange(len(rows)) % 9 == 8
    with shards.ColumnsWriter(folder, shards.COLUMNS) as columns:
        columns["entities"].append([10 * (e + 1) for e in range(NUM_ENTITIES)])
        texts = [row for one in described for row in sorted(one, key=lambda row: row[1])]
        columns["descriptions"].append(np.array(texts, dtype=shards.DESCRIPTION))
        columns["description_offsets"].append(np.cumsum([0, *map(len, described)]))
        columns["triples"].append(rows)
        columns["group_offsets"].append([*groups, len(rows)])
        columns["train_triples"].append(np.flatnonzero(~held_out))
        columns["valid_triples"].append(np.flatnonzero(held_out))
    (folder / shards.RELATIONS).write_text("".join(f"{name}\trelation {name}\n" for name in relations))
    meta = {
        "format": shards.FORMAT,
        "dictionary": shards.file_sha256(data_bin / "dict.txt"),
        "token_dtype": "uint16",
        "max_tokens": MAX_TOKENS,
        "valid_share": 0.1,
        "languages": list(languages),
        "lengths": {**lengths, **columns.lengths, "relations": len(relations)},
    }
    (folder / shards.META).write_text(json.dumps(meta))
    return data_bin


def _write_article(
    columns: shards.ColumnsWriter,
    entity: int,
    rng: np.random.Generator,
    described: list[tuple[int, int, int]],
    language: int,
    valid: int,
) -> None:
    article, begin = columns["page_ids"].length, columns["tokens"].length
    if not described or described[-1][1] != language:
        described.append((article, language, valid))
    noise = lambda count: rng.integers(FIRST + NUM_WORDS - 4, FIRST + NUM_WORDS, count).tolist()  # noqa: E731
    tokens = [words(entity)[0], *noise(3)]
    places = []
    for other in ((entity + 1) % NUM_ENTITIES, (entity + 3) % NUM_ENTITIES):
        _, before, surface = words(other)
        places.append((other, len(tokens) + 1))
        tokens += [before, *surface, *noise(2)]
    again = len(tokens)
    tokens += [*words((entity + 1) % NUM_ENTITIES)[2], *noise(1)]
    for index, (other, place) in enumerate(places):
        mention = (begin, article, other, len(tokens), place, place + 2)
        columns["mentions"].append(np.array([mention], dtype=shards.MENTION))
        spans = [(again, again + 2)] if index == 0 else []
        columns["occurrences"].append(np.array(spans, dtype=np.int32).reshape(-1, 2))
        columns["occurrence_offsets"].append([columns["occurrences"].length])
    columns["tokens"].append(tokens)
    columns["page_ids"].append([100 + article])
    columns["entities"].append([entity])
    columns["offsets"].append([columns["tokens"].length])
