"""Folders of tiny random models over one small vocabulary."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
import torch

from fairseq_xling.data.databin import load_dictionary
from fairseq_xling_preprocess import vocab
from tests.interop.models import checkpoint_of, hf_bert, hf_model, xling_model
from tests.wordpieces import PIECES, write_wordpieces

SENTENCES = [
    "The river flows through the old town.",
    "Sie schrieb ein Buch über die Berge.",
    "这条河流过老城。",
    "Two dogs run; deux chiens courent.",
]


@pytest.fixture(scope="session")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with sentencepiece.bpe.model, dict.txt and languages.txt."""
    folder = tmp_path_factory.mktemp("vocabulary")
    text = folder / "text"
    text.write_text("\n".join(f"{SENTENCES[i % 4]} {i % 7}" for i in range(200)), encoding="utf-8")
    vocab.train({"xx": [str(text)]}, folder, 56, character_coverage=1.0)
    text.unlink()
    (folder / "languages.txt").write_text("de\nen\n")
    return folder


@pytest.fixture
def model_folder(vocabulary: Path, tmp_path: Path) -> Callable[..., Path]:
    """``model_folder(name, content)`` saves a checkpoint as model.pt beside the vocabulary's files."""

    def make(name: str, content: dict[str, Any]) -> Path:
        shutil.copytree(vocabulary, tmp_path / name)
        torch.save(content, tmp_path / name / "model.pt")
        return tmp_path / name

    return make


@pytest.fixture
def xling_folder(vocabulary: Path, model_folder: Callable[..., Path]) -> Path:
    """A folder of this project's model with an LM head."""
    size = len(load_dictionary(vocabulary / "dict.txt"))
    return model_folder("xling", checkpoint_of(xling_model(size)))


@pytest.fixture
def hf_folder_of(vocabulary: Path, tmp_path: Path) -> Callable[..., Path]:
    """``hf_folder_of(model_class, …)`` makes an XLM-R folder of transformers with the vocabulary's SentencePiece model."""
    import transformers

    def make(model_class: str, **options: Any) -> Path:
        folder = tmp_path / "hf"
        hf_model("XLMRoberta", len(load_dictionary(vocabulary / "dict.txt")), model_class, **options).save_pretrained(
            folder
        )
        shutil.copyfile(vocabulary / "sentencepiece.bpe.model", folder / "sentencepiece.bpe.model")
        transformers.XLMRobertaTokenizerFast.from_pretrained(folder).save_pretrained(folder)
        return folder

    return make


@pytest.fixture
def hf_folder(hf_folder_of: Callable[..., Path]) -> Path:
    """An XLM-R folder of transformers with an LM head."""
    return hf_folder_of("ForMaskedLM")


MERGES = ["h e", "Ġ t", "Ġt he", "o w", "n s", "Ġ o"]


@pytest.fixture
def hf_roberta_folder(tmp_path: Path) -> Path:
    """A RoBERTa folder of transformers; its symbols are in an order of their own, as RoBERTa's are."""
    from fairseq.data.encoders.gpt2_bpe_utils import bytes_to_unicode

    symbols = [*bytes_to_unicode().values(), *(merge.replace(" ", "") for merge in MERGES)]
    symbols = sorted(symbols, key=lambda symbol: (len(symbol) == 1, symbol[::-1]))
    names = ["<s>", "<pad>", "</s>", "<unk>", *symbols, "<|endoftext|>", "madeupword0000", "<mask>"]
    folder = tmp_path / "hf_roberta"
    hf_model("Roberta", len(names)).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps({name: number for number, name in enumerate(names)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *MERGES]) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def hf_bert_folder_of(tmp_path: Path) -> Callable[..., Path]:
    """``hf_bert_folder_of(model_class, …)`` makes a BERT folder of transformers with a hand-made vocabulary."""
    import transformers

    def make(model_class: str, lowercase: bool = False, **options: Any) -> Path:
        folder = tmp_path / "hf_bert"
        hf_bert(len(PIECES), model_class, **options).save_pretrained(folder)
        numbers = {piece: number for number, piece in enumerate(PIECES)}
        transformers.BertTokenizerFast(vocab=numbers, do_lower_case=lowercase).save_pretrained(folder)
        return folder

    return make


@pytest.fixture
def hf_bert_folder(hf_bert_folder_of: Callable[..., Path]) -> Path:
    """A BERT folder of transformers with an LM head."""
    return hf_bert_folder_of("ForMaskedLM")


@pytest.fixture
def bert_folder(tmp_path: Path) -> Path:
    """A folder of this project's model with an LM head and a WordPiece vocabulary."""
    folder = tmp_path / "bert"
    vocab.take_wordpiece(str(write_wordpieces(folder)), folder)
    (folder / "languages.txt").write_text("de\nen\n")
    model = xling_model(len(load_dictionary(folder / "dict.txt")), layer_norm_eps=1e-12)
    torch.save(checkpoint_of(model), folder / "model.pt")
    return folder
