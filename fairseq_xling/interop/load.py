"""Load a trained model for evaluation or conversion, whatever program wrote it."""

from __future__ import annotations

import os
from pathlib import Path

from .checkpoint import find_checkpoint, load_checkpoint
from .huggingface import load_transformers
from .loaded import LoadedModel


def load_model(path: str | os.PathLike[str]) -> LoadedModel:
    """Load a model with its dictionary, tokeniser and languages.

    Args:
        path: a checkpoint of ``fairseq-train``; a folder with ``model.pt`` (as the published XLM-R models) or with
            checkpoints; or a ``transformers`` folder (``config.json``) of an XLM-R, RoBERTa or BERT model.

    Raises:
        UserError: a file is missing, damaged, of another architecture, or does not fit the others.
    """
    path = Path(path)
    if (path / "config.json").is_file():
        return load_transformers(path)
    return load_checkpoint(find_checkpoint(path))
