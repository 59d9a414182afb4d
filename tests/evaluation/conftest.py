"""A tiny random model with a vocabulary, as files."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest
import torch

from fairseq_xling.data.databin import load_dictionary
from fairseq_xling.interop.load import load_model
from fairseq_xling.interop.loaded import LoadedModel
from fairseq_xling.models import XlingModel, XlingModelConfig
from fairseq_xling_preprocess import vocab
from tests.helpers import randomize

SENTENCES = [
    "The river flows through the old town.",
    "Sie schrieb ein Buch über die Berge.",
    "Two dogs run; deux chiens courent.",
    "A bridge of stone, eine Brücke aus Stein.",
]
POSITIONS = 24


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model's folder: model.pt, dict.txt, sentencepiece.bpe.model."""
    folder = tmp_path_factory.mktemp("model")
    text = folder / "text"
    text.write_text("\n".join(f"{SENTENCES[i % 4]} {i % 7}" for i in range(200)), encoding="utf-8")
    vocab.train({"xx": [str(text)]}, folder, 56, character_coverage=1.0)
    cfg = XlingModelConfig(
        encoder_layers=3,
        encoder_embed_dim=32,
        encoder_ffn_embed_dim=48,
        encoder_attention_heads=4,
        max_positions=POSITIONS,
    )
    model = XlingModel(cfg, len(load_dictionary(folder / "dict.txt")), pad=1)
    randomize(model)
    options = Namespace(task="mmlm", encoder_attention_heads=4)
    torch.save({"model": model.state_dict(), "args": options}, folder / "model.pt")
    return folder


@pytest.fixture(scope="session")
def loaded(model_folder: Path) -> LoadedModel:
    return load_model(model_folder)
