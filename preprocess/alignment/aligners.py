"""The interface of the word aligners, and what they have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import text
from ..errors import UserError
from .pharaoh import check_links, format_links, parse_links
from .shards import identity, new_folder, read_lines, read_shard, write_lines

DIRECTIONS = ("forward", "reverse")
"""``forward`` chooses for each target word a source word, ``reverse`` for each source word a target word."""


class Aligner(ABC):
    """Aligns the words of sentence pairs, one direction at a time; it is sent to other processes.

    Making one raises UserError if it cannot run here.
    """

    directions: tuple[str, ...] = DIRECTIONS
    files: Sequence[str] = ()
    """what it reads besides the text"""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Everything its result depends on besides the text, as JSON."""

    @abstractmethod
    def train(self, shards: Sequence[Path], model: Path, direction: str) -> None:
        """Make ``model`` from the text of all shards; it appears only when complete.

        Raises:
            UserError: the aligner failed.
        """

    @abstractmethod
    def align(self, shard: Path, model: Path, direction: str) -> list[str]:
        """A line of links (source-target, from 0) for each pair of a shard; empty where a side has no word."""


class LinesAligner(Aligner):
    """An aligner whose result is a Pharaoh file of the whole text; its model is that file, checked and cut into shards."""

    def align(self, shard: Path, model: Path, direction: str) -> list[str]:
        return list(read_lines(model / shard.name))

    def cut(self, file: str, shards: Sequence[Path], model: Path, skips_empty: bool) -> None:
        """Check a Pharaoh file against the shards and write it as ``model``.

        Args:
            skips_empty: the file has no line for a pair with an empty side.

        Raises:
            UserError: a malformed link, one outside its sentences, or another number of lines.
        """
        num_lines = sum(1 for _ in text.read_lines(file))
        num_pairs = sum(all(pair) or not skips_empty for shard in shards for pair in read_shard(shard))
        if num_lines != num_pairs:
            raise UserError(
                f"{file}: has {num_lines} lines, the bitext {num_pairs} pairs; it must have a line for each pair"
            )
        numbered = enumerate(text.read_lines(file), 1)
        with new_folder(model) as folder:
            for shard in shards:
                lines = []
                for source, target in read_shard(shard):
                    if skips_empty and not (source and target):
                        lines.append("")
                        continue
                    number, line = next(numbered)
                    links = parse_links(line, f"{file}:{number}")
                    check_links(links, len(source), len(target), f"{file}:{number}")
                    lines.append(format_links(links))
                write_lines(folder / shard.name, lines)


class Precomputed(LinesAligner):
    """Alignments from files: one that is final, or forward and reverse."""

    def __init__(self, files: Sequence[str]) -> None:
        if len(files) > 2:
            raise UserError(f"--alignments given {len(files)} times: once (final) or twice (forward, reverse)")
        self.directions = DIRECTIONS if len(files) == 2 else ("align",)
        self.files = files
        self._files = dict(zip(self.directions, files, strict=True))
        for file in files:
            if not Path(file).is_file():
                raise UserError(f"--alignments {file}: no such file")

    def settings(self) -> dict[str, Any]:
        return {direction: identity(file) for direction, file in self._files.items()}

    def train(self, shards: Sequence[Path], model: Path, direction: str) -> None:
        self.cut(self._files[direction], shards, model, skips_empty=False)
