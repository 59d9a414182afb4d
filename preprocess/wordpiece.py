"""WordPiece vocabularies of BERT: ``vocab.txt``, BERT's options beside it, text to pieces.

BERT names its specials ``[CLS] [PAD] [SEP] [UNK] [MASK]``, at any place of ``vocab.txt``; fairseq has ``<s> <pad> </s> <unk>``
first and ``<mask>`` last. All other lines, in their order, are the symbols of ``dict.txt``.

``vocab.txt`` does not say how text is normalised. That is in ``tokenizer_config.json`` beside it, in the form of
``transformers``; without the file the vocabulary is cased, as mBERT's.
"""

from __future__ import annotations

import importlib
import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from .errors import UserError

VOCAB_NAME = "vocab.txt"
OPTIONS_NAME = "tokenizer_config.json"
# BERT's specials and fairseq's
SPECIALS = {"[CLS]": "<s>", "[PAD]": "<pad>", "[SEP]": "</s>", "[UNK]": "<unk>", "[MASK]": "<mask>"}
UNKNOWN = "[UNK]"
CONTINUATION = "##"
MAX_WORD = 100  # characters; BERT takes longer words for unknown
_WHITE_SPACE = re.compile(r"\s")


@dataclass(frozen=True)
class Options:
    """Normalisation of text in BERT, by the names of ``tokenizer_config.json``; ``strip_accents`` None: as ``do_lower_case``."""

    do_lower_case: bool = False
    strip_accents: bool | None = None
    tokenize_chinese_chars: bool = True

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Options:
        """Options that ``values`` names; others of its keys are ignored."""
        return cls(**{name: values[name] for name in asdict(cls()) if name in values})

    def write(self, folder: Path) -> None:
        """Write ``tokenizer_config.json``."""
        (folder / OPTIONS_NAME).write_bytes(self.to_bytes())

    def to_bytes(self) -> bytes:
        """The content of ``tokenizer_config.json``."""
        return (json.dumps(asdict(self), indent=2) + "\n").encode()


def read_options(folder: Path) -> Options | None:
    """The options in a folder's ``tokenizer_config.json``; None if there is no such file or it does not say.

    Raises:
        UserError: the file is damaged, or an option is neither true nor false.
    """
    file = folder / OPTIONS_NAME
    if not file.is_file():
        return None
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{file}: not a JSON file ({error}); copy or download it again") from error
    if not isinstance(values, dict):
        raise UserError(f"{file}: holds no JSON object {{...}}; copy or download it again")
    if "do_lower_case" not in values:
        return None
    options = Options.of(values)
    for name, value in asdict(options).items():
        if value not in (True, False) and not (name == "strip_accents" and value is None):
            raise UserError(f"{file}: {name} is {value!r}; write true or false, as the vocabulary was made")
    return options


def read_vocabulary(path: str | Path) -> list[str]:
    """The lines of a ``vocab.txt``: the piece that each of BERT's ids stands for.

    Raises:
        UserError: the file cannot be read, a line is empty or stands twice, one of BERT's specials is missing, or a piece is
            one of fairseq's specials.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8")
    except OSError as error:
        raise UserError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text; is it the vocab.txt of a BERT model?") from error
    return check_vocabulary([line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")], path)


def check_vocabulary(pieces: list[str], source: str | Path) -> list[str]:
    """The pieces, if they are a vocabulary of BERT; raises as `read_vocabulary`."""
    lines: dict[str, int] = {}
    for number, piece in enumerate(pieces, 1):
        if not piece:
            raise UserError(
                f"{source}:{number}: the line is empty; every line is a piece: delete it, or copy the file again"
            )
        if piece in lines:
            raise UserError(
                f"{source}:{number}: the piece {piece!r} stands in line {lines[piece]} already; every line must be another piece"
            )
        if piece in SPECIALS.values():
            raise UserError(f"{source}:{number}: has the piece {piece}, which fairseq's dictionary adds itself")
        lines[piece] = number
    for special in SPECIALS:
        if special not in lines:
            raise UserError(f"{source}: has no line {special}; is it the vocab.txt of a BERT model?")
    return pieces


def symbols(pieces: Sequence[str]) -> list[str]:
    """The symbols of ``dict.txt``: the pieces in order without the specials."""
    return [piece for piece in pieces if piece not in SPECIALS]


class WordPiece:
    """A vocabulary with its options, and the tokeniser of the library ``tokenizers`` made from them.

    Args:
        pieces: lines of ``vocab.txt``.
    """

    def __init__(self, pieces: list[str], options: Options):
        self.pieces = pieces
        self.options = options

    @cached_property
    def backend(self) -> Any:
        """BERT's normaliser, word splitter and WordPiece. Specials in a text are text."""
        # one thread: callers have processes; and it could not be forked after it had used several
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        try:
            library = importlib.import_module("tokenizers")
        except ImportError as error:
            raise UserError(
                "WordPiece needs the package tokenizers; install it with: pip install 'fairseq_xling[wordpiece]'"
            ) from error
        numbers = {piece: number for number, piece in enumerate(self.pieces)}
        model = library.models.WordPiece(numbers, unk_token=UNKNOWN, max_input_chars_per_word=MAX_WORD)
        tokenizer = library.Tokenizer(model)
        tokenizer.normalizer = library.normalizers.BertNormalizer(
            clean_text=True,
            handle_chinese_chars=self.options.tokenize_chinese_chars,
            strip_accents=self.options.strip_accents,
            lowercase=self.options.do_lower_case,
        )
        tokenizer.pre_tokenizer = library.pre_tokenizers.BertPreTokenizer()
        return tokenizer

    def encode(self, lines: Sequence[str]) -> list[Any]:
        """An encoding of ``tokenizers`` for each line: ids (lines of ``vocab.txt``), tokens, offsets in the line as it is.

        White space that only Python knows, such as U+001C, is white space here too: fairseq would cut the line there.
        """
        encodings: list[Any] = self.backend.encode_batch([_WHITE_SPACE.sub(" ", line) for line in lines])
        return encodings

    def normalize(self, text: str) -> str:
        """The text as the pieces have it."""
        normalized: str = self.backend.normalizer.normalize_str(text)
        return normalized


def load(path: str | Path, lowercase: bool = False) -> WordPiece:
    """A vocabulary with the options beside it.

    Args:
        lowercase: the text is lower-cased and loses its accents; where ``tokenizer_config.json`` says whether it is, it must agree.

    Raises:
        UserError: a file is wrong, or the options contradict ``lowercase``.
    """
    options = read_options(Path(path).parent)
    if lowercase and options is not None and not options.do_lower_case:
        raise UserError(
            f"--lowercase: {Path(path).parent / OPTIONS_NAME} says that {path} is a cased vocabulary (do_lower_case false); leave "
            "--lowercase out"
        )
    return WordPiece(read_vocabulary(path), options or Options(do_lower_case=lowercase))


class WordPieceEncoder:
    """Turns lines into space-separated pieces and counts what the vocabulary does not know.

    Attributes:
        num_unknown: words so far that have no pieces.
        unknown_characters: characters of these words that no piece has, with their counts.
    """

    def __init__(self, model: WordPiece) -> None:
        self._model = model
        self._known = frozenset(model.pieces)
        self.reset()

    def reset(self) -> None:
        self.num_unknown = 0
        self.unknown_characters: Counter[str] = Counter()

    def encode(self, lines: Sequence[str]) -> list[str]:
        """One string of pieces for each line, empty where the line has no visible character."""
        encodings = self._model.encode(lines)
        return [" ".join(self._pieces(line, encoding)) for line, encoding in zip(lines, encodings, strict=True)]

    def encode_spans(self, lines: Sequence[str]) -> list[tuple[list[str], list[int], list[int]]]:
        """Pieces of each line, and where the characters of the line begin and end that each stands for.

        White space and what normalisation deletes belong to no piece.
        """
        rows = []
        for line, encoding in zip(lines, self._model.encode(lines), strict=True):
            begins, ends = ([span[side] for span in encoding.offsets] for side in (0, 1))
            rows.append((self._pieces(line, encoding), begins, ends))
        return rows

    def _pieces(self, line: str, encoding: Any) -> list[str]:
        pieces: list[str] = encoding.tokens
        if UNKNOWN not in pieces:
            return pieces
        words = zip(pieces, encoding.offsets, strict=True)
        return [self._unknown(line[slice(*span)]) if piece == UNKNOWN else piece for piece, span in words]

    def _unknown(self, word: str) -> str:
        """An unknown word as it stands in the text, so that fairseq-preprocess counts it too."""
        self.num_unknown += 1
        characters = self._model.normalize(word)
        missing = [c for c in characters if not {c, CONTINUATION + c} & self._known]
        self.unknown_characters.update(missing or characters)
        # a word longer than BERT allows may be in the vocabulary all the same
        taken = word in self._known or word in SPECIALS.values() or _WHITE_SPACE.search(word)
        return SPECIALS[UNKNOWN] if taken else word


@dataclass(frozen=True)
class WordPieceFiles:
    """The vocabulary that ``--wordpiece`` names; every worker process makes its encoders from it."""

    vocab: str
    lowercase: bool = False

    def encoders(self, number: int) -> list[WordPieceEncoder]:
        """Encoders over one model, ``number`` of them. Raises UserError."""
        model = load(self.vocab, self.lowercase)
        model.backend  # noqa: B018  # a missing library shows here
        return [WordPieceEncoder(model) for _ in range(number)]
