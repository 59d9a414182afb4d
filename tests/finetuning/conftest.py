"""Tiny models with a vocabulary, fine-tuning tasks on small files, and whole runs in forked processes."""

from __future__ import annotations

import gzip
import json
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import torch

from fairseq_xling.data.databin import load_dictionary
from fairseq_xling.finetuning.readers.squad import Question
from fairseq_xling.interop.load import load_model
from fairseq_xling.interop.loaded import LoadedModel
from fairseq_xling.models import XlingModel, XlingModelConfig
from fairseq_xling_preprocess import vocab
from tests.helpers import randomize
from tests.training.conftest import data_bin, free_port, initial_model, launch, log_of, ranks, start, train

__all__ = ["data_bin", "initial_model", "ranks", "start", "train"]

SENTENCES = [
    "The river flows through the old town of Aldor.",
    "Sie schrieb ein Buch über die Berge im Süden.",
    "Two dogs run; deux chiens courent dans la rue.",
    "A bridge of stone, eine Brücke aus Stein, was built in 1871.",
]
OPTIONS = """
    --arch xling --dropout 0.1 --attention-dropout 0.1 --optimizer adam --lr 1e-3 --clip-norm 1
    --lr-scheduler warmup_linear --batch-size 8 --max-epoch 2 --log-interval 1 --log-format simple
    --no-epoch-checkpoints --cpu --num-workers 2
"""


def make_model_folder(
    folder: Path, text: Path, pieces: int, positions: int, layers: int = 2, dim: int = 32, coverage: float = 1.0
) -> Path:
    """A model's folder: model.pt with random weights that let effects show, dict.txt, sentencepiece.bpe.model."""
    vocab.train({"xx": [str(text)]}, folder, pieces, character_coverage=coverage)
    cfg = XlingModelConfig(
        encoder_layers=layers,
        encoder_embed_dim=dim,
        encoder_ffn_embed_dim=2 * dim,
        encoder_attention_heads=4,
        max_positions=positions,
    )
    model = XlingModel(cfg, len(load_dictionary(folder / "dict.txt")), pad=1)
    model.add_head("lm")
    options = Namespace(task="mmlm", encoder_attention_heads=4)
    torch.save({"model": model.state_dict(), "args": options}, folder / "model.pt")
    return folder


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of 64 positions that knows the words of SENTENCES."""
    folder = tmp_path_factory.mktemp("model")
    text = folder / "text"
    text.write_text("\n".join(f"{SENTENCES[i % 4]} {i % 7}" for i in range(200)), encoding="utf-8")
    return make_model_folder(folder, text, pieces=68, positions=64)


@pytest.fixture(scope="session")
def loaded(model_folder: Path) -> LoadedModel:
    """The model, its weights drawn anew so that no two inputs look alike to it."""
    loaded = load_model(model_folder)
    randomize(loaded.model)
    return loaded


def write_lines(path: Path, lines: Iterable[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{line}\n" for line in lines)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def write_pairs(path: Path, count: int, seed: int = 0) -> Path:
    """PAWS-X: the label is 1 where the number at the end of the first sentence is odd."""
    rows = []
    for number in range(count):
        first, second = (number * 7 + seed) % 10, (number * 3 + number // 10) % 10
        rows.append(f"{SENTENCES[number % 4]} {first}\t{second} {SENTENCES[(number + seed) % 3]}\t{first % 2}")
    return write_lines(path, rows)


def write_tags(path: Path, count: int, seed: int = 0) -> Path:
    """WikiAnn: the third word of a sentence is a PER, the last two are a LOC."""
    lines = []
    for number in range(count):
        words = [*SENTENCES[(number + seed) % 4].split(), str((number * 7 + seed) % 10)]
        tags = ["O", "O", "B-PER", *["O"] * (len(words) - 5), "B-LOC", "I-LOC"]
        lines += [f"{word}\t{tag}" for word, tag in zip(words, tags, strict=True)] + [""]
    return write_lines(path, lines)


def write_questions(path: Path, questions: Iterable[Question]) -> Path:
    """SQuAD 1.1, a paragraph for each question."""
    paragraphs = [
        {
            "context": question.context,
            "qas": [
                {
                    "id": question.id,
                    "question": question.question,
                    "answers": [{"text": answer.text, "answer_start": answer.start} for answer in question.answers],
                }
            ],
        }
        for question in questions
    ]
    return write_lines(path, [json.dumps({"data": [{"title": "t", "paragraphs": paragraphs}]}, ensure_ascii=False)])


Begin = Callable[..., BaseProcess]


@pytest.fixture
def begin(model_folder: Path) -> Begin:
    """``begin(save_dir, task, *options)`` starts ``fairseq-train MODEL --task task …`` and returns the process."""

    def run(save_dir: Path, task: str, *options: object, model: Path = model_folder, **kwargs: Any) -> BaseProcess:
        words = [model, "--task", task, *OPTIONS.split(), "--save-dir", save_dir, *options]
        return launch(words, save_dir, **kwargs)

    return run


@pytest.fixture
def finetune(begin: Begin) -> Callable[..., dict[str, Any]]:
    """``finetune(save_dir, task, *options)`` runs a job to its end, as one process or more, and returns its last checkpoint."""

    def run(save_dir: Path, task: str, *options: object, processes: int = 1, **kwargs: Any) -> dict[str, Any]:
        common = {"MASTER_ADDR": "localhost", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(processes)}
        started = [
            begin(
                save_dir, task, *options, environment={**common, "RANK": str(rank)} if processes > 1 else {}, **kwargs
            )
            for rank in range(processes)
        ]
        for process in started:
            process.join(timeout=200)
        assert [process.exitcode for process in started] == [0] * processes, log_of(save_dir).read_text()[-6000:]
        return torch.load(save_dir / "checkpoint_last.pt", weights_only=False)

    return run


@pytest.fixture
def refused(begin: Begin, tmp_path: Path) -> Callable[..., str]:
    """``refused(task, *options)`` runs a job that must end with exit code 2, and returns its one line of an error."""

    def run(task: str, *options: object, **kwargs: Any) -> str:
        log_of(tmp_path / "refused").unlink(missing_ok=True)
        process = begin(tmp_path / "refused", task, *options, **kwargs)
        process.join(timeout=100)
        log = log_of(tmp_path / "refused").read_text()
        assert process.exitcode == 2, log[-6000:]
        assert "Traceback" not in log
        (line,) = [line for line in log.splitlines() if "error: " in line]
        return line.partition("error: ")[2]

    return run


def validations(save_dir: Path) -> list[dict[str, float]]:
    """The figures of each validation in the log."""
    found = []
    for line in log_of(save_dir).read_text().splitlines():
        if line.startswith("valid |"):
            cells = [cell.strip().split(" ") for cell in line.split("|")]
            found.append({cell[0]: float(cell[1]) for cell in cells if len(cell) == 2 and cell[0] not in ("epoch",)})
    return found


def pad(batch: dict[str, Any], columns: int, symbol: int = 1) -> dict[str, Any]:
    """A batch with more padding, its positions where they were."""
    width = batch["tokens"].size(1)
    tokens = torch.nn.functional.pad(batch["tokens"], (0, columns), value=symbol)
    row, column = batch["positions"] // width, batch["positions"] % width
    positions, real = row * (width + columns) + column, tokens.ne(symbol).flatten().nonzero().flatten()
    return {**batch, "tokens": tokens, "real": real, "positions": positions, "padded": True}


def build(formulation: Any, records: Sequence[Any], train: bool = False) -> list[Any]:
    """The examples a formulation makes of records."""
    from fairseq_xling.finetuning.examples import Examples

    examples = Examples(keep_records=not train)
    formulation.examples(records, 0, train, examples, "file")
    return [examples[index] for index in range(len(examples))]
