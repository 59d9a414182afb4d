"""Word alignments of a data-bin's sentence pairs, as links between their pieces (docs/data.md)."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from fairseq.data.indexed_dataset import MMapIndexedDataset

from ..errors import UserError
from .checks import check_index
from .databin import DataBin, Pair
from .pairs import Parallel

logger = logging.getLogger(__name__)

Sides = tuple[MMapIndexedDataset, MMapIndexedDataset]

_SAMPLE_PAIRS = 2_000
_AGAIN = "encode text and alignment in one run of `xling encode --alignment` and binarise them together (--align-suffix align)"


class Links:
    """The word alignment of the sentences of a language pair.

    Args:
        flat: line i holds the links of sentence pair i: flat i0 j0 i1 j1 ..., pieces counted from 0.
        sides: the sentences, each ending in ``</s>``.
        name: of the file, for messages.

    Raises:
        UserError: there is not a line for each sentence pair.
    """

    def __init__(self, flat: MMapIndexedDataset, sides: Sides, name: str):
        if len(flat) != len(sides[0]):
            raise UserError(
                f"{name}: {len(flat)} lines of alignment for {len(sides[0])} sentence pairs; line i of one belongs to line i of the "
                "other: encode text and alignment in one run of `xling encode --alignment` and binarise them together"
            )
        self.flat = flat
        self.sides = sides
        self.name = name

    def __getitem__(self, index: int) -> np.ndarray:
        """The links of sentence pair ``index``: (P, 2) int64.

        Raises:
            UserError: a link is beyond its sentences, or one of its two numbers is missing.
        """
        flat = self.flat[index].numpy().astype(np.int64)
        lengths = [int(side.sizes[index]) - 1 for side in self.sides]
        if len(flat) % 2:
            raise UserError(
                f"{self.name}: the alignment of sentence pair {index + 1} holds {len(flat)} numbers, links are two each; {_AGAIN}"
            )
        links = flat.reshape(-1, 2)
        outside = ((links < 0) | (links >= lengths)).any(1)
        if outside.any():
            i, j = links[outside][0]
            raise UserError(
                f"{self.name}: sentence pair {index + 1} has the link {i}-{j}, its sides have {lengths[0]} and {lengths[1]} pieces, "
                f"counted from 0; {_AGAIN}"
            )
        return links

    def check(self) -> None:
        """Sample the alignment: refuse links beyond their sentences, warn of many sentence pairs without a link.

        Raises:
            UserError: the alignment belongs to other sentences, or to words instead of pieces.
        """
        sample = range(0, len(self.flat), max(1, len(self.flat) // _SAMPLE_PAIRS))
        linked = sum(len(self[index]) > 0 for index in sample)
        if linked < len(sample) / 2:
            logger.warning(
                f"{self.name}: {1 - linked / len(sample):.0%} of {len(sample)} sentence pairs looked at have no link"
            )


def links_prefix(shard: Path, pair: Pair, split: str) -> Path:
    """Path of the links of a pair, without ``.bin`` and ``.idx``."""
    return shard / "para" / str(pair) / f"{split}.align.{pair}"


def has_links(shard: Path, pair: Pair, split: str) -> bool:
    """Test whether a pair has links; one file without the other counts too: that is an error, not a pair without them."""
    prefix = links_prefix(shard, pair, split)
    return any(os.path.exists(f"{prefix}.{kind}") for kind in ("idx", "bin"))


def open_links(data: DataBin, split: str, epoch: int, pairs: Mapping[Pair, Sides]) -> dict[Pair, Links]:
    """Open the word alignment of each of the opened ``pairs``.

    Raises:
        UserError: a pair has none, or it does not fit the sentences.
    """
    found = {}
    for pair, sides in pairs.items():
        prefix = links_prefix(data.shard(epoch), pair, split)
        if not os.path.exists(f"{prefix}.idx"):
            raise UserError(
                f"{prefix}.idx: not found; the objectives weam and word_alignment need word alignments: make them with `xling align`, "
                "carry them to pieces with `xling encode --alignment` and binarise the pair with --align-suffix align"
            )
        found[pair] = Links(data.open_once(prefix, _open), sides, str(prefix))
    return found


def _open(prefix: str) -> MMapIndexedDataset:
    check_index(prefix)
    if not os.path.getsize(f"{prefix}.bin"):
        raise UserError(f"{prefix}.bin: holds no link; align the pair again, or take it out of the data-bin")
    return MMapIndexedDataset(prefix)


class LinkedPairs:
    """Sentence pairs with the links between their pieces.

    Args:
        pairs: where the sentences come from.
        links: those of each language pair.

    An item is ``(x, y, pair, links)``: links (P, 2) int64, distinct, between the pieces that are left after truncation.
    """

    def __init__(self, pairs: Parallel, links: Mapping[Pair, Links]):
        self.pairs = pairs
        self.links = [links[pair] for pair in pairs.pairs]
        self.groups, self.bounds, self.sizes = pairs.groups, pairs.bounds, pairs.sizes
        for own in self.links:
            own.check()

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, Pair, np.ndarray]:
        x, y, pair = self.pairs[index]
        group, local = self.pairs.locate(index)
        # links are checked against the whole sentences, not what is left of them
        links = self.links[group][local]
        left = links[(links[:, 0] < len(x)) & (links[:, 1] < len(y))]
        numbers = np.unique(left[:, 0] * len(y) + left[:, 1])  # faster than rows
        return x, y, pair, np.stack(np.divmod(numbers, len(y)), axis=1)
