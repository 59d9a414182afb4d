"""Object entailment: which description is the object's, given the subject's and the relation (XLM-K, section 3.3)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..data.examples import Example
from ..data.knowledge import Triple, Triples, open_knowledge
from ..errors import UserError
from ..models import XlingModel
from .contrastive import ContrastiveConfig, ContrastiveObjective
from .terms import LMPredictions, Losses


@dataclass
class ObjectEntailmentConfig(ContrastiveConfig):
    """Options of object_entailment."""

    relation_classification: bool = field(
        default=False,
        metadata={
            "help": "object_entailment predicts the relation of subject and object instead (OE without contrastive loss, Table 4)"
        },
    )


class ObjectEntailment(ContrastiveObjective):
    """−log softmax of the object's description among the candidates, given subject and relation (Eq. 3, 4, 5).

    Subject and object are described in different languages where possible. No known object of the subject's relation is a wrong answer.
    """

    name = "object_entailment"
    config = ObjectEntailmentConfig

    def find_groups(self) -> list[str]:
        groups = super().find_groups()
        names = {
            relation.name
            for epoch in range(1, len(self.data.shards) + 1)
            for relation in open_knowledge(self.data, epoch).relations
        }
        self.relations = tuple(sorted(int(name.removeprefix("P")) for name in names))
        self.relation_row = {f"P{number}": row for row, number in enumerate(self.relations)}
        if not self.relations:
            raise UserError(
                f"{self.data.root / 'wiki'}: no relation in it; {self.name} needs triples: give xling entities a --wikidata with them"
            )
        return groups

    def source(self, split: str, epoch: int) -> Triples | None:
        triples = Triples(open_knowledge(self.data, epoch), split)
        return triples if len(triples.sizes) else None

    def build(self, item: Triple, rng: np.random.Generator) -> Example:
        shards = item.shards
        subjects, objects = (shards.descriptions_of(entity)["language"] for entity in (item.subject, item.object))
        # a subject for which the object has a description in another language (or in the same), if there is one
        fits = (
            np.isin(subjects, objects)
            if self.cfg.same_language_descriptions
            else ~np.isin(subjects, objects) | (len(objects) > 1)
        )
        number = int(rng.choice(np.flatnonzero(fits) if fits.any() else len(subjects)))
        row = shards.descriptions_of(item.subject)[number]
        own = shards.languages[row["language"]]
        key, language = self.describe(shards, item.object, own, rng)
        return {
            "query": shards.description(row),
            "key": key,
            "entity": int(shards.entities[item.object]),
            "known": np.sort(shards.entities[item.objects]),
            "relation": self.relation_row[shards.relations[item.relation].name],
            "language": self.group_number[language],
            "group": self.group_number[own],
        }

    def collate(self, examples: list[Example]) -> dict[str, Any]:
        """As of every contrastive objective, and ``relation`` (B,)."""
        return {**super().collate(examples), "relation": torch.tensor([example["relation"] for example in examples])}

    def add_heads(self, model: XlingModel) -> None:
        if self.cfg.relation_classification:
            model.add_head("relation_classification", relations=self.relations)
        else:
            model.add_head(self.name, relations=self.relations, **self.head_options(model))

    def project(self, model: XlingModel, query: Tensor, key: Tensor, batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Eq. 3 and 4."""
        head = self.head(model)
        return head.query(query + head.relations(batch["relation"])), head.key(key)

    def losses(
        self, model: XlingModel, states: Sequence[Tensor], batch: dict[str, Any]
    ) -> Iterator[LMPredictions | Losses]:
        if not self.cfg.relation_classification:
            yield from super().losses(model, states, batch)
            return
        key_states = batch["key_states"] if self.cfg.no_key_gradient else states[1]
        scores = model.heads["relation_classification"](torch.cat([states[0], key_states], dim=1)).float()
        values = F.cross_entropy(scores, batch["relation"], reduction="none")
        yield Losses(self.name, values, batch["group"], len(values), correct=scores.argmax(1) == batch["relation"])

    def remember(self, model: XlingModel) -> None:
        if not self.cfg.relation_classification:
            super().remember(model)
