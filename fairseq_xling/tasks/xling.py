"""The pre-training task: a mix of objectives over one data-bin."""

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar, Optional

import torch
from fairseq.logging import metrics
from fairseq.utils import get_perplexity

from ..data.databin import DataBin
from ..data.examples import ExampleDataset
from ..data.mixture import MixtureDataset
from ..errors import UserError
from ..models import XlingModel
from ..objectives import OBJECTIVES
from ..objectives.btmlm import BtmlmConfig
from ..objectives.mmlm import MmlmConfig
from .base import DataBinTask, DataBinTaskConfig
from .throughput import log_throughput


@dataclass
class XlingTaskConfig(MmlmConfig, BtmlmConfig, DataBinTaskConfig):
    """Options of every pre-training task; objectives add theirs through their own config classes."""

    objectives: Optional[str] = field(
        default=None, metadata={"help": "objectives to mix, a,b,c (default: those of the task)"}
    )
    objective_weights: Optional[str] = field(
        default=None,
        metadata={"help": "weight of each objective's mean loss, in their order (default: 1 each)"},
    )
    objective_shares: Optional[str] = field(
        default=None,
        metadata={
            "help": "share of --max-tokens and --batch-size each objective gets, in their order (default: equal parts of 1; a sum above 1 makes the update larger)"
        },
    )


def parse_names(text: str | None, default: tuple[str, ...]) -> list[str]:
    """Read ``--objectives``.

    Raises:
        UserError: an objective is unknown or named twice.
    """
    names = list(default) if text is None else [name.strip() for name in text.split(",")]
    for name in names:
        if name not in OBJECTIVES:
            raise UserError(f"--objectives: {name!r} is unknown; there are {', '.join(OBJECTIVES)}")
        if names.count(name) > 1:
            raise UserError(
                f"--objectives: {name!r} is named {names.count(name)} times; use --objective-weights to weigh it"
            )
    return names


def parse_numbers(flag: str, text: str | None, names: list[str], default: float) -> dict[str, float]:
    """Read one positive number for each objective.

    Raises:
        UserError: another count, or not a positive number.
    """
    if not text:
        return dict.fromkeys(names, default)
    parts = text.split(",")
    if len(parts) != len(names):
        raise UserError(f"{flag} {text}: {len(parts)} numbers for {len(names)} objectives ({', '.join(names)})")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        raise UserError(f"{flag} {text}: not a list of numbers") from None
    if not all(math.isfinite(number) and number > 0 for number in numbers):
        raise UserError(f"{flag} {text}: every number must be above 0")
    return dict(zip(names, numbers, strict=True))


class XlingTask(DataBinTask):
    """Trains one model on several objectives; each update takes a batch of each.

    A subclass is registered for every mix of `fairseq_xling.objectives.MIXES`.
    """

    default_objectives: ClassVar[tuple[str, ...]] = ()
    cfg: XlingTaskConfig

    def __init__(self, cfg: XlingTaskConfig, data: DataBin):
        super().__init__(cfg, data)
        for flag in ("mask_prob", "leave_unmasked_prob", "random_token_prob"):
            if not 0 <= getattr(cfg, flag) <= 1:
                raise UserError(f"--{flag.replace('_', '-')} {getattr(cfg, flag)} must be between 0 and 1")
        if not cfg.mask_prob:
            raise UserError("--mask-prob 0 leaves nothing to predict; BERT's is 0.15")
        if cfg.leave_unmasked_prob + cfg.random_token_prob > 1:
            raise UserError(
                f"--leave-unmasked-prob {cfg.leave_unmasked_prob} and --random-token-prob {cfg.random_token_prob} must not "
                "exceed 1 together"
            )
        names = parse_names(cfg.objectives, self.default_objectives)
        if names == ["btmlm"] and cfg.btmlm_start_update:
            raise UserError(
                f"--btmlm-start-update {cfg.btmlm_start_update}: nothing is trained before, as btmlm is the only objective; add camlm to "
                "--objectives, or leave the start out"
            )
        self.objectives = {name: OBJECTIVES[name](cfg, data) for name in names}
        self.weights = parse_numbers("--objective-weights", cfg.objective_weights, names, 1.0)
        self.shares = parse_numbers("--objective-shares", cfg.objective_shares, names, 1.0 / len(names))

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **kwargs: Any) -> None:
        """Open a split of the epoch's shard.

        Raises:
            UserError: there is no data for the split, or in training for one of the objectives.
        """
        train = split == "train"
        parts = {}
        for number, (name, objective) in enumerate(self.objectives.items()):
            source = objective.source(split, epoch)
            if source is None:
                if train:
                    raise UserError(f"{self.data.shard(epoch)}: no '{split}' data for the objective {name}")
                continue
            alpha = self.cfg.sampling_alpha if train else 1.0
            sizes = objective.sizes(source)
            if not sizes.any():
                raise UserError(f"{self.data.shard(epoch)}: every '{split}' sentence of the objective {name} is empty")
            parts[name] = ExampleDataset(
                source, objective.build, alpha, (self.cfg.seed, number), sizes, len(self.data.shards)
            )
        if not parts:
            raise UserError(
                f"{self.data.shard(epoch)}: no '{split}' data for {', '.join(self.objectives)}; binarise some (fairseq-preprocess --validpref), "
                "or train with --disable-validation"
            )
        self.datasets[split] = MixtureDataset(parts, self.shares, self.data.symbols, cycle=train)

    def build_heads(self, model: XlingModel) -> None:
        """Give the model the heads of the active objectives and no other."""
        for objective in self.objectives.values():
            objective.build_head(model)

    def build_criterion(self, cfg: Any, from_checkpoint: bool = False) -> Any:
        """The criterion follows from the task; ``--criterion`` may name it or be left out.

        Raises:
            UserError: ``--criterion`` names one of another kind.
        """
        from ..criterions import XlingCriterion
        from ..objectives import MIXES

        if cfg._name not in (*MIXES, "cross_entropy"):
            raise UserError(
                f"--criterion {cfg._name} does not fit the task; leave it out, or name one of {', '.join(MIXES)}"
            )
        return XlingCriterion(self)

    def reduce_metrics(self, logging_outputs: list[dict[str, Any]], criterion: Any) -> None:
        """Log the loss, perplexity and, in validation, accuracy of every objective and of each of its groups.

        Batches without one of the objectives are common in validation, so its total is Σ_k weight_k · mean_k over the means
        of the whole split.
        """
        super().reduce_metrics(logging_outputs, criterion)
        for name, objective in self.objectives.items():
            key = f"{name}_by_group"
            if key in logging_outputs[0]:
                stats = sum(log[key] for log in logging_outputs).cpu().double()
                _log_predictions(name, stats.sum(0))
                for group, row in zip(objective.groups, stats, strict=True):
                    _log_predictions(f"{name}_{group}", row)
            else:
                count = sum(log[f"{name}_count"] for log in logging_outputs)
                if count:
                    total = sum(log[f"{name}_total"] for log in logging_outputs)
                    _log_loss(name, total / count, count)
        if f"{next(iter(self.objectives))}_total" in logging_outputs[0]:
            log_throughput(logging_outputs)
        else:
            metrics.log_derived("loss", self._validation_loss)

    def _validation_loss(self, meters: Any) -> float:
        found = {name: meters.get(f"loss_{name}") for name in self.objectives}
        return sum(self.weights[name] * meter.avg for name, meter in found.items() if meter)


def _log_loss(name: str, nats: Any, count: Any) -> None:
    metrics.log_scalar(f"loss_{name}", nats / math.log(2), count, round=3)
    metrics.log_derived(f"ppl_{name}", lambda meters: get_perplexity(meters[f"loss_{name}"].avg))


def _log_predictions(name: str, stats: torch.Tensor) -> None:
    """stats (3,): summed loss in nats, correct predictions, predictions."""
    total, correct, count = (float(value) for value in stats)
    if count:
        _log_loss(name, total / count, count)
        metrics.log_scalar(f"acc_{name}", 100 * correct / count, count, round=2)
