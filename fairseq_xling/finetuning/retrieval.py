"""Fine-tuning for sentence retrieval on sentence pairs (ERNIE-M, §4.2 and A.5, Table 14)."""

import logging
import math
from dataclasses import dataclass, field
from typing import Any, Optional

import numpy as np
import torch
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.data import FairseqDataset
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from fairseq.logging import metrics
from fairseq.tasks import register_task
from torch import Tensor

from ..data.databin import DataBin, Pair
from ..data.examples import Example, ExampleDataset
from ..data.masking import Symbols
from ..data.pairs import SeparatePairs
from ..data.sentences import own_tokens, pad_sentences
from ..errors import UserError
from ..models import EncoderInput, XlingModel
from ..modules.pooling import mean_pool
from ..training.tasks import DataBinTask, DataBinTaskConfig
from ..training.throughput import count_work, log_throughput
from .retrieval_loss import LOSSES, hardest_negatives, shared_sentences, similarities

logger = logging.getLogger(__name__)

RETRIEVAL_LOSS = ChoiceEnum(list(LOSSES))


@dataclass
class RetrievalTaskConfig(DataBinTaskConfig):
    """Options of retrieval fine-tuning."""

    retrieval_loss: RETRIEVAL_LOSS = field(  # type: ignore[valid-type]
        default="hardest_negative",
        metadata={
            "help": "binary cross-entropy with the hardest negative in the batch (the paper's), or softmax over the batch"
        },
    )
    retrieval_warmup_updates: int = field(
        default=0,
        metadata={
            "help": "train with in_batch for so many updates before hardest_negative; for untrained or tiny models"
        },
    )
    retrieval_scale: float = field(default=20.0, metadata={"help": "scores are scale * (cosine - threshold)"})
    retrieval_threshold: float = field(
        default=0.5,
        metadata={"help": "cosine at which hardest_negative takes a pair for a translation as likely as not"},
    )
    retrieval_layer: Optional[int] = field(
        default=None,
        metadata={
            "help": "layer whose mean-pooled states are the embeddings, 1 to the number of layers (default: the last); "
            "layers above it are neither computed nor trained"
        },
    )


class PairDataset(FairseqDataset):
    """Batches of sentence pairs, each side a sentence of its own.

    Args:
        examples: with ``x`` and ``y``, ids without special symbols, and ``group``.
        train: draw anew in every epoch; else every epoch is the first.
    """

    def __init__(self, examples: ExampleDataset, symbols: Symbols, train: bool):
        self.examples = examples
        self.symbols = symbols
        self.train = train
        self.epoch = 1

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch if self.train else 1

    @property
    def can_reuse_epoch_itr_across_epochs(self) -> bool:
        return False

    def __len__(self) -> int:
        return len(self.examples.sizes)

    def __getitem__(self, item: int) -> Example:
        return self.examples.example(int(item), self.epoch)

    def batches(
        self,
        epoch: int,
        max_tokens: Optional[int],
        max_sentences: Optional[int],
        size_multiple: int = 1,
        num_shards: int = 1,
    ) -> list[np.ndarray]:
        """Batches of an epoch by similar length; ``--batch-size`` counts pairs, ``--max-tokens`` both sides' padded tokens.

        Raises:
            UserError: the longest pair does not fit ``--max-tokens``, or no batch can hold a negative.
        """
        if self.train and max_sentences == 1:
            raise UserError(
                "--batch-size 1 leaves a pair without negatives to be told from; use at least 2, the paper 32"
            )
        longest = int(self.examples.sizes.max())
        if max_tokens and max_tokens < longest:
            raise UserError(
                f"--max-tokens {max_tokens} is less than the longest pair with its padding, {longest} tokens: raise it to "
                f"{longest} or lower --max-positions"
            )
        return self.examples.batches(epoch if self.train else 1, (max_tokens, max_sentences, size_multiple))

    def collater(self, samples: list[Example]) -> dict[str, Any]:
        """Stack pairs.

        Returns:
            ``tokens`` (2B, T), the x before the y; ``left``, ``right`` (B,): the batch's distinct sentences numbered; ``group``,
            ``id`` (B,); ``padded``; ``num_tokens``: real tokens. Empty for no samples.
        """
        if not samples:
            return {}
        sentences = [sample[side] for side in ("x", "y") for sample in samples]
        numbers: dict[bytes, int] = {}
        numbered = torch.tensor([numbers.setdefault(sentence.tobytes(), len(numbers)) for sentence in sentences])
        tokens = pad_sentences(sentences, self.symbols)
        num_tokens = sum(map(len, sentences)) + 2 * len(sentences)
        return {
            "tokens": tokens,
            "left": numbered[: len(samples)],
            "right": numbered[len(samples) :],
            "group": torch.tensor([sample["group"] for sample in samples]),
            "id": torch.tensor([sample["id"] for sample in samples]),
            "padded": num_tokens < tokens.numel(),
            "num_tokens": num_tokens,
        }


@register_task("retrieval", dataclass=RetrievalTaskConfig)
class RetrievalTask(DataBinTask):
    """Brings the mean-pooled states of translations together and those of other sentences apart.

    Raises:
        UserError: the data-bin has no pairs, or an option is out of its range.
    """

    cfg: RetrievalTaskConfig

    def __init__(self, cfg: RetrievalTaskConfig, data: DataBin):
        super().__init__(cfg, data)
        if not data.pairs:
            raise UserError(f"{data.root / 'para'}: no language pair in it; the task retrieval needs sentence pairs")
        if not (math.isfinite(cfg.retrieval_scale) and cfg.retrieval_scale > 0):
            raise UserError(f"--retrieval-scale {cfg.retrieval_scale} must be above 0")
        if not -1 < cfg.retrieval_threshold < 1:
            raise UserError(f"--retrieval-threshold {cfg.retrieval_threshold} must be a cosine between -1 and 1")
        if cfg.retrieval_warmup_updates < 0:
            raise UserError(f"--retrieval-warmup-updates {cfg.retrieval_warmup_updates} must not be negative")
        self.groups = [str(pair) for pair in data.pairs]

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **kwargs: Any) -> None:
        """Open a split of the epoch's shard.

        Raises:
            UserError: there is no pair with both sides in it.
        """
        train = split == "train"
        corpora = self.data.open_pairs(split, epoch)
        source = SeparatePairs(corpora, self.cfg.max_positions) if corpora else None
        if source is None or not source.sizes.any():
            raise UserError(
                f"{self.data.shard(epoch) / 'para'}: no '{split}' sentence pairs; binarise some with fairseq-preprocess"
                + ("" if train else ", or train with --disable-validation")
            )
        alpha = self.cfg.sampling_alpha if train else 1.0
        examples = ExampleDataset(source, self.build, alpha, (self.cfg.seed,), num_shards=len(self.data.shards))
        self.datasets[split] = PairDataset(examples, self.data.symbols, train)

    def build(self, item: tuple[np.ndarray, np.ndarray, Pair], rng: np.random.Generator) -> Example:
        """An example is the pair as it is."""
        x, y, pair = item
        return {"x": np.ascontiguousarray(x), "y": np.ascontiguousarray(y), "group": self.groups.index(str(pair))}

    def layer(self, model: XlingModel) -> int:
        """The layer to train.

        Raises:
            UserError: ``--retrieval-layer`` is none of the model's.
        """
        num_layers = model.cfg.encoder_layers
        layer = num_layers if self.cfg.retrieval_layer is None else self.cfg.retrieval_layer
        if not 1 <= layer <= num_layers:
            raise UserError(f"--retrieval-layer {layer}: the model has the layers 1 to {num_layers}")
        return layer

    def build_heads(self, model: XlingModel) -> None:
        """Add no head; freeze what lies above the layer, which gets no gradient (DDP must not wait for it)."""
        layer, encoder = self.layer(model), model.encoder.sentence_encoder
        if layer < len(encoder.layers):
            for module in [*encoder.layers[layer:], *([encoder.layer_norm] if encoder.layer_norm is not None else [])]:
                module.requires_grad_(False)
        logger.info(f"retrieval with the mean-pooled states of layer {layer} of {len(encoder.layers)}")

    def build_criterion(self, cfg: Any, from_checkpoint: bool = False) -> "RetrievalCriterion":
        """The criterion follows from the task; ``--criterion`` may name it or be left out.

        Raises:
            UserError: ``--criterion`` names another.
        """
        if cfg._name not in ("retrieval", "cross_entropy"):
            raise UserError(f"--criterion {cfg._name} does not fit the task; leave it out, or name retrieval")
        return RetrievalCriterion(self)

    def reduce_metrics(self, logging_outputs: list[dict[str, Any]], criterion: Any) -> None:
        """Log loss (nats a pair) and accuracy (per cent), in validation of each pair too, and the speed in training."""
        super().reduce_metrics(logging_outputs, criterion)
        if "by_group" in logging_outputs[0]:
            for group, row in zip(self.groups, sum(log["by_group"] for log in logging_outputs), strict=True):
                loss, correct, count = (float(value) for value in row)
                if count:
                    metrics.log_scalar(f"loss_{group}", loss / count, count, round=3)
                    metrics.log_scalar(f"acc_{group}", 50 * correct / count, count, round=2)
        else:
            log_throughput(logging_outputs)


@register_criterion("retrieval", dataclass=FairseqDataclass)
class RetrievalCriterion(FairseqCriterion):
    """The loss of a batch of pairs; negatives are the other pairs of the same process's batch. ``sample_size`` is their number."""

    def __init__(self, task: RetrievalTask):
        super().__init__(task)
        self._recent: tuple[Tensor, Tensor] | None = None

    def forward(
        self, model: XlingModel, sample: dict[str, Any], reduce: bool = True
    ) -> tuple[Tensor, int, dict[str, Any]]:
        """Compute the summed loss of a batch (see `PairDataset.collater`); validation always uses ``--retrieval-loss``."""
        cfg, symbols = self.task.cfg, self.task.data.symbols
        layer = self.task.layer(model)
        tokens = sample["tokens"]
        view = EncoderInput(tokens, padded=sample["padded"], num_tokens=sample["num_tokens"])
        (states,) = model([view], num_layers=layer)
        x, y = mean_pool(states, own_tokens(tokens, symbols)).chunk(2)
        same = shared_sentences(sample["left"], sample["right"])
        scores = similarities(x, y, same, cfg.retrieval_scale, cfg.retrieval_threshold)
        warming = model.training and model.num_updates < cfg.retrieval_warmup_updates
        losses = LOSSES["in_batch" if warming else cfg.retrieval_loss](scores)
        self._recent = losses.detach(), sample["id"]
        with torch.no_grad():
            of_x, of_y = hardest_negatives(scores)
            found = (scores.diagonal() > of_x).long() + (scores.diagonal() > of_y)
            stats = torch.stack([losses, found, torch.ones_like(losses)], dim=1)
        count = len(losses)
        log = {
            "loss": losses.detach().sum(),
            "correct": found.sum(),
            "sample_size": count,
            "nsentences": count,
            **count_work(model, [view], layer),
        }
        if not model.training:
            log["by_group"] = stats.new_zeros(len(self.task.groups), 3).index_add_(0, sample["group"], stats)
        return losses.sum(), count, log

    def diagnose(self) -> str:
        """Say on which pairs the latest loss was not finite."""
        if self._recent is None:
            return "no batch yet"
        losses, ids = self._recent
        bad = ids[~losses.isfinite()].tolist()
        return f"retrieval: loss not finite on examples {bad}" if bad else "retrieval: the loss was finite"

    @staticmethod
    def reduce_metrics(logging_outputs: list[dict[str, Any]]) -> None:
        """Log ``loss`` in nats a pair and ``acc``, the share of sentences (both sides) nearer to their translation than to others."""
        loss, correct, size = (sum(log[key] for log in logging_outputs) for key in ("loss", "correct", "sample_size"))
        metrics.log_scalar("loss", loss / size, size, round=3)
        metrics.log_scalar("acc", 50 * correct / size, size, round=2)

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        return True
