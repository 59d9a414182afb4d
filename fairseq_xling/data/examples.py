"""Training examples from a source's items, and the batches of an epoch."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from fairseq.data import data_utils

from .sampling import draw, language_counts

Example = dict[str, Any]

# An item is one int64: the number of its repetition above these bits (so that each gets noise of its own), the source's
# index in them.
INDEX_BITS = 36
MAX_PASSES = 1 << 10


class Source(Protocol):
    """Items of several groups (languages or pairs), numbered through; item ``i`` of the whole is cheap to read.

    The sentences of an item are its own symbols: ``<s>`` and the last ``</s>`` are put around them where an example is built.
    """

    groups: list[str]
    bounds: np.ndarray  # (G + 1,) first item of each group
    sizes: np.ndarray  # (N,) tokens of an item's example, specials included; 0 marks an empty item

    def __getitem__(self, index: int) -> Any: ...


class ExampleDataset:
    """Examples of one objective, built when read; the draw depends on (seed, epoch, item) only.

    Args:
        source: where items come from.
        build: ``build(item, rng) -> Example``; adds noise such as masks with ``rng``.
        alpha: exponent of the language sampling; 1 takes the corpus as it is.
        seed: seeds sampling, batching and ``build``.
        sizes: (N,) tokens of each example where ``build`` makes them longer than the source's items (BTMLM's placeholders).
        num_shards: the source is one of so many data-bins that take turns, one an epoch.
    """

    def __init__(
        self,
        source: Source,
        build: Callable[[Any, np.random.Generator], Example],
        alpha: float,
        seed: tuple[int, ...],
        sizes: np.ndarray | None = None,
        num_shards: int = 1,
    ):
        self.source = source
        self.build = build
        self.alpha = alpha
        self.seed = seed
        self.sizes = source.sizes if sizes is None else sizes
        self.num_shards = num_shards

    def example(self, item: int, epoch: int) -> Example:
        """Build one example; the same arguments always give the same example."""
        repetition, index = divmod(item, 1 << INDEX_BITS)
        rng = np.random.default_rng((*self.seed, epoch, repetition, index))
        example = self.build(self.source[index], rng)
        example["id"] = index
        return example

    @cached_property
    def num_items(self) -> np.ndarray:
        """(G,) items of each group that are not empty."""
        bounds = self.source.bounds
        return np.array([np.count_nonzero(self.sizes[a:b]) for a, b in pairwise(bounds)])

    @cached_property
    def num_tokens(self) -> float:
        """Tokens that an epoch is expected to hold."""
        bounds = self.source.bounds
        sums = np.array([self.sizes[a:b].sum(dtype=np.int64) for a, b in pairwise(bounds)])
        return float((language_counts(self.num_items, self.alpha) * sums / np.maximum(self.num_items, 1)).sum())

    def epoch_items(self, epoch: int, cycle: int = 0, passes: int = 1, share: float = 1.0) -> np.ndarray:
        """Items of one epoch after language sampling, of which empty ones are no part. (N,) int64.

        Args:
            cycle: 1, 2, ... read on after the epoch's first items.
            passes: cycles of an epoch, which the next epoch reads on after.
            share: how much of a cycle to draw.
        """
        bounds = self.source.bounds
        counts = language_counts(self.num_items, self.alpha)
        visit = (epoch - 1) // self.num_shards * passes + cycle
        parts = []
        for group, (start, end, size, count) in enumerate(
            zip(bounds[:-1], bounds[1:], self.num_items.tolist(), counts.tolist(), strict=True)
        ):
            if not count:
                continue
            filled = None if size == end - start else np.flatnonzero(self.sizes[start:end])
            drawn = draw(size, math.ceil(count * share), visit * count, (*self.seed, group))
            for number, piece in enumerate(drawn):
                own = piece if filled is None else filled[piece]
                parts.append(np.add(own, start + ((number % MAX_PASSES) << INDEX_BITS), dtype=np.int64))
        return np.concatenate(parts)

    def item_sizes(self, items: np.ndarray) -> np.ndarray:
        """(N,) tokens of each of the items."""
        return self.sizes[items & ((1 << INDEX_BITS) - 1)]

    def batches(
        self,
        epoch: int,
        max_tokens: int | None,
        max_sentences: int | None,
        size_multiple: int = 1,
        cycle: int = 0,
        **reading: Any,
    ) -> list[np.ndarray]:
        """Group an epoch's items by similar length into batches of at most ``max_tokens`` padded tokens, in random order.

        ``size_multiple`` is fairseq's ``--required-batch-size-multiple``; ``cycle`` and ``reading`` are those of `epoch_items`.
        """
        items = self.epoch_items(epoch, cycle, **reading)
        sizes = self.item_sizes(items)
        order = np.argsort(sizes, kind="stable")
        items, sizes = items[order], sizes[order]
        del order
        batches = group(items, sizes, max_tokens, max_sentences, size_multiple)
        np.random.default_rng((*self.seed, epoch, cycle) if cycle else (*self.seed, epoch)).shuffle(batches)
        return batches


def group(
    items: np.ndarray, sizes: np.ndarray, max_tokens: int | None, max_sentences: int | None, size_multiple: int
) -> list[np.ndarray]:
    """Cut items into batches of at most ``max_tokens`` padded tokens and ``max_sentences`` items, in their order.

    fairseq's own batching leaves out the last batch if its size is no multiple of ``size_multiple``; here it is kept.
    """
    batches: list[np.ndarray] = data_utils.batch_by_size(
        items,
        num_tokens_fn=None,
        num_tokens_vec=sizes.astype(np.int64),
        max_tokens=max_tokens,
        max_sentences=max_sentences,
        required_batch_size_multiple=size_multiple,
    )
    rest = items[sum(map(len, batches)) :]
    return [*batches, rest] if len(rest) else batches
