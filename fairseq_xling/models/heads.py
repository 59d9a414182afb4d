"""Heads on the encoder: one registry for objectives, fine-tuning, evaluation and conversion. Axes: ... any, D width, C outputs, V vocabulary."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..modules.dropout import Dropout
from ..modules.key_queue import KeyQueue
from .config import XlingModelConfig
from .encoder import SentenceEncoder


class Head(nn.Module):
    """A module of a model's ``heads``, built as ``Head(encoder, cfg, **options)``.

    It may hold buffers, which are saved and resumed with the parameters. Those of a size that a checkpoint has not are started anew,
    see `XlingModel`.
    """

    @classmethod
    def options_of(cls, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """The options with which a head of these parameters and buffers was built."""
        return {}

    def fit_state(self, state: dict[str, Tensor], prefix: str) -> None:
        """Bring what a checkpoint has of this head, under ``prefix``, to its own tables, in place: rows are matched by name."""

    @abstractmethod
    def forward(self, states: Tensor) -> Tensor:
        """(..., D) -> what the head makes of it."""


logger = logging.getLogger(__name__)

HEADS: dict[str, type[Head]] = {}
"""name -> class; a model holds its head under ``heads.<name>``"""

H = TypeVar("H", bound=type[Head])


def register_head(name: str) -> Callable[[H], H]:
    """Enter a head in `HEADS`.

    Raises:
        ValueError: there is another of this name.
    """

    def register(cls: H) -> H:
        if name in HEADS and HEADS[name] is not cls:
            raise ValueError(f"the head {name!r} is registered twice: {HEADS[name].__qualname__}, {cls.__qualname__}")
        HEADS[name] = cls
        return cls

    return register


@register_head("lm")
class LMHead(Head):
    """RoBERTa's masked-LM head; its output matrix is the word embedding."""

    def __init__(self, encoder: SentenceEncoder, cfg: XlingModelConfig):
        super().__init__()
        num_symbols, dim = encoder.embed_tokens.weight.shape
        self.dense = nn.Linear(dim, dim)
        self.layer_norm = nn.LayerNorm(dim, cfg.layer_norm_eps)
        self.weight = encoder.embed_tokens.weight
        self.bias = nn.Parameter(torch.zeros(num_symbols))

    def transform(self, states: Tensor) -> Tensor:
        """(..., D) states -> (..., D), what the output matrix is applied to."""
        return self.layer_norm(F.gelu(self.dense(states)))

    def forward(self, states: Tensor) -> Tensor:
        """(..., D) -> logits (..., V)."""
        return F.linear(self.transform(states), self.weight, self.bias)


@register_head("exchange")
class ExchangeHead(Head):
    """Layers of WEAM's cross-lingual prediction before the output matrix (WEAM, Eq. 6 and 7)."""

    def __init__(self, encoder: SentenceEncoder, cfg: XlingModelConfig):
        super().__init__()
        dim = cfg.encoder_embed_dim
        self.exchange = nn.Linear(dim, dim)  # W2, b2
        self.dense = nn.Linear(dim, dim)  # W3, b3
        self.layer_norm = nn.LayerNorm(dim, cfg.layer_norm_eps)

    def forward(self, states: Tensor) -> Tensor:
        """(..., D) sums of aligned states H' -> (..., D), what the output matrix is applied to."""
        return self.layer_norm(F.gelu(self.dense(self.exchange(states))))


def projection(dim: int, inner: int) -> nn.Sequential:
    """Two linear layers without bias and a ReLU between them (XLM-K, Eq. 1 to 4)."""
    return nn.Sequential(nn.Linear(dim, inner, bias=False), nn.ReLU(), nn.Linear(inner, dim, bias=False))


class ContrastiveHead(Head):
    """Projections of queries and keys, and the queue of keys (XLM-K, Eq. 1 to 4 and appendix C)."""

    def __init__(
        self, encoder: SentenceEncoder, cfg: XlingModelConfig, inner: int, queue_size: int, random_queue: bool = True
    ):
        super().__init__()
        dim = cfg.encoder_embed_dim
        self.query = projection(dim, inner)
        self.key = projection(dim, inner)
        self.queue = KeyQueue(queue_size, dim, random_queue)

    @classmethod
    def options_of(cls, state: Mapping[str, Tensor]) -> dict[str, Any]:
        return {"inner": len(state["query.0.weight"]), "queue_size": len(state["queue.entities"])}

    def forward(self, states: Tensor) -> Tensor:
        """(..., D) states -> (..., D) keys."""
        return self.key(states)


@register_head("xlmk_entity")
class EntityHead(ContrastiveHead):
    """Masked entity prediction (XLM-K, Eq. 1 and 2): ``query`` is W2 ReLU(W1 .), ``key`` W4 ReLU(W3 .)."""


class RelationTable(nn.Embedding):
    """An embedding of relations, which knows them by Wikidata's numbers; rows of a checkpoint are taken over by these."""

    relations: Tensor

    def __init__(self, relations: Sequence[int], dim: int):
        super().__init__(len(relations), dim)
        self.register_buffer("relations", torch.tensor(relations))

    def fit(self, state: dict[str, Tensor], prefix: str) -> None:
        """Arrange the rows in a checkpoint's state by relation; those it has not start from initial values."""
        theirs = state.get(f"{prefix}relations")
        if theirs is None or torch.equal(theirs.cpu(), self.relations.cpu()):
            return
        rows = {number: row for row, number in enumerate(theirs.tolist())}
        weight = self.weight.detach().to(state[f"{prefix}weight"]).clone()
        found = [(own, rows[number]) for own, number in enumerate(self.relations.tolist()) if number in rows]
        for own, row in found:
            weight[own] = state[f"{prefix}weight"][row]
        logger.warning(
            f"{prefix}: {len(found)} of {len(self.relations)} relations are taken from the checkpoint's {len(rows)}, the others are new"
        )
        state[f"{prefix}weight"], state[f"{prefix}relations"] = weight, self.relations.clone()


@register_head("object_entailment")
class ObjectHead(ContrastiveHead):
    """Object entailment (XLM-K, Eq. 3 and 4): ``query`` is W6 ReLU(W5 .) of subject + relation, ``key`` W8 ReLU(W7 .)."""

    def __init__(
        self,
        encoder: SentenceEncoder,
        cfg: XlingModelConfig,
        inner: int,
        queue_size: int,
        relations: Sequence[int],
        random_queue: bool = True,
    ):
        super().__init__(encoder, cfg, inner, queue_size, random_queue)
        self.relations = RelationTable(relations, cfg.encoder_embed_dim)

    @classmethod
    def options_of(cls, state: Mapping[str, Tensor]) -> dict[str, Any]:
        return {**super().options_of(state), "relations": tuple(state["relations.relations"].tolist())}

    def fit_state(self, state: dict[str, Tensor], prefix: str) -> None:
        self.relations.fit(state, f"{prefix}relations.")


@register_head("relation_classification")
class RelationClassificationHead(Head):
    """Scores of the relations between a subject and an object (XLM-K, Table 4, OE without contrastive loss)."""

    def __init__(self, encoder: SentenceEncoder, cfg: XlingModelConfig, relations: Sequence[int]):
        super().__init__()
        self.relations = RelationTable(relations, 2 * cfg.encoder_embed_dim)

    @classmethod
    def options_of(cls, state: Mapping[str, Tensor]) -> dict[str, Any]:
        return {"relations": tuple(state["relations.relations"].tolist())}

    def fit_state(self, state: dict[str, Tensor], prefix: str) -> None:
        self.relations.fit(state, f"{prefix}relations.")

    def forward(self, states: Tensor) -> Tensor:
        """(..., 2 D) states of subject and object, one behind the other -> (..., R)."""
        return F.linear(states, self.relations.weight)


class FinetuningHead(Head):
    """A head of a fine-tuning task, the same function as that of ``transformers``' XLM-R; ``out_proj`` is its last layer."""

    out_proj: nn.Linear

    @classmethod
    def options_of(cls, state: Mapping[str, Tensor]) -> dict[str, Any]:
        return {"outputs": len(state["out_proj.weight"])}


@register_head("sequence")
class SequenceHead(FinetuningHead):
    """RoBERTa's classification head on the state of ``<s>``: dropout, dense, tanh, dropout, output."""

    def __init__(self, encoder: SentenceEncoder, cfg: XlingModelConfig, outputs: int):
        super().__init__()
        dim = cfg.encoder_embed_dim
        self.dense = nn.Linear(dim, dim)
        self.out_proj = nn.Linear(dim, outputs)
        self.dropout = Dropout(cfg.dropout)

    def forward(self, states: Tensor) -> Tensor:
        """(..., D) -> logits (..., C)."""
        return self.out_proj(self.dropout(torch.tanh(self.dense(self.dropout(states)))))


@register_head("token")
class TokenHead(FinetuningHead):
    """Dropout and one linear layer on the state of each token."""

    def __init__(self, encoder: SentenceEncoder, cfg: XlingModelConfig, outputs: int):
        super().__init__()
        self.out_proj = nn.Linear(cfg.encoder_embed_dim, outputs)
        self.dropout = Dropout(cfg.dropout)

    def forward(self, states: Tensor) -> Tensor:
        """(..., D) -> logits (..., C)."""
        return self.out_proj(self.dropout(states))


@register_head("span")
class SpanHead(FinetuningHead):
    """One linear layer on the state of each token: logits of being the first and the last token of the answer."""

    def __init__(self, encoder: SentenceEncoder, cfg: XlingModelConfig, outputs: int = 2):
        super().__init__()
        self.out_proj = nn.Linear(cfg.encoder_embed_dim, outputs)

    def forward(self, states: Tensor) -> Tensor:
        """(..., D) -> logits (..., 2)."""
        return self.out_proj(states)
