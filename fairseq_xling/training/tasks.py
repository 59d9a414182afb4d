"""Base classes of the tasks: batches, a complete checkpoint folder; and on a data-bin options and dictionary."""

import contextlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, List, Protocol  # noqa: UP035

import numpy as np
import torch.distributed as dist
from fairseq.data import Dictionary
from fairseq.dataclass import FairseqDataclass
from fairseq.tasks import FairseqTask
from omegaconf import II, MISSING

from ..data.databin import MODEL_FILES, DataBin
from ..errors import UserError
from ..models import XlingModel
from ..optim import EpochLength
from .batches import MeasuredBatchIterator


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


class BatchingTask(FairseqTask):
    """A task whose datasets make their own batches."""

    cfg: BatchingTaskConfig

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
        if dataset is self.datasets.get("train"):
            frequency = self.cfg.update_freq[min(epoch, len(self.cfg.update_freq)) - 1]
            EpochLength.updates = -(-len(batches) // (num_shards * frequency))
        return MeasuredBatchIterator(
            max_tokens=max_tokens,
            max_sentences=max_sentences,
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

    def complete_folder(self, files: Iterable[Path]) -> None:
        """Copy files that a checkpoint cannot do without into its folder."""
        if self.writes_folder():
            for file in files:
                _copy_whole(file, Path(self.cfg.save_dir) / file.name)

    def writes_folder(self) -> bool:
        """Test whether this process is the one that writes into ``--save-dir``."""
        return Path(self.cfg.save_dir).is_dir() and (not dist.is_initialized() or dist.get_rank() == 0)


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

    def begin_epoch(self, epoch: int, model: Any) -> None:
        """Complete the checkpoint folder with the dictionary, tokeniser and language list."""
        self.complete_folder(path for name in MODEL_FILES if (path := self.data.root / name).is_file())


def _copy_whole(source: Path, target: Path) -> None:
    """Copy a file that appears complete or not at all; an error names the target."""
    temporary = f"{target}.tmp"
    try:
        shutil.copyfile(source, temporary)
        os.replace(temporary, target)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.remove(temporary)
        raise OSError(error.errno, error.strerror, str(target)) from error
