"""Readers of tagged words, on lines of the shapes the published files have."""

from __future__ import annotations

import pytest

from fairseq_xling.errors import UserError
from fairseq_xling.finetuning.readers.tagging import (
    TaggedSentence,
    read_absa,
    read_conll,
    read_conllu,
    read_uner,
    read_wikiann,
)


@pytest.fixture
def write(tmp_path):
    """Write text to a file, return its path."""

    def writer(text: str) -> str:
        path = tmp_path / "dev.txt"
        path.write_bytes(text.encode())
        return str(path)

    return writer


def sentence(words: str, tags: str) -> TaggedSentence:
    return TaggedSentence(tuple(words.split(" ")), tuple(tags.split(" ")))


def test_conll2002_with_docstart_inside_a_sentence_block(write):
    path = write("-DOCSTART- -DOCSTART- O\nDe Art O\nWinter N B-PER\n\n-DOCSTART- -DOCSTART- O\nNee Adv O\n\n")
    assert list(read_conll(path)) == [sentence("De Winter", "O B-PER"), sentence("Nee", "O")]


def test_conll2003_is_iob1(write, caplog):
    lines = [
        "-DOCSTART- -X- -X- O",
        "",
        "EU NNP B-NP I-ORG",
        "U.N. NNP I-NP B-ORG",
        "in IN B-PP O",
        "New NNP B-NP I-LOC",
    ]
    path = write("\n".join([*lines, "York NNP I-NP I-LOC", "", "", "# SYM O O", ""]))
    assert list(read_conll(path)) == [
        sentence("EU U.N. in New York", "B-ORG B-ORG O B-LOC I-LOC"),
        sentence("#", "O"),
    ]
    assert "2 I- tags begin an entity (first: line 3)" in caplog.text


def test_wikiann_with_and_without_language(write, caplog):
    expected = [sentence("Im Rhein:Main #", "O B-LOC O"), sentence("de:Köln", "B-LOC")]
    assert list(read_wikiann(write("Im\tO\nRhein:Main\tB-LOC\n#\tO\n\nde:Köln\tB-LOC"))) == expected
    prefixed = "de:Im\tO\nde:Rhein:Main\tB-LOC\nde:#\tO\n\nde:de:Köln\tB-LOC\n\n"
    assert list(read_wikiann(write(prefixed))) == expected
    assert caplog.text == ""


def test_wikiann_words_without_visible_characters(write):
    path = write("\u200b\tO\n\u00a0\tB-LOC\n\u2028\x85\tI-LOC\n")
    assert list(read_wikiann(path)) == [TaggedSentence(("\u200b", "\u00a0", "\u2028\x85"), ("O", "B-LOC", "I-LOC"))]


def test_broken_iob2_is_mended_and_counted(write, caplog):
    path = write("東\tI-LOC\n京\tI-LOC\n、\tO\n林\tB-PER\n京\tI-LOC\n")
    assert list(read_wikiann(path)) == [sentence("東 京 、 林 京", "B-LOC I-LOC O B-PER B-LOC")]
    assert "2 I- tags begin an entity (first: line 1)" in caplog.text


def test_absa_a_run_of_equal_tags_is_one_target(write, caplog):
    rows = [
        "wine T-POS DRINKS",
        "list T-POS DRINKS",
        "staff T-NEG SERVICE",
        "bar T-NEG AMBIENCE",
        ". O NIL",
        "pie T-NEU FOOD",
    ]
    path = write("\n".join(row.replace(" ", "\t") for row in rows) + "\n\n")
    assert list(read_absa(path)) == [sentence("wine list staff bar . pie", "B-POS I-POS B-NEG I-NEG O B-NEU")]
    assert caplog.text == ""


def test_uner(write):
    path = write(
        "# newdoc id = x\n# text = # tampa bay\n1\t#\tO\t-\t-\n2\ttampa\tB-LOC\t-\tann\n3\tbay\tI-LOC\t-\tann\n\n"
    )
    assert list(read_uner(path)) == [sentence("# tampa bay", "O B-LOC I-LOC")]


def test_conllu_leaves_out_ranges_and_empty_nodes(write):
    def row(index, form, upos):
        return "\t".join([index, form, "lemma", upos, "_", "_", "0", "dep", "_", "_"])

    rows = [row("1-2", "du", "_"), row("1", "de", "ADP"), row("2", "le", "DET"), row("2.1", "x", "VERB")]
    path = write("\n".join(["# sent_id = 1", *rows, row("3", "2 001", "NUM"), "", ""]))
    assert list(read_conllu(path)) == [TaggedSentence(("de", "le", "2 001"), ("ADP", "DET", "NUM"))]


@pytest.mark.parametrize(
    ("reader", "text", "message"),
    [
        (
            read_conll,
            "a N O\nb O\n",
            r"dev.txt:2: expected 3 columns \(separator: one space\), found 2; the line is 'b O'",
        ),
        (read_conll, "word\n", r":1: expected 2 columns .*, found 1"),
        (read_conll, "a N O\nb N S-LOC\n", r":2: unknown tag 'S-LOC', expected O\|\[BI\]-\.\+"),
        (read_wikiann, "a\tO\n\nb O\n", r":3: expected 2 columns \(separator: tab\), found 1; the line is 'b O'"),
        (read_wikiann, "a\tB-\n", r":1: unknown tag 'B-'"),
        (read_wikiann, "de:a\tO\nde:b\tO\n\nc\tO\n", r":4: the word has no 'de:'"),
        (read_absa, "a\tB-POS\tNIL\n", r":1: unknown tag 'B-POS', expected O\|T-"),
        (read_uner, "1\ta\tO\t-\n", r":1: expected 5 columns"),
        (read_conllu, "\t".join(["1", "a", "a", "CONJ", *"______"]), r":1: unknown tag 'CONJ', expected ADJ\|ADP"),
        (read_conllu, "1\ta\n", r":1: expected 10 columns"),
        (read_conllu, "\n\n", "the file is empty"),
    ],
)
def test_malformed(write, reader, text, message):
    with pytest.raises(UserError, match=message):
        list(reader(write(text)))
