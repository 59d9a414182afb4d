"""Encoding raw text to pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from fairseq.data import Dictionary
from xopen import xopen

from fairseq_xling_preprocess import encode, text
from fairseq_xling_preprocess.errors import UserError


def lines_of(path: Path | str) -> list[str]:
    with xopen(path, "rb", threads=0) as stream:
        return stream.read().decode().split("\n")[:-1]


def write(path: Path, *lines: str) -> str:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return str(path)


def test_pieces_become_the_ids_of_the_model(
    corpus: dict[str, Path], vocabulary: Path, model: str, tmp_path: Path
) -> None:
    processor = sentencepiece.SentencePieceProcessor(model_file=model)
    dictionary = Dictionary.load(str(vocabulary / "dict.txt"))
    for lang, path in corpus.items():
        encode.encode_files(model, [str(path)], tmp_path / lang)
        for raw, line in zip(lines_of(path), lines_of(tmp_path / lang), strict=True):
            ids = dictionary.encode_line(line, add_if_not_exist=False, append_eos=False).tolist()
            assert ids == [index + 1 for index in processor.encode(raw)]
            assert dictionary.unk() not in ids


def test_many_processes_write_what_one_writes_in_order(
    corpus: dict[str, Path], model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunked = encode.chunked
    monkeypatch.setattr(encode, "chunked", lambda records: chunked(records, 7))
    inputs = [str(path) for path in corpus.values()]
    one = encode.encode_files(model, inputs, tmp_path / "one", workers=1)
    three = encode.encode_files(model, inputs, tmp_path / "three", workers=3)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "three").read_bytes()
    assert list(one.files.values()) == list(three.files.values())
    decoded = [line.replace(" ", "").replace("▁", " ").strip() for line in lines_of(tmp_path / "three")]
    assert decoded == [line.replace("，", ",") for path in inputs for line in lines_of(path)]


def test_reading_stays_a_bounded_distance_ahead(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead: list[int] = []  # chunks that were read and not yet written, at each write
    read = 0

    def chunks(records: Iterable[encode.Record]) -> Iterator[list[encode.Record]]:
        nonlocal read
        for record in records:
            read += 1
            yield [record]

    class Output(BytesIO):
        def write(self, text: Any) -> int:
            ahead.append(read - len(ahead))
            return super().write(text)

    monkeypatch.setattr(encode, "chunked", chunks)
    monkeypatch.setattr(encode, "open_outputs", lambda paths: nullcontext([Output() for _ in paths]))
    source = write(tmp_path / "text", *(f"Two dogs run. {number}" for number in range(200)))
    encode.encode_files(model, [source], tmp_path / "out", workers=2)
    assert len(ahead) == 200
    assert max(ahead) <= 4


def test_chunks_are_bounded_by_records_and_characters() -> None:
    records = [("x" * 10, "y" * 10)] * 10
    assert [len(chunk) for chunk in encode.chunked(records, max_records=4)] == [4, 4, 2]
    assert [len(chunk) for chunk in encode.chunked(records, max_characters=50)] == [3, 3, 3, 1]


@pytest.mark.parametrize("suffix", ["", ".gz", ".bz2", ".xz", ".zst"])
def test_compressed_in_and_out(corpus: dict[str, Path], model: str, tmp_path: Path, suffix: str) -> None:
    with xopen(tmp_path / f"in{suffix}", "wb", threads=0) as stream:
        stream.write(corpus["de"].read_bytes())
    encode.encode_files(model, [str(tmp_path / f"in{suffix}")], tmp_path / f"out{suffix}")
    encode.encode_files(model, [str(corpus["de"])], tmp_path / "plain")
    assert lines_of(tmp_path / f"out{suffix}") == lines_of(tmp_path / "plain")


def test_lines_keep_their_number_and_separators_do_not_break_them(model: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x", "Two\x85dogs", "", "\u200b", "Two\u2028dogs\x1crun", "run\rrun")
    encode.encode_files(model, [path], tmp_path / "out")
    plain = write(tmp_path / "y", "Two dogs", "", "", "Two dogs run", "run run")
    encode.encode_files(model, [plain], tmp_path / "expected")
    assert lines_of(tmp_path / "out") == lines_of(tmp_path / "expected")


def test_cc100_documents(model: str, tmp_path: Path) -> None:
    first = write(tmp_path / "1", "", "Two dogs", "run", "", "", "Two", "")
    second = write(tmp_path / "2", "dogs")
    encode.encode_files(model, [first, second], tmp_path / "out", "cc100")
    assert [bool(line) for line in lines_of(tmp_path / "out")] == [True, True, False, True, False, True]


def test_pairs_drop_empty_sides_and_stay_aligned(model: str, tmp_path: Path) -> None:
    english = write(tmp_path / "x.en", "Two dogs 1", "", "Two dogs 3", "Two dogs 4", "\u200b")
    german = write(tmp_path / "x.de", "Zwei Hunde 1", "Zwei Hunde 2", " ", "Zwei Hunde 4", "Zwei Hunde 5")
    result = encode.encode_files(model, [english, german], tmp_path / "out", pair=("en", "de"))
    assert result.num_dropped == 3
    assert [line[-1] for line in lines_of(tmp_path / "out.en")] == ["1", "4"]
    assert [line[-1] for line in lines_of(tmp_path / "out.de")] == ["1", "4"]
    tokens = [len(line.split(" ")) for line in lines_of(tmp_path / "out.en")]
    assert result.files[str(tmp_path / "out.en")].num_tokens == sum(tokens)


def test_tsv_tmx_and_moses_give_the_same_pairs(model: str, tmp_path: Path) -> None:
    pairs = [("Two dogs run.", "Zwei Hunde."), ("old town", "alte Stadt")]
    files = [
        write(tmp_path / "x.en", *(english for english, _ in pairs)),
        write(tmp_path / "x.de", *(german for _, german in pairs)),
    ]
    tsv = write(tmp_path / "x.tsv", *(f"id\t{german}\t{english}" for english, german in pairs))
    unit = "<tu><tuv xml:lang='en-GB'><seg>{}</seg></tuv><tuv xml:lang='DE'><seg>{}</seg></tuv></tu>"
    tmx = write(tmp_path / "x.tmx", "<tmx><body>", *(unit.format(*pair) for pair in pairs), "</body></tmx>")
    en_de = ("en", "de")
    encode.encode_files(model, files, tmp_path / "moses", pair=en_de)
    encode.encode_files(model, [tsv], tmp_path / "tsv", "tsv", en_de, (3, 2))
    encode.encode_files(model, [tmx], tmp_path / "tmx.gz", "tmx", en_de)
    for lang in en_de:
        assert len(lines_of(tmp_path / f"moses.{lang}")) == 2
        assert lines_of(tmp_path / f"moses.{lang}") == lines_of(tmp_path / f"tsv.{lang}")
        assert lines_of(tmp_path / f"moses.{lang}") == lines_of(tmp_path / f"tmx.{lang}.gz")


def test_unknown_characters_are_counted_and_named(vocabulary: Path, model: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x", "Two ☃ dogs ☃☃", "Two ☂")
    stats = encode.encode_files(model, [path], tmp_path / "out").files[str(tmp_path / "out")]
    assert stats.num_unknown == 3
    assert stats.unknown_characters.most_common(1) == [("☃", 3)]
    dictionary = Dictionary.load(str(vocabulary / "dict.txt"))
    ids = [dictionary.index(piece) for line in lines_of(tmp_path / "out") for piece in line.split(" ")]
    assert ids.count(dictionary.unk()) == 3
    assert len(ids) == stats.num_tokens


def test_text_that_looks_like_a_special_symbol_stays_text(vocabulary: Path, model: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x", "<mask> <s> </s> <pad> <unk>")
    encode.encode_files(model, [path], tmp_path / "out")
    pieces = lines_of(tmp_path / "out")[0].split(" ")
    assert not {"<mask>", "<s>", "</s>", "<pad>"}.intersection(pieces)


@pytest.mark.parametrize("workers", [1, 2])
def test_bad_line_leaves_nothing_behind(model: str, tmp_path: Path, workers: int) -> None:
    (tmp_path / "bad").write_bytes(b"Two dogs\n" * 9000 + b"\xe9\n" + b"Two\n" * 10)
    with pytest.raises(UserError, match="bad:9001: not UTF-8"):
        encode.encode_files(model, [str(tmp_path / "bad")], tmp_path / "out" / "train", workers=workers)
    assert list((tmp_path / "out").iterdir()) == []


def test_unequal_pair_leaves_the_old_output(model: str, tmp_path: Path) -> None:
    english, german = write(tmp_path / "a", "Two", "dogs"), write(tmp_path / "b", "Zwei")
    write(tmp_path / "train.en", "old")
    with pytest.raises(UserError, match=r"a has 2 lines and .*b has 1"):
        encode.encode_files(model, [english, german], tmp_path / "train", pair=("en", "de"))
    assert lines_of(tmp_path / "train.en") == ["old"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "train.en"]


@pytest.mark.parametrize(
    ("kind", "names", "pair", "columns", "message"),
    [
        ("lines", ["a", "b", "c"], ("en", "de"), [1, 2], "3 input files; give two"),
        ("lines", ["x.de.gz", "x.en.gz"], ("en", "de"), [1, 2], "x.de.gz comes first but is de; swap"),
        ("tmx", ["a"], None, [1], "needs --pair"),
        ("cc100", ["a"], ("en", "de"), [1, 2], "leave --pair out"),
        ("tsv", ["a"], ("en", "de"), [1], "two columns with --pair"),
        ("tsv", ["a"], None, [1, 2], "one column without --pair"),
        ("lines", ["out"], None, [1], "overwrite the input"),
    ],
)
def test_options_that_do_not_fit(
    kind: str, names: list[str], pair: tuple[str, str] | None, columns: list[int], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        encode.check_arguments(kind, names, encode.output_paths("out", pair), pair, columns)


def test_real_bitext_stays_aligned(shared_data: Path, model: str, tmp_path: Path) -> None:
    folder = shared_data / "parallel"
    for name in ("newstest2009.{}.gz", "tico19.en-zh.{}.gz", "multi30k.val.{}.gz"):
        pair = ("en", "zh") if "zh" in name else ("en", "de")
        files = [str(folder / name.format(lang)) for lang in pair]
        result = encode.encode_files(model, files, tmp_path / "out", pair=pair, workers=2)
        expected = sum(1 for row in text.read_pairs(files[0], files[1]) if all(side.strip() for side in row))
        counts = [stats.num_lines for stats in result.files.values()]
        assert counts == [expected, expected]
        assert [len(lines_of(path)) for path in result.files] == counts
