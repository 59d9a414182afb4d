"""Tiny data-bins, tasks, models and batches, made in memory or in a test's own folder without starting a process."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from fairseq.data import Dictionary
from fairseq.data.indexed_dataset import MMapIndexedDatasetBuilder
from fairseq.tasks import TASK_DATACLASS_REGISTRY, TASK_REGISTRY
from torch import Tensor

from fairseq_xling.data.databin import load_languages
from fairseq_xling.data.masking import Symbols
from fairseq_xling.models import XlingModel, XlingModelConfig
from fairseq_xling.objectives.base import Objective
from fairseq_xling.objectives.btmlm import Btmlm
from fairseq_xling.objectives.loss import MixtureLoss, Part, mixture_loss
from fairseq_xling.objectives.masked import collate
from fairseq_xling.tasks import XlingTask

Sentences = Iterable[Sequence[int]]

BOS, PAD, EOS, UNK, FIRST = 0, 1, 2, 3, 4
NUM_WORDS = 40
MASK = FIRST + NUM_WORDS  # the last symbol, as the task adds it
SYMBOLS = Symbols(bos=BOS, pad=PAD, eos=EOS, unk=UNK, mask=MASK, first_ordinary=FIRST, size=MASK + 1)


def write_dict(path: Path, words: Sequence[str] | None = None) -> None:
    """Write a dict.txt of ``words`` (default: w0 … w39)."""
    dictionary = Dictionary()
    for word in words or [f"w{i}" for i in range(NUM_WORDS)]:
        dictionary.add_symbol(word)
    path.parent.mkdir(parents=True, exist_ok=True)
    dictionary.save(str(path))


def write_corpus(prefix: Path, sentences: Sentences, dtype: type = np.uint16) -> None:
    """Write ``prefix.bin`` and ``prefix.idx`` as fairseq-preprocess does; every sentence gets its ``</s>``."""
    prefix.parent.mkdir(parents=True, exist_ok=True)
    builder = MMapIndexedDatasetBuilder(f"{prefix}.bin", dtype=dtype)
    for sentence in sentences:
        builder.add_item(torch.tensor([*sentence, EOS]))
    builder.finalize(f"{prefix}.idx")


def write_alignment(prefix: Path, links: Iterable[Sequence[tuple[int, int]]]) -> None:
    """Write ``prefix.bin`` and ``prefix.idx`` as ``fairseq-preprocess --align-suffix`` does."""
    builder = MMapIndexedDatasetBuilder(f"{prefix}.bin", dtype=np.int32)
    for pair in links:
        builder.add_item(torch.tensor([number for link in pair for number in link], dtype=torch.int32))
    builder.finalize(f"{prefix}.idx")


def random_links(left: Sentences, right: Sentences, seed: int = 0) -> list[list[tuple[int, int]]]:
    """For each sentence pair up to eight links, many-to-many."""
    rng = np.random.default_rng(seed)
    return [
        sorted({(int(rng.integers(len(x))), int(rng.integers(len(y)))) for _ in range(rng.integers(0, 9))})
        for x, y in zip(left, right, strict=True)
    ]


def random_sentences(count: int, shortest: int = 3, longest: int = 12, seed: int = 0) -> list[list[int]]:
    """``count`` sentences of ordinary symbols."""
    rng = np.random.default_rng(seed)
    return [rng.integers(FIRST, MASK, rng.integers(shortest, longest + 1)).tolist() for _ in range(count)]


def write_data_bin(
    folder: Path,
    mono: Mapping[str, Sentences] | None = None,
    para: Mapping[str, tuple[Sentences, Sentences]] | None = None,
    links: Mapping[str, Iterable[Sequence[tuple[int, int]]]] | None = None,
    splits: Sequence[str] = ("train",),
    words: Sequence[str] | None = None,
) -> Path:
    """Make a data-bin; ``mono`` is language -> sentences, ``para`` "a-b" -> both sides, ``links`` "a-b" -> links of each pair.

    Adds to one that exists.
    """
    mono, para = mono or {}, para or {}
    write_dict(folder / "dict.txt", words)
    listed = load_languages(folder / "languages.txt") if (folder / "languages.txt").exists() else []
    languages = sorted({*listed, *mono, *(side for pair in para for side in pair.split("-"))})
    (folder / "languages.txt").write_text("".join(f"{language}\n" for language in languages))
    for split in splits:
        for language, sentences in mono.items():
            write_corpus(folder / "mono" / language / split, sentences)
        for pair, sides in para.items():
            for side, sentences in zip(pair.split("-"), sides, strict=True):
                write_corpus(folder / "para" / pair / f"{split}.{pair}.{side}", sentences)
        for pair, alignment in (links or {}).items():
            write_alignment(folder / "para" / pair / f"{split}.align.{pair}", alignment)
    return folder


def small_data_bin(folder: Path, splits: Sequence[str] = ("train", "valid")) -> Path:
    """Three languages, two aligned pairs; enough for every objective."""
    para = {
        "de-en": (random_sentences(24, seed=10), random_sentences(24, seed=11)),
        "en-fr": (random_sentences(16, seed=12), random_sentences(16, seed=13)),
    }
    return write_data_bin(
        folder,
        mono={language: random_sentences(30, seed=number) for number, language in enumerate(("de", "en", "fr"))},
        para=para,
        links={pair: random_links(*sides) for pair, sides in para.items()},
        splits=splits,
    )


def make_task(data: Path | str, name: str = "btmlm", **options: Any) -> XlingTask:
    """The registered task ``name`` on a data-bin, as fairseq sets it up."""
    cfg = TASK_DATACLASS_REGISTRY[name](data=str(data), seed=1, save_dir=str(data), update_freq=[1], max_positions=64)
    for option, value in options.items():
        assert hasattr(cfg, option), option
        setattr(cfg, option, value)
    return TASK_REGISTRY[name].setup_task(cfg)


def make_model(task: XlingTask, layers: int = 2, dim: int = 16, heads: int = 2, **options: Any) -> XlingModel:
    """A small model with the task's heads, in evaluation mode, without dropout, with weights that let effects show."""
    cfg = XlingModelConfig(
        encoder_layers=layers,
        encoder_embed_dim=dim,
        encoder_ffn_embed_dim=2 * dim,
        encoder_attention_heads=heads,
        dropout=0.0,
        attention_dropout=0.0,
        max_positions=task.cfg.max_positions,
    )
    for option, value in options.items():
        assert hasattr(cfg, option), option
        setattr(cfg, option, value)
    model = XlingModel.build_model(cfg, task)
    randomize(model)
    return model.eval()


def randomize(model: torch.nn.Module, seed: int = 0, std: float = 0.3) -> None:
    """Draw all parameters anew, biases, norms and the zero-initialised language table too; padding rows stay 0."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = std * torch.randn(parameter.shape, generator=generator)
            parameter.copy_(noise + 1 if "norm" in name and name.endswith("weight") else noise)
        for module in model.modules():
            if isinstance(module, torch.nn.Embedding) and module.padding_idx is not None:
                module.weight[module.padding_idx].zero_()


def build_examples(task: XlingTask, name: str, split: str = "train", count: int = 8) -> list[dict[str, Any]]:
    """The first examples of an objective."""
    task.load_dataset(split)
    part = task.datasets[split].parts[name]
    return [part.example(index, epoch=1) for index in range(count)]


def batch_of(*examples: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Collate copies of examples of an objective that predicts with the LM head."""
    fields = [[name for name in names if name in examples[0]] for names in (Btmlm.sequences, Btmlm.positions)]
    copies = [{"id": 0, "group": 0, **copy.deepcopy(example)} for example in examples]
    return collate(copies, SYMBOLS, *fields, **options)


def gradients(model: torch.nn.Module) -> dict[str, Tensor]:
    """Gradients of all parameters that have one; clears them."""
    found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    return found


def loss_of(objective: Objective, model: XlingModel, batch: dict[str, Any]) -> SimpleNamespace:
    """An objective's loss on a batch by itself: ``mean`` with gradient, and the figures of its term of the same name."""
    loss = mixture_of(objective, model, batch)
    figures = loss.terms[objective.name]
    return SimpleNamespace(mean=loss.total, total=figures.total, count=figures.count, by_group=figures.by_group)


def mixture_of(objective: Objective, model: XlingModel, batch: dict[str, Any]) -> MixtureLoss:
    """The loss of one objective."""
    return mixture_loss(model, [Part(objective, batch)])


def states_of(objective: Objective, model: XlingModel, batch: dict[str, Any]) -> list[Tensor]:
    """The encoder's states of an objective's views of a batch."""
    batch = {**batch, **objective.precompute(model, batch)}
    found: list[Tensor] = model(objective.inputs(model, batch))
    return found
