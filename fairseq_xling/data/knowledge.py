"""Entities of a data-bin: mentions in context, descriptions, triples, as ``xling entities`` wrote them into ``wiki/``."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from fairseq_xling_preprocess.wiki.entities.shards import Shards, Split, open_shards

from ..errors import UserError
from .databin import DataBin

FOLDER = "wiki"


def open_knowledge(data: DataBin, epoch: int) -> Shards:
    """The shards of an epoch, memory-mapped; opened once.

    Raises:
        UserError: there are none, or they were made with another dictionary.
    """
    folder = data.shard(epoch) / FOLDER
    if not folder.is_dir():
        raise UserError(
            f"{folder}: no such folder; make it with `xling entities --wiki … --wikidata … --data {data.root}` (docs/entities.md)"
        )
    return _open(str(folder), str(data.root / "dict.txt"))


_open = lru_cache(maxsize=None)(open_shards)


class Mention(NamedTuple):
    """A mention: its window of tokens (T,), the places in it as (first, past-the-last), the entity, the language."""

    tokens: np.ndarray
    span: tuple[int, int]
    others: np.ndarray  # (k, 2) where the surface occurs again
    entity: int  # row of shards.entities
    language: str
    shards: Shards


class Mentions:
    """The mentions of a split by language; an item is a `Mention`. ``sizes``: tokens of window and longest description."""

    def __init__(self, shards: Shards, split: str) -> None:
        self.shards = shards
        splits = {language: shards.splits[language, split] for language in shards.languages}
        splits = {language: one for language, one in splits.items() if len(one.mentions)}
        self.groups = list(splits)
        self.splits: list[Split] = list(splits.values())
        self.bounds = np.cumsum([0, *(len(one.mentions) for one in self.splits)])
        self.sizes = np.full(self.bounds[-1], 2 * shards.max_tokens, dtype=np.int32)

    def __getitem__(self, index: int) -> Mention:
        group = int(np.searchsorted(self.bounds, index, side="right")) - 1
        split, number = self.splits[group], int(index - self.bounds[group])
        row = split.mentions[number]
        span = int(row["begin"]), int(row["end"])
        return Mention(
            split.window(number), span, split.spans(number), int(row["entity"]), self.groups[group], self.shards
        )


class Triple(NamedTuple):
    """A triple: rows of ``shards.entities`` and ``shards.relations``, and every object that the subject has by this relation."""

    subject: int
    relation: int
    object: int
    objects: np.ndarray
    shards: Shards


class Triples:
    """The triples of a split, in one group; an item is a `Triple`. ``sizes``: tokens of two descriptions."""

    def __init__(self, shards: Shards, split: str) -> None:
        self.shards = shards
        self.rows = shards.train_triples if split == "train" else shards.valid_triples
        self.groups = ["triples"]
        self.bounds = np.array([0, len(self.rows)])
        self.sizes = np.full(len(self.rows), 2 * shards.max_tokens, dtype=np.int32)

    def __getitem__(self, index: int) -> Triple:
        number = int(self.rows[index])
        subject, relation, object_ = map(int, self.shards.triples[number])
        return Triple(subject, relation, object_, self.shards.objects(number), self.shards)


def check_length(shards: Shards, max_positions: int) -> None:
    """Raises UserError if windows or descriptions are longer than the model reads."""
    if shards.max_tokens > max_positions:
        raise UserError(
            f"--max-positions {max_positions}: windows and descriptions have up to {shards.max_tokens} tokens; raise it, or run "
            f"xling entities --max-tokens {max_positions} again"
        )
