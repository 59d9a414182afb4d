"""A small hand-made vocabulary of BERT's kind."""

from __future__ import annotations

import string
from pathlib import Path

LETTERS = [*string.ascii_lowercase, *"äöüßé"]
WORDS = [
    "The",
    "the",
    "river",
    "flows",
    "through",
    "old",
    "town",
    "Two",
    "dogs",
    "run",
    "Sie",
    "schrieb",
    "ein",
    "Buch",
    "Berge",
    "deux",
    "chiens",
    "courent",
]
PIECES = [
    *("[PAD]", "[unused1]", "[unused2]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<S>"),
    *".,;?()[]<>/0123456789",
    *"这条河流过老城",
    *LETTERS,
    *string.ascii_uppercase,
    *(f"##{letter}" for letter in LETTERS),
    *WORDS,
    *("##s", "##ing", "##ning", "##er"),
]
PIECES = list(dict.fromkeys(PIECES))


def write_wordpieces(folder: Path, pieces: list[str] | None = None) -> Path:
    """Write ``vocab.txt``; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "vocab.txt"
    path.write_text("".join(f"{piece}\n" for piece in pieces or PIECES), encoding="utf-8")
    return path
