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

# An item is one int64: the number of its repetition in the epoch above these bits (so that each gets noise of its own), the
# source's index in them.
INDEX_BITS = 36
MAX_PASSES = 1 << 23
# items by which the number of batches is judged
_SAMPLE = 100_000

# most padded tokens and most items of a batch, and what its size is a multiple of (fairseq's --required-batch-size-multiple)
Limits = tuple[int | None, int | None, int]


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
        by_length: batches hold examples of similar length.
    """

    def __init__(
        self,
        source: Source,
        build: Callable[[Any, np.random.Generator], Example],
        alpha: float,
        seed: tuple[int, ...],
        sizes: np.ndarray | None = None,
        num_shards: int = 1,
        by_length: bool = True,
    ):
        self.source = source
        self.build = build
        self.alpha = alpha
        self.seed = seed
        self.sizes = source.sizes if sizes is None else sizes
        self.num_shards = num_shards
        self.by_length = by_length

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
        return np.array([np.count_nonzero(self.sizes[start:end]) for start, end in pairwise(self.source.bounds)])

    def epoch_items(self, epoch: int, passes: float = 1.0, part: tuple[float, float] = (0.0, 1.0)) -> np.ndarray:
        """Items of one epoch after language sampling, of which empty ones are no part. (N,) int64.

        Args:
            passes: how many times what language sampling draws an epoch holds; the next epoch reads on after it.
            part: of the epoch, from 0 to 1; what lies beyond 1 is the beginning of the next.
        """
        counts = np.ceil(language_counts(self.num_items, self.alpha) * passes).astype(np.int64)
        visit = (epoch - 1) // self.num_shards
        parts = []
        for number, (start, end) in enumerate(pairwise(self.source.bounds)):
            size, count = int(self.num_items[number]), int(counts[number])
            if not count:
                continue
            filled = None if size == end - start else np.flatnonzero(self.sizes[start:end])
            begin, finish = (visit * count + math.ceil(count * share) for share in part)
            first = visit * count // size
            for permutation, drawn in draw(size, begin, finish, (*self.seed, number)):
                own = drawn if filled is None else filled[drawn]
                repetition = (permutation - first) % MAX_PASSES
                parts.append(np.add(own, start + (repetition << INDEX_BITS), dtype=np.int64))
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)

    def expected_batches(self, limits: Limits) -> float:
        """Number of batches of an epoch, judged by a sample."""
        total = int(language_counts(self.num_items, self.alpha).sum())
        share = min(1.0, _SAMPLE / total)
        sizes = np.sort(self.item_sizes(self.epoch_items(1, part=(0.0, share))))
        return len(group(np.arange(len(sizes)), sizes, *limits)) / share

    def item_sizes(self, items: np.ndarray) -> np.ndarray:
        """(N,) tokens of each of the items."""
        return self.sizes[items & ((1 << INDEX_BITS) - 1)]

    def batches(
        self, epoch: int, limits: Limits, passes: float = 1.0, part: tuple[float, float] = (0.0, 1.0)
    ) -> list[np.ndarray]:
        """Group an epoch's items, by similar length unless told otherwise, into batches of at most so many padded tokens, in random order.

        ``passes`` and ``part`` are those of `epoch_items`.
        """
        items = self.epoch_items(epoch, passes, part)
        sizes = self.item_sizes(items)
        # two parts of an epoch are shuffled differently, the whole as ever
        seed = (*self.seed, epoch) if part[0] == 0 else (*self.seed, epoch, int(part[0] * (1 << 20)))
        rng = np.random.default_rng(seed)
        order = np.argsort(sizes, kind="stable") if self.by_length else rng.permutation(len(sizes))
        items, sizes = items[order], sizes[order]
        del order
        batches = group(items, sizes, *limits) if len(items) else []
        rng.shuffle(batches)
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
