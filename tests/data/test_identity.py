"""What counts in the files of a model, and whether a checkpoint belongs to them."""

import json
import shutil

import pytest
import torch

from fairseq_xling.data.databin import load_dictionary
from fairseq_xling.data.identity import Vocabulary, check_weights, file_difference, read_memory, remember
from fairseq_xling.errors import UserError
from fairseq_xling_preprocess import vocab
from fairseq_xling_preprocess.wordpiece import Options

TABLE = "encoder.sentence_encoder.embed_languages.weight"


@pytest.fixture
def pair(tmp_path):
    """``pair(name, left, right)`` describes where two files of that name with these contents part."""

    def describe(name, left, right):
        files = [tmp_path / side / name for side in ("left", "right")]
        for file, content in zip(files, (left, right), strict=True):
            file.parent.mkdir(exist_ok=True)
            file.write_text(content)
        return file_difference(*files)

    return describe


@pytest.mark.parametrize(
    ("name", "left", "right", "expected"),
    [
        ("dict.txt", "a 1\nb 1\n", "a 7\nb 8\n<mask> 1\n", ""),
        ("dict.txt", "a 1\nb 1\nc 1\n", "a 1\nc 1\nb 1\n", "symbol 5 is 'b' against 'c'"),
        ("dict.txt", "a 1\n", "a 1\nb 1\n", "the first 5 symbols agree, the sizes are 5 against 6"),
        ("languages.txt", "de\nen\n", "de en", ""),
        ("languages.txt", "de\nen\n", "en\nde\n", "language 0 is 'de' against 'en'"),
        ("labels.txt", "no\nyes\n", "yes\nno\n", "label 0 is 'no' against 'yes'"),
        ("vocab.bpe", "h e\n", "t h\n", "line 0 is 'h e' against 't h'"),
    ],
)
def test_where_two_files_part(pair, name, left, right, expected):
    assert pair(name, left, right) == expected


def test_of_a_tokenizer_config_the_options_count(pair):
    ours = Options(do_lower_case=True).to_bytes().decode()
    theirs = json.dumps({"do_lower_case": True, "model_max_length": 512})
    assert pair("tokenizer_config.json", ours, theirs) == ""
    other = json.dumps({"do_lower_case": False})
    assert (
        pair("tokenizer_config.json", ours, other) == "option 0 is 'do_lower_case True' against 'do_lower_case False'"
    )


def test_of_two_sentencepiece_models_pieces_and_scores_count(tmp_path):
    for name, text in (("left", "a river and a town"), ("right", "a river or a town and a river")):
        (tmp_path / f"{name}.txt").write_text(f"{text}\n" * 20)
        vocab.train({"xx": [str(tmp_path / f"{name}.txt")]}, tmp_path / name, 16)
    files = [tmp_path / name / "sentencepiece.bpe.model" for name in ("left", "right")]
    assert file_difference(*files).startswith("piece 3 is ")
    shutil.copyfile(files[0], files[1])
    assert file_difference(*files) == ""


@pytest.fixture
def given(tmp_path):
    """Symbols a, b, c and languages de, en."""
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "dict.txt").write_text("a 1\nb 1\nc 1\n")
    (folder / "languages.txt").write_text("de\nen\n")
    files = [folder / "dict.txt", folder / "languages.txt"]
    return Vocabulary(folder, files, load_dictionary(files[0]), ["de", "en"])


@pytest.fixture
def check(given, tmp_path):
    """``check(memory, beside, table)`` checks a checkpoint that remembers and lies beside such symbols and languages."""

    def run(memory=None, beside=None, table=True, with_languages=True):
        folder = tmp_path / "checkpoint"
        folder.mkdir()
        content = {"model": {TABLE: torch.zeros(3, 2)} if table else {}}
        for place, vocabulary in ((folder, beside), (tmp_path, memory)):
            if vocabulary:
                (place / "dict.txt").write_text("".join(f"{symbol} 1\n" for symbol in vocabulary[0]))
                (place / "languages.txt").write_text("".join(f"{language}\n" for language in vocabulary[1].split()))
        if memory:
            content["task_state"] = {"vocabulary": remember(load_dictionary(tmp_path / "dict.txt"), memory[1].split())}
        torch.save(content, folder / "x.pt")
        check_weights("--restore-file x.pt", folder / "x.pt", given, with_languages)

    return run


RIGHT, SWAPPED, TURNED = ("abc", "de en"), ("acb", "de en"), ("abc", "en de")


def test_a_checkpoint_that_remembers(check):
    """What lies beside it may have been changed since."""
    check(memory=RIGHT, beside=("cba", "en de"))


@pytest.mark.parametrize("beside", [RIGHT, None])
def test_a_checkpoint_that_remembers_others(check, beside):
    with pytest.raises(
        UserError, match=r"--restore-file x\.pt: was trained with other symbols .*: symbol 5 is 'c' against 'b'"
    ):
        check(memory=SWAPPED, beside=beside)


def test_remembered_languages(check):
    with pytest.raises(UserError, match=r"other languages than those of .*/given: language 0 is 'en' against 'de'"):
        check(memory=TURNED)


def test_a_checkpoint_without_a_memory_is_judged_by_what_lies_beside_it(check):
    with pytest.raises(UserError, match=r"the dict\.txt beside it is not that of .*: symbol 5 is 'c' against 'b'"):
        check(beside=SWAPPED)


def test_languages_beside_it(check):
    with pytest.raises(
        UserError, match=r"the languages\.txt beside it is not that of .*: language 0 is 'en' against 'de'"
    ):
        check(beside=TURNED)


@pytest.mark.parametrize("options", [{"table": False}, {"with_languages": False}])
@pytest.mark.parametrize("memory", [TURNED, None])
def test_languages_count_where_both_have_a_table_of_them(check, memory, options):
    check(memory=memory, beside=TURNED, **options)


def test_a_checkpoint_of_which_nothing_is_known(check):
    check()


def test_a_file_of_an_old_pytorch_remembers_nothing(tmp_path):
    torch.save({"model": {TABLE: torch.zeros(3, 2)}}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert not read_memory(tmp_path / "old.pt").vocabulary


def test_a_damaged_checkpoint(tmp_path):
    torch.save({"model": {}}, tmp_path / "x.pt")
    content = (tmp_path / "x.pt").read_bytes()
    (tmp_path / "x.pt").write_bytes(content.replace(b"model", b"m\xffdel", 1))
    with pytest.raises(UserError, match=r"x\.pt: not a readable checkpoint"):
        read_memory(tmp_path / "x.pt")
