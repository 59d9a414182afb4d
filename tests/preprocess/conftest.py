"""A small multilingual corpus and a vocabulary trained on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fairseq_xling_preprocess import cli, vocab

SENTENCES = {
    "en": ["The river flows through the old town.", "She wrote a book about the mountains.", "Two dogs run."],
    "de": ["Der Fluss fließt durch die alte Stadt.", "Sie schrieb ein Buch über die Berge.", "Zwei Hunde."],
    "zh": ["这条河流过老城。", "她写了一本关于山的书。", "两只狗在跑。"],
}


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One file of 300 lines for each of en, de, zh; line i translates line i."""
    folder = tmp_path_factory.mktemp("corpus")
    files = {}
    for lang, sentences in SENTENCES.items():
        files[lang] = folder / f"train.{lang}"
        lines = [f"{sentences[number % 3]} {number % 7}" for number in range(300)]
        files[lang].write_text("\n".join(lines) + "\n", encoding="utf-8")
    return files


@pytest.fixture(scope="session")
def vocabulary(corpus: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with sentencepiece.bpe.model and dict.txt."""
    folder = tmp_path_factory.mktemp("vocabulary")
    vocab.train({lang: [str(path)] for lang, path in corpus.items()}, folder, 80, character_coverage=1.0)
    return folder


@pytest.fixture
def model(vocabulary: Path) -> str:
    return str(vocabulary / "sentencepiece.bpe.model")


@pytest.fixture
def xling(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """``xling("wiki", …)`` runs a command in this process: its exit code, and what it printed."""

    def call(*args: str | Path) -> tuple[int, str]:
        with pytest.raises(SystemExit) as caught:
            cli.main([str(arg) for arg in args])
        output = capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return caught.value.code, output.out + output.err

    return call
