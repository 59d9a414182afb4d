"""Names of the outputs of a fine-tuned head: ``labels.txt`` here, ``id2label`` of ``config.json`` in ``transformers``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..models import XlingModel

LABELS = "labels.txt"


def read_labels(file: Path, model: XlingModel) -> list[str] | None:
    """Labels of the model's head from a file with one a line; None without the file, or without a head that has labels.

    Raises:
        UserError: the file is not text, or has not as many lines as the head has outputs.
    """
    outputs = _outputs(model)
    if not outputs or not file.is_file():
        return None
    try:
        labels = file.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise UserError(f"{file}: not UTF-8 text; write one label a line, in the order of the head's outputs") from None
    if len({*labels, ""}) <= len(labels):
        raise UserError(f"{file}: a label is empty or stands twice; use the file that was written with the weights")
    _check_number(labels, outputs, str(file))
    return labels


def write_labels(labels: Sequence[str], folder: Path) -> None:
    """Write ``labels.txt``."""
    (folder / LABELS).write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")


def config_labels(config: Mapping[str, Any], model: XlingModel, source: Path) -> list[str] | None:
    """Labels of the model's head from the content of ``config.json``; None where it names none.

    ``LABEL_0``, ``LABEL_1``, … are no names: ``transformers`` fills them in where a model has none.

    Args:
        source: the file, for messages.

    Raises:
        UserError: the labels are not numbered 0, 1, …, have line breaks, or are not as many as the head has outputs.
    """
    outputs, names = _outputs(model), config.get("id2label")
    if not outputs or not names:
        return None
    try:
        labels = [str(names[str(number)]) for number in range(len(names))]
    except (KeyError, TypeError):
        raise UserError(f"{source}: id2label is {names!r}; expected a label for each of 0, 1, …") from None
    if labels == _placeholders(len(labels)):
        return None
    for label in labels:
        if len(f"{label}\n".splitlines()) > 1:
            raise UserError(f"{source}: the label {label!r} of id2label has a line break; {LABELS} holds one a line")
    _check_number(labels, outputs, f"{source}: id2label")
    return labels


def label_options(labels: Sequence[str] | None, model: XlingModel) -> dict[str, dict[Any, Any]]:
    """``id2label`` and ``label2id`` for ``config.json``; nothing for a model without a head that has labels."""
    outputs = list(_outputs(model).values())
    if not outputs:
        return {}
    names = _placeholders(outputs[0]) if labels is None else labels
    return {"id2label": dict(enumerate(names)), "label2id": {name: number for number, name in enumerate(names)}}


def _placeholders(number: int) -> list[str]:
    """Names that ``transformers`` gives to labels without one."""
    return [f"LABEL_{n}" for n in range(number)]


def _outputs(model: XlingModel) -> dict[str, int]:
    """Number of outputs of each head that has labels; the two of ``span`` are start and end."""
    state = model.heads.state_dict()
    return {name: len(state[f"{name}.out_proj.bias"]) for name in model.heads if name in ("sequence", "token")}


def _check_number(labels: Sequence[str], outputs: Mapping[str, int], source: str) -> None:
    for name, number in outputs.items():
        if number != len(labels):
            raise UserError(
                f"{source} names {len(labels)} labels, the {name} head has {number} outputs; use the file that was "
                "written with the weights"
            )
