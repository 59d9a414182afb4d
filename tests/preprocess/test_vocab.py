"""Training and taking over vocabularies."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import sentencepiece
from fairseq.data import Dictionary

from fairseq_xling_preprocess import spm, vocab
from fairseq_xling_preprocess.errors import UserError


def test_dictionary_is_the_pieces_in_order_as_in_xlmr(vocabulary: Path, model: str) -> None:
    processor = sentencepiece.SentencePieceProcessor(model_file=model)
    lines = (vocabulary / "dict.txt").read_text(encoding="utf-8").split("\n")
    assert lines[:-1] == [f"{processor.id_to_piece(index)} 1" for index in range(3, 80)]
    dictionary = Dictionary.load(str(vocabulary / "dict.txt"))
    assert len(dictionary) == 81  # <pad> is added; <mask> will be the last
    assert all(dictionary.index(processor.id_to_piece(index)) == index + 1 for index in range(3, 80))


def test_training_is_deterministic(corpus: dict[str, Path], vocabulary: Path, tmp_path: Path) -> None:
    files = {lang: [str(path)] for lang, path in corpus.items()}
    vocab.train(files, tmp_path, 80, character_coverage=1.0)
    for name in (vocab.MODEL_NAME, vocab.DICT_NAME):
        assert (tmp_path / name).read_bytes() == (vocabulary / name).read_bytes()


def test_normalisation_and_no_byte_fallback(model: str) -> None:
    processor = sentencepiece.SentencePieceProcessor(model_file=model)
    assert processor.encode("ＴＷＯ", out_type=str)[0].startswith("▁T")
    assert not any(processor.is_byte(index) for index in range(len(processor)))


def test_taking_a_model_copies_it_and_gives_its_dictionary(vocabulary: Path, model: str, tmp_path: Path) -> None:
    assert vocab.take(model, tmp_path / "out") == 77
    for name in (vocab.MODEL_NAME, vocab.DICT_NAME):
        assert (tmp_path / "out" / name).read_bytes() == (vocabulary / name).read_bytes()


def test_model_of_another_convention_is_refused(corpus: dict[str, Path], tmp_path: Path) -> None:
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus["en"]), model_prefix=str(tmp_path / "t5"), vocab_size=60, pad_id=0, eos_id=1, unk_id=2,
        bos_id=-1, minloglevel=2, hard_vocab_limit=False,
    )  # fmt: skip
    with pytest.raises(UserError, match="its first pieces are <pad> </s> <unk>, XLM-R's are <unk> <s> </s>"):
        vocab.take(str(tmp_path / "t5.model"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_files_that_are_no_model(vocabulary: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a SentencePiece model"):
        spm.load(str(vocabulary / "dict.txt"))
    with pytest.raises(UserError, match="no such file"):
        spm.load(str(tmp_path / "none.model"))


@pytest.mark.parametrize(("size", "message"), [(5000, r"maximum is \d+"), (20, r"needs \d+ for its characters")])
def test_impossible_sizes(corpus: dict[str, Path], tmp_path: Path, size: int, message: str) -> None:
    with pytest.raises(UserError, match=f"--size {size} .*{message}"):
        vocab.train({"zh": [str(corpus["zh"])]}, tmp_path / "out", size)
    assert list((tmp_path / "out").iterdir()) == []


def test_the_maximum_named_is_possible(corpus: dict[str, Path], tmp_path: Path) -> None:
    files = {"zh": [str(corpus["zh"])]}
    with pytest.raises(UserError) as caught:
        vocab.train(files, tmp_path, 5000)
    maximum = int(str(caught.value).split("maximum is ")[1].split(";")[0])
    assert vocab.train(files, tmp_path, maximum)[1] == maximum - 3


def test_allotment_follows_alpha() -> None:
    def drawn(alpha: float, max_sentences: int = 10**9) -> list[int]:
        shares = {lang: vocab.Share(lines, 0) for lang, lines in (("en", 10_000), ("sw", 100))}
        vocab.allot(shares, alpha, max_sentences)
        return [share.num_drawn for share in shares.values()]

    assert drawn(1.0) == [10_000, 100]
    assert drawn(0.0) == [5050, 5050]
    assert drawn(0.5) == [9182, 918]  # 100 : 10
    assert drawn(0.5, 1100) == [1000, 100]


@pytest.mark.parametrize("wanted", [1, 30, 100, 250])
def test_draw_takes_the_exact_number_without_early_repeats(wanted: int) -> None:
    share = vocab.Share(100, 0, wanted)
    lines = [str(number) for number in range(100)]
    drawn = list(vocab.draw(iter(lines), share, random.Random(3)))
    assert len(drawn) == wanted
    counts = [drawn.count(line) for line in lines]
    assert max(counts) - min(counts) <= 1


def test_inputs_by_language(tmp_path: Path) -> None:
    for name in ("a.1", "a.2", "b"):
        (tmp_path / name).write_text("x\n")
    files = vocab.parse_inputs([f"en={tmp_path}/b", f"de={tmp_path}/a.*"])
    assert files == {"de": [f"{tmp_path}/a.1", f"{tmp_path}/a.2"], "en": [f"{tmp_path}/b"]}
    with pytest.raises(UserError, match="expected LANG=FILE"):
        vocab.parse_inputs(["train.en"])


def test_invalid_text_stops_before_anything_is_written(corpus: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"ok\n\xff\n")
    with pytest.raises(UserError, match="bad:2: not UTF-8"):
        vocab.train({"en": [str(corpus["en"]), str(tmp_path / "bad")]}, tmp_path / "out", 60)
    assert not (tmp_path / "out").exists()


def test_tmx_as_input(tmp_path: Path) -> None:
    unit = "<tu><tuv xml:lang='en'><seg>red house {}</seg></tuv><tuv xml:lang='de'><seg>ja</seg></tuv></tu>"
    body = "".join(unit.format(number) for number in range(50))
    (tmp_path / "x.tmx").write_text(f"<tmx><body>{body}</body></tmx>")
    shares, _ = vocab.train({"en": [str(tmp_path / "x.tmx")]}, tmp_path, 24)
    assert shares["en"].num_lines == 50


def test_unwritable_folder_shows_before_training(
    corpus: dict[str, Path], model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vocab.sentencepiece, "SentencePieceTrainer", None)
    with pytest.raises(UserError, match="cannot write"):
        vocab.train({"en": [str(corpus["en"])]}, corpus["en"] / "out", 60)
    with pytest.raises(UserError, match="cannot write"):
        vocab.take(model, corpus["en"])
