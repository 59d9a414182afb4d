"""Word-aligned sentence pairs with gold links, in the formats alignment benchmarks come in.

Whatever the format, links leave this module 0-based, source first, and inside their sentences.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fairseq_xling_preprocess.alignment.pharaoh import parse_gold_links
from fairseq_xling_preprocess.text import read_lines, read_pairs

from ...errors import UserError
from .links import GoldPair, PlacedLink, checked_pair, split_words

logger = logging.getLogger(__name__)

FORMATS = {
    "wpt": ("SOURCE", "TARGET", "GOLD"),
    "pharaoh": ("SOURCE", "TARGET", "GOLD"),
    "alibi": ("SOURCE", "TARGET", "GOLD"),
    "tsv": ("FILE",),
    "jsonl": ("FILE",),
}
"""The files that a test set of each format consists of."""

_SENTENCE = re.compile(r"\s*<s\s+snum=\"?(\d+)\"?\s*>(.*)</s>\s*")


@dataclass(frozen=True)
class TestSet:
    """A named test set and its files, those of `FORMATS`."""

    __test__ = False  # the name is no invitation to pytest

    name: str
    format: str
    files: tuple[Path, ...]
    index_base: int = 0

    def read(self) -> list[GoldPair]:
        """Read the pairs and check every link.

        Raises:
            UserError: a file is missing, malformed, or does not fit the others; a sentence has no word; a link is out of
                its sentences' range; there is no sure link, without which recall and AER are undefined.
        """
        pairs = list(self._pairs())
        gold = self.files[-1]
        if not any(pair.sure for pair in pairs):
            raise UserError(f"{gold}: holds no sure link, so recall and AER are undefined; is it the gold file?")
        zero_based = self.format == "pharaoh" and self.index_base == 0
        if zero_based and len(pairs) >= 20 and all(min(link) > 0 for pair in pairs for link in pair.possible):
            logger.warning(f"{gold}: no link touches a first word; if the file is 1-based give --index-base 1")
        return pairs

    def _pairs(self) -> Iterator[GoldPair]:
        match self.format:
            case "wpt":
                return _read_wpt(*self.files)
            case "pharaoh":
                source, target, gold = self.files
                return _read_pharaoh(source, target, gold, self.index_base)
            case "alibi":
                return _read_alibi(*self.files)
            case "tsv":
                return _read_tsv(*self.files)
            case _:
                return _read_jsonl(*self.files)


def parse_test_set(text: str, format: str, index_base: int = 0) -> TestSet:
    """Read ``NAME=FILE[,FILE,FILE]``, with the files of the format.

    Raises:
        UserError: it has another form, or a file is missing.
    """
    name, equals, names = text.partition("=")
    files = tuple(Path(file) for file in names.split(","))
    expected = FORMATS[format]
    if not equals or not name or len(files) != len(expected) or not all(names.split(",")):
        raise UserError(f"--set {text}: a set of --format {format} is NAME={','.join(expected)}")
    for file in files:
        if not file.is_file():
            raise UserError(f"--set {text}: {file}: no such file")
    return TestSet(name, format, files, index_base)


def _read_wpt(source: Path, target: Path, gold: Path) -> Iterator[GoldPair]:
    """WPT-2003/NAACL: ``<s snum=N> words </s>`` files joined by N; links ``N source target [S|P [confidence]]``."""
    sides = _numbered(source), _numbered(target)
    _same_keys(source, target, *sides)
    links: dict[str, list[PlacedLink]] = {number: [] for number in sides[0]}
    for where, line in _located(gold):
        if not line.strip():
            continue
        cells = line.split()
        if not 3 <= len(cells) <= 5 or not all(cell.isdecimal() for cell in cells[:3]) or cells[3:4] not in (
            [], ["S"], ["P"],
        ):  # fmt: skip
            raise UserError(f"{where}: {line.strip()!r} is not 'SENTENCE SOURCE TARGET S' (or P); is --format right?")
        number = str(int(cells[0]))
        if number not in links:
            raise UserError(f"{where}: sentence {number} is not in {source}; remove the link or add the sentence")
        links[number].append((where, (int(cells[1]), int(cells[2])), cells[3:4] != ["P"]))
    for number, words in sides[0].items():
        yield checked_pair(words, sides[1][number], links[number], base=1)


def _numbered(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for where, line in _located(path):
        if not line.strip():
            continue
        match = _SENTENCE.fullmatch(line)
        if match is None:
            raise UserError(
                f"{where}: expected '<s snum=N> words </s>', found {line.strip()[:40]!r}; is --format right?"
            )
        _add(found, str(int(match[1])), match[2], where)
    return found


def _read_pharaoh(source: Path, target: Path, gold: Path, base: int) -> Iterator[GoldPair]:
    """Three files with a sentence pair per line; links ``i-j`` sure, ``ipj`` or ``i?j`` possible."""
    texts = read_pairs(str(source), str(target))
    for number, ((left, right), (_, links)) in enumerate(
        zip(texts, read_pairs(str(source), str(gold)), strict=True), start=1
    ):
        words = split_words(left, f"{source}:{number}"), split_words(right, f"{target}:{number}")
        yield checked_pair(words[0], words[1], _placed(links, f"{gold}:{number}"), base)


def _read_alibi(source: Path, target: Path, gold: Path) -> Iterator[GoldPair]:
    """Three files ``id TAB text``, the third with links as in Pharaoh."""
    tables = []
    for path in (source, target):
        table: dict[str, list[str]] = {}
        for where, (key, text) in _columns(path, 2):
            _add(table, key, text, where)
        tables.append(table)
    _same_keys(source, target, *tables)
    seen: set[str] = set()
    for where, (key, links) in _columns(gold, 2):
        if key not in tables[0] or key in seen:
            reason = "repeats an earlier line" if key in seen else f"is not in {source}"
            raise UserError(f"{where}: segment {key!r} {reason}; remove one of them or add the segment")
        seen.add(key)
        yield checked_pair(tables[0][key], tables[1][key], _placed(links, where), base=0)
    if missing := sorted(set(tables[0]) - seen):
        raise UserError(
            f"{gold}: no line for segment {missing[0]!r} of {source}; an unaligned segment is its id and a tab"
        )


def _read_tsv(path: Path) -> Iterator[GoldPair]:
    """XL-WA: ``source TAB target TAB i-j i-j ...``."""
    for where, (source, target, links) in _columns(path, 3):
        yield checked_pair(split_words(source, where), split_words(target, where), _placed(links, where), base=0)


def _read_jsonl(path: Path) -> Iterator[GoldPair]:
    """A JSON object per line: ``src_words``, ``tgt_words``, ``alignment`` [[i, j], ...]."""
    for where, line in _located(path):
        try:
            entry = json.loads(line)
            words = [entry[key] for key in ("src_words", "tgt_words")]
            links = [(i, j) for i, j in entry["alignment"]]
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f'{where}: expected {{"src_words": [...], "tgt_words": [...], "alignment": [[i, j], ...]}} '
                f"({type(error).__name__}: {error})"
            ) from error
        for side in words:
            if not isinstance(side, list) or not side or not all(isinstance(word, str) for word in side):
                raise UserError(f"{where}: src_words and tgt_words must be lists of at least one word")
        if not all(type(position) is int for link in links for position in link):
            raise UserError(f"{where}: the positions in alignment must be whole numbers")
        yield checked_pair(words[0], words[1], [(where, link, True) for link in links], base=0)


def _located(path: Path) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(read_lines(str(path)), start=1):
        yield f"{path}:{number}", line


def _placed(links: str, where: str) -> list[PlacedLink]:
    return [(where, link, sure) for link, sure in parse_gold_links(links, where)]


def _columns(path: Path, count: int) -> Iterator[tuple[str, list[str]]]:
    for where, line in _located(path):
        cells = line.split("\t")
        if len(cells) != count:
            raise UserError(f"{where}: {len(cells)} tab-separated columns, expected {count}; is --format right?")
        yield where, cells


def _add(table: dict[str, list[str]], key: str, text: str, where: str) -> None:
    if key in table:
        raise UserError(f"{where}: sentence {key} occurs twice; every number must be there once")
    table[key] = split_words(text, where)


def _same_keys(source: Path, target: Path, left: dict[str, list[str]], right: dict[str, list[str]]) -> None:
    for here, there, missing in ((source, target, left.keys() - right), (target, source, right.keys() - left)):
        if missing:
            raise UserError(f"{there}: has no sentence {min(missing)}, which {here} has; add or remove it")
