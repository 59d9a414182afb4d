"""Parameter names: fairseq's RoBERTa/XLM-R (and this project's model) against ``transformers``.

What differs beside the names:

- Token types. ``transformers`` adds row 0 of a token-type table to every token; fairseq has none. Towards fairseq the
  row is added to the position table, which gives the same sums; towards ``transformers`` a row of zeros is written.
  The published models have zeros, so their weights keep every bit.
- Output matrix of the LM head. Both tie it to the word embedding; fairseq stores it twice, ``transformers`` once.
- Heads of fine-tuned models. The same functions on both sides. ``transformers`` has no class with such a head and an LM
  head; the LM head is dropped then.
- Pooler. An untrained layer of ``transformers`` that no RoBERTa pre-training uses; dropped.
- Mask-language table. Specific to this project and no part of the models in ``transformers``; dropped. It acts on
  ``<mask>`` symbols in training only, not on text.
- Layer norm. ``transformers``' models are post-norm; a pre-norm model (``--encoder-normalize-before``) has no equal there.

Positions need no change: both number the tokens from padding id + 1.
"""

from __future__ import annotations

import re

import torch
from torch import Tensor

from ..errors import UserError

# fairseq name -> transformers name; {n} is a layer's number, both sides end in .weight or .bias
TABLE = {
    "encoder.sentence_encoder.embed_tokens": "roberta.embeddings.word_embeddings",
    "encoder.sentence_encoder.embed_positions": "roberta.embeddings.position_embeddings",
    "encoder.sentence_encoder.layernorm_embedding": "roberta.embeddings.LayerNorm",
    "encoder.sentence_encoder.layers.{n}.self_attn.q_proj": "roberta.encoder.layer.{n}.attention.self.query",
    "encoder.sentence_encoder.layers.{n}.self_attn.k_proj": "roberta.encoder.layer.{n}.attention.self.key",
    "encoder.sentence_encoder.layers.{n}.self_attn.v_proj": "roberta.encoder.layer.{n}.attention.self.value",
    "encoder.sentence_encoder.layers.{n}.self_attn.out_proj": "roberta.encoder.layer.{n}.attention.output.dense",
    "encoder.sentence_encoder.layers.{n}.self_attn_layer_norm": "roberta.encoder.layer.{n}.attention.output.LayerNorm",
    "encoder.sentence_encoder.layers.{n}.fc1": "roberta.encoder.layer.{n}.intermediate.dense",
    "encoder.sentence_encoder.layers.{n}.fc2": "roberta.encoder.layer.{n}.output.dense",
    "encoder.sentence_encoder.layers.{n}.final_layer_norm": "roberta.encoder.layer.{n}.output.LayerNorm",
    "encoder.lm_head.dense": "lm_head.dense",
    "encoder.lm_head.layer_norm": "lm_head.layer_norm",
    "encoder.lm_head": "lm_head",  # the bias of the output; its weight is the word embedding
    "heads.sequence.dense": "classifier.dense",
    "heads.sequence.out_proj": "classifier.out_proj",
    "heads.token.out_proj": "classifier",
    "heads.span.out_proj": "qa_outputs",
}
EMBEDDING, OUTPUT = "encoder.sentence_encoder.embed_tokens.weight", "encoder.lm_head.weight"
POSITIONS = "encoder.sentence_encoder.embed_positions.weight"
_HF_EMBEDDING, _HF_TYPES = (f"roberta.embeddings.{name}_embeddings.weight" for name in ("word", "token_type"))
_LAYER = re.compile(r"\.(\d+)\.")


def _rename(key: str, table: dict[str, str]) -> str | None:
    stem, _, kind = key.rpartition(".")
    number = _LAYER.search(stem)
    name = table.get(_LAYER.sub(".{n}.", stem))
    return name and f"{name.replace('{n}', number[1] if number else '')}.{kind}"


def to_transformers(state: dict[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Parameters of a model of ``transformers``, and the fairseq parameters that have no place there.

    Raises:
        UserError: the model is pre-norm.
    """
    if "encoder.sentence_encoder.layer_norm.weight" in state:
        raise UserError(
            "the model is pre-norm (--encoder-normalize-before); transformers' XLM-R and RoBERTa are post-norm, it cannot be converted"
        )
    finetuned = any(key.startswith("heads.") for key in state)
    result, dropped = {}, []
    for key, tensor in state.items():
        name = _rename(key, TABLE)
        if name is None or (finetuned and key.startswith("encoder.lm_head.")):
            dropped.append(key)
        elif key != OUTPUT:
            result[name] = tensor
    result[_HF_TYPES] = torch.zeros_like(state[EMBEDDING][:1])
    return result, dropped


def to_fairseq(state: dict[str, Tensor], pad: int) -> tuple[dict[str, Tensor], list[str]]:
    """fairseq's parameters from those of ``transformers``, and what has no place there.

    Args:
        state: of a ``…ForMaskedLM``, a fine-tuned model, or of the bare model (names without ``roberta.``).
        pad: id of the padding symbol.

    Raises:
        UserError: the LM head's output matrix is not the word embedding.
    """
    bare = "embeddings.word_embeddings.weight" in state
    state = {f"roberta.{key}" if bare else key: tensor for key, tensor in state.items()}
    if _HF_EMBEDDING not in state:
        raise UserError(f"not a RoBERTa-family model: it has no {_HF_EMBEDDING}")
    embedding = state[_HF_EMBEDDING]
    output = state.pop("lm_head.decoder.weight", embedding)
    if not torch.equal(output, embedding):
        raise UserError("the LM head's output matrix is not the word embedding; such a model cannot be converted")
    state.pop("lm_head.decoder.bias", None)  # another name of lm_head.bias
    types = state.pop(_HF_TYPES, None)
    table = {theirs: ours for ours, theirs in TABLE.items()}
    result, dropped = {}, []
    for key, tensor in state.items():
        name = _rename(key, table)
        if name is not None:
            result[name] = tensor
        elif not key.endswith("position_ids"):
            dropped.append(key)
    if types is not None and types[0].any():
        result[POSITIONS] = result[POSITIONS].clone()
        result[POSITIONS][pad + 1 :] += types[0]
    if "encoder.lm_head.bias" in result:
        result[OUTPUT] = embedding
    return result, dropped
