"""Base classes of the tasks: batches, a checkpoint folder of their own; and on a data-bin options and dictionary."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, List, Protocol  # noqa: UP035

import numpy as np
from fairseq.data import Dictionary
from fairseq.dataclass import FairseqDataclass
from fairseq.tasks import FairseqTask
from omegaconf import II, MISSING

from ..data.databin import DataBin
from ..data.identity import Vocabulary, check_memory, check_weights, has_language_table, remember
from ..errors import UserError
from ..models import XlingModel
from ..optim import EpochLength
from .batches import MeasuredBatchIterator
from .folder import check_folder, complete_folder, hold, in_first_process


@dataclass
class BatchingTaskConfig(FairseqDataclass):
    """Options of the training that every task needs."""

    seed: int = II("common.seed")
    save_dir: str = II("checkpoint.save_dir")
    update_freq: List[int] = II("optimization.update_freq")  # noqa: RUF009, UP006  # omegaconf knows no list[int]


@dataclass
class DataBinTaskConfig(BatchingTaskConfig):
    """Options of every task on a data-bin."""

    data: str = field(
        default=MISSING,
        metadata={"help": "data-bin folder; several, joined by ':', are shards, one an epoch"},
    )
    max_positions: int = field(
        default=512, metadata={"help": "longest example in tokens, and size of the position table"}
    )
    sampling_alpha: float = field(
        default=0.7,
        metadata={"help": "languages and pairs are drawn in proportion to (number of sentences)^alpha"},
    )


class BatchingDataset(Protocol):
    """A dataset that makes its own batches."""

    def set_epoch(self, epoch: int) -> None: ...

    def batches(
        self, epoch: int, max_tokens: int | None, max_sentences: int | None, size_multiple: int, num_shards: int
    ) -> list[np.ndarray]: ...

    def collater(self, samples: list[Any]) -> dict[str, Any]: ...


class BatchingTask(FairseqTask, ABC):
    """A task whose datasets make their own batches, and whose checkpoints keep their vocabulary."""

    cfg: BatchingTaskConfig
    languages: Sequence[str] | None = None
    holds_folder = False  # whether this process is the one that writes into --save-dir

    def __init__(self, cfg: Any):
        super().__init__(cfg)
        if min(cfg.update_freq) < 1:
            raise UserError(f"--update-freq {','.join(map(str, cfg.update_freq))}: every number must be at least 1")

    def build_model(self, cfg: Any, from_checkpoint: bool = False) -> XlingModel:
        """Build the model.

        Raises:
            UserError: ``--arch`` names a model of fairseq's own, which lacks what the tasks need.
        """
        model = super().build_model(cfg, from_checkpoint)
        if not isinstance(model, XlingModel):
            raise UserError(
                f"--arch: a {type(model).__name__} cannot be trained on this task; name xling_tiny, xling_small, xling_base or "
                "xling_large"
            )
        return model

    def get_batch_iterator(
        self,
        dataset: BatchingDataset,
        max_tokens: int | None = None,
        max_sentences: int | None = None,
        required_batch_size_multiple: int = 1,
        seed: int = 1,
        num_shards: int = 1,
        shard_id: int = 0,
        num_workers: int = 0,
        epoch: int = 1,
        **kwargs: Any,
    ) -> MeasuredBatchIterator:
        """Batches of an epoch; lengths are handled by the sources, so nothing is filtered here.

        Raises:
            UserError: a batch size below 1.
        """
        for flag, value in (("--max-tokens", max_tokens), ("--batch-size", max_sentences)):
            if value is not None and value < 1:
                raise UserError(f"{flag} {value} must be at least 1; leave it out to have no such limit")
        dataset.set_epoch(epoch)
        batches = dataset.batches(epoch, max_tokens, max_sentences, required_batch_size_multiple, num_shards)
        frequency = 1
        if dataset is self.datasets.get("train"):
            frequency = self.cfg.update_freq[min(epoch, len(self.cfg.update_freq)) - 1]
            EpochLength.updates = -(-len(batches) // (num_shards * frequency))
        return MeasuredBatchIterator(
            plan={**self.plan, "--max-tokens": max_tokens, "--batch-size": max_sentences},
            update_freq=frequency,
            dataset=dataset,
            collate_fn=dataset.collater,
            batch_sampler=batches,
            seed=seed,
            num_shards=num_shards,
            shard_id=shard_id,
            num_workers=num_workers,
            epoch=epoch,
            # masks must change with the epoch, which persistent workers would not hear of; and fairseq's buffering
            # thread, which only doubles the workers' own prefetching, can abort the interpreter at exit
            persistent_workers=False,
            buffer_size=0,
        )

    @property
    def plan(self) -> dict[str, Any]:
        """Option -> value of what the order of an epoch's examples follows from."""
        return {"--seed": self.cfg.seed}

    @abstractmethod
    def vocabulary(self) -> AbstractContextManager[Vocabulary]:
        """The vocabulary with the files that belong beside weights, which are there within the block."""

    def before_loading(self, flag: str, checkpoint: str | None, model: XlingModel, saves: bool) -> None:
        """Take ``--save-dir`` for this run, and require that all is of one vocabulary; called in every process of the run.

        Args:
            flag: what named the checkpoint to start from; ``--save-dir`` where a run goes on.
            checkpoint: None for none.
            model: to be filled.
            saves: whether checkpoints will be written.

        Raises:
            UserError: another run writes there, or what is there, or the checkpoint, is of another vocabulary.
        """

        def look() -> None:
            if saves:
                hold(Path(self.cfg.save_dir))
                self.holds_folder = True
            self.check_start(flag, None if checkpoint is None else Path(checkpoint), model)

        in_first_process(look, self.cfg.save_dir)

    def check_start(self, flag: str, checkpoint: Path | None, model: XlingModel) -> None:
        """Require that ``--save-dir`` and the checkpoint to start from are of this vocabulary; see `before_loading`."""
        with self.vocabulary() as vocabulary:
            if self.holds_folder:
                check_folder(Path(self.cfg.save_dir), vocabulary)
            if checkpoint is not None:
                check_weights(
                    f"{flag} {checkpoint}", checkpoint, vocabulary, has_language_table(dict(model.named_parameters()))
                )

    def begin_epoch(self, epoch: int, model: Any) -> None:
        """Make the checkpoint folder a complete model."""
        if self.holds_folder:
            with self.vocabulary() as vocabulary:
                complete_folder(Path(self.cfg.save_dir), vocabulary)

    def state_dict(self) -> dict[str, Any]:
        """State of the task that a checkpoint keeps."""
        return {"vocabulary": remember(self.source_dictionary, self.languages)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Require that a checkpoint is of this vocabulary; ``fairseq-validate`` calls it.

        Raises:
            UserError: with the first symbol that differs.
        """
        with self.vocabulary() as vocabulary:
            state = state_dict.get("vocabulary", {})
            check_memory(state, vocabulary.dictionary, None, "the checkpoint", vocabulary.home)


class DataBinTask(BatchingTask):
    """A task on a data-bin.

    Raises:
        UserError: the data-bin or an option is wrong.
    """

    cfg: DataBinTaskConfig

    def __init__(self, cfg: DataBinTaskConfig, data: DataBin):
        super().__init__(cfg)
        if cfg.max_positions < 8:
            raise UserError(
                f"--max-positions {cfg.max_positions}: at least 8 are needed for a pair and its special symbols"
            )
        if not 0 <= cfg.sampling_alpha <= 1:
            raise UserError(f"--sampling-alpha {cfg.sampling_alpha} must be between 0 and 1")
        self.data = data
        self.languages = data.languages

    @property
    def plan(self) -> dict[str, Any]:
        return {**super().plan, "--sampling-alpha": self.cfg.sampling_alpha, "--max-positions": self.cfg.max_positions}

    @classmethod
    def setup_task(cls, cfg: DataBinTaskConfig, **kwargs: Any) -> "DataBinTask":
        return cls(cfg, DataBin(cfg.data))

    @property
    def source_dictionary(self) -> Dictionary:
        return self.data.dictionary

    @property
    def target_dictionary(self) -> Dictionary:
        return self.data.dictionary

    def max_positions(self) -> int:
        return self.cfg.max_positions

    @contextmanager
    def vocabulary(self) -> Iterator[Vocabulary]:
        yield Vocabulary.of(self.data)
