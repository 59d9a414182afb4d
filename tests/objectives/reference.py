"""A slow encoder and loss, one position at a time: each attends to a list of positions, so there is no mask to get wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from fairseq_xling.models import XlingModel


def encode(
    model: XlingModel,
    tokens: Sequence[int],
    sees: Mapping[int, Sequence[int]],
    languages: Sequence[int] | None = None,
    positions: Sequence[int] | None = None,
) -> list[Tensor]:
    """Final states of an unpadded sequence, post-norm.

    Args:
        tokens: T symbol ids.
        sees: position -> the positions its state is computed from, itself among them.
        languages: row of the mask-language table of each token, 0 = none.
        positions: number of each token, from 1 (default 1, 2, ...).
    """
    encoder = model.encoder.sentence_encoder
    states = []
    for i, token in enumerate(tokens):
        place = encoder.pad + (i + 1 if positions is None else positions[i])
        state = encoder.embed_tokens.weight[token] + encoder.embed_positions.weight[place]
        if languages is not None and encoder.embed_languages is not None and languages[i]:
            state = state + encoder.embed_languages.weight[languages[i]]
        states.append(encoder.layernorm_embedding(state))
    for layer in encoder.layers:
        states = [_layer(layer, states[i], torch.stack([states[j] for j in sees[i]])) for i in range(len(tokens))]
    return states


def _layer(layer: torch.nn.Module, state: Tensor, context: Tensor) -> Tensor:
    attention = layer.self_attn
    size = len(state) // attention.num_heads
    query, keys, values = attention.q_proj(state), attention.k_proj(context), attention.v_proj(context)
    heads = []
    for head in range(attention.num_heads):
        part = slice(head * size, (head + 1) * size)
        weights = torch.softmax(keys[:, part] @ query[part] / size**0.5, dim=0)
        heads.append(weights @ values[:, part])
    state = layer.self_attn_layer_norm(state + attention.out_proj(torch.cat(heads)))
    return layer.final_layer_norm(state + layer.fc2(F.gelu(layer.fc1(state))))


def log_probabilities(model: XlingModel, state: Tensor) -> Tensor:
    """(V,) log p of a final state (D,)."""
    head = model.heads["lm"]
    hidden = head.layer_norm(F.gelu(head.dense(state)))
    return torch.log_softmax(head.weight @ hidden + head.bias, dim=0)


def nll(model: XlingModel, states: Sequence[Tensor], targets: Mapping[int, int]) -> Tensor:
    """Summed negative log-likelihood of ``targets``: position -> symbol."""
    return -torch.stack([log_probabilities(model, states[i])[symbol] for i, symbol in targets.items()]).sum()
