"""Readers of sentence classification, on lines of the shapes the published files have."""

from __future__ import annotations

import gzip

import pytest

from fairseq_xling.errors import UserError
from fairseq_xling.finetuning.readers.classification import TextPair, read_amazon, read_pawsx, read_sick, read_xnli


@pytest.fixture
def write(tmp_path):
    """Write text to a file, return its path."""

    def writer(text: str, name: str = "data.tsv") -> str:
        path = tmp_path / name
        path.write_bytes(text.encode())
        return str(path)

    return writer


OFFICIAL_XNLI = "language\tgold_label\tsentence1_parse\tsentence1\tsentence2\tpromptID\n"


def test_xnli_without_header(write):
    path = write("He sat.\tHe stood.\tcontradiction\nZeile\u0085eins\x1c.\tNein\tneutral\n")
    assert list(read_xnli(path)) == [
        TextPair("He sat.", "He stood.", "contradiction"),
        TextPair("Zeile\u0085eins\x1c.", "Nein", "neutral"),
    ]


def test_compressed(tmp_path):
    path = tmp_path / "dev-en.tsv.gz"
    path.write_bytes(gzip.compress(b"a\tb\tentailment\n"))
    assert list(read_xnli(str(path))) == [TextPair("a", "b", "entailment")]


def test_official_xnli_holds_all_languages(write):
    path = write(OFFICIAL_XNLI + 'de\tneutral\t(x)\t"Ja"\tNein\t1\nfr\tentailment\t(x)\tOui\tSi\t2\n')
    assert list(read_xnli(path, "de")) == [TextPair('"Ja"', "Nein", "neutral")]
    assert list(read_xnli(path, "fr")) == [TextPair("Oui", "Si", "entailment")]
    with pytest.raises(UserError, match=r"data.tsv: no example in language sw"):
        list(read_xnli(path, "sw"))
    with pytest.raises(UserError, match="holds several languages"):
        list(read_xnli(path))


def test_translated_mnli(write):
    path = write("premise\thypo\tlabel\nWort .\tSatz .\tcontradictory\n")
    assert list(read_xnli(path)) == [TextPair("Wort .", "Satz .", "contradiction")]


def test_pawsx_without_header_is_csv(write):
    path = write('"Sag ""ja"" ."\tein "Zitat" hier\t1\n')
    assert list(read_pawsx(path)) == [TextPair('Sag "ja" .', 'ein "Zitat" hier', "1")]


def test_official_pawsx_is_raw(write):
    path = write("id\tsentence1\tsentence2\tlabel\n1\t\"Ja\" , sagt sie\t`` nein ''\t0\n")
    assert list(read_pawsx(path)) == [TextPair('"Ja" , sagt sie', "`` nein ''", "0")]


def test_sick(write):
    header = "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment\n"
    path = write(header + "4\tBoys play\tNobody plays\t3.6\tCONTRADICTION\n")
    assert list(read_sick(path)) == [TextPair("Boys play", "Nobody plays", "contradiction")]


@pytest.mark.parametrize(
    ("reader", "text", "message"),
    [
        (
            read_xnli,
            "a\tb\tneutral\na b neutral\n",
            r":2: expected 3 columns \(separator: tab\), found 1; the line is 'a b neutral'",
        ),
        (read_xnli, "a\tb\tNEUTRAL\n", r":1: unknown label 'NEUTRAL', expected entailment neutral contradiction"),
        (read_xnli, "a\t" + 200 * "b" + "\n", r":1: expected 3 columns .*, found 2; the line is 'a\\tb{78}…'$"),
        (read_xnli, OFFICIAL_XNLI + "de\tneutral\n", r":2: expected 6 columns .*, found 2"),
        (read_pawsx, 'a\tb\t0\n"a" b\tc\t0\n', r":2: wrong CSV quoting"),
        (read_pawsx, '"a\tb\t0\n', r":1: wrong CSV quoting"),
        (read_sick, "a\tb\tNEUTRAL\n", r":1: expected a header with sentence_A, sentence_B, entailment_judgment"),
        (read_sick, "", "the file is empty"),
        (read_sick, "sentence_A\tsentence_B\tentailment_judgment\n", "data.tsv: no example"),
    ],
)
def test_malformed(write, reader, text, message):
    with pytest.raises(UserError, match=message):
        list(reader(write(text), *(["de"] if "language" in text else [])))


def test_not_utf8(tmp_path):
    path = tmp_path / "dev.tsv"
    path.write_bytes(b"a\tb\tneutral\ncaf\xe9\tb\tneutral\n")
    with pytest.raises(UserError, match=r"dev.tsv:2: not UTF-8"):
        list(read_xnli(str(path)))


REVIEWS = """<?xml version="1.0" encoding="UTF-8"?>
<items>
<item><category>books</category><rating>4.0</rating><asin>1</asin><url>u</url><text>Ein gutes
 Buch &amp; mehr.</text><title>T</title><summary>Toll!</summary></item>

<item><category>books</category><rating>1.0</rating><text><![CDATA[Nie <wieder>]]></text><summary></summary></item>
<item><rating>2</rating><text>退屈</text></item>
</items>
"""


def test_amazon(write):
    assert list(read_amazon(write(REVIEWS, "train.review"))) == [
        TextPair("Toll!", "Ein gutes Buch & mehr.", "positive"),
        TextPair("Nie <wieder>", None, "negative"),
        TextPair("退屈", None, "negative"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<rating>1.0", "<rating>3.0", r":6: the item that ends here: <rating> is '3.0', expected 1, 2, 4 or 5"),
        ("<rating>1.0</rating>", "", r":6: .*<rating> is ''"),
        ("<text>退屈</text>", "", r":7: the item that ends here: no <text>"),
        ("<summary>Toll!", "<sum>Toll!", r":4: not well-formed XML"),
        ("</items>\n", "", r":8: not well-formed XML"),
        ("item>", "review>", r"no <item> in it"),
    ],
)
def test_malformed_amazon(write, old, new, message):
    with pytest.raises(UserError, match=message):
        list(read_amazon(write(REVIEWS.replace(old, new), "train.review")))


def test_entities_that_expand_without_end_are_refused(write):
    levels = "".join(f'<!ENTITY e{i} "{10 * f"&e{i - 1};"}">' for i in range(1, 12))
    bomb = f'<!DOCTYPE items [<!ENTITY e0 "{50 * "x"}">{levels}]>'
    with pytest.raises(UserError, match="not well-formed XML"):
        list(read_amazon(write(f"{bomb}<items><item><rating>1</rating><text>&e11;</text></item></items>")))
