"""Contrastive objectives over descriptions of entities, as far as they are alike (XLM-K). Axes: B examples, T tokens, N queue, D width."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from torch import Tensor

from fairseq_xling_preprocess.wiki.entities.shards import Shards

from ..data.databin import DataBin
from ..data.examples import Example
from ..data.knowledge import check_length, open_knowledge
from ..data.sentences import pad_sentences
from ..errors import UserError
from ..models import EncoderInput, XlingModel
from ..modules.contrastive import NO_ENTITY, contains, contrastive_loss
from .base import Objective
from .terms import LMPredictions, Losses

QUEUE_STARTS = ChoiceEnum(["random", "empty"])


@dataclass
class ContrastiveConfig(FairseqDataclass):
    """Options of the objectives that find a description among others."""

    queue_size: int = field(
        default=32768,
        metadata={"help": "older descriptions among the candidates, of each objective; 0: those of the batch alone"},
    )
    queue_start: QUEUE_STARTS = field(  # type: ignore[valid-type]
        default="random", metadata={"help": "what the queue holds at first: random keys, or nothing"}
    )
    contrastive_temperature: float = field(default=1.0, metadata={"help": "what scores are divided by"})
    contrastive_normalize: bool = field(default=False, metadata={"help": "scores are cosines"})
    contrastive_symmetric: bool = field(
        default=False, metadata={"help": "also find the query of each description among those of the batch"}
    )
    projection_dim: int = field(default=0, metadata={"help": "inner width of the projections; 0: the model's width"})
    no_key_gradient: bool = field(
        default=False, metadata={"help": "encode the descriptions to be found without gradient"}
    )
    same_language_descriptions: bool = field(
        default=False,
        metadata={"help": "take descriptions in the language of the context or subject where there is one"},
    )


class ContrastiveObjective(Objective):
    """Finds the description of an entity, its key, among those of the batch and of a queue (XLM-K, Eq. 5).

    A subclass makes queries and keys of the states; an example has ``query`` and ``key``, token ids, ``entity``, the number in
    Wikidata of what the key describes, its ``language``, and ``known``, all entities that would be right, ascending.
    """

    config = ContrastiveConfig
    by_length: ClassVar[bool] = False  # or wrong candidates would give themselves away by their length

    def __init__(self, cfg: Any, data: DataBin):
        for option in ("queue_size", "projection_dim"):
            if getattr(cfg, option) < 0:
                raise UserError(f"--{option.replace('_', '-')} {getattr(cfg, option)} must be 0 or more")
        if not cfg.contrastive_temperature > 0:
            raise UserError(f"--contrastive-temperature {cfg.contrastive_temperature} must be above 0")
        self.latest: tuple[Tensor, Tensor, Tensor] | None = None
        super().__init__(cfg, data)

    def find_groups(self) -> list[str]:
        """The languages of the shards of every epoch."""
        languages: set[str] = set()
        for number in range(1, len(self.data.shards) + 1):
            shards = open_knowledge(self.data, number)
            check_length(shards, self.cfg.max_positions)
            languages.update(shards.languages)
        return sorted(languages)

    # ---- data -------------------------------------------------------------------------------------------------------

    def describe(self, shards: Shards, entity: int, language: str, rng: np.random.Generator) -> tuple[np.ndarray, str]:
        """A description of an entity, drawn among those in another language than ``language`` if there is one."""
        rows = shards.descriptions_of(entity)
        is_same = rows["language"] == shards.languages.index(language)
        wanted = rows[is_same] if self.cfg.same_language_descriptions else rows[~is_same]
        row = rng.choice(wanted if len(wanted) else rows)
        return shards.description(row), shards.languages[row["language"]]

    def collate(self, examples: list[Example]) -> dict[str, Any]:
        """Stack examples, B of them.

        Returns:
            ``query`` and ``key`` (B, T) with ``<s>`` and ``</s>``; ``query_tokens``, ``key_tokens``: real tokens; ``entity``,
            ``language``, ``group``, ``id`` (B,); ``known`` (B, K) ascending, filled up with the largest number.
        """
        batch: dict[str, Any] = {}
        for side in ("query", "key"):
            batch[side] = pad_sentences([example[side] for example in examples], self.symbols)
            batch[f"{side}_tokens"] = sum(len(example[side]) + 2 for example in examples)
        known = np.full((len(examples), max(len(example["known"]) for example in examples)), NO_ENTITY)
        for row, example in zip(known, examples, strict=True):
            row[: len(example["known"])] = example["known"]
        batch["known"] = torch.from_numpy(known)
        for name in ("entity", "language", "group", "id"):
            batch[name] = torch.tensor([example[name] for example in examples])
        return batch

    # ---- model ------------------------------------------------------------------------------------------------------

    def head_options(self, model: XlingModel) -> dict[str, Any]:
        """Options of the head, which the queue is part of."""
        return {
            "inner": self.cfg.projection_dim or model.cfg.encoder_embed_dim,
            "queue_size": self.cfg.queue_size,
            "random_queue": str(self.cfg.queue_start) == "random",
        }

    def add_heads(self, model: XlingModel) -> None:
        model.add_head(self.name, **self.head_options(model))

    def head(self, model: XlingModel) -> Any:
        """The head with the projections and the queue."""
        return model.heads[self.name]

    def view(self, batch: dict[str, Any], side: str, select: Tensor | None = None) -> EncoderInput:
        """One side for the encoder, by default with the states of ``<s>``."""
        tokens = batch[side]
        if select is None:
            select = torch.arange(0, tokens.numel(), tokens.size(1), device=tokens.device)
        return EncoderInput(
            tokens,
            select=select,
            padded=batch[f"{side}_tokens"] < tokens.numel(),
            num_tokens=batch[f"{side}_tokens"],
            ids=batch["id"],
        )

    def precompute(self, model: XlingModel, batch: dict[str, Any]) -> dict[str, Any]:
        if not self.cfg.no_key_gradient:
            return {}
        with torch.no_grad():
            return {"key_states": model([self.view(batch, "key")])[0]}

    def inputs(self, model: XlingModel, batch: dict[str, Any]) -> Sequence[EncoderInput]:
        views = [self.view(batch, "query", batch.get("select"))]
        return views if self.cfg.no_key_gradient else [*views, self.view(batch, "key")]

    # ---- loss -------------------------------------------------------------------------------------------------------

    def normalisers(self, batch: dict[str, Any]) -> dict[str, int]:
        return {self.name: len(batch["id"])}

    @abstractmethod
    def project(self, model: XlingModel, query: Tensor, key: Tensor, batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """States (B, D) of both sides -> queries and keys (B, D)."""

    def losses(
        self, model: XlingModel, states: Sequence[Tensor], batch: dict[str, Any]
    ) -> Iterator[LMPredictions | Losses]:
        key_states = batch["key_states"] if self.cfg.no_key_gradient else states[1]
        yield self.contrast(model, states[0], key_states, batch)

    def contrast(self, model: XlingModel, query: Tensor, key: Tensor, batch: dict[str, Any]) -> Losses:
        """The term of this objective's name: the candidates are the keys of the batch, and those of the queue that do not leave it now."""
        queries, keys = self.project(model, query, key, batch)
        if self.cfg.contrastive_normalize:
            queries, keys = (torch.nn.functional.normalize(side.float(), dim=-1) for side in (queries, keys))
        queue = self.head(model).queue
        entities = torch.cat([batch["entity"], queue.entities])
        hidden = contains(batch["known"], entities)
        hidden[:, len(keys) :] |= ~queue.remaining(len(keys))
        values, correct = contrastive_loss(
            queries, keys, queue.keys, hidden, self.cfg.contrastive_temperature, self.cfg.contrastive_symmetric
        )
        if model.training:  # or a process without a batch would let the keys of a validation in
            self.latest = keys.detach(), batch["entity"], batch["language"]
        return Losses(self.name, values, batch["group"], len(values), correct=correct)

    def remember(self, model: XlingModel) -> None:
        """Let the keys of this micro-batch, of all processes, into the queue."""
        queue = self.head(model).queue
        latest, self.latest = self.latest, None
        if latest is None:  # this process had no batch
            nothing = queue.entities.new_empty(0)
            latest = queue.keys.new_empty(0, queue.keys.size(1)), nothing, nothing
        queue.enqueue(*latest)
