"""The embedded aligner: fast_align's model (Dyer, Chahuneau and Smith, 2013) in the pip-installable package sil-thot."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..errors import UserError
from .aligners import Aligner
from .pharaoh import Link, format_links
from .shards import Pair, new_folder, read_shard
from .symmetrize import thot

PACKAGE = "sil-thot"
NUM_ITERATIONS = 5  # fast_align's default
# Words that mean something to thot itself.
_RESERVED = {"NULL": "NULL_", "UNKNOWN_WORD": "UNKNOWN_WORD_", "<UNUSED_WORD>": "<UNUSED_WORD>_"}
_MODEL = "model"


class Embedded(Aligner):
    """A model for each direction, p(target word | source words) and the reverse, with fast_align's diagonal prior.

    Pairs with a side longer than 1,024 words are aligned but not trained on.
    """

    def __init__(self) -> None:
        thot("alignment")

    def settings(self) -> dict[str, Any]:
        return {PACKAGE: version(PACKAGE), "iterations": NUM_ITERATIONS}

    def train(self, shards: Sequence[Path], model: Path, direction: str) -> None:
        aligner = thot("alignment").FastAlignModel()
        aligner.variational_bayes = True
        for shard in shards:
            for pair in read_shard(shard):
                if all(pair):
                    aligner.add_sentence_pair(*_sides(pair, direction))
        aligner.start_training()
        for _ in range(NUM_ITERATIONS):
            aligner.train()
        aligner.end_training()
        with new_folder(model) as folder:
            if not aligner.print(str(folder / _MODEL)):
                raise UserError(f"{model}: the alignment model cannot be written; is the disk full?")

    def align(self, shard: Path, model: Path, direction: str) -> list[str]:
        pairs = list(read_shard(shard))
        sides = [_sides(pair, direction) for pair in pairs if all(pair)]
        found = iter(_load(model).get_best_alignments([given for given, _ in sides], [chosen for _, chosen in sides]))
        return [format_links(_links(next(found)[1].to_list(), direction)) if all(pair) else "" for pair in pairs]


def _links(choices: Sequence[int], direction: str) -> list[Link]:
    """``choices``: for each word of the generated side the word it comes from, counted from 1; 0 is the null word."""
    if direction == "forward":
        return [(choice - 1, position) for position, choice in enumerate(choices) if choice]
    return [(position, choice - 1) for position, choice in enumerate(choices) if choice]


def _sides(pair: Pair, direction: str) -> tuple[list[str], list[str]]:
    """(given, generated) words of a direction."""
    source, target = ([_RESERVED.get(word, word) for word in side] for side in pair)
    return (source, target) if direction == "forward" else (target, source)


@lru_cache(maxsize=1)  # the shards of one direction are aligned before those of the other
def _load(model: Path) -> Any:
    aligner = thot("alignment").FastAlignModel()
    if not aligner.load(str(model / _MODEL)):
        raise UserError(
            f"{model}: the alignment model cannot be read; remove the work folder {model.parent} and start again"
        )
    return aligner
