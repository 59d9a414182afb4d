"""fastBPE's files, and the pieces of fastBPE itself where it is installed."""

from __future__ import annotations

import gzip
import io
import itertools
from collections import Counter
from pathlib import Path

import pytest
from fairseq.data import Dictionary

from fairseq_xling_preprocess import cli, fastbpe
from fairseq_xling_preprocess.errors import UserError
from fairseq_xling_preprocess.fastbpe import FastBPEEncoder, FastBPEFiles

pytest.importorskip("subword_nmt")

CODES = "l o 9\no w</w> 7\nlo w</w> 6\nn e 5\nne w 4\ne r</w> 3\n"
VOCAB = "low 12\nnew@@ 7\ner 7\nl@@ 3\nlo@@ 3\nw 3\nn@@ 2\ne@@ 2\nt 1\n"


@pytest.fixture
def codes(tmp_path: Path) -> str:
    (tmp_path / "codes").write_text(CODES)
    return str(tmp_path / "codes")


@pytest.fixture
def vocab(tmp_path: Path) -> str:
    (tmp_path / "vocab").write_text(VOCAB)
    return str(tmp_path / "vocab")


def encoder_of(codes: str, vocab: str | None = None) -> FastBPEEncoder:
    return FastBPEFiles(codes, vocab).encoders(1)[0]


def test_pieces_by_hand(codes: str) -> None:
    """low = l o w</w> -> lo w</w> -> low; newer -> ne w e r</w> -> new er; lowe has no merge over its end; t is alone."""
    encoder = encoder_of(codes)
    lines = ["low newer", "lowe  t", "", " ", "lo\x85w ☃"]
    assert encoder.encode(lines) == ["low new@@ er", "lo@@ w@@ e t", "", "", "l@@ o w ☃"]
    assert encoder.num_unknown == 0


def test_pieces_that_are_not_in_the_vocabulary_are_split_again(tmp_path: Path, codes: str) -> None:
    """Without new@@ there are ne@@ + w@@, neither of them either: n@@ and e@@ are, w@@ is unknown."""
    (tmp_path / "small").write_text(VOCAB.replace("new@@ 7\n", "").replace("low 12\n", ""))
    encoder = encoder_of(codes, str(tmp_path / "small"))
    assert encoder.encode(["newer low ☃"]) == ["n@@ e@@ w@@ er lo@@ w ☃"]
    assert encoder.num_unknown == 2
    assert dict(encoder.unknown_characters) == {"w": 1, "☃": 1}
    encoder.reset()
    assert (encoder.num_unknown, len(encoder.unknown_characters)) == (0, 0)


def test_spans(codes: str) -> None:
    line = " newer\u3000 low t@@ lowe"
    ((pieces, begins, ends),) = encoder_of(codes).encode_spans([line])
    assert pieces == ["new@@", "er", "low", "t@@", "@@@", "@", "lo@@", "w@@", "e"]
    assert [line[b:e] for b, e in zip(begins, ends, strict=True)] == ["new", "er", "low", "t", "@", "@", "lo", "w", "e"]


def test_text_that_looks_like_a_special_symbol(tmp_path: Path) -> None:
    (tmp_path / "codes").write_text("< s 3\n<s ></w> 2\n")
    encoder = encoder_of(str(tmp_path / "codes"))
    assert encoder.encode(["<s> x"]) == ["<unk> x"]
    assert encoder.encode_spans(["<s> x"]) == [(["<unk>", "x"], [0, 4], [3, 5])]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a b 3\na b\n", r"codes:2: 'a b' is not 'a b count'; name the codes of fastBPE learnbpe"),
        ("#version: 0.2\na b\n", r"codes:1: '#version: 0\.2' is not"),
        ("", "the file is empty"),
    ],
)
def test_codes_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "codes").write_text(text)
    with pytest.raises(UserError, match=message):
        encoder_of(str(tmp_path / "codes"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a 3\nb\n", r"vocab:2: 'b' is not 'token count'"),
        ("a 3\nb 1\na 2\n", r"vocab:3: the token 'a' stands in line 1 already"),
        ("a 3\n</s> 1\n", r"vocab:2: has the token </s>, which fairseq's dictionary adds itself"),
    ],
)
def test_vocabularies_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "vocab").write_text(text)
    with pytest.raises(UserError, match=message):
        fastbpe.read_vocabulary(str(tmp_path / "vocab"))


def test_commands(codes: str, vocab: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The dictionary has the vocabulary's order and counts; encoded text has no symbol that it lacks."""
    (tmp_path / "x").write_text("low newer\nt ☃\n")
    for words in (
        ["vocab", "--from-fastbpe", vocab, "--output", tmp_path / "out"],
        ["encode", "--fastbpe", codes, "--fastbpe-vocab", vocab, "--input", tmp_path / "x", "--output", tmp_path / "y"],
    ):
        with pytest.raises(SystemExit) as caught:
            cli.main([str(word) for word in words])
        assert caught.value.code == 0
    assert (tmp_path / "out" / "dict.txt").read_text() == VOCAB
    assert Dictionary.load(str(tmp_path / "out" / "dict.txt")).count[4:] == [12, 7, 7, 3, 3, 3, 2, 2, 1]
    assert (tmp_path / "y").read_text() == "low new@@ er\nt ☃\n"
    assert "20.000% <unk>" in capsys.readouterr().out


def test_real_text_gives_the_pieces_of_fastbpe(shared_data: Path, tmp_path: Path) -> None:
    """Codes and vocabulary learnt from German, Russian and Thai text; half of the text is unseen."""
    reference = pytest.importorskip("fastBPE", reason="needs the package fastBPE, which is not installed")
    learn = pytest.importorskip("subword_nmt.learn_bpe")
    lines: list[str] = []
    for lang in ("de", "ru", "th"):
        with gzip.open(shared_data / "parallel" / f"tatoeba.en-{lang}.{lang}.gz", "rt", encoding="utf-8") as stream:
            lines += itertools.islice((" ".join(line.split()) for line in stream), 2000)
    learnt = io.StringIO()
    learn.learn_bpe(io.StringIO("\n".join(lines[::2])), learnt, 2000)
    codes, vocab = tmp_path / "codes", tmp_path / "vocab"
    merges = learnt.getvalue().splitlines()[1:]  # without the version
    codes.write_text("".join(f"{merge} 1\n" for merge in merges), encoding="utf-8")
    tokens = Counter(token for line in encoder_of(str(codes)).encode(lines[::4]) for token in line.split())
    vocab.write_text("".join(f"{token} {n}\n" for token, n in tokens.most_common() if n > 2), encoding="utf-8")
    assert encoder_of(str(codes)).encode(lines) == reference.fastBPE(str(codes)).apply(lines)
    limited = encoder_of(str(codes), str(vocab))
    assert limited.encode(lines) == reference.fastBPE(str(codes), str(vocab)).apply(lines)
    assert limited.num_unknown > 0
