"""Word-aligned contextual similarity (Cao et al., 2020), which WEAM is compared with (WEAM, section 3.2).

    L = Σ ‖f(i, s) − f(j, t)‖²   over aligned i, j of all sentence pairs (s, t)
      + Σ ‖f(i, t) − f₀(i, t)‖²  over all i of the sentences in the anchor language

f are the states of the last layer, each sentence encoded by itself, f₀ those of the initial model. Here both sums are
divided by the number of tokens in the anchor language, so that they keep their weights and do not depend on the batch size.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import numpy as np
import torch
from fairseq.dataclass import FairseqDataclass
from torch import Tensor

from ..data.databin import Pair
from ..data.examples import Example
from ..data.identity import Vocabulary, check_weights
from ..data.links import LinkedPairs, open_links
from ..data.pairs import SeparatePairs
from ..data.sentences import pad_sentences
from ..errors import UserError, unreadable_checkpoint
from ..models import EncoderInput, XlingModel
from .base import Objective
from .terms import Losses, Term


@dataclass
class WordAlignmentConfig(FairseqDataclass):
    """Options of word_alignment."""

    initial_model: Optional[str] = field(
        default=None,
        metadata={
            "help": "checkpoint of the initial model, near whose states word_alignment keeps those of the anchor language"
        },
    )
    anchor_language: str = field(
        default="en", metadata={"help": "language whose states word_alignment holds to the initial model's"}
    )


class WordAlignment(Objective):
    """Brings the states of aligned words together, and keeps those of the anchor language near the initial model's."""

    name = "word_alignment"
    config = WordAlignmentConfig

    @property
    def terms(self) -> tuple[Term, ...]:
        return tuple(Term(name, unit="squared distance") for name in ("word_alignment", "word_alignment_drift"))

    def find_groups(self) -> list[str]:
        if not self.cfg.initial_model:
            raise UserError(
                "--initial-model is missing: word_alignment holds the model to the one it starts from; name the checkpoint that "
                "--restore-file or --finetune-from-model names"
            )
        if not self.data.pairs:
            raise UserError(
                f"{self.data.root / 'para'}: no language pair in it; the objective {self.name} needs sentence pairs"
            )
        for pair in self.data.pairs:
            if self.cfg.anchor_language not in (pair.a, pair.b):
                raise UserError(
                    f"--anchor-language {self.cfg.anchor_language}: the pair {pair} is without it; name a language that every pair has"
                )
        return [str(pair) for pair in self.data.pairs]

    def source(self, split: str, epoch: int) -> LinkedPairs | None:
        corpora = self.data.open_pairs(split, epoch)
        if not corpora:
            return None
        links = open_links(self.data, split, epoch, corpora)
        return LinkedPairs(SeparatePairs(corpora, self.cfg.max_positions), links)

    def add_heads(self, model: XlingModel) -> None:
        """Add no head: the states themselves are compared."""

    def load_companions(self, model: XlingModel) -> None:
        """Load the initial model, which is no part of the trained one.

        Raises:
            UserError: ``--initial-model`` cannot be read, or is of another shape or vocabulary.
        """
        file = Path(self.cfg.initial_model)
        if not file.is_file():
            raise UserError(f"--initial-model {file}: no such checkpoint file")
        try:
            content = None if file.suffix == ".safetensors" else torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # the bytes of a damaged file lead the unpickler into errors of any class
            raise UserError(f"--initial-model {unreadable_checkpoint(file, error)}") from error
        if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
            raise UserError(
                f"--initial-model {file}: not a fairseq checkpoint; for a transformers folder run `xling convert` first and name its model.pt"
            )
        check_weights(f"--initial-model {file}", file, Vocabulary.of(self.data), with_languages=False)
        self.initial = XlingModel(model.cfg, self.symbols.size, self.symbols.pad).requires_grad_(False).eval()
        try:
            self.initial.load_state_dict(content["model"])
        except UserError as error:
            raise UserError(f"--initial-model {file}: {error}") from error

    def build(self, item: tuple[np.ndarray, np.ndarray, Pair, np.ndarray], rng: np.random.Generator) -> Example:
        x, y, pair, links = item
        return {
            "sentences": (x, y),
            "links": links,
            "anchor": int(pair.b == self.cfg.anchor_language),
            "group": self.group_number[str(pair)],
        }

    def collate(self, examples: list[Example]) -> dict[str, Any]:
        """Stack pairs, B of them, each side by itself.

        Returns:
            ``tokens`` (2B, T), x and y in turn; ``select`` (S,): positions in the flattened tokens of the linked pieces and of the anchor
            language's sentences; ``linked`` (2, P) and ``anchored`` (A,): which of the selected; ``linked_group`` (P,),
            ``anchored_group`` (A,); ``id`` (B,); ``padded``; ``num_tokens``: real tokens.
        """
        sentences = [sentence for example in examples for sentence in example["sentences"]]
        tokens = pad_sentences(sentences, self.symbols)
        width = tokens.size(1)
        linked, anchored = [], []
        for number, example in enumerate(examples):
            row = 2 * number
            linked.append((example["links"] + np.array([row, row + 1]) * width + 1).T)
            row += example["anchor"]
            anchored.append(row * width + 1 + np.arange(len(sentences[row])))
        groups = torch.tensor([example["group"] for example in examples])
        positions = [torch.from_numpy(np.concatenate(parts, axis=-1)) for parts in (linked, anchored)]
        select, rows = torch.unique(torch.cat([part.flatten() for part in positions]), return_inverse=True)
        num_tokens = sum(map(len, sentences)) + 2 * len(sentences)
        return {
            "tokens": tokens,
            "select": select,
            "linked": rows[: positions[0].numel()].view(2, -1),
            "anchored": rows[positions[0].numel() :],
            "linked_group": groups.repeat_interleave(torch.tensor([part.shape[1] for part in linked])),
            "anchored_group": groups.repeat_interleave(torch.tensor([len(part) for part in anchored])),
            "id": torch.tensor([example["id"] for example in examples]),
            "padded": num_tokens < tokens.numel(),
            "num_tokens": num_tokens,
        }

    def inputs(self, model: XlingModel, batch: dict[str, Any]) -> Sequence[EncoderInput]:
        return [
            EncoderInput(
                batch["tokens"],
                select=batch["select"],
                padded=batch["padded"],
                num_tokens=batch["num_tokens"],
                ids=batch["id"],
            )
        ]

    @torch.no_grad()
    def precompute(self, model: XlingModel, batch: dict[str, Any]) -> dict[str, Any]:
        """f₀ at the selected positions: (S, D)."""
        embedding = model.encoder.sentence_encoder.embed_tokens.weight
        self.initial.to(embedding)  # the trained model's device and precision
        (states,) = self.initial(self.inputs(self.initial, batch))
        return {"initial_states": states}

    def normalisers(self, batch: dict[str, Any]) -> dict[str, int]:
        return dict.fromkeys((term.name for term in self.terms), len(batch["anchored_group"]))

    def losses(self, model: XlingModel, states: Sequence[Tensor], batch: dict[str, Any]) -> Iterator[Losses]:
        (selected,) = states
        left, right = (selected.index_select(0, rows) for rows in batch["linked"])
        yield Losses("word_alignment", squared_distance(left, right), batch["linked_group"], left.size(0))
        anchored, before = (s.index_select(0, batch["anchored"]) for s in (selected, batch["initial_states"]))
        drift = squared_distance(anchored, before)
        yield Losses("word_alignment_drift", drift, batch["anchored_group"], anchored.size(0))


def squared_distance(x: Tensor, y: Tensor) -> Tensor:
    """‖x − y‖² of each row, in fp32: (N, D) and (N, D) -> (N,)."""
    return (x.float() - y.float()).square().sum(1)
