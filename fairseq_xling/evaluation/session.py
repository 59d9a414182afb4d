"""Steps that every evaluation of a model shares: from the flags to a model, from the scores to files.

An evaluation reads its test data first and opens its session then, so that wrong input ends before a model is loaded; it
makes the folder once the model is known to fit::

    session = Session.open(**model)  # --checkpoint, --out, --device, --fp16
    layer = session.choose_layer(layer)
    session.make_folder()
    scores = evaluate(session.loaded, data)
    results = session.results("name", data=files, settings={**layer, "pooling": "mean"}, rows=scores)
    session.finish(results, render_report(results))
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import click
import torch

from ..errors import UserError
from ..interop.load import load_model
from ..interop.loaded import LoadedModel
from .encoding import choose_layer
from .results import prepare_folder, provenance, write_report


class ModelFlags(TypedDict):
    """The flags that `Session.open` takes, as the options of ``options.py`` leave them."""

    checkpoint: str
    out: str
    device: str
    fp16: NotRequired[bool]


@dataclass(frozen=True)
class Session:
    """One evaluation of one model.

    Attributes:
        loaded: the model, in evaluation mode, on its device and in its precision.
        folder: of ``--out``; it need not exist before `make_folder`.
        device: ``cpu`` or ``cuda``.
        fp16: whether the model is in half precision.
    """

    loaded: LoadedModel
    folder: Path
    device: str
    fp16: bool

    @classmethod
    def open(cls, *, checkpoint: str, out: str, device: str, fp16: bool = False) -> Session:
        """Load the model onto its device.

        Args:
            checkpoint: a .pt file, or a folder of fairseq or ``transformers``.
            device: ``auto``, ``cpu`` or ``cuda``.
            fp16: compute in half precision.

        Raises:
            UserError: there is no such device, or the checkpoint cannot be read.
        """
        device = choose_device(device, fp16)
        loaded = load_model(checkpoint)
        loaded.model.to(device, torch.float16 if fp16 else torch.float32)
        return cls(loaded, Path(out), device, fp16)

    def choose_layer(self, layer: int | None, trained_layer: int | None = None) -> dict[str, Any]:
        """The settings ``layer`` (the one to report), ``layer_rule`` (why) and ``num_layers``.

        Args:
            layer: ``--layer``.
            trained_layer: that of a retrieval fine-tuning.

        Raises:
            UserError: the model has no such layer.
        """
        num_layers = self.loaded.model.cfg.encoder_layers
        chosen, rule = choose_layer(num_layers, layer, trained_layer)
        return {"layer": chosen, "layer_rule": rule, "num_layers": num_layers}

    def make_folder(self) -> Path:
        """Make ``--out`` before the work starts. Raises UserError if it cannot be made or written."""
        return prepare_folder(self.folder)

    def results(
        self,
        evaluation: str,
        *,
        data: Iterable[str | Path],
        settings: Mapping[str, Any],
        seed: int | None = None,
        **entries: Any,
    ) -> dict[str, Any]:
        """The content of results.json.

        Args:
            evaluation: its name, by which ``xling report`` knows what it is.
            data: the files that were read.
            settings: what the scores depend on; ``device`` and ``fp16`` are added.
            seed: of what was drawn at random.
            entries: the scores, and what else there is to say.
        """
        return {
            "evaluation": evaluation,
            **provenance(model=self.loaded, data=data, seed=seed),
            "settings": {**settings, "device": self.device, "fp16": self.fp16},
            **entries,
        }

    def finish(self, results: Mapping[str, Any], report: str, *others: str) -> None:
        """Write results.json and report.md; print the first part of the report and the names of all files.

        Args:
            others: names of what else is in the folder.

        Raises:
            UserError: the folder cannot be written, or the disk is full.
        """
        write_report(self.folder, results, report)
        click.echo(report.split("\n\n## ")[0])
        names = ("results.json", "report.md", *others)
        click.echo(f"\nwrote {', '.join(str(self.folder / name) for name in names)}")


def choose_device(device: str, fp16: bool = False) -> str:
    """The device, ``cpu`` or ``cuda``, that ``auto``, ``cpu`` or ``cuda`` asks for.

    Raises:
        UserError: there is no CUDA device, or ``--fp16`` is to run without one.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: no CUDA device is visible; use --device cpu")
    if fp16 and device == "cpu":
        raise UserError("--fp16 needs CUDA; leave it out on the CPU")
    return device


def require_lm_head(loaded: LoadedModel) -> None:
    """Raises UserError if the model cannot predict symbols."""
    if "lm" not in loaded.model.heads:
        raise UserError(
            f"{loaded.path}: has no LM head, so it cannot fill masks; use a checkpoint of a masked language model "
            "(sentence encoders and classifiers have none)"
        )
