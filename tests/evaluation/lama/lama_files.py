"""Small corpora of LAMA's layout, written by hand."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fairseq_xling_preprocess import vocab


def write_jsonl(path: Path, entries: Iterable[dict[str, Any]]) -> Path:
    """Write one JSON object a line, compressed by suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(json.dumps(entry) + "\n" for entry in entries).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def write_lama(folder: Path) -> Path:
    """All four corpora of LAMA with the entries their files have."""

    def born(subject: str, value: str, votes: str) -> dict[str, Any]:
        judgments = [{"rater": str(number), "judgment": vote} for number, vote in enumerate(votes.split())]
        return {
            "pred": "/people/person/place_of_birth",
            "sub": "/m/1",
            "obj": value,
            "evidences": [{"url": "", "snippet": "", "considered_sentences": [""]}],
            "judgments": judgments,
            "sub_w": None,
            "sub_label": subject,
            "obj_label": value,
            "uuid": "u",
            "masked_sentences": [f"{subject} came from [MASK] ."],
        }

    def triple(relation: str, subject: str, value: str) -> dict[str, Any]:
        evidence = {"sub_surface": subject, "obj_surface": value, "masked_sentence": f"{subject} and [MASK] ."}
        labels = {"sub_uri": "Q1", "obj_uri": "Q2", "sub_label": subject, "obj_label": value}
        return {"uuid": "u", **labels, "predicate_id": relation, "evidences": [evidence]}

    places = [born("Ada Lind", "river", "yes no yes"), born("Bo Lind", "river", "no no yes")]
    write_jsonl(folder / "Google_RE" / "place_of_birth_test.jsonl", places)
    write_jsonl(folder / "Google_RE" / "date_of_birth_test.jsonl", [born("Ada Lind", "1815", "no yes")])
    write_jsonl(
        folder / "relations.jsonl",
        [
            {"relation": "P36", "template": "The capital of [X] is [Y] .", "label": "capital", "type": "1-1"},
            {"relation": "P101", "template": "[X] works in the field of [Y] .", "label": "field", "type": "N-M"},
            {"relation": "P54", "template": "[X] plays with [Y] .", "label": "team", "type": "N-1"},
        ],
    )
    write_jsonl(folder / "TREx" / "P36.jsonl", [triple("P36", "Norland", "town")])
    fields = [triple("P101", "Bo", "stone"), triple("P101", "Bo", "stone"), triple("P101", "Bo", "town")]
    write_jsonl(folder / "TREx" / "P101.jsonl.gz", fields)
    write_jsonl(folder / "TREx" / "P999.jsonl", [triple("P999", "Bo", "town")])
    write_jsonl(
        folder / "ConceptNet" / "test.jsonl",
        [
            {
                "sub": "dog",
                "obj": "river",
                "pred": "AtLocation",
                "masked_sentences": ["A dog can be near a [MASK] ."],
                "obj_label": "river",
                "uuid": "u",
            },
            {
                "sub_label": "bridge",
                "pred": "IsA",
                "masked_sentences": ["A bridge is made of [MASK] ."],
                "obj_label": "stone",
            },
        ],
    )
    squad = {"masked_sentences": ["the [MASK] is of stone .", "Ada ."], "negated": [], "id": "1_0"}
    write_jsonl(folder / "Squad" / "test.jsonl", [{**squad, "obj_label": "river", "sub_label": "Squad"}])
    return folder


WORDS = [
    "river",
    "town",
    "stone",
    "dog",
    "bridge",
    "book",
    "1815",
    "Norland",
    "Ada",
    "born",
    "capital",
    "the",
    "is",
    "of",
    "(",
    ")",
    ".",
    "(1815)",
    "(born",
    "1815).",
    "城",
    "老城",
]


def write_vocabulary(folder: Path) -> Path:
    """sentencepiece.bpe.model and dict.txt with most of `WORDS` as one piece, ``born`` and ``城`` with and without blank."""
    generator = random.Random(1)
    lines = (" ".join(generator.choices(WORDS, k=generator.randint(3, 9))) for _ in range(1000))
    text = folder / "text"
    text.write_text("\n".join(lines), encoding="utf-8")
    vocab.train({"xx": [str(text)]}, folder, 55, character_coverage=1.0)
    text.unlink()
    return folder
