"""Extractive question answering in the JSON of SQuAD 1.1: SQuAD, MLQA, XQuAD, TyDiQA-GoldP."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fairseq_xling_preprocess.text import open_input

from ...errors import UserError
from .malformed import shorten

logger = logging.getLogger(__name__)

_SURROGATE = re.compile("[\ud800-\udfff]")
_LISTED = 20  # mismatches written out in a message


@dataclass(frozen=True)
class Answer:
    """``context[start : start + len(text)] == text``, in Unicode characters."""

    text: str
    start: int


@dataclass(frozen=True)
class Question:
    """A question about a context, with at least one answer; ``id`` need not be unique (TyDiQA)."""

    id: str
    question: str
    context: str
    answers: tuple[Answer, ...]


def read_squad(path: str, skip_bad: bool = False) -> Iterator[Question]:
    """Yield the questions of a file, a paragraph at a time; those of a paragraph share one context.

    Args:
        path: JSON, plain or compressed.
        skip_bad: leave out questions with an answer that does not stand in the context at its place, and log a warning
            with their number and ids. Otherwise they are an error, raised at the end so that it can name them all.

    Raises:
        UserError: not JSON (with line and column), not SQuAD 1.1 (with the place, as ``data[0].paragraphs[2]``), or an
            answer does not match and ``skip_bad`` is off.
    """
    bad: list[str] = []
    articles = _get(_load(path), "data", list, path, "")
    for a, article in enumerate(articles):
        place = f"data[{a}]"
        for p, paragraph in enumerate(_get(article, "paragraphs", list, path, place)):
            yield from _read_paragraph(paragraph, path, f"{place}.paragraphs[{p}]", bad)
    if bad:
        listed = "; ".join(bad[:_LISTED]) + (f"; and {len(bad) - _LISTED} more" if len(bad) > _LISTED else "")
        if not skip_bad:
            raise UserError(
                f"{path}: {len(bad)} questions have an answer that is not in the context at answer_start (counted in "
                f"Unicode characters): {listed}. Correct the file, or leave them out with --skip-bad"
            )
        logger.warning("%s: %d questions left out, their answer is not in the context: %s", path, len(bad), listed)


def _load(path: str) -> Any:
    with open_input(path) as stream:
        text = stream.read()
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{path}:{error.lineno}: not JSON ({error.msg} at column {error.colno})") from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: not UTF-8 (at byte {error.start}); convert the file, for example with iconv"
        ) from None


def _read_paragraph(paragraph: Any, path: str, place: str, bad: list[str]) -> Iterator[Question]:
    context = _get(paragraph, "context", str, path, place)
    for q, entry in enumerate(_get(paragraph, "qas", list, path, place)):
        where = f"{place}.qas[{q}]"
        answers = tuple(
            Answer(
                _get(answer, "text", str, path, f"{where}.answers[{i}]"),
                _get(answer, "answer_start", int, path, f"{where}.answers[{i}]"),
            )
            for i, answer in enumerate(_get(entry, "answers", list, path, where))
        )
        if not answers:
            raise UserError(f"{path}: {where}: no answer; SQuAD 1.1 has at least one for each question")
        question = Question(
            str(_get(entry, "id", (str, int), path, where)), _get(entry, "question", str, path, where), context, answers
        )
        mismatch = next((answer for answer in answers if not _stands(answer, context)), None)
        if mismatch is None:
            yield question
        else:
            bad.append(f"{question.id} ({shorten(mismatch.text)} at {mismatch.start})")


def _stands(answer: Answer, context: str) -> bool:
    # a negative start would count from the end
    return answer.start >= 0 and answer.text != "" and context.startswith(answer.text, answer.start)


def _get(node: Any, key: str, kind: type | tuple[type, ...], path: str, place: str) -> Any:
    """The value at ``key`` of a JSON object, which must be of type ``kind``."""
    value = node.get(key) if isinstance(node, dict) else None
    if isinstance(value, bool) or not isinstance(value, kind):
        raise UserError(
            f"{path}: {place or 'top level'}: expected an object with {key!r} (not SQuAD 1.1); found {shorten(json.dumps(node))}"
        )
    if isinstance(value, str) and (half := _SURROGATE.search(value)):
        raise UserError(
            f"{path}: {place}: {key!r} has half of a surrogate pair, {half[0]!r}, which is no character; correct the file"
        )
    return value
