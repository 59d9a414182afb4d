"""Line-aligned test files: the LASER/XTREME layout of Tatoeba, or any pair of files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from fairseq_xling_preprocess.text import parse_pair, read_pairs

from ...errors import UserError

ENGLISH = ("en", "eng")
_NAME = re.compile(r"(?:(?P<prefix>.+)\.)?(?P<a>\w+)-(?P<b>\w+)\.(?P<side>\w+)(?:\.(?:gz|bz2|xz|zst))?")


@dataclass(frozen=True)
class Bitext:
    """Two line-aligned files; where one side is English it is ``b``.

    Attributes:
        name: ``a-b`` for reports, e.g. ``deu-eng``.
        a, b: language codes.
    """

    name: str
    a: str
    b: str
    file_a: Path
    file_b: Path

    def read(self) -> tuple[list[str], list[str]]:
        """Read both sides.

        Raises:
            UserError: a file is missing, empty or not UTF-8, a line is blank, or the line counts differ (naming both).
        """
        pairs = list(read_pairs(str(self.file_a), str(self.file_b)))
        for number, texts in enumerate(pairs, start=1):
            for file, text in zip((self.file_a, self.file_b), texts, strict=True):
                if not text.strip():
                    raise UserError(f"{file}:{number}: blank line; remove line {number} from both files of the pair")
        a, b = zip(*pairs, strict=True)
        return list(a), list(b)


def _bitext(a: str, b: str, file_a: Path, file_b: Path, prefix: str = "") -> Bitext:
    if a in ENGLISH and b not in ENGLISH:
        a, b, file_a, file_b = b, a, file_b, file_a
    return Bitext(f"{prefix}{a}-{b}", a, b, file_a, file_b)


def parse_bitext(text: str) -> Bitext:
    """Read ``de-en=FILE_DE,FILE_EN``.

    Raises:
        UserError: it has another form, or a file is missing.
    """
    pair, equals, names = text.partition("=")
    files = [Path(name) for name in names.split(",")]
    if not equals or len(files) != 2 or not all(names.split(",")):
        raise UserError(f"--pair {text}: expected A-B=FILE_A,FILE_B, for example de-en=test.de,test.en")
    for file in files:
        if not file.is_file():
            raise UserError(f"--pair {text}: {file}: no such file")
    return _bitext(*parse_pair(pair), *files)


def find_bitexts(folder: Path) -> list[Bitext]:
    """Find ``[PREFIX.]A-B.A`` and ``[PREFIX.]A-B.B`` (e.g. ``tatoeba.deu-eng.deu``), compressed or not, sorted by name.

    The prefix is part of the name only where the folder holds several.

    Raises:
        UserError: the folder is missing, holds no such file, or lacks one side of a pair.
    """
    if not folder.is_dir():
        raise UserError(f"--data {folder}: no such folder")
    found: dict[tuple[str, str, str], dict[str, Path]] = {}
    for path in sorted(folder.iterdir()):
        match = _NAME.fullmatch(path.name)
        if match is None or path.name.startswith(".") or not path.is_file() or match["a"] == match["b"]:
            continue
        if match["side"] in (match["a"], match["b"]):
            found.setdefault((match["prefix"] or "", match["a"], match["b"]), {}).setdefault(match["side"], path)
    if not found:
        raise UserError(
            f"--data {folder}: holds no test files; expected pairs like tatoeba.deu-eng.deu and tatoeba.deu-eng.eng "
            "(other names: --pair de-en=FILE_DE,FILE_EN)"
        )
    several = len({prefix for prefix, _, _ in found}) > 1
    bitexts = []
    for (prefix, a, b), sides in found.items():
        for side in (a, b):
            if side not in sides:
                other = next(iter(sides.values()))
                raise UserError(
                    f"{other}: its other side, ending in .{side}, is not in {folder}; add it or remove this one"
                )
        bitexts.append(_bitext(a, b, sides[a], sides[b], f"{prefix}." if several and prefix else ""))
    return sorted(bitexts, key=lambda bitext: bitext.name)
