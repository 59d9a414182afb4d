"""A bitext with links, and tiny models whose vocabulary knows its words."""

from __future__ import annotations

import random
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fairseq_xling.data.databin import load_dictionary
from fairseq_xling.evaluation.embeddings.vectors import word_pieces
from fairseq_xling.interop.load import load_model
from fairseq_xling.models import XlingModel, XlingModelConfig
from fairseq_xling_preprocess import vocab
from tests.helpers import randomize

PARTNERS = [("river", "fleuve"), ("town", "ville"), ("bridge", "pont")]
WORDS = [word for pair in PARTNERS for word in pair] + ["stone", "pierre"]

# river-fleuve 3, town-ville 2, bridge-pont 2; Town-ville 1
ENGLISH = ["the river , the town", "a river and a bridge", "Town by the river", "London bridge 1", "the town", ""]
FRENCH = ["le fleuve , la ville", "un fleuve et un pont", "ville du fleuve", "pont London 1", "la ville", ""]
LINKS = ["0-0 1-1 2-2 3-3 4-4", "0-0 1-1 2-2 3-3 4-4 4-4", "0-0 1-1 3-2", "0-1 1-0 2-2", "0-0 1-1", ""]


@pytest.fixture
def bitext(tmp_path: Path) -> Path:
    """A folder with text.en, text.fr and links."""
    for name, lines in (("text.en", ENGLISH), ("text.fr", FRENCH), ("links", LINKS)):
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="session")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with dict.txt and sentencepiece.bpe.model."""
    folder = tmp_path_factory.mktemp("vocabulary")
    drawn = random.Random(1)
    filler = ["".join(drawn.choices("abcdefghilmnoprstuvw", k=5)) for _ in range(100)]
    (folder / "text").write_text("\n".join([*WORDS * 50, *filler]))
    vocab.train({"xx": [str(folder / "text")]}, folder, 60, character_coverage=1.0)
    return folder


@pytest.fixture(scope="session")
def make_checkpoint(vocabulary: Path) -> Callable[..., Path]:
    """``make_checkpoint(folder, seed, aligned)`` writes a random model; ``aligned`` gives partners the same embedding."""

    def make(folder: Path, seed: int = 0, aligned: bool = False) -> Path:
        folder.mkdir()
        for name in ("dict.txt", "sentencepiece.bpe.model"):
            (folder / name).write_bytes((vocabulary / name).read_bytes())
        cfg = XlingModelConfig(
            encoder_layers=1, encoder_embed_dim=8, encoder_ffn_embed_dim=8, encoder_attention_heads=2, max_positions=16
        )
        model = XlingModel(cfg, len(load_dictionary(folder / "dict.txt")), pad=1)
        randomize(model, seed)
        options = Namespace(task="mmlm", encoder_attention_heads=2)
        torch.save({"model": model.state_dict(), "args": options}, folder / "model.pt")
        if aligned:
            table = model.encoder.sentence_encoder.embed_tokens.weight.data
            loaded = load_model(folder)
            for number, pair in enumerate(PARTNERS):
                for pieces in word_pieces(loaded, pair):
                    assert pieces is not None
                    table[pieces] = 2 * torch.eye(8)[number]
            torch.save({"model": model.state_dict(), "args": options}, folder / "model.pt")
        return folder

    return make


@pytest.fixture(scope="session")
def checkpoints(make_checkpoint: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A random model and one in which partners have the same embedding."""
    folder = tmp_path_factory.mktemp("models")
    return make_checkpoint(folder / "random", 1), make_checkpoint(folder / "aligned", 2, aligned=True)
