"""The pre-training task: a mix of objectives over one data-bin."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Optional

from fairseq.criterions import CRITERION_REGISTRY
from fairseq.logging import metrics
from fairseq.logging.meters import AverageMeter
from fairseq.utils import get_perplexity

from ..criterions import XlingCriterion
from ..data.databin import DataBin
from ..data.examples import ExampleDataset
from ..data.mixture import Collate, MixtureDataset
from ..errors import UserError
from ..models import XlingModel
from ..objectives import OBJECTIVES
from ..objectives.terms import NATS, Term
from ..training.tasks import DataBinTask, DataBinTaskConfig
from ..training.throughput import log_throughput

logger = logging.getLogger(__name__)


@dataclass
class MixConfig(DataBinTaskConfig):
    """Options of every pre-training task; those of the objectives join them, see `fairseq_xling.tasks.register`."""

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
    cfg: MixConfig

    def __init__(self, cfg: MixConfig, data: DataBin):
        super().__init__(cfg, data)
        names = parse_names(cfg.objectives, self.default_objectives)
        for name in names:
            if missing := [option.name for option in fields(OBJECTIVES[name].config) if not hasattr(cfg, option.name)]:
                raise UserError(
                    f"--objectives: {name!r} has options ({', '.join(missing)}) that this task does not know; use --task {name}"
                )
        self.objectives = {name: OBJECTIVES[name](cfg, data) for name in names}
        self._check_names()
        first = min(objective.first_update for objective in self.objectives.values())
        if first > 0:
            raise UserError(
                f"--objectives {','.join(names)}: nothing is trained before update {first}; name one that starts at once "
                "as well (with btmlm camlm), or leave the start out"
            )
        self.weights = parse_numbers("--objective-weights", cfg.objective_weights, names, 1.0)
        self.shares = parse_numbers("--objective-shares", cfg.objective_shares, names, 1.0 / len(names))

    @property
    def plan(self) -> dict[str, Any]:
        shares = ",".join(f"{share:.6g}" for share in self.shares.values())
        return {**super().plan, "--objectives": ",".join(self.objectives), "--objective-shares": shares}

    def _check_names(self) -> None:
        """Require that no two figures of the log have one name: ``loss_<term>``, and in validation ``loss_<term>_<group>``.

        Raises:
            ValueError: an objective of a plugin has a term of another's name.
        """
        owners: dict[str, str] = {}
        for name, objective in self.objectives.items():
            for term in objective.terms:
                for figure in (term.name, *(f"{term.name}_{group}" for group in objective.groups)):
                    if figure in owners:
                        raise ValueError(
                            f"the objectives {owners[figure]} and {name} both have a term {figure!r}: rename one"
                        )
                    owners[figure] = name

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **kwargs: Any) -> None:
        """Open a split of the epoch's shard.

        Raises:
            UserError: there is no data for the split, or in training for one of the objectives.
        """
        train = split == "train"
        parts = {}
        missing = []
        for number, (name, objective) in enumerate(self.objectives.items()):
            source = objective.source(split, epoch)
            if source is None:
                if train:
                    raise UserError(f"{self.data.shard(epoch)}: no '{split}' data for the objective {name}")
                missing.append(name)
                continue
            alpha = self.cfg.sampling_alpha if train else 1.0
            sizes = objective.sizes(source)
            if not sizes.any():
                raise UserError(f"{self.data.shard(epoch)}: every '{split}' sentence of the objective {name} is empty")
            parts[name] = ExampleDataset(
                source,
                objective.build,
                alpha,
                (self.cfg.seed, number),
                sizes,
                len(self.data.shards),
                objective.by_length,
            )
        if not parts:
            raise UserError(
                f"{self.data.shard(epoch)}: no '{split}' data for {', '.join(self.objectives)}; binarise some (fairseq-preprocess --validpref), "
                "or train with --disable-validation"
            )
        if missing:
            logger.warning(
                f"{self.data.shard(epoch)}: no '{split}' data for {', '.join(missing)}: the loss of '{split}' is that of {', '.join(parts)} alone"
            )
        collate: dict[str, Collate] = {name: objective.collate for name, objective in self.objectives.items()}
        self.datasets[split] = MixtureDataset(parts, self.shares, collate, cycle=train)

    def build_heads(self, model: XlingModel) -> None:
        """Give the model the heads of the objectives and no other, and the objectives what they need besides."""
        for objective in self.objectives.values():
            objective.add_heads(model)
            objective.load_companions(model)

    def build_criterion(self, cfg: Any, from_checkpoint: bool = False) -> Any:
        """The criterion follows from the task; ``--criterion`` may name it or be left out.

        Raises:
            UserError: ``--criterion`` names one of another kind.
        """
        fitting = [name for name, cls in CRITERION_REGISTRY.items() if issubclass(cls, XlingCriterion)]
        if cfg._name not in (*fitting, "cross_entropy"):
            raise UserError(
                f"--criterion {cfg._name} does not fit the task; leave it out, or name one of {', '.join(fitting)}"
            )
        return XlingCriterion(self)

    def train_step(
        self,
        sample: dict[str, Any],
        model: XlingModel,
        criterion: XlingCriterion,
        optimizer: Any,
        update_num: int,
        ignore_grad: bool = False,
    ) -> Any:
        """Forward and backward of a micro-batch, then let the objectives change their state."""
        result = super().train_step(sample, model, criterion, optimizer, update_num, ignore_grad)
        if not ignore_grad and not criterion.runs_again:
            for part in criterion.present(model, sample):
                part.objective.remember(model)
        return result

    def reduce_metrics(self, logging_outputs: list[dict[str, Any]], criterion: Any) -> None:
        """Log the loss, perplexity and, in validation, accuracy of every term and of each of its groups.

        The total is Σ weight · sum / normaliser over all that was seen, not a mean of batches' totals: batches without one of the
        objectives are common in validation, and a batch may hold little or nothing of one in training.
        """
        super().reduce_metrics(logging_outputs, criterion)
        training = any(key.endswith("_total") for key in logging_outputs[0])
        for objective in self.objectives.values():
            for term in objective.terms:
                if training:
                    total, count = (
                        sum(log[f"{term.name}_{key}"] for log in logging_outputs) for key in ("total", "count")
                    )
                    rows = [("", total, math.nan, count)]
                else:
                    stats = sum(log[f"{term.name}_by_group"] for log in logging_outputs).cpu().double()
                    names = ["", *(f"_{group}" for group in objective.groups)]
                    rows = [
                        (name, *row) for name, row in zip(names, [stats.sum(0).tolist(), *stats.tolist()], strict=True)
                    ]
                for suffix, total, correct, count in rows:
                    if count:
                        _log(term, suffix, total / count, count, correct / count)
                if seen := sum(log[f"{term.name}_normaliser"] for log in logging_outputs):
                    metrics.log_scalar(f"_{term.name}", rows[0][1] / seen, seen)  # not printed
        _log_total(self._total)
        if training:
            log_throughput(logging_outputs)

    def _total(self, meters: Any) -> float:
        """The weighted sum of the terms that was trained, over ln 2, as fairseq logs every loss."""
        nats = 0.0
        for name, objective in self.objectives.items():
            for term in objective.terms:
                if (meter := meters.get(f"_{term.name}")) and meter.count:
                    nats += self.weights[name] * term.weight * float(meter.avg)
        return round(nats / math.log(2), 3)


def _log_total(total: Callable[[Any], float]) -> None:
    for meters in metrics.get_active_aggregators():
        if isinstance(
            meters.get("loss"), AverageMeter
        ):  # of a checkpoint from before the total followed from the terms
            del meters["loss"]
            meters.priorities = [entry for entry in meters.priorities if entry[-1] != "loss"]
    metrics.log_derived("loss", total)


def _log(term: Term, suffix: str, mean: Any, count: Any, accuracy: float = math.nan) -> None:
    """Log a term's mean loss, and accuracy where it is a number."""
    name = f"{term.name}{suffix}"
    bits = term.unit == NATS
    metrics.log_scalar(f"loss_{name}", mean / math.log(2) if bits else mean, count, round=3)
    if bits:
        metrics.log_derived(f"ppl_{name}", lambda meters: get_perplexity(meters[f"loss_{name}"].avg))
    if not math.isnan(accuracy):
        metrics.log_scalar(f"acc_{name}", 100 * accuracy, count, round=2)
