"""SentencePiece models: loading, XLM-R's id convention, text to pieces."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import sentencepiece

from .errors import UserError
from .text import squeeze

# XLM-R's models begin with these three; fairseq's dictionary brings its own four and the task adds <mask>.
SPM_SPECIALS = ("<unk>", "<s>", "</s>")
WORD_BEGIN = "▁"
FAIRSEQ_SPECIALS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


def load(path: str) -> sentencepiece.SentencePieceProcessor:
    """Load a model. Raises UserError if it is missing, damaged or not in XLM-R's convention."""
    try:
        with open(path, "rb") as stream:
            return from_bytes(stream.read(), path)
    except OSError as error:
        raise UserError(f"{path}: {(error.strerror or str(error)).lower()}") from error


def from_bytes(proto: bytes, name: str) -> sentencepiece.SentencePieceProcessor:
    """Load a model, as ``load``, from the bytes of its file; ``name`` stands in the messages."""
    try:
        model = sentencepiece.SentencePieceProcessor(model_proto=proto)
    except RuntimeError as error:
        raise UserError(f"{name}: not a SentencePiece model") from error
    first = tuple(model.id_to_piece(index) for index in range(min(3, len(model))))
    if first != SPM_SPECIALS:
        raise UserError(f"{name}: its first pieces are {' '.join(first)}, XLM-R's are {' '.join(SPM_SPECIALS)}")
    clash = set(FAIRSEQ_SPECIALS).intersection(pieces(model))
    if clash:
        raise UserError(f"{name}: has the piece {min(clash)}, which fairseq's dictionary adds itself")
    return model


def pieces(model: sentencepiece.SentencePieceProcessor) -> list[str]:
    """The pieces in order without the three specials: the symbols of ``dict.txt``."""
    return [model.id_to_piece(index) for index in range(len(SPM_SPECIALS), len(model))]


class PieceEncoder:
    """Turns lines into space-separated pieces and counts what the vocabulary does not know.

    Attributes:
        num_unknown: pieces so far that are not in the vocabulary.
        unknown_characters: characters of the unknown pieces with their counts.
    """

    def __init__(self, model: sentencepiece.SentencePieceProcessor) -> None:
        self._model = model
        self._pieces = [model.id_to_piece(index) for index in range(len(model))]
        self._unk = model.unk_id()
        self.reset()

    def reset(self) -> None:
        self.num_unknown = 0
        self.unknown_characters: Counter[str] = Counter()

    def encode(self, lines: Sequence[str]) -> list[str]:
        """One string of pieces for each line, empty where the line has no visible character."""
        lines = [squeeze(line) for line in lines]
        result = []
        for line, ids in zip(lines, self._model.encode(lines), strict=True):
            if self._unk in ids:
                result.append(" ".join(self._with_unknown(self._model.encode(line, out_type=str), ids)))
            else:
                result.append(" ".join([self._pieces[index] for index in ids]))
        return result

    def encode_spans(self, lines: Sequence[str]) -> list[tuple[list[str], list[int], list[int]]]:
        """Pieces of each line, those of ``encode``, and the characters of the line as given that each stands for.

        A piece has the characters from its begin to before its end: none for a mark of a word's beginning that stands
        alone where no space is. The pieces that normalisation makes of one character all have that character.
        """
        return [self._spans(line) for line in lines]

    def _spans(self, line: str) -> tuple[list[str], list[int], list[int]]:
        positions = _positions(line)
        mapping = self._model.encode(squeeze(line), return_type="offset_mapping")
        row = self._with_unknown(mapping["pieces"], mapping["ids"])
        begins, ends = [], []
        following = (0, 0)
        for piece, (begin, end) in zip(reversed(row), reversed(mapping["offsets"]), strict=True):
            if begin < end:
                following = (positions[begin], positions[end - 1] + 1)
            elif piece == WORD_BEGIN:
                following = (positions[begin], positions[begin])
            begins.append(following[0])
            ends.append(following[1])
        return row, begins[::-1], ends[::-1]

    def _with_unknown(self, pieces: Sequence[str], ids: Sequence[int]) -> list[str]:
        """Unknown pieces as they stand in the text, so that fairseq-preprocess counts them too."""
        row = []
        for piece, index in zip(pieces, ids, strict=True):
            if index == self._unk:
                self.num_unknown += 1
                self.unknown_characters.update(piece)
                if piece in FAIRSEQ_SPECIALS:  # text that looks like <mask> must not become <mask>
                    piece = "<unk>"
            row.append(piece)
        return row


def _positions(line: str) -> list[int]:
    """Positions in the line of each character of ``squeeze(line)``, and of its end."""
    positions: list[int] = []
    end = 0
    for match in re.finditer(r"\S+", line):
        begin, end = match.span()
        positions.extend(range(begin - bool(positions), end))
    return [*positions, end]
