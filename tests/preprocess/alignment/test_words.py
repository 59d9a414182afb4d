"""Word tokenisers and Pharaoh lines."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairseq_xling_preprocess.alignment import pharaoh, words
from fairseq_xling_preprocess.errors import UserError


@pytest.mark.parametrize(
    ("lang", "line", "expected"),
    [
        ("en", "It's a well-known \"fact\", isn't it?", "It 's a well-known \" fact \" , isn 't it ?"),
        ("fr", "L'homme a dit : « oui ».", "L' homme a dit : « oui » ."),
        ("en", "R&D <b> [x] a|b", "R & D < b > [ x ] a | b"),
        ("zh", "我来到北京清华大学。", "我 来到 北京 清华大学 。"),
        ("zh_TW", "我 来到\u3000北京", "我 来到 北京"),
        ("ja", "東京都に行く。", "東京 都 に 行く 。"),
        ("th", "ฉันรักภาษาไทย", "ฉัน รัก ภาษาไทย"),
        ("en", "\u200b \u00a0", ""),
    ],
)
def test_languages(lang: str, line: str, expected: str) -> None:
    assert " ".join(words.tokenizer(lang)(line)) == expected


@pytest.mark.parametrize("lang", ["en", "de", "zh", "ja", "th", "xx"])
@given(line=st.text(max_size=30))
def test_no_visible_character_is_changed(lang: str, line: str) -> None:
    found = words.tokenizer(lang)(line)
    assert words.visible("".join(found)) == words.visible(line)
    assert all(words.split_words(word) == [word] and words.visible(word) for word in found)


def test_a_sentence_the_library_would_change_is_split_at_spaces() -> None:
    # sacremoses has DOTMULTI for its own use and would write "."
    assert words.tokenizer("en")("see DOTMULTI, please.") == ["see", "DOTMULTI,", "please."]


def test_a_long_japanese_line_is_split() -> None:
    assert words.visible("".join(words.tokenizer("ja")("川は流れる。" * 5_000))) == "川は流れる。" * 5_000


def test_languages_without_spaces_are_refused() -> None:
    with pytest.raises(UserError, match=r"Khmer \(km\) is written without spaces .* --pretokenized"):
        words.tokenizer("km")


@pytest.mark.parametrize(
    ("lang", "library", "extra"),
    [("en", "sacremoses", "align"), ("zh", "jieba", "align-cjk"), ("ja", "sudachipy", "align-cjk")],
)
def test_a_missing_library_is_named(lang: str, library: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UserError, match=rf"needs {library}: pip install 'fairseq_xling\[{extra}\]'"):
        words.tokenizer(lang)


def test_jieba_is_silent_and_loaded_only_for_chinese() -> None:
    code = (
        "import sys; from fairseq_xling_preprocess.alignment import words\n"
        "words.tokenizer('en')('a b'); assert not {'jieba', 'sudachipy', 'pythainlp'} & set(sys.modules)\n"
        "words.tokenizer('zh')('我来到北京')"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout + done.stderr == ""


def test_tokenised_text_is_split_at_ascii_white_space_only() -> None:
    assert words.split_words(" 20\u00a0000  a\tb\r") == ["20\u00a0000", "a", "b"]


def test_links_are_sorted_and_unique() -> None:
    links = pharaoh.parse_links("10-2 2-0  2-0 2-11", "x:1")
    assert pharaoh.format_links(links) == "2-0 2-11 10-2"
    assert pharaoh.parse_links("", "x:1") == []


def test_gold_links_are_as_written() -> None:
    links = pharaoh.parse_gold_links("1-1 2p0  0?3 1-1", "x:1")
    assert links == [((1, 1), True), ((2, 0), False), ((0, 3), False), ((1, 1), True)]
    assert pharaoh.parse_gold_links(" ", "x:1") == []


@pytest.mark.parametrize("link", ["1", "1-", "-1-2", "1-2-3", "a-b", "1x2", "1p2p3", "١-٢", f"0-{'9' * 5000}"])
def test_malformed_links(link: str) -> None:
    for parse in (pharaoh.parse_links, pharaoh.parse_gold_links):
        with pytest.raises(UserError, match=f"x:7: '{link[:40]}' is not a link; expected i-j"):
            parse(f"0-0 {link}", "x:7")


@pytest.mark.parametrize("link", ["1p2", "1?2"])
def test_links_of_aligners_are_sure(link: str) -> None:
    with pytest.raises(UserError, match=r"is not a link; expected i-j \(source-target"):
        pharaoh.parse_links(link, "x:7")


@pytest.mark.parametrize(
    ("link", "remedy"), [((3, 2), "1-based"), ((1, 2), "1-based"), ((0, 2), "swapped"), ((7, 9), "do the links belong")]
)
def test_links_out_of_range(link: pharaoh.Link, remedy: str) -> None:
    with pytest.raises(UserError, match=rf"x:7: link {link[0]}-{link[1]} is out of range: 3 source and 2 .*{remedy}"):
        pharaoh.check_links([(0, 0), link], 3, 2, "x:7")
    pharaoh.check_links([(2, 1)], 3, 2, "x:7")
