"""Extractive question answering: SQuAD, MLQA, XQuAD, TyDiQA-GoldP.

``<s> question </s> </s> context </s>`` (BERT: ``<s> question </s> context </s>``); a long context is read through several overlapping windows, and the best span of
all windows is the answer (Devlin et al., 2019; the sliding window of BERT's SQuAD reader).

Axes: R rows (windows), M candidates of all rows, C candidates of the longest row. A row's candidates are ``<s>``, which
stands for "not in this window", and the pieces of the context.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..data.pairs import join_pair, num_pair_specials
from ..errors import UserError
from ..interop.loaded import LoadedModel
from ..interop.tokenizer import Pieces
from .benchmarks import Benchmark
from .examples import Row
from .formulation import Formulation
from .readers.squad import Answer, Question

_CHUNK = 1_000  # questions encoded at once
# SentencePiece takes the zero-width characters for white space, Python does not
_BLANK = r"[\s\u200b\u200e\u200f\ufeff]*"
_CORE = re.compile(f"{_BLANK}(.*?){_BLANK}", re.DOTALL)


@dataclass(frozen=True)
class SpanLimits:
    """Lengths in pieces (ERNIE-M and XLM-K follow Lewis et al., 2020; mPMR, Table 5)."""

    max_question_length: int = 64
    doc_stride: int = 128
    max_answer_length: int = 30

    def check(self) -> None:
        """Raises UserError: one of them is below 1."""
        for name, value in vars(self).items():
            if value < 1:
                raise UserError(f"--{name.replace('_', '-')} {value} must be at least 1")


@dataclass(frozen=True)
class ReadQuestion(Question):
    """A question with the pieces of its context and the first piece of each window."""

    pieces: Pieces
    windows: tuple[int, ...]

    def text(self, first: int, last: int) -> str:
        """The part of the context that pieces ``first`` to ``last`` stand for, without white space around it."""
        text = self.context[self.pieces.begins[first] : self.pieces.ends[last]]
        return text[slice(*_core(text))]


def _core(text: str) -> tuple[int, int]:
    """Begin and end of a text without the white space around it."""
    match = _CORE.fullmatch(text)
    assert match is not None
    return match.span(1)


def span_of(answer: Answer, pieces: Pieces) -> tuple[int, int]:
    """First and last piece that have a character of the answer: the shortest span that covers it.

    White space at the ends of the answer does not count, or it would take in the whole next word.
    """
    begin, end = (answer.start + position for position in _core(answer.text))
    first = min(int(np.searchsorted(pieces.ends, begin, side="right")), len(pieces.ids) - 1)
    last = int(np.searchsorted(pieces.begins, end, side="left")) - 1
    return first, max(first, last)


class QuestionAnswering(Formulation):
    """Spans of the context, by their first and last piece.

    Raises:
        UserError: the rows have no room for a context beside a question.
    """

    head = "span"
    labelled = False
    least_context: ClassVar[int] = 8

    def __init__(
        self,
        loaded: LoadedModel,
        benchmark: Benchmark,
        labels: Iterable[str],
        max_positions: int,
        limits: SpanLimits | None = None,
    ):
        super().__init__(loaded, benchmark, [], max_positions)
        self.limits = limits or SpanLimits()
        self.limits.check()
        self.num_specials = num_pair_specials(loaded.num_separators)
        least = self.limits.max_question_length + self.least_context + self.num_specials
        if max_positions < least:
            raise UserError(
                f"--max-positions {max_positions} (or the model's own limit) leaves no room for a context beside "
                f"--max-question-length {self.limits.max_question_length}: at least {least} are needed, or shorter questions"
            )

    @classmethod
    def labels_of(cls, records: Iterable[Question]) -> list[str]:
        return []

    @property
    def num_outputs(self) -> int:
        return 2

    def rows(self, records: Iterable[Question], train: bool) -> Iterator[tuple[list[Row], Any]]:
        """Yield each window as an example of its own in training, else a question with all its windows as one."""
        iterator = iter(records)
        contexts: dict[str, Pieces] = {}
        while chunk := list(islice(iterator, _CHUNK)):
            questions = self.loaded.encode_text([record.question for record in chunk])
            new = list(dict.fromkeys(record.context for record in chunk))
            contexts = {text: contexts[text] for text in new if text in contexts}
            missing = [text for text in new if text not in contexts]
            contexts.update(zip(missing, self.loaded.encode_with_offsets(missing), strict=True))
            for record, question in zip(chunk, questions, strict=True):
                pieces = contexts[record.context]
                kept = question[: self.limits.max_question_length]
                windows = self._windows(len(pieces.ids), len(kept))
                span = span_of(record.answers[0], pieces)
                rows = [self._row(kept, pieces.ids[begin:end], begin, span) for begin, end in windows]
                if train:
                    yield from (([row], None) for row in rows)
                else:
                    starts = tuple(begin for begin, _ in windows)
                    yield rows, ReadQuestion(**vars(record), pieces=pieces, windows=starts)

    def _windows(self, length: int, question: int) -> list[tuple[int, int]]:
        """Windows of as many pieces as fit, ``--doc-stride`` apart; closer where they would overlap by less than half."""
        room = self.max_positions - self.num_specials - question
        stride = min(self.limits.doc_stride, room // 2)
        last = max(0, -(-(length - room) // stride))
        return [(n * stride, min(n * stride + room, length)) for n in range(last + 1)]

    def _row(self, question: np.ndarray, context: np.ndarray, begin: int, span: tuple[int, int]) -> Row:
        separators = self.loaded.num_separators
        tokens, _ = join_pair(question, context, self.symbols, separators)
        candidates = np.concatenate([[0], np.arange(len(context)) + len(question) + 1 + separators])
        first, last = (position - begin for position in span)
        inside = first >= 0 and last < len(context)
        return Row(tokens, candidates, np.array([first + 1, last + 1] if inside else [0, 0]))

    @staticmethod
    def _by_row(logits: Tensor, batch: dict[str, Any]) -> Tensor:
        """(M, 2) -> float32 (R, C, 2), -inf where a row has no further candidate."""
        parts = logits.float().split(batch["marks"])
        return torch.nn.utils.rnn.pad_sequence(list(parts), batch_first=True, padding_value=-torch.inf)

    def losses(self, logits: Tensor, batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Mean of the cross-entropies of first and last piece, one for each window."""
        target = batch["target"].view(-1, 2)
        scores = self._by_row(logits, batch)
        first, last = (F.cross_entropy(scores[..., end], target[:, end], reduction="none") for end in (0, 1))
        return (first + last) / 2, batch["example"]

    def predictions(self, logits: Tensor, batch: dict[str, Any]) -> list[str]:
        """Text of the span with the largest sum of both logits over all windows, at most ``--max-answer-length`` pieces."""
        scores = F.pad(self._by_row(logits, batch)[:, 1:], (0, 0, 0, self.limits.max_answer_length), value=-torch.inf)
        # (R, C, L): the ends that a span from each start may have, instead of all C of them
        ends = scores[..., 1].unfold(1, self.limits.max_answer_length, 1)
        best_end, length = ends.max(2)
        best, first = (scores[:, : best_end.size(1), 0] + best_end).max(1)
        last = first + length.gather(1, first[:, None])[:, 0]
        answers: list[tuple[float, str]] = [(-np.inf, "")] * len(batch["records"])
        seen = [0] * len(answers)
        owners = batch["example"].tolist()
        for owner, score, *span in zip(owners, best.tolist(), first.tolist(), last.tolist(), strict=True):
            record: ReadQuestion = batch["records"][owner]
            start = record.windows[seen[owner]]
            seen[owner] += 1
            if score > answers[owner][0]:
                answers[owner] = score, record.text(start + span[0], start + span[1])
        return [text for _, text in answers]
