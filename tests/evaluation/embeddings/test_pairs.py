"""Frequent aligned word pairs: counts by hand, stop words, wrong files."""

from __future__ import annotations

import gzip
import itertools
import sys
from collections import Counter
from pathlib import Path

import pytest

from fairseq_xling.errors import UserError
from fairseq_xling.evaluation.embeddings.pairs import WordPair, find_bitext, frequent_pairs
from fairseq_xling.evaluation.embeddings.stop_words import fold, load_stop_words

NONE: dict[str, frozenset[str]] = {"en": frozenset(), "fr": frozenset()}


def pairs(folder: Path, stop_words=NONE, pair: str = "en-fr") -> list[WordPair]:
    return frequent_pairs(find_bitext(str(folder / "text"), pair, str(folder / "links")), stop_words)


def test_counts_by_hand(bitext):
    # no stop words; "," and "1" have no letter; Town is town, and the (la, le) has its more frequent partner, as has ville; when
    # London-pont and bridge-London come, pont and bridge are taken
    assert pairs(bitext) == [
        WordPair("river", "fleuve", 3),
        WordPair("a", "un", 2),
        WordPair("bridge", "pont", 2),
        WordPair("the", "la", 2),
        WordPair("town", "ville", 2),
        WordPair("and", "et", 1),
        WordPair("by", "du", 1),
    ]


def test_stop_words_of_the_collection(bitext):
    found = pairs(bitext, load_stop_words(["en", "fr"], []))
    assert found == [WordPair("river", "fleuve", 3), WordPair("bridge", "pont", 2), WordPair("town", "ville", 2)]


def test_stop_words_of_a_file_replace_the_collection(bitext):
    (bitext / "stop.en").write_text("RIVER\n\n  a\nisn’t\n", encoding="utf-8")
    stop_words = load_stop_words(["en", "fr"], [f"en={bitext / 'stop.en'}"])
    assert stop_words["en"] == {"river", "a", "isn't"}
    assert fold("Isn't") in stop_words["en"]
    assert "le" in stop_words["fr"]
    assert WordPair("the", "la", 2) not in pairs(bitext, stop_words)  # la is one
    assert {pair.first for pair in pairs(bitext, stop_words)} == {"bridge", "town"}


def test_a_region_has_its_languages_stop_words():
    assert load_stop_words(["pt_BR"], []) == {"pt_BR": load_stop_words(["pt"], [])["pt"]}


def test_each_word_has_one_partner_and_case_makes_no_other_word(tmp_path):
    (tmp_path / "text.en").write_text("house House house chamber\n" * 2 + "House\n")
    (tmp_path / "text.fr").write_text("Chambre chambre maison chambre\n" * 2 + "chambre\n")
    (tmp_path / "links").write_text("0-0 1-1 2-2 3-3\n" * 2 + "0-0\n")
    # House-chambre (3) takes both words; what is left of either has no partner of its own
    assert pairs(tmp_path) == [WordPair("House", "chambre", 3)]


def test_links_point_from_the_first_language(bitext):
    with pytest.raises(UserError, match=r"links:3: link 3-2 is out of range: 3 source and 4 target words.*swapped"):
        pairs(bitext, pair="fr-en")


@pytest.mark.parametrize("name", ["text.en", "text.fr", "links"])
def test_compressed_files(bitext, name):
    expected = pairs(bitext)
    content = (bitext / name).read_bytes()
    if name != "links":
        (bitext / name).unlink()
        name += ".gz"
    (bitext / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert pairs(bitext) == expected


def test_a_no_break_space_is_part_of_a_word(tmp_path):
    (tmp_path / "text.en").write_text("10\u00a0km  away \n", encoding="utf-8")
    (tmp_path / "text.fr").write_text("10\u00a0kms loin\n", encoding="utf-8")
    (tmp_path / "links").write_text("0-0 1-1\n")
    assert [pair.second for pair in pairs(tmp_path)] == ["10\u00a0kms", "loin"]


@pytest.mark.parametrize("name", ["text.en", "text.fr", "links"])
@pytest.mark.parametrize("change", [-2, 2])
def test_numbers_of_lines_that_differ(bitext, name, change):
    lines = (bitext / name).read_text(encoding="utf-8").splitlines()
    lines = lines[:change] if change < 0 else lines + [""] * change
    (bitext / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    with pytest.raises(UserError, match=rf"{6 + change}\b.*lines.*\b6\b|\b6 lines.*\b{6 + change}\b"):
        pairs(bitext)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "0-0 5-1",
            r"links:2: link 5-1 is out of range: 5 source and 5 target words, counted from 0; is the file 1-based",
        ),
        ("1-5", r"links:2: link 1-5 is out of range"),
        ("0:0", r"links:2: '0:0' is not a link; expected i-j"),
        ("0-0-1", r"links:2: '0-0-1' is not a link"),
        ("-1-0", r"links:2: '-1-0' is not a link"),
        ("0p1", r"links:2: '0p1' is not a link"),
    ],
)
def test_wrong_links(bitext, line, message):
    lines = (bitext / "links").read_text().splitlines()
    lines[1] = line
    (bitext / "links").write_text("\n".join(lines) + "\n")
    with pytest.raises(UserError, match=message):
        pairs(bitext)


def test_missing_files_and_codes(bitext):
    with pytest.raises(UserError, match=r"text\.de: no such file \(--pair en-de"):
        pairs(bitext, pair="en-de")
    with pytest.raises(UserError, match="--pair en: expected two different language codes"):
        pairs(bitext, pair="en")
    (bitext / "links").unlink()
    with pytest.raises(UserError, match=r"--alignment .*no such file"):
        pairs(bitext)


def test_wrong_stop_words(tmp_path, monkeypatch):
    languages = ["en", "xx"]
    with pytest.raises(UserError, match=r"no stop words of xx; name a list with --stopwords xx=FILE"):
        load_stop_words(languages, [])
    (tmp_path / "stop").write_text("word\n")
    (tmp_path / "empty").write_text("\n")
    assert load_stop_words(languages, [f"xx={tmp_path / 'stop'}"])["xx"] == {"word"}
    for files in ([str(tmp_path)], ["de=stop"], ["xx="], ["xx=a", "xx=b"]):
        with pytest.raises(UserError, match=r"expected LANG=FILE.*en, xx"):
            load_stop_words(languages, files)
    with pytest.raises(UserError, match="none: no such file"):
        load_stop_words(languages, [f"xx={tmp_path / 'none'}"])
    with pytest.raises(UserError, match="empty"):
        load_stop_words(languages, [f"xx={tmp_path / 'empty'}"])
    monkeypatch.setitem(sys.modules, "stopwordsiso", None)
    with pytest.raises(UserError, match=r"fairseq_xling\[report\].*--stopwords en=FILE"):
        load_stop_words(languages, [])


def test_real_text(shared_data, tmp_path):
    lines = {}
    for code in ("en", "fr"):
        with gzip.open(shared_data / "align" / "hansards" / f"train-200k.{code}.gz", "rt", encoding="utf-8") as stream:
            lines[code] = list(itertools.islice(stream, 1000))
        (tmp_path / f"text.{code}").write_text("".join(lines[code]), encoding="utf-8")
    # words at the same place, as if they were translations
    links = [
        range(min(len(a.split(" ")), len(b.split(" "))) - 1) for a, b in zip(lines["en"], lines["fr"], strict=True)
    ]
    (tmp_path / "links").write_text("".join(" ".join(f"{i}-{i}" for i in line) + "\n" for line in links))
    stop_words = load_stop_words(["en", "fr"], [])
    found = pairs(tmp_path, stop_words)
    assert len(found) > 100
    counts = Counter(
        pair
        for a, b, line in zip(lines["en"], lines["fr"], links, strict=True)
        for pair in zip(a.split(" ")[: len(line)], b.split(" ")[: len(line)], strict=True)
    )
    for pair in found[:20]:
        assert pair.count == counts[pair.first, pair.second]
        assert pair.first.lower() not in stop_words["en"]
        assert pair.second.lower() not in stop_words["fr"]
    assert [pair.count for pair in found] == sorted((pair.count for pair in found), reverse=True)
