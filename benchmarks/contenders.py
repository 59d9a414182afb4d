"""The trainings that are compared: fairseq tasks (ours and stock) and `transformers`, one step at a time."""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from corpus import read_corpus
from fairseq import options, tasks, utils
from fairseq.data.iterators import GroupedIterator
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.logging import metrics
from fairseq.trainer import Trainer

import fairseq_xling  # noqa: F401  registers the plugin with fairseq

logging.disable(logging.WARNING)


@dataclass
class Shape:
    """Settings that all contenders have in common."""

    layers: int = 6
    width: int = 512
    ffn: int = 2048
    heads: int = 8
    vocabulary: int = 32_000
    max_positions: int = 512
    max_tokens: int = 4096
    learning_rate: float = 1e-4
    clip_norm: float = 1.0


@dataclass
class Sample:
    """A few updates of one contender."""

    updates: int
    tokens: int
    """real ones, without padding"""
    cells: int
    """with padding"""
    seconds: float
    cpu_seconds: float

    @property
    def tokens_per_s(self) -> float:
        return self.tokens / self.seconds


class Contender(ABC):
    """A training that can be stopped after every few updates."""

    def measure(self, updates: int) -> Sample:
        """Make ``updates`` whole updates: read data, forward, backward, clip, Adam."""
        start, cpu = time.perf_counter(), time.process_time()
        tokens, cells = self.run(updates)
        return Sample(updates, tokens, cells, time.perf_counter() - start, time.process_time() - cpu)

    @abstractmethod
    def run(self, updates: int) -> tuple[int, int]:
        """Make updates; returns tokens without and with padding."""

    def close(self) -> None:
        """Release what `run` keeps open."""
        return None


class Fairseq(Contender):
    """A task in fairseq's own Trainer, set up by the flags of ``fairseq-train``, reading data in this process."""

    def __init__(self, task: str, arch: str, data: Path, shape: Shape, *flags: str):
        arguments = [
            *(str(data), "--task", task, "--arch", arch, "--cpu", "--num-workers", "0", "--no-save"),
            *("--encoder-layers", str(shape.layers), "--encoder-embed-dim", str(shape.width)),
            *("--encoder-ffn-embed-dim", str(shape.ffn), "--encoder-attention-heads", str(shape.heads)),
            *("--optimizer", "adam", "--lr", str(shape.learning_rate), "--clip-norm", str(shape.clip_norm)),
            *("--weight-decay", "0.01", *flags),
        ]
        parser = options.get_training_parser()
        cfg = convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, arguments))
        utils.set_torch_seed(cfg.common.seed)  # as fairseq-train does before it builds the model
        self.task = self.setup_task(cfg.task)
        model = self.task.build_model(cfg.model)
        self.trainer = Trainer(cfg, self.task, model, self.task.build_criterion(cfg.criterion))
        self.epoch_iterator = self.trainer.get_train_iterator(epoch=1, load_dataset=True)
        self.task.begin_epoch(1, model)
        self.batches = self._batches()

    def setup_task(self, cfg: Any) -> Any:
        """Set up the task, with its data if that is no file."""
        return tasks.setup_task(cfg)

    def _batches(self) -> Iterator[Any]:
        while True:
            self.trainer.begin_epoch(self.epoch_iterator.next_epoch_idx)
            yield from GroupedIterator(self.epoch_iterator.next_epoch_itr(shuffle=True), 1)

    def run(self, updates: int) -> tuple[int, int]:
        return self._sum(updates, train=True)

    def load(self, updates: int) -> Sample:
        """Read the batches of ``updates`` updates without training."""
        start, cpu = time.perf_counter(), time.process_time()
        tokens, cells = self._sum(updates, train=False)
        return Sample(updates, tokens, cells, time.perf_counter() - start, time.process_time() - cpu)

    def _sum(self, updates: int, train: bool) -> tuple[int, int]:
        tokens = cells = 0
        metrics.reset()  # contenders log figures of one name in different ways
        for _ in range(updates):
            samples = next(self.batches)
            if train:
                self.trainer.train_step(samples)
            (sample,) = samples
            if "net_input" in sample:
                tokens += int(sample["ntokens"])
                cells += sample["net_input"]["src_tokens"].numel()
            else:  # one batch of a fine-tuning task, or one of each objective
                batches = [sample] if "tokens" in sample else sample.values()
                for batch in batches:
                    # an objective of several views has the tokens of each under its name, and their number
                    views = ["tokens"] if "tokens" in batch else ["query", "key"]
                    tokens += sum(batch["num_tokens" if view == "tokens" else f"{view}_tokens"] for view in views)
                    cells += sum(batch[view].numel() for view in views)
        return tokens, cells


def plugin(mix: str, data: Path, shape: Shape, *flags: str) -> Fairseq:
    """One of this plugin's tasks."""
    limits = ("--max-positions", str(shape.max_positions), "--max-tokens", str(shape.max_tokens))
    return Fairseq(mix, "xling_small", data, shape, "--criterion", mix, *limits, *flags)


def stock(data: Path, shape: Shape, *flags: str) -> Fairseq:
    """fairseq's own ``masked_lm`` with its RoBERTa."""
    limits = ("--tokens-per-sample", str(shape.max_positions), "--max-tokens", str(shape.max_tokens))
    return Fairseq("masked_lm", "roberta_base", data, shape, "--criterion", "masked_lm", *limits, *flags)


# sentences; the logits of every position of more of them, padded to the longest, do not fit into 24 GB
MICRO_BATCH = 40


class Transformers(Contender):
    """A model in `transformers`' Trainer, which runs in a thread and waits between measurements.

    Args:
        collator: makes the batches, with an ``attention_mask``.
        arguments: of the Trainer, beside those that all have in common.
    """

    def __init__(self, model: Any, dataset: Any, collator: Callable[[Any], Any], shape: Shape, **arguments: Any):
        from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

        self.allowed, self.done = threading.Semaphore(0), threading.Semaphore(0)
        self.tokens = self.cells = 0
        self.closing = False
        contender = self

        def count(model: Any, args: Any, batch: dict[str, Any]) -> None:
            contender.tokens += int(batch["attention_mask"].sum())
            contender.cells += batch["input_ids"].numel()

        # not in the collator: the Trainer reads one batch ahead
        model.register_forward_pre_hook(count, with_kwargs=True)

        class Gate(TrainerCallback):
            def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
                contender.done.release()
                contender.allowed.acquire()
                control.should_training_stop = contender.closing
                return control

        self.trainer = Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=tempfile.mkdtemp(prefix="transformers-"),
                max_steps=1_000_000,
                learning_rate=shape.learning_rate,
                max_grad_norm=shape.clip_norm,
                weight_decay=0.01,
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
                logging_strategy="no",
                use_cpu=True,
                **arguments,
            ),
            train_dataset=dataset,
            data_collator=collator,
            callbacks=[Gate()],
        )
        self.trainer.remove_callback(PrinterCallback)
        self.failure: BaseException | None = None
        self.thread = threading.Thread(target=self._train, daemon=True)

    def _train(self) -> None:
        try:
            self.allowed.acquire()
            self.trainer.train()
        except BaseException as error:  # raised again in the waiting thread
            self.failure = error
            self.done.release()

    def run(self, updates: int) -> tuple[int, int]:
        if not self.thread.is_alive() and self.failure is None:
            self.thread.start()
        tokens, cells = self.tokens, self.cells
        for _ in range(updates):
            self.allowed.release()
            self.done.acquire()
            if self.failure is not None:
                raise self.failure
        return self.tokens - tokens, self.cells - cells

    def close(self) -> None:
        self.closing = True
        self.allowed.release()
        self.thread.join(timeout=60)


def xlmr_config(shape: Shape) -> Any:
    """The shape as `transformers` wants it."""
    from transformers import XLMRobertaConfig

    return XLMRobertaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.ffn,
        max_position_embeddings=shape.max_positions + 2,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
    )


def masked_lm(data: Path, shape: Shape, tokens_per_update: float, grouped: bool = False) -> Transformers:
    """XLMRobertaForMaskedLM.

    Args:
        tokens_per_update: real tokens of an update on average; the batch size in sentences follows from it, accumulated over
            batches of at most `MICRO_BATCH`.
        grouped: batches of similar length instead of the Trainer's random ones.
    """
    from transformers import DataCollatorForLanguageModeling, XLMRobertaForMaskedLM

    dataset = SentenceDataset(data, shape.max_positions)
    sentences = max(1, round(tokens_per_update / dataset.mean_length))
    micro_batches = -(-sentences // MICRO_BATCH)
    return Transformers(
        XLMRobertaForMaskedLM(xlmr_config(shape)),
        dataset,
        DataCollatorForLanguageModeling(word_tokenizer(shape.vocabulary), mlm_probability=0.15),
        shape,
        per_device_train_batch_size=max(1, round(sentences / micro_batches)),
        gradient_accumulation_steps=micro_batches,
        train_sampling_strategy="group_by_length" if grouped else "random",
    )


class SentenceDataset(torch.utils.data.Dataset):
    """The corpus as `transformers` takes it: ``<s> sentence </s>`` with its mask of special symbols."""

    def __init__(self, folder: Path, max_positions: int):
        self.tokens, lengths = read_corpus(folder / "train")
        self.ends = np.cumsum(lengths)
        self.starts = self.ends - lengths
        self.room = max_positions - 1
        self.mean_length = float(np.minimum(lengths, self.room).mean()) + 1

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> dict[str, list[int]]:
        words = self.tokens[self.starts[index] : self.ends[index] - 1][: self.room - 1].tolist()
        return {"input_ids": [0, *words, 2], "special_tokens_mask": [1, *[0] * len(words), 1]}


def word_tokenizer(vocabulary: int) -> Any:
    """A `transformers` tokenizer with the ids of the synthetic dictionary; the collator asks it for its specials."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    words = ["<s>", "<pad>", "</s>", "<unk>", *(f"w{i}" for i in range(vocabulary - 5)), "<mask>"]
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>")),
        **{f"{kind}_token": f"<{kind}>" for kind in ("pad", "unk", "mask")},
        bos_token="<s>",
        cls_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
    )
