"""A tiny binarised corpus and a tiny stock ``masked_lm`` job, for tests that need a whole training run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from fairseq.data import Dictionary
from fairseq.data.indexed_dataset import MMapIndexedDatasetBuilder

TRAINING = (
    *"--task masked_lm --criterion masked_lm --arch roberta_base --sample-break-mode eos --tokens-per-sample 32".split(),
    *"--encoder-layers 1 --encoder-embed-dim 16 --encoder-ffn-embed-dim 32 --encoder-attention-heads 2".split(),
    *"--optimizer adam --lr 1e-3 --batch-size 8 --log-interval 1 --log-format simple --no-epoch-checkpoints".split(),
    *"--disable-validation --skip-invalid-size-inputs-valid-test".split(),
)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data-bin of 240 random sentences over 40 symbols."""
    folder = tmp_path_factory.mktemp("corpus")
    dictionary = Dictionary()
    for symbol in range(40):
        dictionary.add_symbol(f"w{symbol}")
    dictionary.save(str(folder / "dict.txt"))
    random = np.random.default_rng(0)
    for split, count in (("train", 240), ("valid", 24)):
        builder = MMapIndexedDatasetBuilder(str(folder / f"{split}.bin"), dtype=np.uint16)
        for _ in range(count):
            words = random.integers(4, 44, size=random.integers(4, 20))
            builder.add_item(torch.from_numpy(np.append(words, dictionary.eos())))
        builder.finalize(str(folder / f"{split}.idx"))
    return folder
