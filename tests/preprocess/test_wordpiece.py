"""BERT's vocabularies and pieces."""

from __future__ import annotations

import gzip
import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest
from fairseq.data import Dictionary

from fairseq_xling_preprocess import cli, encode, vocab, wordpiece
from fairseq_xling_preprocess.errors import UserError
from fairseq_xling_preprocess.wordpiece import Options, WordPieceEncoder, WordPieceFiles
from tests.wordpieces import PIECES, write_wordpieces

pytest.importorskip("tokenizers")


@pytest.fixture
def vocab_txt(tmp_path: Path) -> str:
    return str(write_wordpieces(tmp_path / "bert"))


def encoder_of(path: str, lowercase: bool = False) -> WordPieceEncoder:
    return WordPieceEncoder(wordpiece.load(path, lowercase))


def xling(*words: object) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main([str(word) for word in words])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_pieces_by_hand(vocab_txt: str) -> None:
    """The longest piece first, characters of Chinese as words, punctuation as words, a word without pieces as it stands."""
    encoder = encoder_of(vocab_txt)
    lines = [
        "The dogs running.",
        "这条河 flows(é)",
        "",
        " \u200b\t",
        "a\x85b\u2028c",
        "Ωmega the ☃",
        "<mask> [MASK] [unused1]",
    ]
    assert encoder.encode(lines) == [
        "The dogs run ##ning .",
        "这 条 河 flows ( é )",
        "",
        "",
        "a b c",
        "Ωmega the ☃",
        "< m ##a ##s ##k > [ MASK ] [ unused1 ]",
    ]
    assert encoder.num_unknown == 4  # MASK and unused1 too: there is no ##A and no ##1
    assert dict(encoder.unknown_characters) == {"Ω": 1, "☃": 1, **dict.fromkeys("MASKunused1", 1), "u": 2}
    encoder.reset()
    assert (encoder.num_unknown, len(encoder.unknown_characters)) == (0, 0)


def test_spans_are_characters_of_the_line_as_given(vocab_txt: str) -> None:
    line = " The\u200b  dogs\u3000running ☃é"
    ((pieces, begins, ends),) = encoder_of(vocab_txt).encode_spans([line])
    assert pieces == ["The", "dogs", "run", "##ning", "☃é"]
    assert [line[b:e] for b, e in zip(begins, ends, strict=True)] == ["The", "dogs", "run", "ning", "☃é"]
    assert encoder_of(vocab_txt).encode_spans(["", "  "]) == [([], [], [])] * 2


def test_an_unknown_word_is_never_a_symbol(vocab_txt: str, tmp_path: Path) -> None:
    """A word too long for BERT that is a piece, and one that white space would cut in two."""
    long = "a" * 101
    path = write_wordpieces(tmp_path / "long", [*PIECES, long])
    assert encoder_of(str(path)).encode([long, f"{long}b"]) == ["<unk>", f"{long}b"]


def test_lower_casing(vocab_txt: str) -> None:
    cased, uncased = encoder_of(vocab_txt), encoder_of(vocab_txt, lowercase=True)
    assert cased.encode(["The OLD é"]) == ["The OLD é"]  # no ##L: an unknown word
    assert cased.num_unknown == 1
    assert uncased.encode(["The OLD é"]) == ["the old e"]
    assert uncased.num_unknown == 0


def test_options_beside_the_vocabulary_count(vocab_txt: str) -> None:
    file = Path(vocab_txt).with_name("tokenizer_config.json")
    file.write_text(json.dumps({"do_lower_case": True, "strip_accents": False, "model_max_length": 512}))
    assert encoder_of(vocab_txt).encode(["THE é"]) == ["the é"]
    assert encoder_of(vocab_txt, lowercase=True).encode(["THE é"]) == ["the é"]
    file.write_text(json.dumps({"do_lower_case": False}))
    with pytest.raises(UserError, match=r"--lowercase: .*tokenizer_config\.json says that .* is a cased vocabulary"):
        wordpiece.load(vocab_txt, lowercase=True)
    file.write_text(json.dumps({"model_max_length": 512}))
    assert wordpiece.load(vocab_txt, lowercase=True).options == Options(do_lower_case=True)
    file.write_text(json.dumps({"do_lower_case": "yes"}))
    with pytest.raises(UserError, match=r"tokenizer_config\.json: do_lower_case is 'yes'; write true or false"):
        wordpiece.load(vocab_txt)
    file.write_text("[1]")
    with pytest.raises(UserError, match=r"tokenizer_config\.json: holds no JSON object"):
        wordpiece.load(vocab_txt)
    file.write_text("{")
    with pytest.raises(UserError, match=r"tokenizer_config\.json: not a JSON file"):
        wordpiece.load(vocab_txt)


@pytest.mark.parametrize("special", ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"])
def test_a_missing_special_is_named(tmp_path: Path, special: str) -> None:
    path = write_wordpieces(tmp_path, [piece for piece in PIECES if piece != special])
    with pytest.raises(UserError) as caught:
        wordpiece.read_vocabulary(path)
    assert f"vocab.txt: has no line {special}; is it the vocab.txt of a BERT model?" in str(caught.value)


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        (
            [*PIECES, "river"],
            rf"vocab\.txt:{len(PIECES) + 1}: the piece 'river' stands in line {PIECES.index('river') + 1}",
        ),
        (["[PAD]", "", "a"], r"vocab\.txt:2: the line is empty"),
        ([*PIECES, "</s>"], rf"vocab\.txt:{len(PIECES) + 1}: has the piece </s>, which fairseq's dictionary adds"),
    ],
)
def test_lines_that_cannot_be(tmp_path: Path, pieces: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        wordpiece.read_vocabulary(write_wordpieces(tmp_path, pieces))


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.txt: no such file"):
        wordpiece.read_vocabulary(tmp_path / "none.txt")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="binary: not UTF-8 text"):
        wordpiece.read_vocabulary(tmp_path / "binary")


def test_line_ends_of_windows(vocab_txt: str) -> None:
    Path(vocab_txt).write_bytes(Path(vocab_txt).read_bytes().replace(b"\n", b"\r\n"))
    assert wordpiece.read_vocabulary(vocab_txt) == PIECES


def test_vocab_command(vocab_txt: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """dict.txt has the lines of vocab.txt without the specials; vocabulary and options stand beside it."""
    out = tmp_path / "out"
    assert xling("vocab", "--from-wordpiece", vocab_txt, "--lowercase", "--output", out) == 0
    assert f"{len(PIECES) - 5:,} symbols" in capsys.readouterr().out
    assert sorted(path.name for path in out.iterdir()) == ["dict.txt", "tokenizer_config.json", "vocab.txt"]
    assert (out / "vocab.txt").read_bytes() == Path(vocab_txt).read_bytes()
    assert wordpiece.read_options(out) == Options(do_lower_case=True)
    symbols = Dictionary.load(str(out / "dict.txt")).symbols
    assert symbols[4:] == [piece for piece in PIECES if piece not in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")]
    assert {"[unused1]", "<S>", "##ning"} < set(symbols)


def test_encode_command(vocab_txt: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is unknown is counted, named, and replaced by fairseq."""
    (tmp_path / "x.en").write_text("The dogs run ☃\n\nrunning\n", encoding="utf-8")
    (tmp_path / "x.de").write_text("ein Buch\nBerge\nSie\n", encoding="utf-8")
    files = [word for lang in ("en", "de") for word in ("--input", tmp_path / f"x.{lang}")]
    args = ["--wordpiece", vocab_txt, *files, "--pair", "en-de", "--output", tmp_path / "out", "--workers", "2"]
    assert xling("encode", *args) == 0
    captured = capsys.readouterr()
    assert "out.en: 2 lines, 6 tokens, 16.667% <unk>" in captured.out
    assert "☃ U+2603 x1" in captured.err
    assert (tmp_path / "out.en").read_text() == "The dogs run ☃\nrun ##ning\n"
    assert (tmp_path / "out.de").read_text() == "ein Buch\nSie\n"
    vocab.take_wordpiece(vocab_txt, tmp_path / "data")
    dictionary = Dictionary.load(str(tmp_path / "data" / "dict.txt"))
    ids = dictionary.encode_line("The dogs run ☃", add_if_not_exist=False, append_eos=False).tolist()
    assert [dictionary[number] for number in ids] == ["The", "dogs", "run", "<unk>"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give exactly one of --model, --wordpiece, --fastbpe, not none"),
        (["--model", "m", "--wordpiece", "v"], "not --model and --wordpiece"),
        (["--model", "m", "--lowercase"], "--lowercase is of --wordpiece, not of --model"),
        (["--wordpiece", "v", "--fastbpe-vocab", "w"], "--fastbpe-vocab is of --fastbpe, not of --wordpiece"),
        (["--wordpiece", "none.txt"], "none.txt: no such file"),
    ],
)
def test_options_that_do_not_fit(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x").write_text("The\n")
    assert xling("encode", *words, "--input", tmp_path / "x", "--output", tmp_path / "out") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_one_vocabulary_is_taken(vocab_txt: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert xling("vocab", "--from-wordpiece", vocab_txt, "--from-fastbpe", "v", "--output", tmp_path / "out") == 2
    assert "give either --input" in capsys.readouterr().err
    assert xling("vocab", "--from-fastbpe", "v", "--lowercase", "--output", tmp_path / "out") == 2
    assert "--lowercase is of --from-wordpiece" in capsys.readouterr().err


def test_the_library_is_needed_only_here(vocab_txt: str, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['tokenizers'] = None\n"
        "from fairseq_xling_preprocess import cli, commands\n"
        f"cli.main(['encode', '--wordpiece', {vocab_txt!r}, '--input', {vocab_txt!r}, '--output', '{tmp_path}/out'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert "install it with: pip install 'fairseq_xling[wordpiece]'" in done.stderr


def train_wordpieces(lines: list[str], path: Path, lowercase: bool) -> None:
    """A vocabulary for real text, made by the library, with BERT's lines around it."""
    import tokenizers

    trained = tokenizers.BertWordPieceTokenizer(lowercase=lowercase)
    trained.train_from_iterator(lines, vocab_size=3000, limit_alphabet=1500, show_progress=False)
    pieces = sorted(trained.get_vocab(), key=lambda piece: trained.get_vocab()[piece])
    write_wordpieces(path, ["[PAD]", "[unused1]", *(piece for piece in pieces if piece != "[PAD]"), "[unused2]"])


@pytest.mark.parametrize("lowercase", [False, True])
def test_real_text_gives_the_ids_of_transformers(shared_data: Path, tmp_path: Path, lowercase: bool) -> None:
    """Arabic, German, Hindi, Thai, Chinese and others: BertTokenizerFast's ids, and the characters they stand for."""
    transformers = pytest.importorskip("transformers")
    lines: list[str] = []
    for lang in ("ar", "de", "en", "hi", "ja", "ru", "th", "tr", "vi", "zh"):
        name = "tatoeba.en-de.en.gz" if lang == "en" else f"tatoeba.en-{lang}.{lang}.gz"
        with gzip.open(shared_data / "parallel" / name, "rt", encoding="utf-8", newline="\n") as stream:
            lines += itertools.islice((line.rstrip("\n") for line in stream), 400)
    for lang in ("ar", "th", "zh"):
        with gzip.open(shared_data / "downstream" / "xnli" / f"dev-{lang}.tsv.gz", "rt", encoding="utf-8") as stream:
            lines += itertools.islice((line.split("\t")[0] for line in stream), 200)
    train_wordpieces(lines[::2], tmp_path, lowercase)
    tokenizer = transformers.BertTokenizerFast(
        vocab={piece: number for number, piece in enumerate(wordpiece.read_vocabulary(tmp_path / "vocab.txt"))},
        do_lower_case=lowercase,
    )
    expected = tokenizer(lines, add_special_tokens=False, return_offsets_mapping=True)
    encoder = encoder_of(str(tmp_path / "vocab.txt"), lowercase)
    numbers = tokenizer.get_vocab()
    unknown = 0
    for line, (pieces, begins, ends), ids, spans in zip(
        lines, encoder.encode_spans(lines), expected["input_ids"], expected["offset_mapping"], strict=True
    ):
        assert [numbers.get(piece, numbers["[UNK]"]) for piece in pieces] == ids, line
        assert list(zip(begins, ends, strict=True)) == spans, line
        unknown += ids.count(numbers["[UNK]"])
    assert encoder.num_unknown == unknown > 0
    assert encoder.encode(lines) == [" ".join(pieces) for pieces, _, _ in encoder.encode_spans(lines)]


def test_encoders_share_a_model(vocab_txt: str) -> None:
    first, second = encode.make_encoders(WordPieceFiles(vocab_txt), 2)
    first.encode(["☃"])
    assert (first.num_unknown, second.num_unknown) == (1, 0)
