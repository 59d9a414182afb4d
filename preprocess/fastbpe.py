"""fastBPE's files, as XLM's: codes (``a b count`` a line) and vocabulary (``token count`` a line), pieces end in ``@@``.

The pieces are those of ``fastBPE applybpe``. The work is done by ``subword-nmt``, which has the same algorithm: fastBPE's
codes are those of its version 0.2 (the end of a word is part of its last symbol) with counts. The text must be tokenised
beforehand, as XLM's is.
"""

from __future__ import annotations

import importlib
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .errors import UserError
from .spm import FAIRSEQ_SPECIALS
from .text import read_lines

SEPARATOR = "@@"
_MAX_CACHE = 1 << 20  # words whose pieces are remembered
_WORD = re.compile(r"\S+")


def read_codes(path: str) -> list[tuple[str, str]]:
    """The merges of a codes file, in order.

    Raises:
        UserError: the file cannot be read, or a line is not ``a b count``.
    """
    codes = []
    for number, line in enumerate(read_lines(path), 1):
        cells = line.split(" ")
        if len(cells) != 3 or not all(cells) or not cells[2].isdigit():
            raise UserError(f"{path}:{number}: {line!r} is not 'a b count'; name the codes of fastBPE learnbpe")
        codes.append((cells[0], cells[1]))
    return codes


def read_vocabulary(path: str) -> list[tuple[str, int]]:
    """The tokens of a vocabulary with their counts, in order.

    Raises:
        UserError: the file cannot be read, a line is not ``token count``, or a token stands twice or is one of fairseq's specials.
    """
    lines: dict[str, int] = {}
    tokens = []
    for number, line in enumerate(read_lines(path), 1):
        cells = line.split(" ")
        if len(cells) != 2 or not all(cells) or not cells[1].isdigit():
            raise UserError(f"{path}:{number}: {line!r} is not 'token count'; name the vocabulary of fastBPE getvocab")
        if cells[0] in lines:
            raise UserError(f"{path}:{number}: the token {cells[0]!r} stands in line {lines[cells[0]]} already")
        if cells[0] in FAIRSEQ_SPECIALS:
            raise UserError(f"{path}:{number}: has the token {cells[0]}, which fairseq's dictionary adds itself")
        lines[cells[0]] = number
        tokens.append((cells[0], int(cells[1])))
    return tokens


class FastBPEEncoder:
    """Turns lines of tokenised text into space-separated pieces and counts what the vocabulary does not know.

    Args:
        codes: merges in order.
        vocabulary: the tokens there are; None: those of the codes, and nothing is unknown.

    Attributes:
        num_unknown: pieces so far that are not in the vocabulary.
        unknown_characters: characters of the unknown pieces with their counts.
    """

    def __init__(self, codes: Sequence[tuple[str, str]], vocabulary: frozenset[str] | None = None) -> None:
        try:
            library = importlib.import_module("subword_nmt.apply_bpe")
        except ImportError as error:
            raise UserError(
                "--fastbpe needs the package subword-nmt; install it with: pip install 'fairseq_xling[fastbpe]'"
            ) from error
        text = "".join(["#version: 0.2\n", *(f"{left} {right}\n" for left, right in codes)])
        self._bpe: Any = library.BPE(io.StringIO(text), separator=SEPARATOR, vocab=vocabulary)
        self._vocabulary = vocabulary
        self.reset()

    def reset(self) -> None:
        self.num_unknown = 0
        self.unknown_characters: Counter[str] = Counter()

    def encode(self, lines: Sequence[str]) -> list[str]:
        """One string of pieces for each line, empty where the line is blank."""
        return [" ".join(self._pieces(line.split())) for line in lines]

    def encode_spans(self, lines: Sequence[str]) -> list[tuple[list[str], list[int], list[int]]]:
        """Pieces of each line, and where the characters of the line begin and end that each stands for."""
        rows = []
        for line in lines:
            pieces: list[str] = []
            begins: list[int] = []
            ends: list[int] = []
            for word in _WORD.finditer(line):
                begin = word.start()
                parts = self._pieces([word[0]])
                for number, part in enumerate(parts, 1):
                    begins.append(begin)
                    # the last piece ends with the word, whatever it is written as
                    begin = word.end() if number == len(parts) else begin + len(part) - len(SEPARATOR)
                    ends.append(begin)
                pieces += parts
            rows.append((pieces, begins, ends))
        return rows

    def _pieces(self, words: Sequence[str]) -> list[str]:
        if len(self._bpe.cache) > _MAX_CACHE:
            self._bpe.cache.clear()
        pieces: list[str] = self._bpe.segment_tokens(words)
        if self._vocabulary is not None:
            for piece in pieces:
                if piece not in self._vocabulary:
                    self.num_unknown += 1
                    self.unknown_characters.update(piece.removesuffix(SEPARATOR))
        # text that looks like <mask> must not become <mask>
        return ["<unk>" if piece in FAIRSEQ_SPECIALS else piece for piece in pieces]


@dataclass(frozen=True)
class FastBPEFiles:
    """Files that ``--fastbpe`` and ``--fastbpe-vocab`` name; every worker process makes its encoders from them."""

    codes: str
    vocab: str | None = None

    def encoders(self, number: int) -> list[FastBPEEncoder]:
        """Encoders, ``number`` of them. Raises UserError."""
        codes = read_codes(self.codes)
        vocabulary = frozenset(token for token, _ in read_vocabulary(self.vocab)) if self.vocab else None
        return [FastBPEEncoder(codes, vocabulary) for _ in range(number)]
