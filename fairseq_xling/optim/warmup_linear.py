"""A learning rate that rises over a fraction of the training and then falls to 0 (ERNIE-M, Tables 12 to 14)."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, List  # noqa: UP035

from fairseq.dataclass import FairseqDataclass
from fairseq.optim.lr_scheduler import FairseqLRScheduler, register_lr_scheduler
from omegaconf import II

from ..errors import UserError


class EpochLength:
    """Updates of an epoch. The task that makes the batches notes it; a fraction of the training has no other measure."""

    updates: ClassVar[int | None] = None


@dataclass
class WarmupLinearConfig(FairseqDataclass):
    """Options of the schedule."""

    warmup_ratio: float = field(
        default=0.1, metadata={"help": "fraction of the training in which the learning rate rises"}
    )
    lr: List[float] = II("optimization.lr")  # noqa: RUF009, UP006  # omegaconf knows no list[float]
    max_epoch: int = II("optimization.max_epoch")
    max_update: int = II("optimization.max_update")


@register_lr_scheduler("warmup_linear", dataclass=WarmupLinearConfig)
class WarmupLinear(FairseqLRScheduler):
    """Update u (from 0) of n learns at lr · (u + 1) / (w + 1) while u < w = ratio · n, then at lr · (n - u) / (n - w).

    n is ``--max-epoch`` epochs of a fine-tuning task, or ``--max-update`` where that is fewer.

    Raises:
        UserError: the ratio is out of range, or the training has no end.
    """

    def __init__(self, cfg: WarmupLinearConfig, optimizer: Any):
        super().__init__(cfg, optimizer)
        if not 0 <= cfg.warmup_ratio <= 1:
            raise UserError(f"--warmup-ratio {cfg.warmup_ratio} must be between 0 and 1")
        if not cfg.max_epoch and not cfg.max_update:
            raise UserError("--lr-scheduler warmup_linear needs an end of the training: --max-epoch or --max-update")

    def step_begin_epoch(self, epoch: int) -> float:
        """The learning rate does not depend on the epoch.

        Raises:
            UserError: ``--max-epoch`` with a task of fairseq's own, the length of whose epochs is not known.
        """
        if self._total() is None:
            raise UserError(
                "--lr-scheduler warmup_linear: this task does not tell the length of its epochs; give --max-update"
            )
        return float(self.optimizer.get_lr())

    def step_update(self, num_updates: int) -> float:
        """Set the learning rate of the update that follows ``num_updates`` updates."""
        self.optimizer.set_lr(self.cfg.lr[0] * self._factor(num_updates))
        return float(self.optimizer.get_lr())

    def _factor(self, num_updates: int) -> float:
        total = self._total()
        if total is None:  # fairseq asks before there are batches; what it gets is not used
            return 0.0
        warmup = self.cfg.warmup_ratio * total
        if num_updates < warmup:
            return (num_updates + 1) / (warmup + 1)
        return max(0.0, (total - num_updates) / max(1.0, total - warmup))

    def _total(self) -> int | None:
        ends = []
        if self.cfg.max_update:
            ends.append(self.cfg.max_update)
        if self.cfg.max_epoch:
            if EpochLength.updates is None:
                return None
            ends.append(self.cfg.max_epoch * EpochLength.updates)
        return min(ends)
