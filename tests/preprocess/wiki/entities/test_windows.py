"""Pieces and characters of articles in four scripts, windows around mentions, other occurrences in a window."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairseq_xling_preprocess import vocab
from fairseq_xling_preprocess.encode import Encoder, make_encoders
from fairseq_xling_preprocess.wiki.entities.dictionary import read_dictionary
from fairseq_xling_preprocess.wiki.entities.windows import Pieces, Window, encode_text, occurrences, window

LINES = {
    "en": "Berlin lies on the Spree. Berlin is old.",
    "zh": "柏林位于施普雷河。柏林很老。",
    "ar": "برلين مدينة قديمة. برلين كبيرة.",
    "hi": "बर्लिन एक पुराना शहर है। बर्लिन बड़ा है।",
}
NAMES = {"en": "Berlin", "zh": "柏林", "ar": "برلين", "hi": "बर्लिन"}


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vocabulary in which the name of the city is one piece or few, in each script."""
    folder = tmp_path_factory.mktemp("scripts")
    inputs = {}
    for language, line in LINES.items():
        inputs[language] = [str(folder / language)]
        Path(*inputs[language]).write_text(f"{line}\n" * 50, encoding="utf-8")
    vocab.train(inputs, folder, 60, character_coverage=1.0)
    return folder


@pytest.fixture(scope="module")
def encoder(scripts: Path) -> Encoder:
    return make_encoders(str(scripts / "sentencepiece.bpe.model"), 1)[0]


@pytest.fixture(scope="module")
def numbers(scripts: Path) -> dict[str, int]:
    return read_dictionary(scripts / "dict.txt")


@pytest.mark.parametrize("language", LINES)
def test_mentions_and_occurrences_are_exact_in_every_script(
    language: str, encoder: Encoder, numbers: dict[str, int]
) -> None:
    text, name = f"{LINES['zh']}\n{LINES[language]}", NAMES[language]
    symbols = {number: symbol for symbol, number in numbers.items()}
    pieces = encode_text(encoder, numbers, text)
    begin = text.rindex(name)
    first, last = pieces.cover(begin, begin + len(name))
    assert "".join(symbols[number] for number in pieces.ids[first:last]).strip("▁") == name
    spans = occurrences(text, begin, begin + len(name), pieces, Window(0, len(pieces.ids)))
    assert len(spans) == text.count(name) - 1
    for left, right in spans:
        assert "".join(symbols[number] for number in pieces.ids[left:right]).strip("▁") == name


def test_numbers_are_those_of_fairseq(encoder: Encoder, numbers: dict[str, int], scripts: Path) -> None:
    from fairseq.data import Dictionary

    line = f"{LINES['en']} Ж"
    dictionary = Dictionary.load(str(scripts / "dict.txt"))
    expected = dictionary.encode_line(encoder.encode([line])[0], add_if_not_exist=False, append_eos=False)
    assert encode_text(encoder, numbers, line).ids == expected.tolist()
    assert encode_text(encoder, numbers, line).ids[-1] == 3


@given(text=st.text(alphabet="ab 柏林बर्लि\u200b\u0301\u3000½ﬁ\n\x85\u2028\u202e", max_size=40))
def test_characters_of_pieces_ascend_whatever_the_text(encoder: Encoder, text: str) -> None:
    row = encode_text(encoder, {}, text)
    assert row.begins == sorted(row.begins)
    assert row.ends == sorted(row.ends)
    assert all(0 <= begin <= end <= len(text) for begin, end in zip(row.begins, row.ends, strict=True))


def pieces(*spans: tuple[int, int]) -> Pieces:
    return Pieces(list(range(len(spans))), [begin for begin, _ in spans], [end for _, end in spans])


def characters(text: str) -> Pieces:
    """A piece for each character."""
    return pieces(*((place, place + 1) for place in range(len(text))))


def test_a_mention_is_covered_by_whole_pieces() -> None:
    row = pieces((0, 0), (0, 3), (3, 6), (6, 6), (6, 8))
    assert row.cover(0, 3) == (1, 2)  # not the mark of a word's beginning that stands alone
    assert row.cover(2, 4) == (1, 3)
    assert row.cover(6, 8) == (4, 5)
    first, last = row.cover(8, 9)
    assert first >= last


@pytest.mark.parametrize(
    ("mention", "size", "room", "expected"),
    [
        ((10, 12), 100, 6, (8, 14)),
        ((10, 13), 100, 6, (9, 15)),
        ((1, 3), 100, 6, (0, 6)),
        ((97, 99), 100, 6, (94, 100)),
        ((1, 3), 4, 6, (0, 4)),
        ((10, 16), 100, 6, (10, 16)),
        ((10, 17), 100, 6, None),
    ],
)
def test_windows(mention: tuple[int, int], size: int, room: int, expected: tuple[int, int] | None) -> None:
    assert window(*mention, size, room) == expected


def test_occurrences_within_words_and_of_the_same_case() -> None:
    text = "Berliner in Berlin, berlin"
    assert occurrences(text, 12, 18, characters(text), Window(0, len(text))) == [(0, 6)]


def test_occurrences_count_from_the_window_and_are_cut_with_it() -> None:
    text = "abc abc abc abc"
    assert occurrences(text, 4, 7, characters(text), Window(2, 13)) == [(0, 1), (6, 9), (10, 11)]


def test_occurrences_are_disjoint() -> None:
    text = "哈哈哈哈哈哈哈"
    row = pieces((0, 3), (3, 5), (5, 7))  # pieces of more than one occurrence
    assert occurrences(text, 3, 5, row, Window(0, 3)) == [(0, 1), (2, 3)]
    assert occurrences(text, 3, 4, row, Window(0, 3)) == [(0, 1), (2, 3)]
