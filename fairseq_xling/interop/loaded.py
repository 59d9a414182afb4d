"""A model read from whatever files, with what belongs to it; how it is built from its parameters."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fairseq.data import Dictionary
from torch import Tensor

from ..data.masking import Symbols
from ..errors import UserError
from ..models import XlingModel, XlingModelConfig
from ..models.heads import HEADS
from .tokenizer import SENTENCEPIECE, Pieces, Tokenizer

_PREFIX = "encoder.sentence_encoder."
# parameters that the model's shape is read from
_MATRICES = ("embed_tokens.weight", "embed_positions.weight", "embed_languages.weight", "fc1.weight", "out_proj.weight")
_NUMBERS = ("dropout", "attention_dropout", "activation_dropout", "layer_norm_eps")


@dataclass(frozen=True)
class LoadedModel:
    """A model in evaluation mode with what belongs to it.

    Attributes:
        model: on the CPU in fp32, with the LM head and the mask-language table if the checkpoint has them.
        dictionary: fairseq's, ``<mask>`` last; ``symbols`` are its special ids.
        tokenizer: None if the folder holds neither ``sentencepiece.bpe.model`` nor ``vocab.txt``.
        languages: lines of ``languages.txt``, None without the file.
        path: the file the weights were read from.
        home: the folder of the dictionary, tokeniser and languages; that of ``path``, or the data-bin.
        options: what the checkpoint says of its model and task; empty if another program wrote it.
        num_updates: updates it was trained for, None if not known.
        labels: what the outputs of a fine-tuned model's head stand for; None if it has no head or no names for them.
    """

    model: XlingModel
    dictionary: Dictionary
    symbols: Symbols
    tokenizer: Tokenizer | None
    languages: list[str] | None
    path: Path
    home: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    num_updates: int | None = None
    labels: list[str] | None = None

    def encode_text(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Symbol ids of each text, int64 (T,), without ``<s>`` and ``</s>``; the same pieces as ``xling encode``.

        Raises:
            UserError: there is no tokeniser.
        """
        return self.require_tokenizer().encode(texts)

    def encode_with_offsets(self, texts: Sequence[str]) -> Iterator[Pieces]:
        """Yield the pieces of each text with the characters they stand for, in Unicode characters of the text as it is.

        They are in order. White space, and what normalisation deletes: SentencePiece's pieces take in what precedes them, so
        that there are no gaps but at the ends of the text; with WordPiece they belong to none. A character that normalisation
        makes several pieces of belongs to the last of them (SentencePiece) or to each (WordPiece).

        Raises:
            UserError: there is no tokeniser.
        """
        return self.require_tokenizer().encode_with_offsets(texts)

    @property
    def num_separators(self) -> int:
        """``</s>`` between the texts of a pair: 1 for BERT, 2 for XLM-R and RoBERTa."""
        return 2 if self.tokenizer is None else self.tokenizer.num_separators

    def require_tokenizer(self) -> Tokenizer:
        """The tokeniser. Raises UserError if there is none."""
        if self.tokenizer is None:
            raise UserError(
                f"{self.home / SENTENCEPIECE}: not found, and raw text cannot be encoded without it; "
                "copy the SentencePiece model (of BERT vocab.txt) the checkpoint was trained with there"
            )
        return self.tokenizer

    def sha256(self) -> str:
        """SHA-256 of the weights' file, for results.json."""
        return file_sha256(self.path)


def file_sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file as hexadecimal digits."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def build_model(state: dict[str, Tensor], options: dict[str, Any], dictionary: Dictionary, source: Path) -> XlingModel:
    """Build the model a checkpoint's parameters describe and fill it.

    Widths, layers and positions follow from the parameters; ``options`` give only what parameters do not show.

    Args:
        state: parameters under today's names.
        options: ``encoder_attention_heads`` and, if known, dropouts, ``layer_norm_eps`` and ``activation_fn``.
        source: the checkpoint's file, for messages.

    Raises:
        UserError: the parameters are not those of a RoBERTa-family model, or do not fit the dictionary.
    """
    for key, tensor in state.items():
        if key.endswith(_MATRICES) and tensor.dim() != 2:
            raise UserError(
                f"{source}: {key} has shape {tuple(tensor.shape)}, not that of a matrix; is the file complete?"
            )
    embedding = state[_PREFIX + "embed_tokens.weight"]
    if len(embedding) != len(dictionary):
        raise UserError(
            f"{source}: the vocabulary has {len(embedding)} symbols, dict.txt with <mask> has {len(dictionary)}: use the "
            "dict.txt the checkpoint was trained with"
        )
    output = state.get("heads.lm.weight")
    if output is not None and not torch.equal(output, embedding):
        raise UserError(f"{source}: the LM head has an output matrix of its own; it must be the word embedding")
    activation = options.get("activation_fn", "gelu")
    if activation != "gelu":
        raise UserError(f"{source}: activation {activation!r} is not supported, only gelu")
    heads = options.get("encoder_attention_heads")
    width = embedding.size(1)
    if not isinstance(heads, int) or heads < 1 or width % heads:
        raise UserError(
            f"{source}: encoder_attention_heads is {heads} for a width of {width}; the checkpoint's options must name "
            "the number of attention heads"
        )
    numbers = {int(key.split(".")[3]) for key in state if key.startswith(_PREFIX + "layers.")}
    if not numbers or _PREFIX + "layers.0.fc1.weight" not in state or _PREFIX + "embed_positions.weight" not in state:
        raise UserError(f"{source}: has no transformer layers or no learned positions; not a RoBERTa-family model")
    cfg = XlingModelConfig(
        encoder_layers=max(numbers) + 1,
        encoder_embed_dim=width,
        encoder_ffn_embed_dim=len(state[_PREFIX + "layers.0.fc1.weight"]),
        encoder_attention_heads=heads,
        encoder_normalize_before=_PREFIX + "layernorm_embedding.weight" not in state,
        max_positions=len(state[_PREFIX + "embed_positions.weight"]) - dictionary.pad() - 1,
        **{name: float(options[name]) for name in _NUMBERS if name in options},
    )
    model = XlingModel(cfg, len(dictionary), dictionary.pad())
    if _PREFIX + "embed_languages.weight" in state:
        model.add_language_embedding(len(state[_PREFIX + "embed_languages.weight"]) - 1)
    for name, own in _heads(state).items():
        try:
            model.add_head(name, **HEADS[name].options_of(own))
        except KeyError as error:
            raise UserError(f"{source}: the head {name} has no {error.args[0]}; the file is incomplete") from error
    _check_parameters(state, model.state_dict(), source)
    model.load_state_dict({key: tensor.float() for key, tensor in state.items()})
    return model.eval()


def _heads(state: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """The parameters and buffers of each head that this program knows, in the order of `HEADS`."""
    found = {name: _below(f"heads.{name}.", state) for name in HEADS}
    return {name: own for name, own in found.items() if own}


def _below(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): tensor for key, tensor in state.items() if key.startswith(prefix)}


def _check_parameters(state: dict[str, Tensor], own: dict[str, Tensor], source: Path) -> None:
    """Require that a checkpoint has every parameter of the model it describes, and no more of the encoder."""
    again = "the file is incomplete or of another kind of model; copy or download it again"
    for key, parameter in own.items():
        if key not in state:
            if key == "heads.lm.weight":  # tied
                continue
            raise UserError(f"{source}: has no {key}: {again}")
        if state[key].shape != parameter.shape:
            raise UserError(
                f"{source}: {key} has shape {tuple(state[key].shape)}, the other parameters ask for {tuple(parameter.shape)}: {again}"
            )
        if not state[key].isfinite().all():
            raise UserError(f"{source}: {key} holds inf or nan; take a checkpoint from before the training failed")
    for key in state:
        if key not in own and key.startswith((_PREFIX + "layers.", _PREFIX + "layer_norm.")):
            raise UserError(f"{source}: has {key}, for which the encoder has no place: {again}")
