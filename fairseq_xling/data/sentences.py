"""Sentences of the languages of a data-bin, one by one or packed into blocks. Axes: B batch, T tokens."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import torch
from fairseq.data import TokenBlockDataset
from fairseq.data.indexed_dataset import MMapIndexedDataset
from torch import Tensor

from ..errors import UserError
from .masking import Symbols

logger = logging.getLogger(__name__)


class Monolingual:
    """Sentences, or packed blocks of sentences, of several languages.

    Args:
        corpora: language -> dataset of binarised sentences, each ending in ``</s>``.
        max_positions: longest example, ``<s>`` and ``</s>`` included; a longer sentence is cut at its end, counted and logged.
        break_mode: ``eos`` one sentence an example; ``complete``, ``complete_doc``, ``none`` fairseq's packed blocks.

    An item is ``(tokens, language)``: tokens (T,) int64 without the ``<s>`` and the last ``</s>``; a block has a ``</s>`` between its
    sentences, one more for a blank line, and one at its end wherever it was cut.
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
        self.room = max_positions - 2
        # whole sentences end in a </s>, for which there is room; a block of none may end anywhere
        last = int(break_mode != "none")
        self.datasets = [
            dataset
            if break_mode == "eos"
            else TokenBlockDataset(
                dataset, dataset.sizes, self.room + last, pad=symbols.pad, eos=symbols.eos, break_mode=break_mode
            )
            for dataset in corpora.values()
        ]
        self.bounds = np.cumsum([0, *map(len, self.datasets)])
        self.sizes = np.zeros(self.bounds[-1], dtype=np.int32)
        for language, dataset, start, end in zip(
            self.groups, self.datasets, self.bounds[:-1], self.bounds[1:], strict=True
        ):
            lengths = np.asarray(dataset.sizes)
            cut = int((lengths - last > self.room).sum())
            if cut:
                logger.warning(
                    f"{language}: {cut} of {len(lengths)} sentences are cut to {max_positions} tokens; raise --max-positions to keep more"
                )
            # a lone </s> is a blank line (a document break): nothing to learn from
            self.sizes[start:end] = np.where(lengths > 1, np.minimum(lengths - last, self.room) + 2, 0)

    def __getitem__(self, index: int) -> tuple[np.ndarray, str]:
        group = int(np.searchsorted(self.bounds, index, side="right")) - 1
        tokens = self.datasets[group][int(index - self.bounds[group])].numpy()
        if tokens[-1] == self.symbols.eos:
            tokens = tokens[:-1]
        return tokens[: self.room], self.groups[group]


def pad_sentences(sentences: Sequence[np.ndarray], symbols: Symbols) -> Tensor:
    """``<s> x </s>`` of each sentence, padded at the end: (B, T) int64.

    Raises:
        UserError: a token id is outside the vocabulary.
    """
    width = max(map(len, sentences)) + 2
    tokens = np.full((len(sentences), width), symbols.pad, dtype=np.int64)
    for row, sentence in zip(tokens, sentences, strict=True):
        row[: len(sentence) + 2] = [symbols.bos, *sentence, symbols.eos]
    if int(tokens.max()) >= symbols.size:
        raise UserError(
            f"a sentence holds the token id {int(tokens.max())}, the dictionary has {symbols.size} symbols: it was made "
            "with another dictionary; binarise the text again with --srcdict"
        )
    return torch.from_numpy(tokens)


def own_tokens(tokens: Tensor, symbols: Symbols) -> Tensor:
    """Bool (B, T): True at a sentence's own tokens, False at ``<s>``, ``</s>`` and padding."""
    return (tokens != symbols.bos) & (tokens != symbols.eos) & (tokens != symbols.pad)
