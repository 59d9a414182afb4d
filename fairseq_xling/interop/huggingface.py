"""Models of ``transformers`` (XLM-R, RoBERTa, BERT): read them, and write either kind of folder.

Reading needs ``safetensors`` only; writing for ``transformers`` uses the library itself, so that the folder is what it
expects.
"""

from __future__ import annotations

import importlib
import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import Tensor

from fairseq_xling_preprocess import wordpiece

from ..data.identity import remember
from ..data.masking import Symbols
from ..errors import UserError, unreadable_checkpoint
from ..models import XlingModel
from ..models.xling import published_keys
from . import vocabulary
from .config import check_shapes, read_config
from .labels import config_labels, label_options, write_labels
from .loaded import LoadedModel, build_model
from .parameters import FAMILIES, Family, to_fairseq, to_transformers
from .tokenizer import SentencePieceTokenizer, Tokenizer, WordPieceTokenizer

logger = logging.getLogger(__name__)

WEIGHTS_NAMES = ("model.safetensors", "pytorch_model.bin")
# head -> transformers' class for it
_CLASSES = {"sequence": "ForSequenceClassification", "token": "ForTokenClassification", "span": "ForQuestionAnswering"}


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UserError(f"this needs {name}; install it with: pip install 'fairseq_xling[convert]'") from error


def load_transformers(folder: Path) -> LoadedModel:
    """Load an XLM-R, RoBERTa or BERT folder of ``transformers`` as this project's model.

    Raises:
        UserError: a file is missing or damaged, or the model is of another kind.
    """
    config = read_config(folder)
    file, state = _read_weights(folder)
    check_shapes(config, state, folder, file)
    tokenizer: Tokenizer | None = None
    if config["model_type"] == "xlm-roberta":
        dictionary, tokenizer = vocabulary.read_xlmr(folder)
    elif config["model_type"] == "bert":
        dictionary, tokenizer = vocabulary.read_bert(folder)
    else:
        dictionary = vocabulary.read_roberta(folder)
    family, heads = FAMILIES[config["model_type"]], _heads(state, config)
    try:
        state, dropped = to_fairseq(state, family, dictionary.pad(), heads, _rows(tokenizer))
    except UserError as error:
        raise UserError(f"{file}: {error}") from error
    _log_dropped(dropped)
    options = {
        "encoder_attention_heads": config.get("num_attention_heads"),
        "dropout": config.get("hidden_dropout_prob", 0.1),
        "attention_dropout": config.get("attention_probs_dropout_prob", 0.1),
        "layer_norm_eps": config.get("layer_norm_eps", 1e-12),  # the default of transformers' configuration classes
    }
    model = build_model(state, options, dictionary, file)
    labels = config_labels(config, model, folder / "config.json")
    return LoadedModel(model, dictionary, Symbols.of(dictionary), tokenizer, None, file, folder, labels=labels)


def _heads(state: Mapping[str, Tensor], config: Mapping[str, Any]) -> list[str]:
    """The heads of ours that the parameters may be of; names alone do not tell: ``…ForMultipleChoice``'s is a ``classifier`` too."""
    names = config.get("architectures")
    if names:
        return [head for head, name in _CLASSES.items() if names[0].endswith(name)]
    if config["model_type"] != "bert":
        return list(_CLASSES)
    # BERT's classifiers of texts and of tokens have one name; the one of texts has a pooler
    return ["sequence" if any(".pooler." in key for key in state) else "token", "span"]


def _rows(tokenizer: Tokenizer | None) -> Tensor | None:
    """fairseq's id of each of the model's symbols in ``transformers``; None: the same."""
    return torch.from_numpy(tokenizer.rows) if isinstance(tokenizer, WordPieceTokenizer) else None


def _read_weights(folder: Path) -> tuple[Path, dict[str, Tensor]]:
    for name in WEIGHTS_NAMES:
        file = folder / name
        if not file.is_file():
            continue
        try:
            if file.suffix == ".safetensors":
                state = _library("safetensors.torch").load_file(file)
            else:
                state = torch.load(file, map_location="cpu", weights_only=True)
        except UserError:
            raise
        except Exception as error:  # safetensors has exceptions of its own, the unpickler raises any
            raise unreadable_checkpoint(file, error) from error
        if not isinstance(state, dict):
            raise UserError(f"{file}: holds a {type(state).__name__}, not a model's parameters")
        return file, state
    raise UserError(f"{folder}: has no {' or '.join(WEIGHTS_NAMES)} (models in several parts are not read)")


def _log_dropped(keys: list[str]) -> None:
    parts = sorted({key.removeprefix("encoder.").removeprefix("sentence_encoder.").split(".weight")[0] for key in keys})
    if parts:
        logger.warning(f"left out, the other library's model has no place for it: {', '.join(parts)}")


def write_vocabulary(loaded: LoadedModel, folder: Path) -> None:
    """Write ``dict.txt`` and what else belongs to the vocabulary: the tokenizer's files and ``languages.txt``."""
    if loaded.tokenizer is not None:
        loaded.tokenizer.write(folder)
    elif merges := vocabulary.read_merges(loaded.home):
        (folder / "vocab.bpe").write_text(merges, encoding="utf-8")
        (folder / "encoder.json").write_text(json.dumps(vocabulary.gpt2_numbers(merges)), encoding="utf-8")
    if (loaded.home / "languages.txt").is_file():
        shutil.copyfile(loaded.home / "languages.txt", folder / "languages.txt")
    lines = (f"{symbol} 1\n" for symbol in vocabulary.symbols_of(loaded.dictionary))
    (folder / "dict.txt").write_text("".join(lines), encoding="utf-8")


def write_fairseq(loaded: LoadedModel, folder: Path) -> None:
    """Write ``model.pt``, the vocabulary and the labels, laid out as the published XLM-R models."""
    write_vocabulary(loaded, folder)
    if loaded.labels is not None:
        write_labels(loaded.labels, folder)
    cfg = OmegaConf.to_container(OmegaConf.structured(loaded.model.cfg))
    assert isinstance(cfg, dict)
    content = {
        "args": None,
        "cfg": {"model": {**cfg, "_name": "xling"}},
        "model": published_keys(loaded.model.state_dict()),
        "task_state": {"vocabulary": remember(loaded.dictionary, loaded.languages)},
        # what fairseq looks for in any checkpoint it starts from
        "optimizer_history": [{"criterion_name": "", "optimizer_name": "", "lr_scheduler_state": {}, "num_updates": 0}],
        "last_optimizer_state": None,
        "extra_state": {"train_iterator": {"epoch": 1, "iterations_in_epoch": 0}},
    }
    torch.save(content, folder / "model.pt")


def write_transformers(loaded: LoadedModel, folder: Path) -> None:
    """Write ``config.json``, ``model.safetensors`` and the tokenizer's files of an XLM-R, BERT or RoBERTa model.

    A model with a SentencePiece model is XLM-R, with ``vocab.txt`` BERT; with neither it is RoBERTa, whose tokenizer needs
    ``vocab.bpe`` beside the checkpoint.

    Raises:
        UserError: ``transformers`` is not installed, the model has no equal there (pre-norm, several heads), its tokenizer
            numbers pieces differently, or BERT's vocabulary is missing.
    """
    library = _library("transformers")
    model_class = _model_class(loaded.model)
    family, rows = _family(loaded), _rows(loaded.tokenizer)
    state, dropped = to_transformers(loaded.model.state_dict(), family, loaded.dictionary.pad(), rows)
    _log_dropped(dropped)
    shape, dictionary = loaded.model.cfg, loaded.dictionary
    config = getattr(library, f"{family.classes}Config")(
        architectures=[f"{family.classes}{model_class}"],
        vocab_size=len(dictionary),
        hidden_size=shape.encoder_embed_dim,
        num_hidden_layers=shape.encoder_layers,
        num_attention_heads=shape.encoder_attention_heads,
        intermediate_size=shape.encoder_ffn_embed_dim,
        hidden_dropout_prob=shape.dropout,
        attention_probs_dropout_prob=shape.attention_dropout,
        max_position_embeddings=loaded.model.max_positions() + (dictionary.pad() + 1 if family.shifted else 0),
        type_vocab_size=family.num_types,
        layer_norm_eps=shape.layer_norm_eps,
        **_special_ids(loaded),
        **label_options(loaded.labels, loaded.model),
    )
    config.save_pretrained(folder)
    state = {key: tensor.contiguous() for key, tensor in state.items()}
    _library("safetensors.torch").save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    shutil.copymode(folder / "config.json", folder / "model.safetensors")  # safetensors writes for the owner only
    _write_tokenizer(library, loaded, folder)


def _family(loaded: LoadedModel) -> Family:
    """The architecture that a model with this tokeniser is of.

    Raises:
        UserError: the model has no tokeniser and BERT's pieces.
    """
    if isinstance(loaded.tokenizer, SentencePieceTokenizer):
        return FAMILIES["xlm-roberta"]
    if loaded.tokenizer is not None:
        return FAMILIES["bert"]
    # a SentencePiece model joins no sign to a letter, and RoBERTa's symbols are numbers
    if any(symbol.startswith("##") and symbol[2:3].isalnum() for symbol in loaded.dictionary.symbols):
        raise UserError(
            f"{loaded.home / 'dict.txt'}: has BERT's pieces (##…), and there is no {wordpiece.VOCAB_NAME} beside it; copy the model's "
            f"{wordpiece.VOCAB_NAME} there"
        )
    return FAMILIES["roberta"]


def _special_ids(loaded: LoadedModel) -> dict[str, int]:
    """``config.json``'s ids of special symbols; BERT's names the padding only."""
    if isinstance(loaded.tokenizer, WordPieceTokenizer):
        return {"pad_token_id": loaded.tokenizer.model.pieces.index("[PAD]")}
    dictionary = loaded.dictionary
    return {"pad_token_id": dictionary.pad(), "bos_token_id": dictionary.bos(), "eos_token_id": dictionary.eos()}


def _model_class(model: XlingModel) -> str:
    """The class of ``transformers`` for a model with these heads, without the family's name."""
    heads = [name for name in model.heads if name in _CLASSES]
    if len(heads) > 1:
        raise UserError(f"the model has several heads ({', '.join(heads)}); transformers' models have one")
    if heads:
        return _CLASSES[heads[0]]
    return "ForMaskedLM" if "lm" in model.heads else "Model"


def _write_tokenizer(library: Any, loaded: LoadedModel, folder: Path) -> None:
    limit = {"model_max_length": loaded.model.max_positions()}
    if isinstance(loaded.tokenizer, WordPieceTokenizer):
        loaded.tokenizer.write(folder)
        tokenizer = library.BertTokenizerFast.from_pretrained(str(folder), **limit)
        expected = {piece: number for number, piece in enumerate(loaded.tokenizer.model.pieces)}
    elif loaded.tokenizer is not None:
        _library("google.protobuf")  # transformers reads the SentencePiece model with it
        loaded.tokenizer.write(folder)
        tokenizer = library.XLMRobertaTokenizerFast.from_pretrained(str(folder), **limit)
        expected = loaded.dictionary.indices
    else:
        merges = vocabulary.read_merges(loaded.home)
        if merges is None:
            logger.warning(
                f"no tokenizer written: {loaded.home} has none of {vocabulary.SENTENCEPIECE} (XLM-R), vocab.txt (BERT) and vocab.bpe "
                "(RoBERTa: that of GPT-2's encoding); copy the one the model was trained with there and convert again"
            )
            return
        expected = vocabulary.roberta_vocabulary(loaded.dictionary, merges)
        (folder / "vocab.json").write_text(json.dumps(expected, ensure_ascii=False), encoding="utf-8")
        (folder / "merges.txt").write_text(merges, encoding="utf-8")
        tokenizer = library.RobertaTokenizerFast.from_pretrained(str(folder), **limit)
    _check_numbers(tokenizer.get_vocab(), expected)
    tokenizer.save_pretrained(folder)


def _check_numbers(found: dict[str, int], expected: dict[str, int]) -> None:
    for symbol, number in expected.items():
        if found.get(symbol) != number:
            raise UserError(
                f"transformers numbers {symbol!r} {found.get(symbol)}, dict.txt {number}: dict.txt does not belong to the tokenizer"
            )
    if len(found) != len(expected):
        raise UserError(f"transformers' tokenizer has {len(found)} symbols, dict.txt with <mask> has {len(expected)}")
