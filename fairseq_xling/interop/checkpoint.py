"""Checkpoints of fairseq: which file, what it holds, the files that belong to it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..data.databin import LANGUAGES, load_dictionary, load_languages
from ..data.identity import check_memory, file_difference, has_language_table
from ..data.masking import Symbols
from ..errors import UserError, unreadable_checkpoint
from ..models.xling import rename_old_keys
from .labels import LABELS, read_labels
from .loaded import LoadedModel, build_model
from .tokenizer import SENTENCEPIECE, load_tokenizer

logger = logging.getLogger(__name__)

CHECKPOINT_NAMES = ("model.pt", "checkpoint_best.pt", "checkpoint_last.pt")
_PREFIX = "encoder.sentence_encoder."


@dataclass(frozen=True)
class Weights:
    """Content of a checkpoint file: parameters under today's names, the options of model and task, the updates."""

    state: dict[str, Tensor]
    options: dict[str, Any]
    num_updates: int | None


def find_checkpoint(path: Path) -> Path:
    """The checkpoint file ``path`` names, or the one to use in the folder ``path``: model.pt, else the best, else the last.

    Raises:
        UserError: there is none.
    """
    if path.is_file():
        return path
    for name in CHECKPOINT_NAMES:
        if (path / name).is_file():
            return path / name
    if path.is_dir():
        raise UserError(
            f"{path}: holds none of {', '.join(CHECKPOINT_NAMES)} (fairseq) and no config.json (transformers); "
            "name a model's folder or a checkpoint file"
        )
    raise UserError(f"{path}: no such checkpoint; name a .pt file or a model's folder")


def load_checkpoint(file: Path) -> LoadedModel:
    """Load a fairseq checkpoint with the files that belong to it.

    Raises:
        UserError: a file is missing, damaged, of another architecture, or does not fit the others.
    """
    weights = read_checkpoint(file)
    home = _home(file, weights.options)
    dictionary = load_dictionary(home / "dict.txt")
    languages = load_languages(home / LANGUAGES) if (home / LANGUAGES).is_file() else None
    check_memory(
        weights.options.get("vocabulary", {}),
        dictionary,
        languages if has_language_table(weights.state) else None,
        str(file),
        home,
    )
    model = build_model(weights.state, weights.options, dictionary, file)
    tokenizer = load_tokenizer(home, dictionary)
    table = model.encoder.sentence_encoder.embed_languages
    if table is not None and languages is not None and table.num_embeddings != len(languages) + 1:
        raise UserError(
            f"{file}: the mask-language table has {table.num_embeddings - 1} languages, {home / LANGUAGES} names "
            f"{len(languages)}: use the languages.txt the checkpoint was trained with"
        )
    # labels belong to the weights: a data-bin, or the model that was fine-tuned, has others or none
    symbols, labels = Symbols.of(dictionary), read_labels(file.parent / LABELS, model)
    trained = weights.options.get("finetuning", {}).get("labels")
    if labels and trained and labels != trained:
        raise UserError(
            f"{file.parent / LABELS}: the labels are {', '.join(labels)}, the checkpoint was trained with {', '.join(trained)}: use the "
            "file that was written with it"
        )
    return LoadedModel(
        model, dictionary, symbols, tokenizer, languages, file, home, weights.options, weights.num_updates, labels
    )


def read_checkpoint(file: Path) -> Weights:
    """Read a fairseq checkpoint, tensors and plain options only (``weights_only``).

    Raises:
        UserError: the file is damaged, or not a fairseq checkpoint.
    """
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # the bytes of a damaged file lead the unpickler into errors of any class
        raise unreadable_checkpoint(file, error) from error
    if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
        raise UserError(f"{file}: not a fairseq checkpoint: it has no entry 'model'")
    state = dict(content["model"])
    rename_old_keys(state)
    if _PREFIX + "embed_tokens.weight" not in state:
        raise UserError(f"{file}: not a RoBERTa-family model: it has no {_PREFIX}embed_tokens.weight")
    cfg = content.get("cfg") or {}
    # the task's last: its --max-positions may be less than the model's
    parts = (content.get("args"), cfg.get("model"), cfg.get("task"), content.get("task_state"))
    history = content.get("optimizer_history") or [{}]
    options = {key: value for part in parts for key, value in _plain(part).items()}
    return Weights(state, options, history[-1].get("num_updates"))


def _plain(options: Any) -> dict[str, Any]:
    return dict(options) if isinstance(options, Mapping) else dict(vars(options)) if options is not None else {}


def _home(file: Path, options: dict[str, Any]) -> Path:
    """The folder of the checkpoint's dict.txt: its own, else the data-bin it was trained on.

    A checkpoint that remembers its symbols is compared with what is found; of an older one a doubt is logged.
    """
    places = [file.parent]
    if isinstance(options.get("data"), str):
        places.append(Path(options["data"].split(os.pathsep)[0]))
    dictionaries = [place / "dict.txt" for place in places if (place / "dict.txt").is_file()]
    if not dictionaries:
        raise UserError(
            f"{file.parent / 'dict.txt'}: not found; copy dict.txt, {SENTENCEPIECE} (BERT: vocab.txt) and languages.txt of the "
            "checkpoint's data-bin there"
        )
    if "vocabulary" not in options:
        if dictionaries[0].parent != file.parent:
            logger.warning(f"{file}: has no dict.txt beside it; {dictionaries[0]} is used, as it was trained there")
        elif difference := file_difference(dictionaries[0], dictionaries[-1]):
            logger.warning(
                f"{file}: {dictionaries[0]} is used, which is not {dictionaries[-1]}, where it was trained: {difference}"
            )
    return dictionaries[0].parent
