"""Files that are broken or do not belong together are refused with a message that says what to do."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
from fairseq.data import Dictionary, data_utils

from fairseq_xling.data.checks import (
    check_index,
    check_same_dictionary,
    check_sentencepiece,
    check_unknown_share,
    check_wordpiece,
    first_difference,
)
from fairseq_xling.errors import UserError
from tests.helpers import FIRST, MASK, UNK, random_sentences, write_corpus, write_dict
from tests.wordpieces import PIECES, write_wordpieces


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    write_corpus(tmp_path / "train", random_sentences(50))
    return tmp_path / "train"


def refuse(prefix: Path, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_index(str(prefix))


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.int64])
def test_sound_files_pass(tmp_path, dtype):
    write_corpus(tmp_path / "train", [[5, 6], [], [7] * 100], dtype=dtype)
    check_index(str(tmp_path / "train"))


@pytest.mark.parametrize("suffix", [".idx", ".bin"])
def test_missing_file(prefix, suffix):
    Path(f"{prefix}{suffix}").unlink()
    refuse(prefix, rf"train\{suffix}: file is missing; run fairseq-preprocess")


@pytest.mark.parametrize("size", [0, 10, 25, 26, 100])
def test_truncated_index(prefix, size):
    with open(f"{prefix}.idx", "r+b") as stream:
        stream.truncate(size)
    refuse(prefix, r"train\.idx: .*truncated.* run fairseq-preprocess for it again")


def test_truncated_data(prefix):
    with open(f"{prefix}.bin", "r+b") as stream:
        stream.truncate(Path(f"{prefix}.bin").stat().st_size - 2)
    refuse(prefix, r"train\.bin: truncated or not of this index: expected \d+ bytes, found \d+; run")


def test_data_of_another_corpus(prefix, tmp_path):
    write_corpus(tmp_path / "other", random_sentences(50, seed=9))
    (tmp_path / "other.bin").rename(f"{prefix}.bin")
    refuse(prefix, r"train\.bin: truncated or not of this index")


def test_not_an_index(prefix):
    Path(f"{prefix}.idx").write_bytes(b"TNTIDX\x00\x00" + b"\0" * 100)
    refuse(prefix, r"train\.idx: not an index of fairseq-preprocess --dataset-impl mmap")


def test_unknown_type_code(prefix):
    with open(f"{prefix}.idx", "r+b") as stream:
        stream.seek(17)
        stream.write(b"\x63")
    refuse(prefix, r"train\.idx: unknown token type code 99")


def test_no_sentence(tmp_path):
    write_corpus(tmp_path / "train", [])
    refuse(tmp_path / "train", r"train\.idx: holds no sentence; is the text it was made from empty\?")


@pytest.mark.parametrize("sentence", [0, 17, 49])
def test_wrong_pointer(prefix, sentence):
    with open(f"{prefix}.idx", "r+b") as stream:
        stream.seek(26 + 4 * 50 + 8 * sentence)
        stream.write(np.int64(-(2**31) + 4).tobytes())
    refuse(
        prefix, rf"train\.idx: the pointer of sentence {sentence} is -2147483644, expected \d+; .*NumPy 2.*--user-dir"
    )


def test_wrong_pointer_in_a_later_block_of_the_check(tmp_path, monkeypatch):
    """Over a million sentences are checked in blocks."""
    rows = (1 << 20) + 10
    write_corpus(tmp_path / "train", [[5]])
    header = Path(tmp_path / "train.idx").read_bytes()[:18]
    pointers = 4 * np.arange(rows, dtype=np.int64)
    Path(tmp_path / "train.bin").write_bytes(b"\0" * 4 * rows)
    for wrong in (False, True):
        if wrong:
            pointers[-3] += 2
        with open(tmp_path / "train.idx", "wb") as stream:
            stream.write(header + np.int64(rows).tobytes() + np.full(rows, 2, np.int32).tobytes() + pointers.tobytes())
        if wrong:
            refuse(tmp_path / "train", f"the pointer of sentence {rows - 3} is")
        else:
            check_index(str(tmp_path / "train"))


def test_first_difference():
    assert first_difference("abc", "abc") == ""
    assert first_difference("abc", "axc") == "symbol 1 is 'b' against 'x'"
    assert first_difference("abc", "ab") == "the first 2 symbols agree, the sizes are 3 against 2"


def test_dictionaries_that_differ(tmp_path):
    write_dict(tmp_path / "dict.txt", ["a", "b", "c"])
    write_dict(tmp_path / "other.txt", ["a", "x", "c", "d"])
    reference = Dictionary.load(str(tmp_path / "dict.txt"))
    reference.add_symbol("<mask>")
    check_same_dictionary(reference, tmp_path / "dict.txt", tmp_path / "dict.txt")
    with pytest.raises(
        UserError,
        match=r"other\.txt \(8 symbols\) is not the dictionary .*/dict\.txt \(7 symbols\): symbol 5 is 'b' against 'x'; "
        r"binarise the corpus again with --srcdict .*/dict\.txt",
    ):
        check_same_dictionary(reference, tmp_path / "other.txt", tmp_path / "dict.txt")


@pytest.fixture(scope="module")
def spm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spm") / "sentencepiece.bpe.model"
    with open(path, "wb") as stream:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["the cat sat on the mat", "a dog ate my hat"] * 5),
            model_writer=stream,
            vocab_size=30,
            hard_vocab_limit=False,
            minloglevel=2,
        )
    return path


def pieces(path: Path) -> list[str]:
    model = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return [model.id_to_piece(i) for i in range(3, len(model))]


def dictionary(words: list[str]) -> Dictionary:
    found = Dictionary()
    for word in [*words, "<mask>"]:
        found.add_symbol(word)
    return found


def test_sentencepiece_model_and_dictionary(spm):
    check_sentencepiece(dictionary(pieces(spm)), spm, spm.parent / "dict.txt")
    words = pieces(spm)
    words[4], words[5] = words[5], words[4]
    with pytest.raises(
        UserError, match=r"dict\.txt does not belong to .*bpe\.model: symbol 4 is .* `xling vocab --from-spm"
    ):
        check_sentencepiece(dictionary(words), spm, spm.parent / "dict.txt")
    with pytest.raises(UserError, match=r"the first \d+ symbols agree, the sizes are"):
        check_sentencepiece(dictionary(pieces(spm)[:-1]), spm, spm.parent / "dict.txt")


def test_not_a_sentencepiece_model(tmp_path):
    (tmp_path / "sentencepiece.bpe.model").write_text("nonsense")
    with pytest.raises(UserError, match=r"bpe\.model: not a SentencePiece model"):
        check_sentencepiece(dictionary(["a"]), tmp_path / "sentencepiece.bpe.model", tmp_path / "dict.txt")


def test_wordpieces_and_dictionary(tmp_path):
    path = write_wordpieces(tmp_path)
    words = [piece for piece in PIECES if piece not in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")]
    check_wordpiece(dictionary([*words, "<mask>"]), path, tmp_path / "dict.txt")
    other = list(words)
    other[4], other[5] = other[5], other[4]
    with pytest.raises(UserError) as caught:
        check_wordpiece(dictionary(other), path, tmp_path / "dict.txt")
    message = str(caught.value)
    assert "dict.txt does not belong to" in message
    assert f"the WordPiece vocabulary of another model: symbol 4 is {words[5]!r} against {words[4]!r}" in message
    assert "make dict.txt with `xling vocab --from-wordpiece vocab.txt`" in message
    with pytest.raises(UserError, match=rf"the first {len(words) - 1} symbols agree"):
        check_wordpiece(dictionary(words[:-1]), path, tmp_path / "dict.txt")
    write_wordpieces(tmp_path, [piece for piece in PIECES if piece != "[SEP]"])
    with pytest.raises(UserError, match=r"vocab\.txt: has no line \[SEP\]"):
        check_wordpiece(dictionary(words), path, tmp_path / "dict.txt")


def corpus_with_unknowns(folder: Path, every: int) -> data_utils.FairseqDataset:
    tokens = np.arange(1000) % 30 + FIRST
    tokens[::every] = UNK
    write_corpus(folder / "train", tokens.reshape(-1, 10).tolist())
    return data_utils.load_indexed_dataset(str(folder / "train"), None, dataset_impl="mmap")


def test_unknown_tokens(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        check_unknown_share(corpus_with_unknowns(tmp_path / "few", 1000), UNK, MASK + 1, "few")
        assert not caplog.records
        check_unknown_share(corpus_with_unknowns(tmp_path / "some", 50), UNK, MASK + 1, "mono/xx/train")
    assert "mono/xx/train: 1.82% of the tokens are <unk> (more than 0.3%)" in caplog.text
    with pytest.raises(
        UserError, match=r"mono/xx/train: 45\.5% of the tokens are <unk>; .*encode it again with `xling encode"
    ):
        check_unknown_share(corpus_with_unknowns(tmp_path / "many", 2), UNK, MASK + 1, "mono/xx/train")


def test_ids_beyond_the_dictionary(tmp_path):
    write_corpus(tmp_path / "train", [[5], [6, 45]])
    dataset = data_utils.load_indexed_dataset(str(tmp_path / "train"), None, dataset_impl="mmap")
    with pytest.raises(
        UserError, match=r"name: sentence 1 holds the id 45, the dictionary has 45 symbols; .*--srcdict"
    ):
        check_unknown_share(dataset, UNK, 45, "name")
    check_unknown_share(dataset, UNK, 46, "name")
