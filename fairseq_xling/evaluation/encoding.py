"""Encoding at every layer, batched by length; the layer that counts; sentence embeddings by mean pooling.

Axes: N sentences, B batch, T tokens, D width, L layers (layer 0 = the embeddings).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from ..data.masking import Symbols
from ..data.sentences import own_tokens, pad_sentences
from ..errors import UserError
from ..models import XlingModel
from ..modules.pooling import mean_pool


def default_layer(num_layers: int, trained_layer: int | None = None) -> int:
    """The layer whose accuracy is *the* accuracy.

    The paper says "the middle layer" without a number; two thirds of the way up is where XLM-R retrieves best: layer 8 of
    12, 16 of 24. A model fine-tuned for retrieval is read at the layer it was fine-tuned at.

    Args:
        trained_layer: ``--retrieval-layer`` of a fine-tuned model.
    """
    return round(2 * num_layers / 3) if trained_layer is None else trained_layer


def choose_layer(num_layers: int, layer: int | None, trained_layer: int | None = None) -> tuple[int, str]:
    """The layer to report and why: ``--layer``, or else the default one.

    Raises:
        UserError: the model has no such layer.
    """
    chosen = default_layer(num_layers, trained_layer) if layer is None else layer
    if not 0 <= chosen <= num_layers:
        raise UserError(f"--layer {layer}: the model has the layers 0 (embeddings) to {num_layers}")
    rule = "the layer of its fine-tuning" if trained_layer is not None else "default: two thirds up"
    return chosen, "--layer" if layer is not None else rule


def embed(
    model: XlingModel,
    sentences: Sequence[np.ndarray],
    symbols: Symbols,
    out: np.ndarray,
    max_tokens: int = 4096,
    advance: Callable[[int], object] = lambda sentences: None,
) -> None:
    """Embed sentences at every layer. Identical sentences are encoded once and get identical embeddings.

    Args:
        model: in evaluation mode, on the device and in the precision to use.
        sentences: ids without special symbols, at most ``model.max_positions() - 2`` of them.
        out: (L + 1, N, D) float32, filled in.
        max_tokens: padded tokens in a batch.
        advance: called with the number of sentences done.
    """
    device = next(model.parameters()).device
    lines: dict[bytes, list[int]] = {}
    for line, sentence in enumerate(sentences):
        lines.setdefault(np.ascontiguousarray(sentence, dtype=np.int64).tobytes(), []).append(line)
    copies = list(lines.values())
    distinct = [sentences[same[0]] for same in copies]
    with torch.inference_mode():
        for batch in length_batches([len(sentence) + 2 for sentence in distinct], max_tokens):
            tokens = pad_sentences([distinct[i] for i in batch], symbols).to(device)
            keep = own_tokens(tokens, symbols)
            pooled = [mean_pool(states, keep) for states in model(tokens, all_layers=True)]
            repeats = [len(copies[i]) for i in batch]
            where = [line for i in batch for line in copies[i]]
            out[:, where] = np.repeat(torch.stack(pooled).cpu().numpy(), repeats, axis=1)
            advance(len(where))


def length_batches(lengths: Sequence[int], max_tokens: int) -> Iterator[list[int]]:
    """Indices grouped by similar length, longest first (a batch too large for the device fails at once)."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if batch and lengths[batch[0]] * (len(batch) + 1) > max_tokens:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
