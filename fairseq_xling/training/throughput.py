"""Speed in the training log: real tokens per second, padding, waiting for data, MFU."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from fairseq.logging import metrics

from ..models import EncoderInput, XlingModel
from .batches import DataWait

# dense half-precision peak in FLOP/s, by a part of the device's name (vendors' data sheets)
PEAK_FLOPS = {
    "H200": 989e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "A10G": 70e12,
    "V100": 125e12,
    "T4": 65e12,
}


@cache
def peak_flops() -> float | None:
    """Peak of the present CUDA device in half precision, None if there is none or it is not in the table."""
    if not torch.cuda.is_available():
        return None
    name = torch.cuda.get_device_name()
    return next((peak for part, peak in PEAK_FLOPS.items() if part in name), None)


def output_flops(model: XlingModel, num_outputs: int) -> int:
    """Floating point operations of the LM head on so many positions, forward and backward, see `encoder_flops`."""
    dim = model.cfg.encoder_embed_dim
    return 3 * num_outputs * 2 * dim * (dim + model.encoder.sentence_encoder.embed_tokens.num_embeddings)


def encoder_flops(model: XlingModel, batch: EncoderInput, num_layers: int) -> int:
    """Floating point operations of ``num_layers`` layers, forward and backward, padding not counted.

    2 per weight and token, plus 4·T·D per layer and token for the attention; three times that with the backward pass
    (PaLM, appendix B).
    """
    assert batch.num_tokens is not None
    dim, width = model.cfg.encoder_embed_dim, batch.tokens.size(1)
    layer = 2 * (4 * dim * dim + 2 * dim * model.cfg.encoder_ffn_embed_dim) + 4 * width * dim
    return 3 * batch.num_tokens * num_layers * layer


def count_work(model: XlingModel, inputs: Sequence[EncoderInput], num_layers: int | None = None) -> dict[str, int]:
    """Count the encoder's work for `log_throughput`: ``ntokens`` (real ones), ``cells`` (with padding) and ``flops``."""
    layers = model.cfg.encoder_layers if num_layers is None else num_layers
    return {
        "ntokens": sum(batch.num_tokens or 0 for batch in inputs),
        "cells": sum(batch.tokens.numel() for batch in inputs),
        "flops": sum(encoder_flops(model, batch, layers) for batch in inputs),
    }


def log_throughput(logging_outputs: list[dict[str, Any]]) -> None:
    """Log ``tokens_per_s`` (real tokens), ``padding`` and ``data_wait`` (per cent) and, on CUDA, ``mfu`` (per cent)."""
    tokens, cells, flops = (sum(log[key] for log in logging_outputs) for key in ("ntokens", "cells", "flops"))
    metrics.log_speed("tokens_per_s", tokens, priority=850, round=1)
    metrics.log_scalar("padding", 100 * (1 - tokens / max(cells, 1)), cells, priority=860, round=1)
    metrics.log_speed("data_wait", 100 * DataWait.take(), priority=870, round=1)
    peak = peak_flops()
    if peak:
        metrics.log_speed("mfu", 100 * flops / peak, priority=880, round=1)
