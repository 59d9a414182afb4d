"""LAMA: facts a masked language model knows, as precision at one (Petroni et al. 2019; XLM-K, §4.4 and Table 5).

P@1 of a relation is the share of its facts whose object is the most probable symbol at the mask. Averages over relations
give every relation the same weight, as LAMA's scripts do; ConceptNet and SQuAD, which LAMA takes as one relation each, are
averaged over their facts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from fairseq_xling_preprocess.text import open_outputs, read_lines

from ..errors import UserError
from ..interop.checkpoint import LoadedModel, load_model
from .cloze import TYPES, Relation
from .cloze_formats import detect_format, read_source
from .fill_mask import ClozeEncoder, MaskedSentence, fill_masks, ordinary_candidates, vocabulary_candidates
from .report import prepare_folder, provenance, write_report

PREDICTIONS = "predictions.jsonl"
# their total is over facts
ONE_RELATION = ("ConceptNet", "SQuAD")


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found.

    Attributes:
        relations: for each relation ``corpus``, ``relation``, ``type``, ``n`` (facts asked for), ``value`` (P@1 from 0 to
            1, None where n is 0) and ``left_out`` {reason: facts}.
        predictions: an entry for each sentence asked, see ``docs/lama.md``.
        num_candidates: symbols that can be predicted after a blank.
    """

    relations: list[dict[str, Any]]
    predictions: list[dict[str, Any]]
    num_candidates: int


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
        loaded: a model with an LM head and a SentencePiece model, on the device to use.
        common_vocabulary: the words that can be objects and predictions; default: every ordinary symbol.
        max_tokens: padded tokens in a batch.

    Raises:
        UserError: the model lacks the head or the SentencePiece model, or no fact is left.
    """
    require_lm_head(loaded)
    encoder = ClozeEncoder(loaded)
    words = list(dict.fromkeys(fact.object for relation in relations for fact in relation.facts))
    pieces = dict(zip(words, encoder.objects(words), strict=True))
    texts = list(dict.fromkeys(text for relation in relations for fact in relation.facts for text in fact.sentences))
    sentences = dict(zip(texts, encoder.sentences(texts), strict=True))
    known = None if common_vocabulary is None else set(common_vocabulary)

    asked: list[tuple[int, int, str, int]] = []  # relation, fact, sentence, the right symbol
    left_out = [relation.left_out.copy() for relation in relations]
    for row, relation in enumerate(relations):
        for number, fact in enumerate(relation.facts):
            masked = [sentences[text] for text in fact.sentences]
            answers = [pieces[fact.object][sentence.blank] for sentence in masked]
            reason = _reason_to_skip(fact.object, masked, answers, known, loaded.model.max_positions() - 2)
            if reason:
                left_out[row][reason] += 1
            else:
                asked += [
                    (row, number, text, answer)
                    for text, answer in zip(fact.sentences, answers, strict=True)
                    if answer is not None
                ]
    if not asked:
        reasons = sum(left_out[1:], left_out[0])
        raise UserError(f"no fact is left to ask for: {_counts(reasons)}; are data and model of the same language?")

    if common_vocabulary is None:
        allowed = ordinary_candidates(loaded)
    else:
        allowed = vocabulary_candidates(loaded, common_vocabulary)
    unique = list(dict.fromkeys(text for _, _, text, _ in asked))
    with tqdm(total=len(unique), desc="fill masks", unit="sent", disable=None) as bar:
        found = fill_masks(loaded, [sentences[text] for text in unique], allowed, max_tokens, bar.update)
    predicted = dict(zip(unique, found.tolist(), strict=True))

    hits: list[dict[int, list[bool]]] = [{} for _ in relations]
    predictions = []
    for row, number, text, answer in asked:
        right = predicted[text] == answer
        hits[row].setdefault(number, []).append(right)
        relation, fact = relations[row], relations[row].facts[number]
        predictions.append(
            {
                "corpus": relation.corpus,
                "relation": relation.name,
                "subject": fact.subject,
                "object": fact.object,
                "sentence": text,
                "predicted": loaded.dictionary[predicted[text]],
                "correct": right,
            }
        )
    results = [
        {
            "corpus": relation.corpus,
            "relation": relation.name,
            "type": relation.kind,
            "n": len(facts),
            "value": float(np.mean([np.mean(fact) for fact in facts.values()])) if facts else None,
            "left_out": dict(counts),
        }
        for relation, facts, counts in zip(relations, hits, left_out, strict=True)
    ]
    return Evaluation(results, predictions, int(allowed[1].sum()))


def require_lm_head(loaded: LoadedModel) -> None:
    """Raises UserError if the model cannot predict symbols."""
    if loaded.model.encoder.lm_head is None:
        raise UserError(
            f"{loaded.path}: has no LM head, so it cannot fill masks; use a checkpoint of a masked language model "
            "(fine-tuning and models of sentence embeddings drop the head)"
        )


def _reason_to_skip(
    word: str, masked: Sequence[MaskedSentence], answers: Sequence[int | None], known: set[str] | None, room: int
) -> str:
    if known is not None and word not in known:
        return "not in the common vocabulary"
    if None in answers:
        return "not one piece"
    if any(len(sentence.tokens) > room for sentence in masked):
        return "beyond the positions"
    return ""


def _counts(reasons: dict[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in reasons.items()) or "none was read"


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


def read_vocabulary(path: Path) -> list[str]:
    """The words of a file with one word a line, as LAMA's ``common_vocab_cased.txt``; blank lines are left out."""
    return list(dict.fromkeys(word for line in read_lines(str(path)) if (word := line.strip())))


def write_predictions(path: Path, predictions: Iterable[dict[str, Any]]) -> None:
    """Write a JSONL file that appears complete or not at all."""
    with open_outputs([path]) as (stream,):
        stream.writelines(_lines(predictions))


def _lines(entries: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    return ((json.dumps(entry, ensure_ascii=False) + "\n").encode() for entry in entries)


def run(
    *,
    checkpoint: str,
    data: Path,
    out: Path,
    data_format: str | None,
    common_vocabulary: Path | None,
    all_patterns: bool,
    languages: Sequence[str] | None,
    max_tokens: int,
    device: str,
) -> str:
    """What ``xling eval lama`` does; returns the text of report.md."""
    from .lama_report import render_report

    data_format = data_format or detect_format(data)
    source = read_source(data, data_format, all_patterns=all_patterns, languages=languages)
    vocabulary = read_vocabulary(common_vocabulary) if common_vocabulary else None
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: no CUDA device is visible; use --device cpu")
    loaded = load_model(checkpoint)
    require_lm_head(loaded)
    folder = prepare_folder(out)
    loaded.model.to(device)
    found = evaluate(loaded, source.relations, common_vocabulary=vocabulary, max_tokens=max_tokens)
    results = {
        "evaluation": "lama",
        **provenance(model=loaded, data=[*source.files, *([common_vocabulary] if common_vocabulary else [])]),
        "settings": {
            "format": data_format,
            "patterns": "all" if all_patterns else "first",
            "languages": None if languages is None else list(languages),
            "common_vocabulary": str(common_vocabulary) if common_vocabulary else None,
            "candidates": found.num_candidates,
            "device": device,
        },
        "rows": result_rows(found.relations),
        "relations": found.relations,
        "without_template": source.without_template,
    }
    report = render_report(results)
    write_predictions(folder / PREDICTIONS, found.predictions)
    write_report(folder, results, report)
    return report
