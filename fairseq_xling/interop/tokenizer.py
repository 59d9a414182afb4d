"""The tokeniser of a loaded model: text to symbol ids, whatever library made its pieces. Axes: T pieces."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
from fairseq.data import Dictionary

from fairseq_xling_preprocess import spm, wordpiece
from fairseq_xling_preprocess.text import squeeze

from ..data.checks import check_sentencepiece, check_wordpiece
from ..errors import UserError

SENTENCEPIECE = "sentencepiece.bpe.model"


class Pieces(NamedTuple):
    """A text as symbols: piece t stands for the characters ``begins[t]`` to ``ends[t] - 1``. Arrays (T,) of int64."""

    ids: np.ndarray
    begins: np.ndarray
    ends: np.ndarray


class Tokenizer(ABC):
    """Text to the symbols of a dictionary.

    Attributes:
        num_separators: ``</s>`` between the texts of a pair, as the model was trained.
        marks_blanks: a piece at the beginning of a word holds the blank before it, so that text without a blank has other pieces.
    """

    num_separators: ClassVar[int]
    marks_blanks: ClassVar[bool]

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Symbol ids of each text, int64 (T,); the same pieces as ``xling encode``."""

    @abstractmethod
    def pieces(self, texts: Sequence[str]) -> list[list[str]]:
        """The pieces that `encode` numbers, unknown ones as they stand in the text."""

    @abstractmethod
    def encode_with_offsets(self, texts: Sequence[str]) -> Iterator[Pieces]:
        """The pieces of each text with the characters they stand for, in Unicode characters of the text as it is."""

    @abstractmethod
    def write(self, folder: Path) -> None:
        """Write the tokeniser's files."""


class SentencePieceTokenizer(Tokenizer):
    """XLM-R's.

    Args:
        proto: the model file's content.
        source: the file, for messages.
    """

    num_separators = 2
    marks_blanks = True

    def __init__(self, proto: bytes, source: Path, dictionary: Dictionary):
        self.model = model = spm.from_bytes(proto, str(source))
        self._proto = proto
        self._ids = np.array([dictionary.index(model.id_to_piece(number)) for number in range(len(model))])

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        encoded = self.model.encode([squeeze(text) for text in texts])
        return [self._ids[np.asarray(row, dtype=np.int64)] for row in encoded]

    def pieces(self, texts: Sequence[str]) -> list[list[str]]:
        pieces: list[list[str]] = self.model.encode([squeeze(text) for text in texts], out_type=str)
        return pieces

    def encode_with_offsets(self, texts: Sequence[str]) -> Iterator[Pieces]:
        """White space, and what normalisation deletes, belong to the piece they precede, at the ends of the text to none.

        So the pieces have no gaps between them. A character that normalisation makes several pieces of belongs to the last.
        """
        for text in texts:
            mapping = self.model.encode(text, return_type="offset_mapping")
            offsets = np.array(mapping["offsets"], dtype=np.int64).reshape(-1, 2)
            yield Pieces(self._ids[np.array(mapping["ids"], dtype=np.int64)], offsets[:, 0], offsets[:, 1])

    def write(self, folder: Path) -> None:
        (folder / SENTENCEPIECE).write_bytes(self._proto)


class WordPieceTokenizer(Tokenizer):
    """BERT's."""

    num_separators = 1
    marks_blanks = False

    def __init__(self, model: wordpiece.WordPiece, dictionary: Dictionary):
        self.model = model
        self.rows = wordpiece_rows(model.pieces, dictionary)

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        return [self.rows[np.asarray(encoding.ids, dtype=np.int64)] for encoding in self.model.encode(texts)]

    def pieces(self, texts: Sequence[str]) -> list[list[str]]:
        return [row.split() for row in wordpiece.WordPieceEncoder(self.model).encode(texts)]

    def encode_with_offsets(self, texts: Sequence[str]) -> Iterator[Pieces]:
        """White space, and what normalisation deletes, belong to no piece.

        A character that normalisation makes several pieces of belongs to each of them.
        """
        for text in texts:
            (encoding,) = self.model.encode([text])
            offsets = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
            yield Pieces(self.rows[np.array(encoding.ids, dtype=np.int64)], offsets[:, 0], offsets[:, 1])

    def write(self, folder: Path) -> None:
        (folder / wordpiece.VOCAB_NAME).write_text(
            "".join(f"{piece}\n" for piece in self.model.pieces), encoding="utf-8", newline="\n"
        )
        self.model.options.write(folder)


def wordpiece_rows(pieces: Sequence[str], dictionary: Dictionary) -> np.ndarray:
    """fairseq's number of each of BERT's, int64 (V,): a permutation where ``dict.txt`` was made from ``vocab.txt``."""
    return np.array([dictionary.index(wordpiece.SPECIALS.get(piece, piece)) for piece in pieces], dtype=np.int64)


def load_tokenizer(folder: Path, dictionary: Dictionary) -> Tokenizer | None:
    """The tokeniser whose files are beside a ``dict.txt``; None if there is none.

    Raises:
        UserError: a file is damaged, the dictionary is of another vocabulary, or there are two tokenisers.
    """
    model, vocab = folder / SENTENCEPIECE, folder / wordpiece.VOCAB_NAME
    if model.is_file() and vocab.is_file():
        raise UserError(
            f"{folder}: holds {model.name} and {vocab.name}; keep only the one that the model was trained with"
        )
    if model.is_file():
        check_sentencepiece(dictionary, model, folder / "dict.txt")
        return SentencePieceTokenizer(model.read_bytes(), model, dictionary)
    if vocab.is_file():
        check_wordpiece(dictionary, vocab, folder / "dict.txt")
        return WordPieceTokenizer(wordpiece.load(vocab), dictionary)
    return None
