"""The most frequent aligned word pairs of a bitext with word alignments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from fairseq_xling_preprocess.alignment.pharaoh import Link, check_links, parse_links
from fairseq_xling_preprocess.alignment.words import split_words
from fairseq_xling_preprocess.progress import bar
from fairseq_xling_preprocess.text import COMPRESSED, parse_pair, read_lines, read_pairs

from ...errors import UserError
from .stop_words import fold


@dataclass(frozen=True)
class WordPair:
    """Two words and how often they are linked."""

    first: str
    second: str
    count: int


@dataclass(frozen=True)
class AlignedBitext:
    """Two files of tokenised text and one of links, line i of each belonging together.

    Attributes:
        languages: codes of the first and the second side; a link ``i-j`` points to word i of the first.
        texts: a sentence a line, words separated by spaces.
        links: Pharaoh format, 0-based: ``0-0 1-2 …``.
    """

    languages: tuple[str, str]
    texts: tuple[Path, Path]
    links: Path

    def read(self) -> Iterator[tuple[list[str], list[str], list[Link]]]:
        """Yield words, words and links of every sentence pair; a link that is repeated counts once.

        Raises:
            UserError: a file is missing or not UTF-8; their numbers of lines differ; a link is malformed or out of range.
        """
        with bar("counting word pairs", [*map(str, self.texts), str(self.links)]) as progress:
            lines = read_lines(str(self.links), progress.update)
            pairs = read_pairs(*map(str, self.texts), progress.update)
            for number, (pair, line) in enumerate(zip_longest(pairs, lines), start=1):
                if pair is None or line is None:
                    longer = number + sum(1 for _ in (lines if pair is None else pairs))
                    counts = (longer, number - 1) if pair is None else (number - 1, longer)
                    raise UserError(
                        f"{self.links} has {counts[0]} lines and {self.texts[0]} has {counts[1]}: line i of one must hold the "
                        "links of line i of the other; align the same text anew"
                    )
                first, second = map(split_words, pair)
                where = f"{self.links}:{number}"
                links = list(dict.fromkeys(parse_links(line, where)))
                check_links(links, len(first), len(second), where)
                yield first, second, links


def find_bitext(prefix: str, pair: str, links: str) -> AlignedBitext:
    """``PREFIX.A`` and ``PREFIX.B``, compressed or not, for the pair ``A-B``.

    Raises:
        UserError: the pair is malformed, or a file is missing.
    """
    languages = parse_pair(pair)
    texts = []
    for code in languages:
        names = [f"{prefix}.{code}{suffix}" for suffix in ("", *COMPRESSED)]
        found = [Path(name) for name in names if Path(name).is_file()]
        if not found:
            raise UserError(f"--words {prefix}: {names[0]}: no such file (--pair {pair}; .gz .bz2 .xz .zst may follow)")
        texts.append(found[0])
    if not Path(links).is_file():
        raise UserError(f"--alignment {links}: no such file")
    return AlignedBitext(languages, (texts[0], texts[1]), Path(links))


def frequent_pairs(bitext: AlignedBitext, stop_words: Mapping[str, Set[str]]) -> list[WordPair]:
    """Count the linked word pairs and sort them, the most frequent first (equally frequent ones by their words).

    Words count as they are written. Left out are pairs with a stop word or a word without a letter, and pairs alike on both
    sides: they share one embedding in every model. Each word is in the most frequent of its pairs only, so that its partner
    is unique. All these comparisons disregard case (`fold`).

    Args:
        stop_words: folded words of each language.

    Raises:
        UserError: as `AlignedBitext.read`.
    """
    usable = tuple(_Usable(stop_words[code]) for code in bitext.languages)
    counts: Counter[tuple[str, str]] = Counter()
    for first, second, links in bitext.read():
        for i, j in links:
            if usable[0][first[i]] and usable[1][second[j]]:
                counts[first[i], second[j]] += 1
    chosen, seen = [], (set[str](), set[str]())
    for (left, right), count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        folded = fold(left), fold(right)
        if folded[0] != folded[1] and folded[0] not in seen[0] and folded[1] not in seen[1]:
            seen[0].add(folded[0])
            seen[1].add(folded[1])
            chosen.append(WordPair(left, right, count))
    return chosen


class _Usable(dict[str, bool]):
    """Word -> whether it counts, found out once for each word."""

    def __init__(self, stop_words: Set[str]) -> None:
        self._stop_words = stop_words

    def __missing__(self, word: str) -> bool:
        self[word] = any(map(str.isalpha, word)) and fold(word) not in self._stop_words
        return self[word]
