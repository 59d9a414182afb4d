"""Vocabularies: fairseq's ``dict.txt`` against the tokenizer files of ``transformers``.

XLM-R and RoBERTa number the symbols as fairseq does: ``<s> <pad> </s> <unk>``, then the symbols, then ``<mask>``.

XLM-R: the symbols are the pieces of ``sentencepiece.bpe.model``. ``transformers`` 5 saves a tokenizer as
``tokenizer.json`` alone; the SentencePiece model is then rebuilt from it.

RoBERTa: ``dict.txt`` lists the numbers that GPT-2's byte-pair encoding gives the symbols, ``vocab.json`` the symbols
themselves. GPT-2 numbers the 256 bytes first, then the result of each merge (``merges.txt``, at fairseq ``vocab.bpe``) in
order, then ``<|endoftext|>``; so the merges are enough to go from one to the other.

BERT: the symbols are the lines of ``vocab.txt`` without its specials, see ``preprocess/wordpiece.py``. ``transformers`` 5 has the
pieces and how text is normalised in ``tokenizer.json``, older versions the first in ``vocab.txt`` and the second in
``tokenizer_config.json``.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fairseq.data import Dictionary
from fairseq.data.encoders.gpt2_bpe_utils import bytes_to_unicode

from fairseq_xling_preprocess import spm, wordpiece

from ..errors import UserError
from .tokenizer import SENTENCEPIECE, SentencePieceTokenizer, WordPieceTokenizer

MERGES_NAMES = ("vocab.bpe", "merges.txt")
_END_OF_TEXT = "<|endoftext|>"


def dictionary_of(symbols: Iterable[str]) -> Dictionary:
    """fairseq's dictionary of the symbols between the four specials and ``<mask>``."""
    dictionary = Dictionary()
    for symbol in [*symbols, "<mask>"]:
        dictionary.add_symbol(symbol)
    return dictionary


def symbols_of(dictionary: Dictionary) -> list[str]:
    """The symbols between the four specials and ``<mask>``: the lines of ``dict.txt``."""
    symbols: list[str] = dictionary.symbols[dictionary.nspecial : -1]
    return symbols


def read_sentencepiece(folder: Path) -> bytes | None:
    """The SentencePiece model of a ``transformers`` folder, rebuilt from ``tokenizer.json`` if need be; None if it has none.

    Raises:
        UserError: ``tokenizer.json`` is damaged.
    """
    if (folder / SENTENCEPIECE).is_file():
        return (folder / SENTENCEPIECE).read_bytes()
    tokenizer = _read_json(folder / "tokenizer.json")
    if tokenizer.get("model", {}).get("type") != "Unigram":
        return None
    try:
        from sentencepiece import sentencepiece_model_pb2
    except ImportError as error:
        raise UserError(
            f"{folder}: reading the tokenizer from tokenizer.json needs google.protobuf; install it with: pip install 'fairseq_xling[convert]'"
        ) from error
    proto = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]  # the module is generated
    kind = proto.SentencePiece
    vocabulary = tokenizer["model"]["vocab"][4:-1]  # without <s> <pad> </s> <unk> and <mask>
    proto.pieces.add(piece="<unk>", score=0.0, type=kind.UNKNOWN)
    for piece in ("<s>", "</s>"):
        proto.pieces.add(piece=piece, score=0.0, type=kind.CONTROL)
    for piece, score in vocabulary:
        proto.pieces.add(piece=piece, score=score, type=kind.NORMAL)
    proto.trainer_spec.model_type = proto.trainer_spec.UNIGRAM
    normalizer = tokenizer.get("normalizer") or {}
    for step in normalizer.get("normalizers", [normalizer]):
        if step.get("type") == "Precompiled":
            proto.normalizer_spec.precompiled_charsmap = base64.b64decode(step["precompiled_charsmap"])
    data: bytes = proto.SerializeToString()
    return data


def read_xlmr(folder: Path) -> tuple[Dictionary, SentencePieceTokenizer]:
    """Dictionary and SentencePiece model of an XLM-R folder of ``transformers``.

    Raises:
        UserError: the folder has neither ``sentencepiece.bpe.model`` nor a Unigram ``tokenizer.json``.
    """
    proto, source = read_sentencepiece(folder), folder / SENTENCEPIECE
    if proto is None:
        raise UserError(
            f"{folder}: has neither {SENTENCEPIECE} nor a SentencePiece tokenizer.json; copy the tokenizer there"
        )
    dictionary = dictionary_of(spm.pieces(spm.from_bytes(proto, str(source))))
    return dictionary, SentencePieceTokenizer(proto, source, dictionary)


def read_bert(folder: Path) -> tuple[Dictionary, WordPieceTokenizer]:
    """Dictionary and WordPiece vocabulary of a BERT folder of ``transformers``.

    Raises:
        UserError: the folder has neither ``vocab.txt`` nor a WordPiece ``tokenizer.json``, or the vocabulary is not BERT's.
    """
    file = folder / "tokenizer.json"
    tokenizer = _read_json(file)
    model = tokenizer.get("model", {})
    if (folder / wordpiece.VOCAB_NAME).is_file():
        pieces = wordpiece.read_vocabulary(folder / wordpiece.VOCAB_NAME)
    elif model.get("type") == "WordPiece":
        vocab: dict[str, int] = model["vocab"]
        pieces = wordpiece.check_vocabulary(sorted(vocab, key=lambda piece: vocab[piece]), file)
    else:
        raise UserError(
            f"{folder}: has neither {wordpiece.VOCAB_NAME} nor a WordPiece tokenizer.json; copy the tokenizer there"
        )
    normalizer = tokenizer.get("normalizer") or {}
    if normalizer.get("type") == "BertNormalizer":
        options = wordpiece.Options(
            normalizer["lowercase"], normalizer["strip_accents"], normalizer["handle_chinese_chars"]
        )
    else:
        options = wordpiece.read_options(folder) or wordpiece.Options()
    dictionary = dictionary_of(wordpiece.symbols(pieces))
    return dictionary, WordPieceTokenizer(wordpiece.WordPiece(pieces, options), dictionary)


def gpt2_numbers(merges: str) -> dict[str, int]:
    """GPT-2's number of each symbol, from the text of ``merges.txt`` (``vocab.bpe``)."""
    lines = [line.split() for line in merges.splitlines() if not line.startswith("#version")]
    symbols = [*bytes_to_unicode().values(), *("".join(pair) for pair in lines if len(pair) == 2), _END_OF_TEXT]
    return {symbol: number for number, symbol in enumerate(symbols)}


def read_merges(folder: Path) -> str | None:
    """The merges of a RoBERTa folder of either kind in the format of ``merges.txt``, None if there are none."""
    for name in MERGES_NAMES:
        if (folder / name).is_file():
            return (folder / name).read_text(encoding="utf-8")
    merges = _read_json(folder / "tokenizer.json").get("model", {}).get("merges")
    if not merges:
        return None
    return "\n".join(["#version: 0.2", *(m if isinstance(m, str) else " ".join(m) for m in merges)]) + "\n"


def read_roberta(folder: Path) -> Dictionary:
    """fairseq's dictionary of a RoBERTa folder of ``transformers``.

    Raises:
        UserError: vocabulary or merges are missing, or the vocabulary is not of RoBERTa's order or encoding.
    """
    merges = read_merges(folder)
    vocabulary = _read_json(folder / "vocab.json")
    if not vocabulary:
        vocabulary = _read_json(folder / "tokenizer.json").get("model", {}).get("vocab", {})
    if not merges or not vocabulary:
        raise UserError(
            f"{folder}: has neither vocab.json and merges.txt nor a BPE tokenizer.json; copy the tokenizer there"
        )
    numbers = gpt2_numbers(merges)
    symbols = sorted(vocabulary, key=lambda symbol: vocabulary[symbol])
    # a symbol without a number fills up the table (RoBERTa's madeupword0000, …) and keeps its name
    dictionary = dictionary_of(str(numbers.get(symbol, symbol)) for symbol in symbols[4:-1])
    specials = [*dictionary.symbols[: dictionary.nspecial], "<mask>"]
    if [*symbols[:4], symbols[-1]] != specials or len(dictionary) != len(symbols):
        raise UserError(f"{folder}: the vocabulary must be {' '.join(specials[:4])}, distinct symbols, <mask>")
    return dictionary


def roberta_vocabulary(dictionary: Dictionary, merges: str) -> dict[str, int]:
    """``vocab.json`` of a dictionary of GPT-2 numbers."""
    symbols = {str(number): symbol for symbol, number in gpt2_numbers(merges).items()}
    return {symbols.get(symbol, symbol): number for number, symbol in enumerate(dictionary.symbols)}


def _read_json(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{file}: not a JSON file ({error}); copy or download it again") from error
    return content
