"""LAMA: facts a masked language model knows, as precision at one (Petroni et al. 2019; XLM-K, §4.4 and Table 5).

P@1 of a relation is the share of its facts whose object is the most probable symbol at the mask. Averages over relations
give every relation the same weight, as LAMA's scripts do; ConceptNet and SQuAD, which LAMA takes as one relation each, are
averaged over their facts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from ...errors import UserError
from ...interop.loaded import LoadedModel
from ..session import require_lm_head
from .cloze import TYPES, Fact, Relation
from .fill_mask import ClozeEncoder, MaskedSentence, fill_masks, ordinary_candidates, vocabulary_candidates

# their total is over facts
ONE_RELATION = ("ConceptNet", "SQuAD")


@dataclass(frozen=True)
class Evaluation:
    """Result of `evaluate`.

    Attributes:
        relations: for each relation ``corpus``, ``relation``, ``type``, ``n`` (facts asked for), ``value`` (P@1 from 0 to
            1, None where n is 0) and ``left_out`` {reason: facts}.
        predictions: an entry for each sentence asked, see ``docs/lama.md``.
        num_candidates: symbols that can be predicted after a blank.
    """

    relations: list[dict[str, Any]]
    predictions: list[dict[str, Any]]
    num_candidates: int


@dataclass(frozen=True)
class _Question:
    """A fact that can be asked for, with the right symbol for each of its sentences."""

    fact: Fact
    answers: list[int]


def evaluate(
    loaded: LoadedModel,
    relations: Sequence[Relation],
    *,
    common_vocabulary: Sequence[str] | None = None,
    max_tokens: int = 4096,
) -> Evaluation:
    """Ask the model for the object of every fact.

    Left out, and counted, is a fact whose object is not in the common vocabulary or is not one piece, or with a sentence
    beyond the model's positions. With several sentences a fact counts with the share of them that are right.

    Args:
        loaded: a model with an LM head and a tokeniser, on the device to use.
        common_vocabulary: the words that can be objects and predictions; default: every ordinary symbol.
        max_tokens: padded tokens in a batch.

    Raises:
        UserError: the model lacks the head or the tokeniser, or no fact is left.
    """
    require_lm_head(loaded)
    texts = list(dict.fromkeys(text for relation in relations for fact in relation.facts for text in fact.sentences))
    sentences = dict(zip(texts, ClozeEncoder(loaded).sentences(texts), strict=True))
    left_out = [relation.left_out.copy() for relation in relations]
    questions = _questions(loaded, relations, sentences, common_vocabulary, left_out)
    asked = list(dict.fromkeys(text for group in questions for question in group for text in question.fact.sentences))
    if not asked:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sum(left_out, Counter()).items())
        raise UserError(f"no fact is left to ask for ({reasons}): the model's vocabulary does not fit these facts")

    if common_vocabulary is None:
        allowed = ordinary_candidates(loaded)
    else:
        allowed = vocabulary_candidates(loaded, common_vocabulary)
    with tqdm(total=len(asked), desc="fill masks", unit="sent", disable=None) as bar:
        symbols = fill_masks(loaded, [sentences[text] for text in asked], allowed, max_tokens, bar.update)
    predicted = dict(zip(asked, symbols.tolist(), strict=True))

    results, predictions = [], []
    for relation, group, counts in zip(relations, questions, left_out, strict=True):
        shares = []
        for question in group:
            right = [predicted[t] == a for t, a in zip(question.fact.sentences, question.answers, strict=True)]
            shares.append(np.mean(right))
            predictions += [
                {
                    "corpus": relation.corpus,
                    "relation": relation.name,
                    "subject": question.fact.subject,
                    "object": question.fact.object,
                    "sentence": text,
                    "predicted": loaded.dictionary[predicted[text]],
                    "correct": correct,
                }
                for text, correct in zip(question.fact.sentences, right, strict=True)
            ]
        results.append(
            {
                "corpus": relation.corpus,
                "relation": relation.name,
                "type": relation.kind,
                "n": len(group),
                "value": float(np.mean(shares)) if shares else None,
                "left_out": dict(counts),
            }
        )
    return Evaluation(results, predictions, int(allowed[1].sum()))


def _questions(
    loaded: LoadedModel,
    relations: Sequence[Relation],
    sentences: dict[str, MaskedSentence],
    common_vocabulary: Sequence[str] | None,
    left_out: Sequence[Counter[str]],
) -> list[list[_Question]]:
    """Facts of each relation that can be asked for; the others are counted in ``left_out``."""
    words = list(dict.fromkeys(fact.object for relation in relations for fact in relation.facts))
    symbols = dict(zip(words, ClozeEncoder(loaded).objects(words), strict=True))
    known = words if common_vocabulary is None else common_vocabulary
    objects = set(words).intersection(known)
    room = loaded.model.max_positions() - 2
    questions: list[list[_Question]] = []
    for relation, counts in zip(relations, left_out, strict=True):
        questions.append([])
        for fact in relation.facts:
            masked = [sentences[text] for text in fact.sentences]
            found = (symbols[fact.object][sentence.blank] for sentence in masked)
            answers = [symbol for symbol in found if symbol is not None]
            if fact.object not in objects:
                counts["not in the common vocabulary"] += 1
            elif len(answers) < len(masked):
                counts["not one piece"] += 1
            elif any(len(sentence.tokens) > room for sentence in masked):
                counts["beyond the positions"] += 1
            else:
                questions[-1].append(_Question(fact, answers))
    return questions


def result_rows(relations: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One entry for every relation, then for each corpus an average for every type and a total.

    Returns:
        ``{"corpus", "relation", "type", "metric": "P@1", "n", "value"}``; ``relation`` is ``average`` for a type and
        ``total`` for a corpus, where ``relations`` tells how many are averaged: those with at least one fact.
    """
    rows = [{**_head(entry), "n": entry["n"], "value": entry["value"]} for entry in relations]
    for corpus in dict.fromkeys(entry["corpus"] for entry in relations):
        own = [entry for entry in relations if entry["corpus"] == corpus and entry["n"]]
        for kind in TYPES:
            group = [entry for entry in own if entry["type"] == kind]
            if group:
                rows.append(_average({"corpus": corpus, "relation": "average", "type": kind}, group))
        rows.append(_average({"corpus": corpus, "relation": "total", "type": ""}, own))
    return rows


def _head(entry: dict[str, Any]) -> dict[str, Any]:
    return {**{key: entry[key] for key in ("corpus", "relation", "type")}, "metric": "P@1"}


def _average(head: dict[str, Any], group: Sequence[dict[str, Any]]) -> dict[str, Any]:
    sizes = [entry["n"] for entry in group]
    weights = sizes if head["corpus"] in ONE_RELATION else None
    value = float(np.average([entry["value"] for entry in group], weights=weights)) if group else None
    return {**_head(head), "n": sum(sizes), "value": value, "relations": len(group)}
