"""Word alignments carried to pieces, and binarised."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fairseq.data.indexed_dataset import MMapIndexedDataset
from hypothesis import given
from hypothesis import strategies as st

from fairseq_xling_preprocess import cli, encode, piece_links, spm
from fairseq_xling_preprocess.alignment.words import visible
from fairseq_xling_preprocess.errors import UserError
from fairseq_xling_preprocess.text import squeeze
from fairseq_xling_preprocess.wordpiece import WordPieceFiles
from tests.wordpieces import write_wordpieces

EN_FR = ("en", "fr")


def write(path: Path, *lines: str) -> str:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return str(path)


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def spans(*pieces: tuple[int, int]) -> piece_links.Spans:
    begins, ends = zip(*pieces, strict=True)
    return [], list(begins), list(ends)


def test_by_hand() -> None:
    #           0123456789
    source = "It isn't"  # It | is n't
    target = "ce n'est pas"  # ce | n' est pas
    pieces = (
        spans((0, 1), (1, 2), (2, 4), (4, 8)),  # I t _i sn't: the last two in "is", for "sn't" begins there
        spans((0, 3), (3, 5), (5, 8), (8, 9), (9, 10), (10, 12)),  # "ce " "n'" "est" " " "p" "as"
    )
    record = (source, target, "It is n't", "ce n' est pas", "0-0 1-2 2-1 1-3", "x:1")
    assert piece_links.carry(record, pieces, "first") == "0-0 2-2 2-4"
    assert piece_links.carry(record, pieces, "all") == "0-0 1-0 2-2 2-4 2-5 3-2 3-4 3-5"


def test_white_space_and_control_characters_do_not_matter() -> None:
    text = " a\u200bb \u00a0 c"
    assert piece_links.word_numbers(text, ["ab", "\u200bc"], [0, 1, 3, 4, 4, 7, 8], [1, 3, 4, 4, 5, 8, 8]) == [
        -1, 0, 0, -1, -1, 1, -1,
    ]  # fmt: skip


WORDS = st.lists(st.text("abcé你好\u0301", min_size=1, max_size=5), min_size=1, max_size=6)


@st.composite
def cut(draw: st.DrawFn) -> tuple[list[str], str, list[tuple[int, int]]]:
    """Random words, a text of them with or without spaces, and a random cutting of the text into pieces."""
    words = draw(WORDS)
    gaps = [draw(st.sampled_from(["", " ", "  ", "\u3000", "\u200b"])) for _ in words]
    text = "".join(gap + word for gap, word in zip(gaps, words, strict=True))
    ends = sorted({*draw(st.lists(st.integers(1, len(text)))), len(text)})
    return words, text, list(zip([0, *ends], ends, strict=False))


@given(cut(), cut(), st.data(), st.sampled_from(piece_links.MODES))
def test_pieces_of_unaligned_words_are_never_linked(source, target, data: st.DataObject, mode: str) -> None:
    sides = [(words, text, pieces, characters_of(words, text)) for words, text, pieces in (source, target)]
    positions = [st.integers(0, len(words) - 1) for words, *_ in sides]
    links = data.draw(st.sets(st.tuples(*positions)))
    record = (
        sides[0][1],
        sides[1][1],
        *(" ".join(words) for words, *_ in sides),
        " ".join(f"{i}-{j}" for i, j in links),
        "x:1",
    )
    carried = piece_links.carry(record, [spans(*pieces) for _, _, pieces, _ in sides], mode)
    found = {tuple(map(int, link.split("-"))) for link in carried.split()}

    # independently: a piece is of the word that the first visible character in it is of
    owner = [
        [next((owners[k] for k in range(*piece) if k in owners), None) for piece in pieces]
        for *_, pieces, owners in sides
    ]
    for first, second in found:
        assert (owner[0][first], owner[1][second]) in links
    every = {
        (first, second) for first, i in enumerate(owner[0]) for second, j in enumerate(owner[1]) if (i, j) in links
    }
    if mode == "all":
        assert found == every
    else:
        assert found == {
            (a, b) for a, b in every if owner[0].index(owner[0][a]) == a and owner[1].index(owner[1][b]) == b
        }


def characters_of(words: list[str], text: str) -> dict[int, int]:
    """Position in the text of each visible character -> its word."""
    owners: dict[int, int] = {}
    start = 0
    for number, word in enumerate(words):
        start = text.index(word, start)
        owners.update(dict.fromkeys(range(start, start + len(word)), number))
        start += len(word)
    return owners


@given(text=st.text(max_size=40))
def test_spans_belong_to_the_pieces_that_encode_gives(text: str, encoder: spm.PieceEncoder) -> None:
    encoder.reset()
    [(pieces, begins, ends)] = encoder.encode_spans([text])
    counts = encoder.num_unknown, dict(encoder.unknown_characters)
    encoder.reset()
    assert encoder.encode([text]) == [" ".join(pieces)]
    assert counts == (encoder.num_unknown, dict(encoder.unknown_characters))
    assert begins == sorted(begins)
    assert all(0 <= begin <= end <= len(text) for begin, end in zip(begins, ends, strict=True))
    for piece, begin, end in zip(pieces, begins, ends, strict=True):
        if piece.isascii() and text.isascii() and text.isprintable():
            assert squeeze(text[begin:end]) == piece
        if visible(piece.replace("▁", "")):
            assert visible(text[begin:end])


@pytest.fixture(scope="module")
def encoder(vocabulary: Path) -> spm.PieceEncoder:
    return spm.PieceEncoder(spm.load(str(vocabulary / "sentencepiece.bpe.model")))


def test_characters_that_normalisation_takes_apart(encoder: spm.PieceEncoder) -> None:
    [(pieces, begins, ends)] = encoder.encode_spans(["\u00a0 x  …  y"])
    assert "".join(pieces) == "▁x▁...▁y"
    dots = [(begin, end) for piece, begin, end in zip(pieces, begins, ends, strict=True) if "." in piece]
    assert {"\u00a0 x  …  y"[begin:end].strip() for begin, end in dots} == {"…"}


@pytest.fixture
def bitext(tmp_path: Path) -> list[str]:
    return [
        write(tmp_path / "a.en", "The river flows.", "", "Two dogs run.", "The old town"),
        write(tmp_path / "a.fr", "Der Fluss fließt.", "x", "Zwei Hunde.", "die Stadt"),
    ]


def test_links_stay_in_step_and_are_read_back(
    bitext: list[str], vocabulary: Path, model: str, tmp_path: Path, command: Callable
) -> None:
    words = tmp_path / "words"
    write(tmp_path / "words.en", "The river flows .", "", "Two dogs run .", "The old town")
    write(tmp_path / "words.fr", "Der Fluss fließt .", "x", "Zwei Hunde .", "die Stadt")
    alignment = write(tmp_path / "links", "0-0 1-1 2-2 3-3", "", "", "2-1 0-0")
    links = piece_links.WordLinks(alignment, str(words))
    out = tmp_path / "enc" / "train"
    results = [encode.encode_files(model, bitext, out, pair=EN_FR, workers=workers, links=links) for workers in (2, 1)]
    assert results[0] == results[1]
    assert (results[0].num_dropped, results[0].num_links) == (1, 6)
    sides = [lines_of(tmp_path / "enc" / f"train.{lang}") for lang in EN_FR]
    rows = lines_of(tmp_path / "enc" / "train.align")
    assert [len(rows), len(sides[0]), bool(rows[1])] == [3, 3, False]

    def linked(number: int) -> list[tuple[str, str]]:
        pairs = [tuple(map(int, link.split("-"))) for link in rows[number].split()]
        return [(sides[0][number].split()[i], sides[1][number].split()[j]) for i, j in pairs]

    marks = [(first.strip("▁")[0], second.strip("▁")[0]) for first, second in linked(0)]
    assert marks == [("T", "D"), ("r", "F"), ("f", "f"), (".", ".")]

    dictionary = vocabulary / "dict.txt"
    for workers in ("1", "2"):
        data = tmp_path / f"bin{workers}"
        done = command(
            "fairseq-preprocess", "-s", "en", "-t", "fr", "--srcdict", dictionary, "--tgtdict", dictionary, "--trainpref",
            out, "--align-suffix", "align", "--destdir", data, "--workers", workers,
        )  # fmt: skip
        assert done.returncode == 0, done.log
        stored = MMapIndexedDataset(str(data / "train.align.en-fr"))
        assert len(stored) == 3
        assert np.dtype(stored._index.dtype).itemsize == 4
        for number, row in enumerate(rows):
            flat = [int(part) for link in row.split() for part in link.split("-")]
            assert stored[number].tolist() == flat


def test_without_words_the_input_is_split_at_spaces(bitext: list[str], model: str, tmp_path: Path) -> None:
    alignment = write(tmp_path / "links", "0-0 2-2", "", "2-1", "")
    for mode in piece_links.MODES:
        links = piece_links.WordLinks(alignment, mode=mode)
        encode.encode_files(model, bitext, tmp_path / mode, pair=EN_FR, links=links)
    first, every = (lines_of(tmp_path / f"{mode}.align") for mode in piece_links.MODES)
    assert [len(line.split()) for line in first] == [2, 1, 0]
    assert all(set(a.split()) <= set(b.split()) for a, b in zip(first, every, strict=True))
    assert len(every[0].split()) > 2


def test_wordpieces(tmp_path: Path) -> None:
    tokeniser = WordPieceFiles(str(write_wordpieces(tmp_path / "bert")))
    files = [write(tmp_path / "a.en", "The river runs."), write(tmp_path / "a.fr", "deux chiens courent.")]
    write(tmp_path / "w.en", "The river runs .")
    write(tmp_path / "w.fr", "deux chiens courent .")
    alignment = write(tmp_path / "links", "0-0 1-1 2-2 3-3")
    found = []
    for mode in piece_links.MODES:
        links = piece_links.WordLinks(alignment, str(tmp_path / "w"), mode)
        encode.encode_files(tokeniser, files, tmp_path / mode, pair=EN_FR, links=links)
        found += lines_of(tmp_path / f"{mode}.align")
    assert lines_of(tmp_path / "first.en") == ["The river run ##s ."]
    assert found == ["0-0 1-1 2-2 4-3", "0-0 1-1 2-2 3-2 4-3"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["0-0", "", "0-0"], r"links: has 3 lines, the bitext 4 pairs"),
        (["0-0", "", "0-0", "", ""], r"links: has 5 lines, the bitext 4 pairs"),
        (
            ["0-0", "", "3-0", ""],
            r"links:3: link 3-0 is out of range: 3 source and 2 target words.* 0; did you forget --words PREFIX",
        ),
        (["0-0", "", "0-x", ""], r"links:3: '0-x' is not a link"),
    ],
)
def test_wrong_links(bitext: list[str], model: str, tmp_path: Path, lines: list[str], message: str) -> None:
    links = piece_links.WordLinks(write(tmp_path / "links", *lines))
    with pytest.raises(UserError, match=message):
        encode.encode_files(model, bitext, tmp_path / "out", pair=EN_FR, workers=2, links=links)
    assert not list(tmp_path.glob("out.*"))


def test_words_of_another_text(bitext: list[str], model: str, tmp_path: Path) -> None:
    write(tmp_path / "w.en", "The river flows .", "", "Two cats run .", "The old town")
    write(tmp_path / "w.fr", "Der Fluss fließt .", "x", "Zwei Hunde .", "die Stadt")
    links = piece_links.WordLinks(write(tmp_path / "links", "0-0", "", "0-0", ""), str(tmp_path / "w"))
    with pytest.raises(UserError, match=r"links:3: the words 'Two cats run \.' are not those .* --words"):
        encode.encode_files(model, bitext, tmp_path / "out", pair=EN_FR, links=links)
    write(tmp_path / "w.fr", "Der Fluss fließt .")
    with pytest.raises(UserError, match=r"w\.fr: has 1 lines, the bitext 4 pairs"):
        encode.encode_files(model, bitext, tmp_path / "out", pair=EN_FR, links=links)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--words", "x"], "--words: there is nothing to carry"),
        (["--links", "all"], "--links: there is nothing to carry"),
        (["--alignment", "x"], "--alignment x: links are between two languages; give --pair"),
    ],
)
def test_wrong_options(
    options: list[str], message: str, bitext: list[str], model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["encode", "--model", model, "--input", bitext[0], "--output", str(tmp_path / "out"), *options])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("file", "output"), [("links", "w"), ("x.align", "x")])
def test_links_and_words_are_not_overwritten(
    file: str, output: str, bitext: list[str], model: str, tmp_path: Path
) -> None:
    for side, lang in enumerate(EN_FR):
        (tmp_path / f"w.{lang}").write_bytes(Path(bitext[side]).read_bytes())
    links = piece_links.WordLinks(write(tmp_path / file, "0-0", "", "", ""), str(tmp_path / "w"))
    with pytest.raises(UserError, match="--output would overwrite the input"):
        encode.encode_files(model, bitext, tmp_path / output, pair=EN_FR, links=links)
    assert (tmp_path / "w.en").read_bytes() == Path(bitext[0]).read_bytes()
