"""Token classification: entities (CoNLL, WikiAnn, UNER), opinion targets (SemEval-16), parts of speech (UD).

The state of a word's first piece decides on its tag. A sentence too long for the model is cut between words into rows, each
word standing in one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from ..errors import UserError
from ..metrics.iob import TAG
from .examples import Row
from .formulation import Formulation
from .readers.tagging import TaggedSentence


class TokenClassification(Formulation):
    """``<s> words </s>``, words encoded one by one as if a space preceded each (as XTREME does)."""

    head = "token"

    @classmethod
    def labels_of(cls, records: Iterable[TaggedSentence]) -> list[str]:
        """``O`` and for each type of the training set ``B-TYPE`` and ``I-TYPE``, whether or not both occur.

        Raises:
            UserError: a tag is no entity's.
        """
        tags = {tag for record in records for tag in record.tags}
        for tag in sorted(tags):
            if not TAG.fullmatch(tag):
                raise UserError(
                    f"the training set has the tag {tag!r}; this benchmark's are O, B-TYPE and I-TYPE. For parts of speech name "
                    "--benchmark pos"
                )
        types = sorted({tag[2:] for tag in tags if tag[1:2] == "-"})
        return ["O", *(f"{prefix}-{type_}" for type_ in types for prefix in "BI")]

    def rows(self, records: Iterable[TaggedSentence], train: bool) -> Iterator[tuple[list[Row], Any]]:
        numbers = {label: number for number, label in enumerate(self.labels)}
        pieces: dict[str, np.ndarray] = {}
        for record in records:
            new = [word for word in record.words if word not in pieces]
            pieces.update(zip(new, self.loaded.encode_text(new), strict=True) if new else ())
            words = [pieces[word] for word in record.words]
            tags = np.array([numbers[tag] for tag in record.tags], dtype=np.int32)
            yield list(self._split(words, tags)), record

    def _split(self, words: Sequence[np.ndarray], tags: np.ndarray) -> Iterator[Row]:
        """Rows of as many words as fit; of a word longer than a row, what fits is kept."""
        room = self.max_positions - 2
        # a word of which normalisation leaves nothing (U+200B) still has a tag
        words = [word[:room] if len(word) else np.array([self.symbols.unk]) for word in words]
        begin, used = 0, 0
        for number, word in enumerate(words):
            if used + len(word) > room:
                yield self._row(words[begin:number], tags[begin:number])
                begin, used = number, 0
            used += len(word)
        yield self._row(words[begin:], tags[begin:])

    def _row(self, words: Sequence[np.ndarray], tags: np.ndarray) -> Row:
        tokens = np.concatenate([[self.symbols.bos], *words, [self.symbols.eos]])
        return Row(tokens, np.cumsum([1, *(len(word) for word in words[:-1])]), tags)

    def losses(self, logits: Tensor, batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
        return F.cross_entropy(logits.float(), batch["target"], reduction="none"), batch["owner"]

    def predictions(self, logits: Tensor, batch: dict[str, Any]) -> list[list[str]]:
        tags = iter([self.labels[number] for number in logits.argmax(1).tolist()])
        found: list[list[str]] = [[] for _ in batch["records"]]
        for example, marks in zip(batch["example"].tolist(), batch["marks"], strict=True):
            found[example] += [next(tags) for _ in range(marks)]
        return found
