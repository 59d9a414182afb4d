"""``config.json`` of ``transformers``: what it says against what the weights are."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import UserError
from .parameters import FAMILIES

logger = logging.getLogger(__name__)

NAME = "config.json"
# options that change the function, with the only value fairseq's encoder has
_FIXED = {"hidden_act": "gelu", "position_embedding_type": "absolute", "is_decoder": False, "tie_word_embeddings": True}
_FRACTIONS = ("hidden_dropout_prob", "attention_probs_dropout_prob", "layer_norm_eps")
# option -> matrix with as many rows, and hidden_size columns
_ROWS = {
    "vocab_size": "embeddings.word_embeddings.weight",
    "max_position_embeddings": "embeddings.position_embeddings.weight",
    "type_vocab_size": "embeddings.token_type_embeddings.weight",
    "intermediate_size": "encoder.layer.0.intermediate.dense.weight",
}
_LAYER = re.compile(r"encoder\.layer\.(\d+)\.")
_AGAIN = "copy or download it again, together with config.json"


def read_config(folder: Path) -> dict[str, Any]:
    """The options of an XLM-R, RoBERTa or BERT model that fairseq's encoder can be.

    Raises:
        UserError: the file is damaged, of another architecture, or an option is no number where it must be one.
    """
    file = folder / NAME
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{file}: not a JSON file ({error}); copy or download it again") from error
    if not isinstance(config, dict):
        raise UserError(f"{file}: holds no options of a model; copy or download it again")
    if config.get("model_type") not in FAMILIES:
        raise UserError(f"{file}: model_type is {config.get('model_type')!r}; only {', '.join(FAMILIES)} can be read")
    for option, value in _FIXED.items():
        if config.get(option, value) != value:
            raise UserError(f"{file}: {option} is {config[option]!r}, fairseq's encoder has only {value!r}")
    for option in _FRACTIONS:
        value = config.get(option, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise UserError(
                f"{file}: {option} is {value!r}, it must be a number from 0 to 1; copy or download it again"
            )
    if config.get("problem_type") not in (None, "single_label_classification"):
        logger.warning(
            f"{file}: problem_type is {config['problem_type']!r}; here the output with the largest logit counts"
        )
    return config


def check_shapes(config: Mapping[str, Any], state: Mapping[str, Tensor], folder: Path, file: Path) -> None:
    """Require that the weights in ``file`` have the shapes that ``config.json`` names; what it does not name is not looked at.

    Raises:
        UserError: they have not, so that, say, the last layer is lost.
    """
    base = FAMILIES[config["model_type"]].base
    state = {key.removeprefix(f"{base}."): tensor for key, tensor in state.items()}
    found = []
    for option, key in _ROWS.items():
        if key in state:
            if state[key].dim() != 2:
                raise UserError(f"{file}: {key} has shape {tuple(state[key].shape)}, not that of a matrix; {_AGAIN}")
            found += [(option, len(state[key])), ("hidden_size", state[key].size(1))]
    found.append(("num_hidden_layers", len({match[1] for key in state if (match := _LAYER.match(key))})))
    for option, size in found:
        if config.get(option, size) != size:
            raise UserError(
                f"{folder / NAME}: {option} is {config[option]!r}, in {file.name} it is {size}: the weights' file is incomplete or another "
                f"model's; {_AGAIN}"
            )
