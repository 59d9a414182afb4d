"""What an objective reads: sentences of one language, or pairs, of all languages of a data-bin, memory-mapped."""

from __future__ import annotations

import logging
from typing import Any, Protocol

import numpy as np
from fairseq.data import TokenBlockDataset
from fairseq.data.indexed_dataset import MMapIndexedDataset

from .checks import check_links, read_links
from .databin import Pair
from .masking import Symbols
from .pairs import SEPARATORS, Lengths, fair_lengths, num_pair_specials

logger = logging.getLogger(__name__)


class Source(Protocol):
    """Items of several groups (languages or pairs), numbered through; item ``i`` of the whole is cheap to read."""

    groups: list[str]
    bounds: np.ndarray  # (G + 1,) first item of each group
    sizes: np.ndarray  # (N,) tokens of an item's example, specials included; 0 marks an empty item

    def __getitem__(self, index: int) -> Any: ...


class Monolingual:
    """Sentences, or packed blocks of sentences, of several languages.

    Args:
        corpora: language -> dataset of binarised sentences, each ending in ``</s>``.
        max_positions: longest example, ``<s>`` included; a longer sentence is cut at its end, counted and logged.
        break_mode: ``eos`` one sentence an example; ``complete``, ``complete_doc``, ``none`` fairseq's packed blocks.

    An item is ``(tokens, language)``: tokens (T,) int64 without ``<s>``, with the final ``</s>``.
    """

    def __init__(
        self,
        corpora: dict[str, MMapIndexedDataset],
        symbols: Symbols,
        max_positions: int,
        break_mode: str = "eos",
    ):
        self.groups = list(corpora)
        self.symbols = symbols
        self.room = max_positions - 1
        self.datasets = [
            dataset
            if break_mode == "eos"
            else TokenBlockDataset(
                dataset, dataset.sizes, self.room, pad=symbols.pad, eos=symbols.eos, break_mode=break_mode
            )
            for dataset in corpora.values()
        ]
        self.bounds = np.cumsum([0, *map(len, self.datasets)])
        self.sizes = np.zeros(self.bounds[-1], dtype=np.int32)
        for language, dataset, start, end in zip(
            self.groups, self.datasets, self.bounds[:-1], self.bounds[1:], strict=True
        ):
            lengths = np.asarray(dataset.sizes)
            cut = int((lengths > self.room).sum())
            if cut:
                logger.warning(
                    f"{language}: {cut} of {len(lengths)} sentences are cut to {max_positions} tokens; raise --max-positions to keep more"
                )
            # a lone </s> is a blank line (a document break): nothing to learn from
            self.sizes[start:end] = np.where(lengths > 1, np.minimum(lengths, self.room) + 1, 0)

    def __getitem__(self, index: int) -> tuple[np.ndarray, str]:
        group = int(np.searchsorted(self.bounds, index, side="right")) - 1
        tokens = self.datasets[group][int(index - self.bounds[group])].numpy()
        if len(tokens) > self.room:
            tokens = np.append(tokens[: self.room - 1], self.symbols.eos)
        return tokens, self.groups[group]


class Parallel:
    """Sentence pairs of several language pairs, cut fairly on both sides to fit one sequence, `fairseq_xling.data.pairs`.

    An item is ``(x, y, pair)``; the sentences hold no special symbol.
    """

    def __init__(
        self,
        corpora: dict[Pair, tuple[MMapIndexedDataset, MMapIndexedDataset]],
        max_positions: int,
        separators: int = SEPARATORS,
    ):
        self.pairs = list(corpora)
        self.groups = [str(pair) for pair in corpora]
        self.datasets = list(corpora.values())
        self.max_positions = max_positions
        self.separators = separators
        self.bounds = np.cumsum([0, *(len(left) for left, _ in self.datasets)])
        self.sizes = np.zeros(self.bounds[-1], dtype=np.int32)
        for pair, (left, right), start, end in zip(
            self.groups, self.datasets, self.bounds[:-1], self.bounds[1:], strict=True
        ):
            x, y = np.asarray(left.sizes) - 1, np.asarray(right.sizes) - 1
            kept_x, kept_y = self.kept(x, y)
            cut = int(((kept_x < x) | (kept_y < y)).sum())
            empty = int(((x < 1) | (y < 1)).sum())
            if cut:
                logger.warning(f"{pair}: {cut} of {len(x)} pairs are cut to --max-positions {max_positions}")
            if empty:
                logger.warning(f"{pair}: {empty} of {len(x)} pairs have an empty side and are left out")
            self.sizes[start:end] = np.where((x < 1) | (y < 1), 0, self.example_sizes(kept_x, kept_y))

    def locate(self, index: int) -> tuple[int, int]:
        """The group of item ``index``, and its number in it."""
        group = int(np.searchsorted(self.bounds, index, side="right")) - 1
        return group, int(index - self.bounds[group])

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, Pair]:
        group, local = self.locate(index)
        x, y = (side[local].numpy()[:-1] for side in self.datasets[group])
        keep_x, keep_y = self.kept(len(x), len(y))
        return x[:keep_x], y[:keep_y], self.pairs[group]

    def kept(self, x: Lengths, y: Lengths) -> tuple[Lengths, Lengths]:
        """How much of two sentences of the given lengths is kept."""
        return fair_lengths(x, y, self.max_positions, self.separators)

    def example_sizes(self, kept_x: np.ndarray, kept_y: np.ndarray) -> np.ndarray:
        """(N,) tokens of the examples made of sentences of these lengths."""
        return kept_x + kept_y + num_pair_specials(self.separators)


class AlignedPairs:
    """Sentence pairs with their word alignment, as links between pieces.

    Args:
        pairs: where the sentences come from.
        alignments: pair -> dataset of links, line i those of sentence pair i: flat i0 j0 i1 j1 ..., pieces counted from 0.
        split: for messages.

    An item is ``(x, y, pair, links)``: links (P, 2) int64, distinct, between the pieces that are left after truncation.
    """

    def __init__(self, pairs: Parallel, alignments: dict[Pair, MMapIndexedDataset], split: str):
        self.pairs = pairs
        self.alignments = [alignments[pair] for pair in pairs.pairs]
        self.names = [f"para/{pair}/{split}.align.{pair}" for pair in pairs.pairs]
        self.groups, self.bounds, self.sizes = pairs.groups, pairs.bounds, pairs.sizes
        for name, sides, alignment in zip(self.names, pairs.datasets, self.alignments, strict=True):
            check_links(alignment, sides, name)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, Pair, np.ndarray]:
        x, y, pair = self.pairs[index]
        group, local = self.pairs.locate(index)
        # links are checked against the whole sentences, not what is left of them
        links = read_links(self.alignments[group], self.pairs.datasets[group], local, self.names[group])
        left = links[(links[:, 0] < len(x)) & (links[:, 1] < len(y))]
        numbers = np.unique(left[:, 0] * len(y) + left[:, 1])  # faster than rows
        return x, y, pair, np.stack(np.divmod(numbers, len(y)), axis=1)


class SeparatePairs(Parallel):
    """Sentence pairs whose sides are encoded each on its own, as ``<s> x </s>`` and ``<s> y </s>``, and cut only to fit so."""

    def kept(self, x: Lengths, y: Lengths) -> tuple[Lengths, Lengths]:
        room = self.max_positions - 2
        if isinstance(x, np.ndarray):
            return np.minimum(x, room), np.minimum(y, room)
        return min(x, room), min(y, room)

    def example_sizes(self, kept_x: np.ndarray, kept_y: np.ndarray) -> np.ndarray:
        """(N,) twice the longer side: both sides of a batch are padded to the longest sentence in it."""
        return 2 * (np.maximum(kept_x, kept_y) + 2)
