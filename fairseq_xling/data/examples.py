"""From a source's items to training examples, and from examples to a padded batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from fairseq.data import data_utils

from ..errors import UserError
from .masking import Symbols
from .sampling import draw, language_counts
from .sources import Source

Example = dict[str, Any]

SEGMENT_PAD = -1
# (T,) fields, padded to the longest example of the batch
SEQUENCES = ("tokens", "clean", "segment")
# An item is one int64: the number of its repetition above these bits (so that each gets noise of its own), the source's
# index in them.
INDEX_BITS = 36
MAX_PASSES = 1 << 10
# (M,) fields that hold positions; in a batch they index the flattened (B * T) tokens
POSITIONS = ("predict", "placeholders", "exchange_to", "exchange_from")


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

    def epoch_items(self, epoch: int) -> np.ndarray:
        """Items of one epoch after language sampling, empty ones left out. (N,) int64."""
        bounds = self.source.bounds
        counts = language_counts(np.diff(bounds), self.alpha)
        visit = (epoch - 1) // self.num_shards + 1
        parts = [
            np.add(piece, start + ((number % MAX_PASSES) << INDEX_BITS), dtype=np.int64)
            for group, (start, end, count) in enumerate(zip(bounds[:-1], bounds[1:], counts, strict=True))
            if count
            for number, piece in enumerate(draw(int(end - start), int(count), visit, (*self.seed, group)))
        ]
        items = np.concatenate(parts)
        del parts
        return items[self.item_sizes(items) > 0]

    def item_sizes(self, items: np.ndarray) -> np.ndarray:
        """(N,) tokens of each of the items."""
        return self.sizes[items & ((1 << INDEX_BITS) - 1)]

    def batches(
        self, epoch: int, max_tokens: int | None, max_sentences: int | None, size_multiple: int = 1
    ) -> list[np.ndarray]:
        """Group an epoch's items by similar length into batches of at most ``max_tokens`` padded tokens, in random order.

        ``size_multiple`` is fairseq's ``--required-batch-size-multiple``.
        """
        items = self.epoch_items(epoch)
        sizes = self.item_sizes(items)
        order = np.argsort(sizes, kind="stable")
        items, sizes = items[order], sizes[order]
        del order
        batches = group(items, sizes, max_tokens, max_sentences, size_multiple)
        np.random.default_rng((*self.seed, epoch)).shuffle(batches)
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


def collate(examples: list[Example], symbols: Symbols, left_pad: bool = False) -> dict[str, Any]:
    """Pad and stack examples.

    Returns:
        ``tokens`` (B, T), where the examples have them ``clean`` (B, T) and ``segment`` (B, T; -1 on padding),
        ``predict`` and the other `POSITIONS` (M,): positions in the flattened (B * T) tokens, so that no step has to look for
        them on the device; ``target``, ``target_group`` (M,); ``languages`` (B, 2); ``id`` (B,); ``padded``: whether there is
        any padding; ``num_tokens``: real tokens; ``num_predictions``. A batch without predictions gets one whose target is
        ``<pad>``, which the loss ignores, so that every process still runs the same graph.

    Raises:
        UserError: a token id is outside the vocabulary.
    """
    lengths = [len(example["tokens"]) for example in examples]
    rows, width = len(examples), max(lengths)
    starts = [width - n if left_pad else 0 for n in lengths]
    batch: dict[str, Any] = {}
    for name in SEQUENCES:
        if name not in examples[0]:
            continue
        segment = name == "segment"
        padded = np.full((rows, width), SEGMENT_PAD if segment else symbols.pad, dtype=np.int8 if segment else np.int64)
        for row, (example, start, length) in enumerate(zip(examples, starts, lengths, strict=True)):
            padded[row, start : start + length] = example[name]
        batch[name] = torch.from_numpy(padded)
    for name in POSITIONS:
        if name in examples[0]:
            offsets = (
                example[name] + row * width + start
                for row, (example, start) in enumerate(zip(examples, starts, strict=True))
            )
            batch[name] = torch.from_numpy(np.concatenate(list(offsets)).astype(np.int64))
    batch["target"] = torch.from_numpy(np.concatenate([example["target"] for example in examples]).astype(np.int64))
    _check_ids(examples, batch, symbols)
    groups = np.array([example["group"] for example in examples])
    batch["target_group"] = torch.from_numpy(np.repeat(groups, [len(example["target"]) for example in examples]))
    batch["num_predictions"] = len(batch["target"])
    if not batch["num_predictions"]:
        batch["predict"], batch["target"], batch["target_group"] = torch.tensor([[0], [symbols.pad], [0]]).unbind()
    if "languages" in examples[0]:
        batch["languages"] = torch.tensor([example["languages"] for example in examples])
    batch["id"] = torch.tensor([example["id"] for example in examples])
    batch["padded"] = min(lengths) < width
    batch["num_tokens"] = sum(lengths)
    return batch


def _check_ids(examples: list[Example], batch: dict[str, Any], symbols: Symbols) -> None:
    if max(int(batch[name].max()) for name in ("tokens", "target") if batch[name].numel()) < symbols.size:
        return
    for example in examples:
        ids = np.concatenate([example["tokens"], example["target"]])
        if ids.max() >= symbols.size:
            raise UserError(
                f"sentence {example['id']} (counted over the languages or pairs in alphabetical order) holds the token id "
                f"{ids.max()}, the dictionary has {symbols.size} symbols: the corpus was binarised with another dictionary; "
                "run fairseq-preprocess again with --srcdict"
            )
