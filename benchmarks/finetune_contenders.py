"""Fine-tuning on synthetic examples: this plugin's tasks and `transformers`, with the same weights on the same batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from contenders import Fairseq, Shape, Transformers, xlmr_config
from corpus import write_dictionary
from torch import Tensor

from fairseq_xling.data.databin import load_dictionary
from fairseq_xling.data.masking import Symbols
from fairseq_xling.data.pairs import join_pair
from fairseq_xling.finetuning.dataset import FinetuneDataset
from fairseq_xling.finetuning.examples import Examples, Row
from fairseq_xling.interop.huggingface import write_fairseq
from fairseq_xling.interop.loaded import LoadedModel
from fairseq_xling.interop.parameters import FAMILIES, to_transformers
from fairseq_xling.models import XlingModel, XlingModelConfig

Rows = Callable[[np.random.Generator, Symbols, int], Iterator[Row]]
DOC_STRIDE = 128
# WikiAnn's three types; the Trainer's task reads its labels from a training file
TYPES = ("LOC", "ORG", "PER")


def span_rows(rng: np.random.Generator, symbols: Symbols, max_positions: int) -> Iterator[Row]:
    """Windows of questions about contexts, with the lengths of MLQA's English development set.

    There a context has 112 words in the median (log-normal, sigma 0.82), a question 8 (0.38); a word has 1.3 pieces here.
    """
    while True:
        question, context = (
            rng.integers(symbols.first_ordinary, symbols.mask, max(3, round(length)))
            for length in (min(64, rng.lognormal(np.log(10.4), 0.38)), rng.lognormal(np.log(146), 0.82))
        )
        room = max_positions - 4 - len(question)
        stride = min(DOC_STRIDE, room // 2)
        for begin in range(0, max(1, len(context) - room + stride), stride):
            window = context[begin : begin + room]
            tokens, _ = join_pair(question, window, symbols)
            # candidates are <s> and the context
            positions = np.concatenate([[0], np.arange(len(window)) + len(question) + 3])
            yield Row(tokens, positions, np.sort(rng.integers(1, len(positions), 2)))


def token_rows(rng: np.random.Generator, symbols: Symbols, max_positions: int) -> Iterator[Row]:
    """Tagged sentences, with the lengths of WikiAnn's English training set: 6 words in the median (log-normal, sigma 0.54).

    A word has 1 + Poisson(0.5) pieces here.
    """
    while True:
        words = np.clip(round(rng.lognormal(np.log(6), 0.54)), 2, max_positions // 4)
        starts = np.concatenate([[1], 1 + np.cumsum(1 + np.minimum(rng.poisson(0.5, words), 3))])[: words + 1]
        tokens = rng.integers(symbols.first_ordinary, symbols.mask, min(starts[-1], max_positions - 1) + 1)
        tokens[0], tokens[-1] = symbols.bos, symbols.eos
        yield Row(tokens, starts[:-1], rng.integers(0, 1 + 2 * len(TYPES), words))


@dataclass(frozen=True)
class Setting:
    """A task at the size that is measured.

    Attributes:
        model_class: of `transformers`.
        head: where the head's output layer is in our model and in theirs.
        rows: yields examples without end.
        batch_size: examples of an update.
    """

    task: str
    benchmark: str
    model_class: str
    head: tuple[str, str]
    rows: Rows
    batch_size: int


SETTINGS = (
    Setting("question_answering", "mlqa", "XLMRobertaForQuestionAnswering", ("heads.span", "qa_outputs"), span_rows, 8),
    Setting(
        "token_classification",
        "wikiann",
        "XLMRobertaForTokenClassification",
        ("heads.token", "classifier"),
        token_rows,
        32,
    ),
)


def write_model(folder: Path, shape: Shape) -> Path:
    """Write a model with random weights to be fine-tuned, and a training file that names the labels."""
    folder.mkdir(parents=True)
    write_dictionary(folder / "dict.txt", shape.vocabulary)
    dictionary = load_dictionary(folder / "dict.txt")
    torch.manual_seed(1)
    options = XlingModelConfig(
        encoder_layers=shape.layers,
        encoder_embed_dim=shape.width,
        encoder_ffn_embed_dim=shape.ffn,
        encoder_attention_heads=shape.heads,
        max_positions=shape.max_positions,
    )
    model = XlingModel(options, len(dictionary), dictionary.pad())
    symbols = Symbols.of(dictionary)
    write_fairseq(LoadedModel(model, dictionary, symbols, None, None, folder / "model.pt", folder), folder)
    (folder / "train.tsv").write_text("".join(f"en:w{n}\tB-{kind}\n" for n, kind in enumerate(TYPES)), encoding="utf-8")
    return folder


class FineTuning(Fairseq):
    """One of this plugin's fine-tuning tasks on synthetic examples, enough of them for ``updates`` updates."""

    def __init__(self, setting: Setting, model: Path, shape: Shape, max_length: int, dropout: float, updates: int):
        self.setting = setting
        # two batches more: one for the unmeasured update, one that `transformers` reads ahead
        self.count = max(1024, setting.batch_size * (updates + 2))
        super().__init__(
            setting.task,
            "xling",
            model,
            shape,
            *("--benchmark", setting.benchmark, "--train-files", f"en={model / 'train.tsv'}"),
            *("--disable-validation", "--max-positions", str(max_length), "--batch-size", str(setting.batch_size)),
            *("--dropout", str(dropout), "--attention-dropout", str(dropout), "--save-dir", str(model / "save")),
        )

    def setup_task(self, cfg: Any) -> Any:
        task = super().setup_task(cfg)
        examples = Examples(keep_records=False)
        rows = self.setting.rows(np.random.default_rng(1), task.loaded.symbols, task.formulation.max_positions)
        for row in islice(rows, self.count):
            examples.add([row], 0, None)
        task.datasets["train"] = FinetuneDataset(examples, task.formulation, train=True, seed=cfg.seed)
        return task

    def batches_ahead(self) -> list[list[int]]:
        """The examples of every batch of the first epoch, in the order of training."""
        epoch = self.trainer.get_train_iterator(epoch=1, load_dataset=False)
        return [batch["id"].tolist() for batch in epoch.next_epoch_itr(shuffle=True)]


class SameBatches(torch.utils.data.Dataset):
    """The batches of a `FineTuning` run, item by item as `transformers` wants them."""

    def __init__(self, ours: FineTuning):
        self.examples = ours.task.datasets["train"]
        self.spans = ours.setting.task == "question_answering"
        self.pad = ours.task.loaded.symbols.pad
        self.ids = ours.batches_ahead()

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        batch = self.examples.collater([self.examples[number] for number in self.ids[index]])
        tokens, positions, target = (batch[key] for key in ("tokens", "positions", "target"))
        features = {"input_ids": tokens, "attention_mask": tokens.ne(self.pad).long()}
        if self.spans:  # a target counts candidates, theirs counts tokens
            first = torch.tensor([0, *batch["marks"][:-1]]).cumsum(0)
            ends = positions[first[:, None] + target.view(-1, 2)] % tokens.size(1)
            return features | {"start_positions": ends[:, 0], "end_positions": ends[:, 1]}
        labels = torch.full_like(tokens, -100)
        labels.view(-1)[positions] = target
        return features | {"labels": labels}


def transformers_like(ours: FineTuning, shape: Shape, dropout: float) -> Transformers:
    """The same model in `transformers`, with the weights that ``ours`` has now, on the same batches."""
    import transformers

    setting = ours.setting
    config = xlmr_config(shape)
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = dropout
    config.num_labels = ours.task.formulation.num_outputs
    model = getattr(transformers, setting.model_class)(config)
    state = {key: tensor.detach().clone() for key, tensor in ours.trainer.model.state_dict().items()}
    converted, _ = to_transformers(state, FAMILIES["xlm-roberta"], ours.task.source_dictionary.pad())
    head, theirs = setting.head
    converted |= {f"{theirs}.{kind}": state[f"{head}.out_proj.{kind}"] for kind in ("weight", "bias")}
    model.load_state_dict(converted)
    check_same_function(ours, model)
    return Transformers(
        model,
        SameBatches(ours),
        lambda batches: batches[0],
        shape,
        per_device_train_batch_size=1,
        train_sampling_strategy="sequential",
    )


@torch.no_grad()
def check_same_function(ours: FineTuning, model: Any) -> None:
    """Raises AssertionError: without dropout the models give different logits at the marked positions."""
    dataset = SameBatches(ours)
    batch = dataset.examples.collater([dataset.examples[number] for number in dataset.ids[0]])
    expected = ours.task.formulation.logits(ours.trainer.model.eval(), batch)
    features = {key: value for key, value in dataset[0].items() if key in ("input_ids", "attention_mask")}
    output = model.eval()(**features)
    logits = torch.stack([output.start_logits, output.end_logits], -1) if dataset.spans else output.logits
    torch.testing.assert_close(logits.flatten(0, 1)[batch["positions"]], expected, atol=1e-4, rtol=1e-3)
