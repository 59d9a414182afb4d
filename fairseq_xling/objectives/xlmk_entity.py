"""Masked entity prediction: which description belongs to the entity that is masked in a context (XLM-K, section 3.2)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data.examples import Example
from ..data.knowledge import Mention, Mentions, open_knowledge
from ..data.masking import choose_positions, corrupt
from ..models import XlingModel
from .contrastive import ContrastiveConfig, ContrastiveObjective
from .masked import MaskingConfig
from .terms import LMPredictions, Losses, Term


@dataclass
class XlmkEntityConfig(ContrastiveConfig, MaskingConfig):
    """Options of xlmk_entity."""

    single_mask: bool = field(
        default=False, metadata={"help": "one <mask> for a mention and each of its recurrences, instead of one a piece"}
    )
    mlm_on_contexts: bool = field(
        default=False,
        metadata={"help": "also predict masked tokens of the contexts, as the authors' published code does"},
    )


class XlmkEntity(ContrastiveObjective):
    """−log softmax of the masked entity's description among the candidates (Eq. 1, 2, 5).

    The query is the state of the mention's first piece. The mention is masked wherever it stands in the window. The description is in
    another language than the context if there is one.
    """

    name = "xlmk_entity"
    config = XlmkEntityConfig

    @property
    def terms(self) -> tuple[Term, ...]:
        own = (Term(self.name),)
        return (*own, Term(f"{self.name}_mlm")) if self.cfg.mlm_on_contexts else own

    def source(self, split: str, epoch: int) -> Mentions | None:
        mentions = Mentions(open_knowledge(self.data, epoch), split)
        return mentions if len(mentions.sizes) else None

    def build(self, item: Mention, rng: np.random.Generator) -> Example:
        key, language = self.describe(item.shards, item.entity, item.language, rng)
        entity = int(item.shards.entities[item.entity])
        tokens, first = self.hide(item)
        example = {
            "query": tokens,
            "first": first,
            "key": key,
            "entity": entity,
            "known": [entity],
            "language": self.group_number[language],
            "group": self.group_number[item.language],
        }
        if self.cfg.mlm_on_contexts:
            predict = choose_positions(tokens, self.cfg.mask_prob, self.symbols, rng)
            shares = self.cfg.leave_unmasked_prob, self.cfg.random_token_prob
            example |= {"predict": predict, "target": tokens[predict]}
            example["query"] = corrupt(tokens, predict, self.symbols, rng, *shares)
        return example

    def hide(self, item: Mention) -> tuple[np.ndarray, int]:
        """The window (T,) with ``<mask>`` for the mention everywhere, and the place of the mention's first one."""
        tokens = item.tokens.astype(np.int64)
        spans = [item.span, *map(tuple, item.others)]
        for begin, end in spans:
            tokens[begin:end] = self.symbols.mask
        if not self.cfg.single_mask:
            return tokens, item.span[0]
        kept = np.ones(len(tokens), dtype=bool)
        for begin, end in spans:
            kept[begin + 1 : end] = False
        return tokens[kept], int(kept[: item.span[0]].sum())

    def collate(self, examples: list[Example]) -> dict[str, Any]:
        """As of every contrastive objective; also ``select``: the first piece of each mention, in the flattened queries, then, for the
        masked tokens, their places, with ``target``, ``target_group`` (M,) and ``num_predictions``."""
        batch = super().collate(examples)
        width = batch["query"].size(1)
        starts = np.arange(len(examples)) * width + 1  # behind <s>
        places = [starts + [example["first"] for example in examples]]
        if self.cfg.mlm_on_contexts:
            places += [start + example["predict"] for start, example in zip(starts, examples, strict=True)]
            batch["target"] = torch.from_numpy(np.concatenate([example["target"] for example in examples]))
            numbers = torch.tensor([len(example["target"]) for example in examples])
            batch["target_group"] = batch["group"].repeat_interleave(numbers)
            batch["num_predictions"] = len(batch["target"])
            if not batch["num_predictions"]:  # one that the loss ignores, so that every process runs the same graph
                places.append(starts[:1] - 1)
                batch["target"], batch["target_group"] = torch.tensor([[self.symbols.pad], [0]]).unbind()
        batch["select"] = torch.from_numpy(np.concatenate(places))
        return batch

    def add_heads(self, model: XlingModel) -> None:
        super().add_heads(model)
        if self.cfg.mlm_on_contexts:
            model.add_head("lm")

    def normalisers(self, batch: dict[str, Any]) -> dict[str, int]:
        own = super().normalisers(batch)
        return own | {f"{self.name}_mlm": batch["num_predictions"]} if self.cfg.mlm_on_contexts else own

    def project(self, model: XlingModel, query: Tensor, key: Tensor, batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Eq. 1 and 2."""
        head = self.head(model)
        return head.query(query), head.key(key)

    def losses(
        self, model: XlingModel, states: Sequence[Tensor], batch: dict[str, Any]
    ) -> Iterator[LMPredictions | Losses]:
        count = len(batch["id"])
        mentions, predicted = states[0][:count], states[0][count:]
        key_states = batch["key_states"] if self.cfg.no_key_gradient else states[1]
        yield self.contrast(model, mentions, key_states, batch)
        if self.cfg.mlm_on_contexts:
            yield LMPredictions(
                f"{self.name}_mlm", batch["target"], batch["target_group"], batch["num_predictions"], states=predicted
            )
