"""Parameter names and rows: fairseq's RoBERTa/XLM-R (and this project's model) against ``transformers``.

What differs beside the names:

- Token types. ``transformers`` adds row 0 of a token-type table to every token, BERT row 1 to the second text of a pair;
  fairseq has none. Towards fairseq row 0 is added to the position table, which gives the same sums, and other rows are dropped;
  towards ``transformers`` rows of zeros are written. The published RoBERTa and XLM-R models have zeros, so their weights keep
  every bit; of BERT all but the positions do.
- Positions. RoBERTa numbers the tokens from padding id + 1, as fairseq does, BERT from 0: its table is shifted by padding
  id + 1 rows, which no token uses.
- Symbols. BERT's vocabulary has its specials elsewhere: rows of the word embedding and of the output bias are permuted.
- Output matrix of the LM head. Both tie it to the word embedding; fairseq stores it twice, ``transformers`` once.
- Heads of fine-tuned models. The same functions on both sides; the sentence head of BERT is its pooler with the classifier.
  ``transformers`` has no class with such a head and an LM head; the LM head is dropped then.
- Pooler and next-sentence head. No pre-training here uses them; dropped, but for the pooler of a sentence head.
- Mask-language table. Specific to this project and no part of the models in ``transformers``; dropped. It acts on
  ``<mask>`` symbols in training only, not on text.
- Layer norm. ``transformers``' models are post-norm; a pre-norm model (``--encoder-normalize-before``) has no equal there.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import UserError

# fairseq name -> transformers name; {n} is a layer's number, both sides end in .weight or .bias
_ENCODER = {
    "encoder.sentence_encoder.embed_tokens": "embeddings.word_embeddings",
    "encoder.sentence_encoder.embed_positions": "embeddings.position_embeddings",
    "encoder.sentence_encoder.layernorm_embedding": "embeddings.LayerNorm",
    "encoder.sentence_encoder.layers.{n}.self_attn.q_proj": "encoder.layer.{n}.attention.self.query",
    "encoder.sentence_encoder.layers.{n}.self_attn.k_proj": "encoder.layer.{n}.attention.self.key",
    "encoder.sentence_encoder.layers.{n}.self_attn.v_proj": "encoder.layer.{n}.attention.self.value",
    "encoder.sentence_encoder.layers.{n}.self_attn.out_proj": "encoder.layer.{n}.attention.output.dense",
    "encoder.sentence_encoder.layers.{n}.self_attn_layer_norm": "encoder.layer.{n}.attention.output.LayerNorm",
    "encoder.sentence_encoder.layers.{n}.fc1": "encoder.layer.{n}.intermediate.dense",
    "encoder.sentence_encoder.layers.{n}.fc2": "encoder.layer.{n}.output.dense",
    "encoder.sentence_encoder.layers.{n}.final_layer_norm": "encoder.layer.{n}.output.LayerNorm",
}
# heads of fine-tuned models, of which a model of transformers has one
FINETUNED = ("sequence", "token", "span")
_ROBERTA_HEADS = {
    "heads.lm.dense": "lm_head.dense",
    "heads.lm.layer_norm": "lm_head.layer_norm",
    "heads.lm": "lm_head",  # the bias of the output; its weight is the word embedding
    "heads.sequence.dense": "classifier.dense",
    "heads.sequence.out_proj": "classifier.out_proj",
    "heads.token.out_proj": "classifier",
    "heads.span.out_proj": "qa_outputs",
}
_BERT_HEADS = {
    "heads.lm.dense": "cls.predictions.transform.dense",
    "heads.lm.layer_norm": "cls.predictions.transform.LayerNorm",
    "heads.lm": "cls.predictions",
    "heads.sequence.dense": "bert.pooler.dense",
    "heads.sequence.out_proj": "classifier",
    "heads.token.out_proj": "classifier",
    "heads.span.out_proj": "qa_outputs",
}


@dataclass(frozen=True)
class Family:
    """Names that ``transformers`` gives to the parameters of one architecture.

    Attributes:
        classes: what the names of its classes begin with.
        base: what the names of the encoder's parameters begin with.
        heads: fairseq name -> transformers name of what stands on the encoder.
        num_types: rows of the token-type table.
        shifted: positions are numbered as at fairseq, from padding id + 1.
    """

    classes: str
    base: str
    heads: dict[str, str]
    num_types: int = 1
    shifted: bool = True

    @property
    def table(self) -> dict[str, str]:
        """fairseq name -> transformers name."""
        return {**{ours: f"{self.base}.{theirs}" for ours, theirs in _ENCODER.items()}, **self.heads}

    @property
    def embedding(self) -> str:
        """The word embedding there."""
        return f"{self.base}.embeddings.word_embeddings.weight"

    @property
    def positions(self) -> str:
        """The position table there."""
        return f"{self.base}.embeddings.position_embeddings.weight"

    @property
    def types(self) -> str:
        """The token-type table there."""
        return f"{self.base}.embeddings.token_type_embeddings.weight"

    @property
    def output_bias(self) -> str:
        """The bias of the LM head's output there."""
        return f"{self.heads[_LM_HEAD]}.bias"


EMBEDDING, OUTPUT = "encoder.sentence_encoder.embed_tokens.weight", "heads.lm.weight"
POSITIONS = "encoder.sentence_encoder.embed_positions.weight"
_LM_HEAD = "heads.lm"
_OUTPUT_BIAS = f"{_LM_HEAD}.bias"
_LAYER = re.compile(r"\.(\d+)\.")
# model_type of config.json -> family
FAMILIES = {
    "xlm-roberta": Family("XLMRoberta", "roberta", _ROBERTA_HEADS),
    "roberta": Family("Roberta", "roberta", _ROBERTA_HEADS),
    "bert": Family("Bert", "bert", _BERT_HEADS, num_types=2, shifted=False),
}


def _rename(key: str, table: dict[str, str]) -> str | None:
    stem, _, kind = key.rpartition(".")
    number = _LAYER.search(stem)
    name = table.get(_LAYER.sub(".{n}.", stem))
    return name and f"{name.replace('{n}', number[1] if number else '')}.{kind}"


def to_transformers(
    state: dict[str, Tensor], family: Family, pad: int, rows: Tensor | None = None
) -> tuple[dict[str, Tensor], list[str]]:
    """Parameters of a model of ``transformers``, and the fairseq parameters that have no place there.

    Args:
        pad: id of the padding symbol.
        rows: (V,) fairseq's id of each symbol there; None: the same.

    Raises:
        UserError: the model is pre-norm.
    """
    if "encoder.sentence_encoder.layer_norm.weight" in state:
        raise UserError(
            "the model is pre-norm (--encoder-normalize-before); transformers' XLM-R, RoBERTa and BERT are post-norm, it cannot be "
            "converted"
        )
    finetuned = any(key.startswith(tuple(f"heads.{name}." for name in FINETUNED)) for key in state)
    table = family.table
    result, dropped = {}, []
    for key, tensor in state.items():
        name = _rename(key, table)
        if name is None or (finetuned and key.startswith("heads.lm.")):
            dropped.append(key)
        elif key == POSITIONS and not family.shifted:
            result[name] = tensor[pad + 1 :]
        elif key in (EMBEDDING, _OUTPUT_BIAS) and rows is not None:
            result[name] = tensor[rows]
        elif key != OUTPUT:
            result[name] = tensor
    result[family.types] = state[EMBEDDING].new_zeros(family.num_types, state[EMBEDDING].size(1))
    return result, dropped


def to_fairseq(
    state: dict[str, Tensor], family: Family, pad: int, heads: Collection[str], rows: Tensor | None = None
) -> tuple[dict[str, Tensor], list[str]]:
    """fairseq's parameters from those of ``transformers``, and what has no place there.

    Args:
        state: of a ``…ForMaskedLM``, a fine-tuned model, or of the bare model (names without ``roberta.`` or ``bert.``).
        pad: id of the padding symbol.
        heads: the heads it may have; what is named like another's is dropped.
        rows: (V,) fairseq's id of each symbol there; None: the same.

    Raises:
        UserError: it is a model of another family, its vocabulary has another size than ``rows``, or the LM head's output is
            not the word embedding with a bias for each symbol.
    """
    state = _today(state, family)
    for needed in (family.embedding, family.positions):
        if needed not in state:
            raise UserError(f"not a {family.classes} model: it has no {needed}")
    embedding = state[family.embedding]
    if rows is not None and len(rows) != len(embedding):
        raise UserError(
            f"the vocabulary has {len(embedding)} symbols, vocab.txt has {len(rows)}: use the vocab.txt the model was trained with"
        )
    decoder = f"{family.heads[_LM_HEAD]}.decoder"
    if not torch.equal(state.pop(f"{decoder}.weight", embedding), embedding):
        raise UserError("the LM head's output matrix is not the word embedding; such a model cannot be converted")
    if (bias := state.pop(f"{decoder}.bias", None)) is not None:  # another name of the same
        state.setdefault(family.output_bias, bias)
    bias = state.get(family.output_bias)
    if bias is not None and bias.shape != embedding.shape[:1]:
        raise UserError(
            f"{family.output_bias} has shape {tuple(bias.shape)}, the vocabulary has {len(embedding)} symbols"
        )
    types = state.pop(family.types, None)
    excluded = tuple(f"heads.{name}." for name in FINETUNED if name not in heads)
    table = {theirs: ours for ours, theirs in family.table.items() if not ours.startswith(excluded or "-")}
    result, dropped = {}, []
    for key, tensor in state.items():
        name = _rename(key, table)
        if name is not None:
            result[name] = tensor
        elif not key.endswith("position_ids"):
            dropped.append(key)
    if types is not None and types[0].any():
        first = pad + 1 if family.shifted else 0
        result[POSITIONS] = result[POSITIONS].clone()
        result[POSITIONS][first:] += types[0]
    if types is not None and types[1:].any():
        dropped.append(f"{family.types.removesuffix('.weight')} (rows from 1)")
    if not family.shifted:
        positions = result[POSITIONS]
        result[POSITIONS] = torch.cat([positions.new_zeros(pad + 1, positions.size(1)), positions])
    if rows is not None:
        order = torch.argsort(rows)
        for name in (EMBEDDING, _OUTPUT_BIAS):
            if name in result:
                result[name] = result[name][order]
    if _OUTPUT_BIAS in result:
        result[OUTPUT] = result[EMBEDDING]
    return result, dropped


def _today(state: dict[str, Tensor], family: Family) -> dict[str, Tensor]:
    """Parameters under the names of a model with a head: not the bare model's, nor TensorFlow's as in BERT's first releases."""
    bare = "embeddings.word_embeddings.weight" in state
    renamed = {}
    for key, tensor in state.items():
        name = f"{family.base}.{key}" if bare else key
        renamed[name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")] = (
            tensor
        )
    return renamed
