"""A tiny binarised corpus and a tiny stock ``masked_lm`` job, for shims that only a training run shows at work."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fairseq_cli.train
import numpy as np
import pytest
import torch
from fairseq.data import Dictionary
from fairseq.data.indexed_dataset import MMapIndexedDatasetBuilder

import fairseq_xling  # noqa: F401  (applies the shims)
from fairseq_xling.compat._replace import original

OPTIONS = """
    --task masked_lm --criterion masked_lm --arch roberta_base --sample-break-mode eos --tokens-per-sample 32
    --encoder-layers 1 --encoder-embed-dim 16 --encoder-ffn-embed-dim 32 --encoder-attention-heads 2
    --optimizer adam --lr 1e-3 --batch-size 8 --log-interval 1 --log-format simple --no-epoch-checkpoints
    --disable-validation --cpu --num-workers 0
"""


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data-bin of 240 random sentences over 40 symbols."""
    folder = tmp_path_factory.mktemp("corpus")
    dictionary = Dictionary()
    for symbol in range(40):
        dictionary.add_symbol(f"w{symbol}")
    dictionary.save(str(folder / "dict.txt"))
    random = np.random.default_rng(0)
    builder = MMapIndexedDatasetBuilder(str(folder / "train.bin"), dtype=np.uint16)
    for _ in range(240):
        words = random.integers(4, 44, size=random.integers(4, 20))
        builder.add_item(torch.from_numpy(np.append(words, dictionary.eos())))
    builder.finalize(str(folder / "train.idx"))
    return folder


@pytest.fixture
def train(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any] | None]:
    """``train(save_dir, *options)`` runs ``fairseq-train`` in this process and returns its last checkpoint."""

    def run(save_dir: Path, *options: str) -> dict[str, Any] | None:
        words = ["fairseq-train", corpus, *OPTIONS.split(), "--save-dir", save_dir, *options]
        monkeypatch.setattr(sys, "argv", [str(word) for word in words])
        fairseq_cli.train.cli_main()
        last = save_dir / "checkpoint_last.pt"
        return torch.load(last) if last.exists() else None

    return run


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, str], None]:
    """``without(owner, name)`` puts fairseq's own function back for the rest of the test."""

    def put_back(owner: Any, name: str) -> None:
        monkeypatch.setattr(owner, name, original(getattr(owner, name)))

    return put_back
