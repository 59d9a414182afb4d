"""The data-bin folder: dict.txt, languages.txt, mono/<lang>/ and para/<a>-<b>/ (docs/data.md)."""

from __future__ import annotations

import filecmp
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fairseq.data import Dictionary, data_utils
from fairseq.data.indexed_dataset import MMapIndexedDataset

from ..errors import UserError
from .checks import (
    check_index,
    check_same_dictionary,
    check_sentencepiece,
    check_unknown_share,
    check_wordpiece,
    read_dictionary,
)
from .masking import Symbols

LANGUAGES = "languages.txt"
MODEL_FILES = ("dict.txt", "sentencepiece.bpe.model", "vocab.txt", "tokenizer_config.json", LANGUAGES)


def load_dictionary(path: Path) -> Dictionary:
    """Load dict.txt and add ``<mask>`` as its last symbol, as XLM-R does.

    Raises:
        UserError: the file is missing or not a dictionary.
    """
    dictionary = read_dictionary(path)
    dictionary.add_symbol("<mask>")
    if dictionary.index("<mask>") != len(dictionary) - 1:
        raise UserError(
            f"{path}: <mask> must be the last symbol, it stands at {dictionary.index('<mask>')}; remove it from the file"
        )
    return dictionary


def load_languages(path: Path) -> list[str]:
    """Read languages.txt: one language code a line; the line number fixes the row of the mask-language table.

    Raises:
        UserError: the file is missing, not text, empty, or names a language twice.
    """
    if not path.is_file():
        raise UserError(f"{path}: not found; write the language codes of mono/ and para/ into it, one a line")
    try:
        languages = path.read_text(encoding="utf-8").split()
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8 text; write one language code a line") from None
    if not languages:
        raise UserError(f"{path}: names no language; write one language code a line")
    for language in languages:
        if languages.count(language) > 1:
            raise UserError(
                f"{path}: language {language!r} is named {languages.count(language)} times; keep one line of it"
            )
    return languages


@dataclass(frozen=True)
class Pair:
    """A language pair, named as its folder ``para/<a>-<b>``."""

    a: str
    b: str

    def __str__(self) -> str:
        return f"{self.a}-{self.b}"


class DataBin:
    """Finds, checks and opens the corpora of a data-bin, which may have several shards (``dirA:dirB``).

    Args:
        data: folders joined by ``:``; the first one's dictionary and languages hold for all.

    Raises:
        UserError: a folder or one of its parts is missing or disagrees with the others.
    """

    def __init__(self, data: str):
        self.shards = [Path(part) for part in data.split(os.pathsep)]
        for shard in self.shards:
            if not shard.is_dir():
                raise UserError(f"{shard}: no such data-bin folder")
        self.root = self.shards[0]
        self._opened: dict[str, MMapIndexedDataset] = {}
        self.dictionary = load_dictionary(self.root / "dict.txt")
        self.symbols = Symbols.of(self.dictionary)
        for shard in self.shards[1:]:
            if (shard / "dict.txt").is_file():
                check_same_dictionary(self.dictionary, shard / "dict.txt", self.root / "dict.txt")
        self.languages = load_languages(self.root / LANGUAGES)
        model = self.root / "sentencepiece.bpe.model"
        if model.is_file():
            check_sentencepiece(self.dictionary, model, self.root / "dict.txt")
        if (self.root / "vocab.txt").is_file():
            check_wordpiece(self.dictionary, self.root / "vocab.txt", self.root / "dict.txt")
        self.mono_languages = sorted(
            {p.name for shard in self.shards for p in (shard / "mono").glob("*") if p.is_dir()}
        )
        self.pairs = [
            self._parse_pair(name)
            for name in sorted({p.name for s in self.shards for p in (s / "para").glob("*") if p.is_dir()})
        ]
        for language in [*self.mono_languages, *(side for pair in self.pairs for side in (pair.a, pair.b))]:
            if language not in self.languages:
                raise UserError(
                    f"language {language!r} is in {self.root} but not in {self.root / LANGUAGES}; add a line with its code"
                )

    def _parse_pair(self, name: str) -> Pair:
        parts = name.split("-")
        if len(parts) != 2 or not all(parts) or parts[0] == parts[1]:
            raise UserError(
                f"{self.root / 'para' / name}: a pair's folder is named <a>-<b>, e.g. de-en; language codes hold no '-'"
            )
        return Pair(*parts)

    def partners(self, language: str) -> list[str]:
        """Languages paired with ``language``."""
        return sorted({p.b for p in self.pairs if p.a == language} | {p.a for p in self.pairs if p.b == language})

    def shard(self, epoch: int) -> Path:
        """The shard of an epoch (1, 2, ...); shards follow each other round-robin."""
        return self.shards[(epoch - 1) % len(self.shards)]

    def open_mono(self, split: str, epoch: int) -> dict[str, MMapIndexedDataset]:
        """Open ``mono/<lang>/<split>`` of every language that has it.

        Raises:
            UserError: a language's folder holds no corpus of any split.
        """
        folder = self.shard(epoch) / "mono"
        for language in self.mono_languages:
            _require_corpus(folder / language, "train", r"[^.]+")
        found = {lang: self._open(folder / lang / split, folder / lang / "dict.txt") for lang in self.mono_languages}
        return {language: dataset for language, dataset in found.items() if dataset is not None}

    def open_pairs(self, split: str, epoch: int) -> dict[Pair, tuple[MMapIndexedDataset, MMapIndexedDataset]]:
        """Open both sides of ``para/<a>-<b>/<split>`` of every pair that has it.

        Raises:
            UserError: one side is missing, the sides differ in their number of sentences, or a pair's folder holds no
                corpus of any split.
        """
        pairs = {}
        for pair in self.pairs:
            folder = self.shard(epoch) / "para" / str(pair)
            _require_corpus(folder, f"train.{pair}.{pair.a}", rf"[^.]+\.{pair}\.({pair.a}|{pair.b})")
            left, right = (
                self._open(folder / f"{split}.{pair}.{side}", folder / f"dict.{side}.txt") for side in (pair.a, pair.b)
            )
            if left is None and right is None:
                continue
            if left is None or right is None:
                missing = pair.a if left is None else pair.b
                raise UserError(
                    f"{folder / f'{split}.{pair}.{missing}.idx'}: missing; the other side is there: binarise the pair again"
                )
            if len(left) != len(right):
                raise UserError(
                    f"{folder}/{split}.{pair}: {len(left)} sentences in {pair.a}, {len(right)} in {pair.b}; a pair needs equal line counts"
                )
            pairs[pair] = (left, right)
        return pairs

    def open_once(self, prefix: Path, read: Callable[[str], MMapIndexedDataset]) -> MMapIndexedDataset:
        """Open the dataset at ``prefix`` with ``read``, or return it if it is open: objectives share corpora, and each is checked once."""
        if str(prefix) not in self._opened:
            self._opened[str(prefix)] = read(str(prefix))
        return self._opened[str(prefix)]

    def _open(self, prefix: Path, dict_path: Path) -> MMapIndexedDataset | None:
        if not os.path.exists(f"{prefix}.idx") and not os.path.exists(f"{prefix}.bin"):
            return None

        def read(prefix: str) -> MMapIndexedDataset:
            check_index(prefix)
            reference = self.root / "dict.txt"
            if dict_path.is_file() and not filecmp.cmp(dict_path, reference, shallow=False):
                check_same_dictionary(self.dictionary, dict_path, reference)
            dataset = data_utils.load_indexed_dataset(prefix, self.dictionary, dataset_impl="mmap")
            check_unknown_share(dataset, self.symbols.unk, self.symbols.size, prefix)
            return dataset

        return self.open_once(prefix, read)


def _require_corpus(folder: Path, example: str, pattern: str) -> None:
    """Refuse a folder that would be left out without a word because nothing in it is named as a corpus."""
    if folder.is_dir() and not any(re.fullmatch(rf"{pattern}\.(bin|idx)", path.name) for path in folder.iterdir()):
        raise UserError(
            f"{folder}: holds no corpus; its files are named {example}.bin, {example}.idx and so on: binarise it "
            "again, or remove the folder"
        )
