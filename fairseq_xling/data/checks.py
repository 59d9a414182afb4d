"""Start-up checks that name the cause when data, dictionary, tokeniser and languages disagree."""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from fairseq.data import Dictionary
from fairseq.data.indexed_dataset import MMapIndexedDataset, _code_to_dtype

from fairseq_xling_preprocess import wordpiece

from ..errors import UserError

logger = logging.getLogger(__name__)

UNK_WARN_SHARE = 0.003
UNK_FAIL_SHARE = 0.10
_SAMPLE_TOKENS = 200_000


def check_index(prefix: str) -> None:
    """Refuse a ``.bin/.idx`` pair that is missing, truncated, or whose pointers do not follow from the sizes.

    NumPy 2 lets fairseq-preprocess write overflowing pointers past 2 GiB; such a file is refused here too.

    Raises:
        UserError: naming the file and the remedy.
    """
    idx, bin_ = prefix + ".idx", prefix + ".bin"
    for path in (idx, bin_):
        if not os.path.exists(path):
            raise UserError(f"{path}: file is missing; run fairseq-preprocess for it again")
    again = "run fairseq-preprocess for it again"
    with open(idx, "rb") as stream:
        header = stream.read(26)
    if len(header) < 26 or header[:9] != MMapIndexedDataset.Index._HDR_MAGIC:
        raise UserError(f"{idx}: not an index of fairseq-preprocess --dataset-impl mmap, or truncated; {again}")
    code, count = struct.unpack("<BQ", header[17:26])
    if code not in _code_to_dtype:
        raise UserError(f"{idx}: unknown token type code {code}; {again}")
    if os.path.getsize(idx) != 26 + 12 * count:
        raise UserError(
            f"{idx}: truncated: {count} sentences need {26 + 12 * count} bytes, the file has {os.path.getsize(idx)}; {again}"
        )
    if count == 0:
        raise UserError(f"{idx}: holds no sentence; is the text it was made from empty?")
    sizes: np.ndarray = np.memmap(idx, dtype=np.int32, mode="r", offset=26, shape=(count,))
    pointers = np.memmap(idx, dtype=np.int64, mode="r", offset=26 + 4 * count, shape=(count,))
    width = np.dtype(_code_to_dtype[code]).itemsize
    chunk = 1 << 20
    expected = 0
    for start in range(0, count, chunk):
        ends = expected + np.cumsum(sizes[start : start + chunk], dtype=np.int64) * width
        starts = np.concatenate([[expected], ends[:-1]])
        wrong = np.flatnonzero(starts != pointers[start : start + chunk])
        if len(wrong):
            line = start + int(wrong[0])
            raise UserError(
                f"{idx}: the pointer of sentence {line} is {int(pointers[line])}, expected {int(starts[wrong[0]])}; files over "
                f"2 GiB made with NumPy 2 and several workers are broken so: {again} with --user-dir fairseq_xling"
            )
        expected = int(ends[-1])
    if expected != os.path.getsize(bin_):
        raise UserError(
            f"{bin_}: truncated or not of this index: expected {expected} bytes, found {os.path.getsize(bin_)}; {again}"
        )


def read_dictionary(path: Path) -> Dictionary:
    """Load a dict.txt as it is.

    Raises:
        UserError: the file is missing or not a dictionary.
    """
    if not path.is_file():
        raise UserError(f"{path}: dictionary not found; make it with `xling vocab`")
    try:
        return Dictionary.load(str(path))
    except Exception as error:  # fairseq raises a plain Exception for text that is not UTF-8
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: not a fairseq dictionary ({reason}); make it with `xling vocab`") from error


def first_difference(left: Iterable[str], right: Iterable[str], noun: str = "symbol") -> str:
    """Describe where two lists part, e.g. ``symbol 17 is 'a' against 'b'``; empty when they are equal."""
    left, right = list(left), list(right)
    for number, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return f"{noun} {number} is {a!r} against {b!r}"
    if len(left) != len(right):
        return f"the first {min(len(left), len(right))} {noun}s agree, the sizes are {len(left)} against {len(right)}"
    return ""


def check_same_dictionary(reference: Dictionary, path: Path, reference_path: Path) -> None:
    """Require that a corpus was binarised with the dictionary of its data-bin.

    Raises:
        UserError: with both sizes and the first symbol that differs.
    """
    other = read_dictionary(path)
    symbols = [s for s in reference.symbols if s != "<mask>"]
    difference = first_difference(symbols, [s for s in other.symbols if s != "<mask>"])
    if difference:
        raise UserError(
            f"{path} ({len(other)} symbols) is not the dictionary {reference_path} ({len(symbols)} symbols): {difference}; "
            f"binarise the corpus again with --srcdict {reference_path}"
        )


def check_sentencepiece(dictionary: Dictionary, model_path: Path, dict_path: Path) -> None:
    """Require that dict.txt lists the pieces of the SentencePiece model (without <unk> <s> </s>), in order.

    Raises:
        UserError: with the first difference.
    """
    import sentencepiece

    try:
        model = sentencepiece.SentencePieceProcessor(model_file=str(model_path))
    except (RuntimeError, OSError) as error:
        raise UserError(f"{model_path}: not a SentencePiece model ({error})") from error
    specials = {"<unk>", "<s>", "</s>", "<pad>", "<mask>"}
    pieces = [model.id_to_piece(i) for i in range(model.get_piece_size())]
    symbols = dictionary.symbols[dictionary.nspecial :]
    difference = first_difference([s for s in symbols if s not in specials], [p for p in pieces if p not in specials])
    if difference:
        raise UserError(
            f"{dict_path} does not belong to {model_path}: {difference}; make it with `xling vocab --from-spm {model_path.name}`"
        )


def check_wordpiece(dictionary: Dictionary, vocab_path: Path, dict_path: Path) -> None:
    """Require that dict.txt lists the pieces of BERT's vocab.txt (without its specials), in order.

    Raises:
        UserError: with the first difference, or the file is not a vocabulary of BERT.
    """
    symbols = [symbol for symbol in dictionary.symbols[dictionary.nspecial :] if symbol != "<mask>"]
    difference = first_difference(symbols, wordpiece.symbols(wordpiece.read_vocabulary(vocab_path)))
    if difference:
        raise UserError(
            f"{dict_path} does not belong to {vocab_path}, the WordPiece vocabulary of another model: {difference}; copy the vocab.txt "
            f"of this model there, or make dict.txt with `xling vocab --from-wordpiece {vocab_path.name}`"
        )


def check_unknown_share(dataset: MMapIndexedDataset, unk: int, vocabulary_size: int, name: str) -> None:
    """Sample a corpus: warn above 3 per mille of <unk>, refuse above 10 % or ids beyond the dictionary.

    Raises:
        UserError: the corpus was encoded with another model, or binarised with another dictionary.
    """
    step = max(1, len(dataset) // 5_000)
    seen = unknown = 0
    for i in range(0, len(dataset), step):
        tokens = dataset[i].numpy()
        if len(tokens) and int(tokens.max()) >= vocabulary_size:
            raise UserError(
                f"{name}: sentence {i} holds the id {int(tokens.max())}, the dictionary has {vocabulary_size} symbols; the corpus was "
                "binarised with another dictionary: run fairseq-preprocess again with --srcdict"
            )
        seen += len(tokens)
        unknown += int((tokens == unk).sum())
        if seen > _SAMPLE_TOKENS:
            break
    share = unknown / max(seen, 1)
    if share > UNK_FAIL_SHARE:
        raise UserError(
            f"{name}: {share:.1%} of the tokens are <unk>; the text was not encoded with the tokeniser of this dictionary: encode it "
            "again with `xling encode` and the SentencePiece model or vocab.txt in the data-bin"
        )
    if share > UNK_WARN_SHARE:
        logger.warning(
            f"{name}: {share:.2%} of the tokens are <unk> (more than {UNK_WARN_SHARE:.1%}); does the vocabulary fit this text?"
        )
