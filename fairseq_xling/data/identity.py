"""Identity of a model: whether weights, dictionary, tokeniser and languages belong together, by what is in them, not how much.

A checkpoint keeps the symbols and languages it was trained with (``task_state``, entry ``vocabulary``); of an older one
the files beside it tell.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from fairseq.data import Dictionary

from fairseq_xling_preprocess import spm, wordpiece

from ..errors import UserError, unreadable_checkpoint
from .checks import first_difference, read_dictionary
from .databin import LANGUAGES, MODEL_FILES, DataBin, load_languages


@dataclass(frozen=True)
class Vocabulary:
    """A vocabulary in use.

    Attributes:
        home: the folder it was read from, for messages.
        files: what has to lie beside weights: dict.txt, the tokeniser's files, languages.txt, labels.txt.
        languages: None if not known.
    """

    home: Path
    files: Sequence[Path]
    dictionary: Dictionary
    languages: Sequence[str] | None

    @classmethod
    def of(cls, data: DataBin) -> Vocabulary:
        """That of a data-bin."""
        files = [path for name in MODEL_FILES if (path := data.root / name).is_file()]
        return cls(data.root, files, data.dictionary, data.languages)


@dataclass(frozen=True)
class Memory:
    """Self-description of a checkpoint: the task's state, and whether it has a mask-language table."""

    task_state: Mapping[str, Any]
    has_languages: bool

    @property
    def vocabulary(self) -> Mapping[str, Any]:
        """The vocabulary as `remember` gave it; empty if the checkpoint is older."""
        found: Mapping[str, Any] = self.task_state.get("vocabulary", {})
        return found


def remember(dictionary: Dictionary, languages: Sequence[str] | None) -> dict[str, Any]:
    """The vocabulary as a checkpoint keeps it."""
    return {
        "symbols": "\n".join(_without_mask(dictionary)),  # one string, which loads faster than so many
        "languages": None if languages is None else list(languages),
    }


def read_memory(file: Path) -> Memory:
    """Read what a checkpoint says of itself, without its weights.

    Raises:
        UserError: the file is damaged.
    """
    try:
        # a file of PyTorch before 1.6 cannot be read in part, and has neither
        content = torch.load(file, map_location="cpu", mmap=True, weights_only=True) if zipfile.is_zipfile(file) else {}
    except Exception as error:  # the bytes of a damaged file lead the unpickler into errors of any class
        raise unreadable_checkpoint(file, error) from error
    if not isinstance(content, dict):
        return Memory({}, False)
    return Memory(content.get("task_state") or {}, has_language_table(content.get("model") or {}))


def has_language_table(parameters: Mapping[str, Any]) -> bool:
    """Test whether rows of a model's parameters belong to languages."""
    return any(name.endswith("embed_languages.weight") for name in parameters)


def check_memory(
    vocabulary: Mapping[str, Any], dictionary: Dictionary, languages: Sequence[str] | None, source: str, home: Path
) -> None:
    """Require that a checkpoint was trained with these symbols and, unless they are None, languages.

    Args:
        vocabulary: what the checkpoint remembers; nothing is required of one that does not.
        source: the checkpoint, for messages.
        home: the folder of dictionary and languages.

    Raises:
        UserError: with the first that differs.
    """
    if "symbols" not in vocabulary:
        return
    difference = first_difference(vocabulary["symbols"].split("\n"), _without_mask(dictionary))
    if difference:
        raise UserError(
            f"{source}: was trained with other symbols than those of {home}: {difference}; use the dict.txt and the tokeniser it was "
            "trained with"
        )
    if vocabulary["languages"] is not None and languages is not None:
        difference = first_difference(vocabulary["languages"], languages, "language")
        if difference:
            raise UserError(
                f"{source}: was trained with other languages than those of {home}: {difference}; use the {LANGUAGES} it was "
                "trained with"
            )


def check_weights(source: str, file: Path, vocabulary: Vocabulary, with_languages: bool) -> None:
    """Require that a checkpoint belongs to a vocabulary.

    Args:
        source: the checkpoint as the user named it, for messages.
        with_languages: the model to be filled has a mask-language table.

    Raises:
        UserError: with the first symbol, piece or language that differs.
    """
    memory = read_memory(file)
    with_languages = with_languages and memory.has_languages
    languages = vocabulary.languages if with_languages else None
    check_memory(memory.vocabulary, vocabulary.dictionary, languages, source, vocabulary.home)
    for ours in vocabulary.files:
        theirs = file.parent / ours.name
        if not theirs.is_file() or (memory.vocabulary and ours.name in ("dict.txt", LANGUAGES)):
            continue
        if ours.name == LANGUAGES and not with_languages:
            continue
        difference = file_difference(theirs, ours)
        if difference:
            raise UserError(
                f"{source}: the {ours.name} beside it is not that of {vocabulary.home}: {difference}; use the dictionary, tokeniser, "
                "languages and labels it was trained with"
            )


def file_difference(left: Path, right: Path) -> str:
    """Describe where two files of one name part in what they say to a model; empty when they agree.

    The counts in dict.txt say nothing, nor does the rest of a ``tokenizer_config.json`` of ``transformers``.

    Raises:
        UserError: a file is damaged.
    """
    if left.read_bytes() == right.read_bytes():
        return ""
    noun, read = _CONTENTS.get(left.name, ("line", _lines))
    return first_difference(read(left), read(right), noun)


def _without_mask(dictionary: Dictionary) -> list[str]:
    """All symbols but ``<mask>``, which files lack."""
    return [symbol for symbol in dictionary.symbols if symbol != "<mask>"]


def _lines(file: Path) -> list[str]:
    return file.read_bytes().decode("utf-8", errors="backslashreplace").splitlines()


def _pieces(file: Path) -> list[str]:
    """Pieces with their scores, which decide how words are split."""
    model = spm.load(str(file))
    return [f"{model.id_to_piece(number)} ({model.get_score(number):.6g})" for number in range(len(model))]


def _options(file: Path) -> list[str]:
    options = wordpiece.read_options(file.parent) or wordpiece.Options()
    return [f"{name} {value}" for name, value in asdict(options).items()]


# name of a file -> what its parts are called, and how they are read
_CONTENTS: dict[str, tuple[str, Callable[[Path], list[str]]]] = {
    "dict.txt": ("symbol", lambda file: _without_mask(read_dictionary(file))),
    "sentencepiece.bpe.model": ("piece", _pieces),
    wordpiece.VOCAB_NAME: ("piece", wordpiece.read_vocabulary),
    wordpiece.OPTIONS_NAME: ("option", _options),
    LANGUAGES: ("language", load_languages),
    "labels.txt": ("label", _lines),
}
