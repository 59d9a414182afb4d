"""The fine-tuning tasks: thin registrations over the formulations, one criterion for all."""

import logging
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Optional

import torch
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.data import Dictionary
from fairseq.dataclass import FairseqDataclass
from fairseq.logging import metrics
from fairseq.tasks import register_task
from omegaconf import II, MISSING
from torch import Tensor

from ..data.identity import Vocabulary, read_memory
from ..errors import UserError
from ..interop.huggingface import write_vocabulary
from ..interop.labels import write_labels
from ..interop.load import load_model
from ..interop.loaded import LoadedModel
from ..models import XlingModel
from ..models.config import SHAPE_FIELDS
from ..training.tasks import BatchingTask, BatchingTaskConfig
from ..training.throughput import count_work, log_throughput
from .benchmarks import FORMATS, TASK_OF_FORMAT, get_benchmark
from .dataset import FinetuneDataset
from .examples import Examples
from .files import Option, locate
from .formulations import FORMULATIONS, formulate
from .question_answering import SpanLimits

logger = logging.getLogger(__name__)


@dataclass
class FinetuneConfig(BatchingTaskConfig):
    """Options of every fine-tuning task."""

    data: str = field(
        default=MISSING,
        metadata={"help": "the model to fine-tune: a checkpoint, or a folder (fairseq or transformers)"},
    )
    benchmark: Optional[str] = field(
        default=None, metadata={"help": "benchmark to learn, such as xnli (docs/finetuning.md)"}
    )
    benchmark_data: Optional[str] = field(
        default=None, metadata={"help": "folder with the benchmark's files, which are found by their names"}
    )
    train_files: Optional[str] = field(
        default=None,
        metadata={
            "help": "training files instead of --benchmark-data's: LANG=FILE,LANG=FILE, or a path with {lang} in it"
        },
    )
    valid_files: Optional[str] = field(default=None, metadata={"help": "validation files, likewise"})
    train_format: Optional[str] = field(
        default=None, metadata={"help": f"format of --train-files, if not the benchmark's: {', '.join(FORMATS)}"}
    )
    train_languages: Optional[str] = field(
        default=None,
        metadata={
            "help": "languages to train on, joined by commas; 'all' for all that have a file (default: the benchmark's first, "
            "as a rule en; of --train-files all)"
        },
    )
    valid_languages: Optional[str] = field(
        default=None,
        metadata={"help": "languages to validate on, likewise (default: the benchmark's that have a file)"},
    )
    max_positions: int = field(
        default=512, metadata={"help": "longest input in tokens; a model with fewer positions gets at most those"}
    )
    best_checkpoint_metric: str = II("checkpoint.best_checkpoint_metric")
    skip_bad: bool = field(
        default=False, metadata={"help": "leave out questions whose answer is not in the context, with a warning"}
    )


class FinetuneTask(BatchingTask):
    """Fine-tunes a model on a benchmark.

    Raises:
        UserError: an option, a file or the model is wrong.
    """

    cfg: FinetuneConfig
    data_is_model: ClassVar[bool] = True

    def __init__(self, cfg: FinetuneConfig, loaded: LoadedModel):
        super().__init__(cfg)
        self.benchmark = get_benchmark(cfg.benchmark, cfg._name or "")
        self.loaded = loaded
        self.languages = loaded.languages
        self.files = files = self._files()
        for language in files["valid"]:
            self.benchmark.scoring.check(language)
        formats = [name for name, task in TASK_OF_FORMAT.items() if task == self.benchmark.task]
        if cfg.train_format not in (None, *formats):
            raise UserError(
                f"--train-format {cfg.train_format}: files for {self.benchmark.task} have the formats {', '.join(formats)}"
            )
        selectable = ["loss", "score", *(f"score_{language}" for language in files["valid"])]
        if files["valid"] and cfg.best_checkpoint_metric not in selectable:
            raise UserError(
                f"--best-checkpoint-metric {cfg.best_checkpoint_metric}: expected one of {', '.join(selectable)}"
            )
        limit = min(cfg.max_positions, loaded.model.max_positions())
        if limit < cfg.max_positions:
            logger.info(f"--max-positions {cfg.max_positions}: the model has {limit} positions, which are used")
        labels = self.benchmark.labels or FORMULATIONS[self.benchmark.task].labels_of(
            record for language in files["train"] for record in self._records("train", language)
        )
        self.formulation = formulate(loaded, self.benchmark, labels, limit, cfg)
        if Path(cfg.save_dir).resolve() == loaded.path.parent.resolve():
            raise UserError(f"--save-dir {cfg.save_dir}: is the folder of the model to fine-tune; name another")

    @classmethod
    def setup_task(cls, cfg: FinetuneConfig, **kwargs: Any) -> "FinetuneTask":
        return cls(cfg, load_model(cfg.data))

    def _files(self) -> dict[str, dict[str, str]]:
        """Files of ``train`` and ``valid`` by language; of ``valid`` none where there are none to be had."""
        cfg, name, data = self.cfg, str(self.cfg.benchmark), Option("--benchmark-data", self.cfg.benchmark_data)
        languages = cfg.train_languages or ("all" if cfg.train_files else self.benchmark.languages[0])
        train = locate(
            name, "train", data, Option("--train-files", cfg.train_files), Option("--train-languages", languages)
        )
        if not cfg.valid_files and (data.value is None or "dev" not in self.benchmark.files):
            return {"train": train, "valid": {}}
        named = Option("--valid-files", cfg.valid_files)
        return {
            "train": train,
            "valid": locate(name, "dev", data, named, Option("--valid-languages", cfg.valid_languages)),
        }

    def _records(self, split: str, language: str) -> Iterable[Any]:
        form = (split == "train" and self.cfg.train_format) or self.benchmark.format
        return FORMATS[form](self.files[split][language], language, self.cfg.skip_bad)

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **kwargs: Any) -> None:
        """Read and encode a split.

        Raises:
            UserError: there are no files for it, or one of them is wrong.
        """
        if split in self.datasets:  # the same in every epoch
            return
        train = split == "train"
        if not self.files.get(split):
            raise UserError(f"no '{split}' files: name them with --valid-files, or train with --disable-validation")
        examples = Examples(keep_records=not train)
        for group, (language, file) in enumerate(self.files[split].items()):
            before = len(examples)
            self.formulation.examples(self._records(split, language), group, train, examples, file)
            if len(examples) == before:
                raise UserError(f"{file}: no example in it; name another file, or leave the language {language} out")
            logger.info(f"{split} {language}: {len(examples) - before} examples of {file}")
        self.datasets[split] = FinetuneDataset(examples, self.formulation, train, self.cfg.seed)

    @property
    def source_dictionary(self) -> Dictionary:
        return self.loaded.dictionary

    @property
    def target_dictionary(self) -> Dictionary:
        return self.loaded.dictionary

    def max_positions(self) -> int:
        return self.formulation.max_positions

    def build_model(self, cfg: Any, from_checkpoint: bool = False) -> XlingModel:
        """The model that is fine-tuned, in its own shape, with the head of the task; dropouts are the options'."""
        for name in (*SHAPE_FIELDS, "encoder_normalize_before", "layer_norm_eps", "max_positions"):
            setattr(cfg, name, getattr(self.loaded.model.cfg, name))
        model = super().build_model(cfg, from_checkpoint)
        state = self.loaded.model.state_dict()
        if self.loaded.labels != (self.formulation.labels or None):
            # a head of other labels is no help; one of the same benchmark is trained on
            state = {key: tensor for key, tensor in state.items() if not key.startswith("heads.")}
        model.load_state_dict(state)
        self.loaded.model.to("meta")  # frees its memory, which training would hold a second time
        return model

    def build_heads(self, model: XlingModel) -> None:
        """Add the head of the task."""
        model.add_head(self.formulation.head, outputs=self.formulation.num_outputs)

    @contextmanager
    def vocabulary(self) -> Iterator[Vocabulary]:
        """The model's vocabulary, and the labels."""
        with tempfile.TemporaryDirectory() as folder:
            write_vocabulary(self.loaded, Path(folder))
            if self.formulation.labels:
                write_labels(self.formulation.labels, Path(folder))
            files = sorted(Path(folder).iterdir())
            yield Vocabulary(self.loaded.home, files, self.loaded.dictionary, self.languages)

    def state_dict(self) -> dict[str, Any]:
        """Settings of the fine-tuning that a checkpoint keeps, for the reports too; nothing is restored, all follows from the options."""
        finetuning = {
            "benchmark": self.cfg.benchmark,
            "model": str(self.loaded.path),
            "model_updates": self.loaded.num_updates,
            "languages": list(self.files["train"]),
            "seed": self.cfg.seed,
            "labels": self.formulation.labels,
        }
        return {**super().state_dict(), "finetuning": finetuning}

    def check_start(self, flag: str, checkpoint: Path | None, model: XlingModel) -> None:
        """Require besides that a checkpoint in ``--save-dir``, from which training would continue, is of the same fine-tuning.

        Raises:
            UserError: it is of another.
        """
        if flag == "--save-dir" and checkpoint is not None:
            theirs = read_memory(checkpoint).task_state.get("finetuning", {})
            for name, value in self.state_dict()["finetuning"].items():
                if theirs.get(name) != value:
                    raise UserError(
                        f"--save-dir {self.cfg.save_dir}: holds a run with {name} {theirs.get(name)}, not {value}; name another folder, or "
                        "move that run away"
                    )
        super().check_start(flag, checkpoint, model)

    def build_criterion(self, cfg: Any, from_checkpoint: bool = False) -> "FinetuneCriterion":
        """The criterion follows from the task; ``--criterion`` may name it or be left out.

        Raises:
            UserError: ``--criterion`` names another.
        """
        if cfg._name not in ("finetune", "cross_entropy"):
            raise UserError(f"--criterion {cfg._name} does not fit the task; leave it out, or name finetune")
        return FinetuneCriterion(self)

    def reduce_metrics(self, logging_outputs: list[dict[str, Any]], criterion: Any) -> None:
        """Log the loss; in validation the metric of each language and ``score``, the main figure averaged over them."""
        super().reduce_metrics(logging_outputs, criterion)
        if "by_group" not in logging_outputs[0]:
            log_throughput(logging_outputs)
            return
        languages = list(self.files["valid"])
        for language, sums in zip(languages, sum(log["by_group"] for log in logging_outputs).tolist(), strict=True):
            # fairseq reduces batch by batch: sums are kept under names that it does not print, figures follow from them
            for number, value in enumerate(sums):
                metrics.log_scalar_sum(f"_sum_{language}_{number}", value)
            if sums[0]:
                metrics.log_derived(f"score_{language}", partial(self._score, languages=[language]))
        metrics.log_derived("score", partial(self._score, languages=languages))

    def _score(self, meters: Any, languages: list[str]) -> float:
        """The main figure in percent, averaged over the languages that have been seen."""
        scoring, main = self.benchmark.scoring, []
        for language in languages:
            sums = [meters[f"_sum_{language}_{number}"].sum for number in range(scoring.width)]
            if sums[0]:
                main.append(scoring.percent(sums)[0])
        return round(sum(main) / len(main), 2) if main else 0.0


@register_task("sequence_classification", dataclass=FinetuneConfig)
class SequenceClassificationTask(FinetuneTask):
    """XNLI, PAWS-X, Amazon reviews."""


@register_task("token_classification", dataclass=FinetuneConfig)
class TokenClassificationTask(FinetuneTask):
    """CoNLL, WikiAnn, UNER, UD parts of speech, SemEval-16 opinion targets."""


@dataclass
class QuestionAnsweringConfig(FinetuneConfig):
    """Options of question answering."""

    max_question_length: int = field(
        default=SpanLimits.max_question_length, metadata={"help": "longest question in pieces; more is cut off"}
    )
    doc_stride: int = field(
        default=SpanLimits.doc_stride,
        metadata={"help": "pieces from the beginning of one window of a long context to that of the next"},
    )
    max_answer_length: int = field(
        default=SpanLimits.max_answer_length, metadata={"help": "longest predicted answer in pieces"}
    )


@register_task("question_answering", dataclass=QuestionAnsweringConfig)
class QuestionAnsweringTask(FinetuneTask):
    """SQuAD, MLQA, XQuAD, TyDiQA-GoldP."""


@register_criterion("finetune", dataclass=FairseqDataclass)
class FinetuneCriterion(FairseqCriterion):
    """The formulation's loss; ``sample_size`` is the number of losses (examples, windows or words)."""

    def __init__(self, task: FinetuneTask):
        super().__init__(task)
        self._recent: Optional[tuple[Tensor, Tensor]] = None

    def forward(
        self, model: XlingModel, sample: dict[str, Any], reduce: bool = True
    ) -> tuple[Tensor, int, dict[str, Any]]:
        """Compute the summed loss of a batch and, in validation, its scores."""
        formulation = self.task.formulation
        logits = formulation.logits(model, sample)
        losses, examples = formulation.losses(logits, sample)
        self._recent = losses.detach(), sample["id"][examples]
        count = len(losses)
        log = {
            "loss": losses.detach().sum(),
            "sample_size": count,
            "nsentences": len(sample["id"]),
            **count_work(model, [formulation.view(sample)]),
        }
        if not model.training:
            languages = list(self.task.files["valid"])
            scores = torch.from_numpy(formulation.scores(formulation.predictions(logits, sample), sample, languages))
            totals = torch.zeros(len(languages), scores.size(1), dtype=torch.float64)
            log["by_group"] = totals.index_add_(0, sample["group"].cpu(), scores).to(losses.device)
        return losses.sum(), count, log

    def diagnose(self) -> str:
        """Say on which examples the latest loss was not finite."""
        if self._recent is None:
            return "no batch yet"
        losses, ids = self._recent
        bad = sorted(set(ids[~losses.isfinite()].tolist()))
        return f"the loss is not finite on examples {bad}" if bad else "the loss was finite"

    @staticmethod
    def reduce_metrics(logging_outputs: list[dict[str, Any]]) -> None:
        """Log ``loss`` in nats."""
        size = sum(log["sample_size"] for log in logging_outputs)
        metrics.log_scalar("loss", sum(log["loss"] for log in logging_outputs) / max(size, 1), size, round=3)

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        return True
