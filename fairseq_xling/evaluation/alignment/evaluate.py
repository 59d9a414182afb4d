"""Word alignment of gold-aligned sentence pairs by the states of every layer (MetaXLM, section 4.4 and Figure 4).

Axes: B batch of pairs, I and J words of source and target, L layers (layer 0 = the embeddings), M methods.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ...data.sentences import pad_sentences
from ...interop.loaded import LoadedModel
from ...models.encoder import EncoderInput
from ..encoding import length_batches
from .aligners import AlignerOptions, align
from .gold import TestSet
from .links import GoldPair
from .metrics import METRICS, LinkCounts
from .word_pieces import PieceSentence, encode_words, word_index, word_states

logger = logging.getLogger(__name__)


def evaluate(
    loaded: LoadedModel,
    test_set: TestSet,
    pairs: Sequence[GoldPair],
    methods: Sequence[str],
    options: AlignerOptions,
    max_tokens: int = 4096,
) -> dict[str, Any]:
    """Align every pair at every layer in one pass and score the links against the gold ones.

    The sides are encoded apart, each as ``<s> x </s>``. Gold links of words that were cut count as missed.

    Args:
        loaded: the model, on the device and in the precision to use.
        pairs: what ``test_set.read()`` returned.
        methods: of `aligners.METHODS`.
        max_tokens: padded tokens in a batch, both sides together.

    Returns:
        ``name``, ``format``, ``pairs``, ``sure`` and ``possible`` (numbers of links, possible without the sure ones),
        ``cut_sentences``, ``cut_words``, ``cut_sure`` (sure links of cut words), ``words_without_pieces``, ``scores``
        {method: {metric: (L + 1) floats}}, ``predicted`` {method: (L + 1) numbers of links}.
    """
    room = loaded.model.max_positions() - 2
    sides = [
        encode_words(loaded, [side(pair) for pair in pairs], room)
        for side in (lambda pair: pair.source, lambda pair: pair.target)
    ]
    notes = _notes(test_set.files, sides, pairs, loaded)
    lengths = [2 * (max(len(x.ids), len(y.ids)) + 2) for x, y in zip(*sides, strict=True)]
    counts: Tensor | int = 0
    with (
        torch.inference_mode(),
        tqdm(total=len(pairs), desc=f"{test_set.name}: align", unit="pair", disable=None) as bar,
    ):
        for batch in length_batches(lengths, max_tokens):
            part = [[side[i] for i in batch] for side in sides]
            counts = counts + _count(loaded, part, [pairs[i] for i in batch], methods, options)
            bar.update(len(batch))
    assert isinstance(counts, Tensor)
    sure = sum(len(pair.sure) for pair in pairs)
    layers = [[LinkCounts(a, a_and_s, a_and_p, sure) for a, a_and_s, a_and_p in found] for found in counts.tolist()]
    return {
        "name": test_set.name,
        "format": test_set.format,
        "pairs": len(pairs),
        "sure": sure,
        "possible": sum(len(pair.possible) for pair in pairs) - sure,
        **notes,
        "scores": {
            method: {metric: [layer.scores()[metric] for layer in found] for metric in METRICS}
            for method, found in zip(methods, layers, strict=True)
        },
        "predicted": {
            method: [layer.predicted for layer in found] for method, found in zip(methods, layers, strict=True)
        },
    }


def _notes(
    files: Sequence[Path], sides: list[list[PieceSentence]], pairs: Sequence[GoldPair], loaded: LoadedModel
) -> dict[str, int]:
    """Count what was cut or cannot be encoded, and warn of it."""
    where = ", ".join(map(str, dict.fromkeys(files)))
    sentences = [sentence for side in sides for sentence in side]
    kept = [[sentence.num_words - sentence.cut for sentence in side] for side in sides]
    notes = {
        "cut_sentences": sum(sentence.cut > 0 for sentence in sentences),
        "cut_words": sum(sentence.cut for sentence in sentences),
        "cut_sure": sum(
            i >= source or j >= target for source, target, pair in zip(*kept, pairs, strict=True) for i, j in pair.sure
        ),
        "words_without_pieces": sum(sentence.without_pieces for sentence in sentences),
    }
    if notes["cut_words"]:
        logger.warning(
            f"{where}: {notes['cut_sentences']} of {len(sentences)} sentences are cut to the model's "
            f"{loaded.model.max_positions()} positions; the {notes['cut_sure']} sure links of the {notes['cut_words']} words "
            "that were cut count as missed"
        )
    unknown = np.mean(np.concatenate([sentence.ids for sentence in sentences]) == loaded.symbols.unk)
    if unknown > 0.01:
        logger.warning(
            f"{where}: {unknown:.1%} of the tokens are <unk>; does the model's vocabulary cover the languages?"
        )
    return notes


def _count(
    loaded: LoadedModel,
    sides: list[list[PieceSentence]],
    pairs: list[GoldPair],
    methods: Sequence[str],
    options: AlignerOptions,
) -> Tensor:
    """|A|, |A and S| and |A and P| of a batch: int64 (M, L + 1, 3)."""
    device = next(loaded.model.parameters()).device
    tokens = [pad_sentences([sentence.ids for sentence in side], loaded.symbols) for side in sides]
    index = [word_index(side, ids.size(1)).to(device) for side, ids in zip(sides, tokens, strict=True)]
    widths = [max(sentence.num_words for sentence in side) for side in sides]
    gold = torch.stack([_links([getattr(pair, kind) for pair in pairs], widths) for kind in ("sure", "possible")])
    gold = gold.to(device)
    states = loaded.model([EncoderInput(ids.to(device)) for ids in tokens], all_layers=True)
    counts = []
    for layer in zip(*states, strict=True):
        (x, x_words), (y, y_words) = (word_states(*part) for part in zip(layer, index, widths, strict=True))
        found = torch.stack([align(method, x, y, x_words, y_words, options) for method in methods])
        inside = (found.unsqueeze(1) & gold).flatten(2).sum(2)  # (M, 2)
        counts.append(torch.cat([found.flatten(1).sum(1, keepdim=True), inside], dim=1))
    return torch.stack(counts, dim=1).cpu()


def _links(links: Sequence[frozenset[tuple[int, int]]], widths: Sequence[int]) -> Tensor:
    """Gold links of a batch as bool (B, I, J)."""
    where = [(number, i, j) for number, pair in enumerate(links) for i, j in pair]
    table = torch.zeros(len(links), *widths, dtype=torch.bool)
    table[tuple(torch.tensor(where, dtype=torch.int64).reshape(-1, 3).T)] = True
    return table
