"""``xling convert`` and the tokenizers it writes."""

import gzip
import itertools
import json
import shutil
from pathlib import Path

import pytest
import torch

from fairseq_xling.errors import UserError
from fairseq_xling.interop import vocabulary as vocabularies
from fairseq_xling.interop.cli import convert
from fairseq_xling.interop.load import load_model
from fairseq_xling_preprocess import cli, vocab
from tests.conftest import ROOT
from tests.interop.conftest import MERGES, SENTENCES
from tests.interop.models import assert_same_weights, checkpoint_of, xling_model

transformers = pytest.importorskip("transformers")


def xling(*words):
    """Exit status of ``xling …`` in this process."""
    with pytest.raises(SystemExit) as caught:
        cli.main([str(word) for word in words])
    return caught.value.code


def test_every_option_is_documented():
    page = (ROOT / "docs" / "convert.md").read_text(encoding="utf-8")
    for option in convert.params:
        if option.opts[0].startswith("--"):
            assert f"| `{option.opts[0]}" in page, option.opts[0]


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_there_and_back(xling_folder, tmp_path, capsys):
    assert xling("convert", xling_folder, tmp_path / "hf") == 0
    assert {"config.json", "model.safetensors", "sentencepiece.bpe.model"} < {*files(tmp_path / "hf")}
    assert xling("convert", tmp_path / "hf", tmp_path / "back") == 0
    assert files(tmp_path / "back") == ["dict.txt", "model.pt", "sentencepiece.bpe.model"]
    assert "model.pt" in capsys.readouterr().out
    first, second = (load_model(folder).model.state_dict() for folder in (xling_folder, tmp_path / "back"))
    assert_same_weights(first, second)
    assert files(tmp_path) == ["back", "hf", "xling"]


def test_tokenizer_offline_gives_our_ids(xling_folder, tmp_path):
    assert xling("convert", xling_folder, tmp_path / "hf") == 0
    loaded = load_model(xling_folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
    assert tokenizer.get_vocab() == loaded.dictionary.indices
    texts = [*SENTENCES, "Two  rivers\tflow; 两只狗 ½ ﬁn ☃ ünd Œuvre"]
    for text, ids in zip(texts, loaded.encode_text(texts), strict=True):
        assert tokenizer(text)["input_ids"] == [0, *ids.tolist(), 2]
    symbols = loaded.symbols
    assert tokenizer.mask_token_id == symbols.mask
    assert (tokenizer.bos_token_id, tokenizer.pad_token_id, tokenizer.eos_token_id) == (0, 1, 2)
    assert tokenizer.unk_token_id == symbols.unk


def test_tokenizer_json_is_enough_to_come_back(xling_folder, tmp_path):
    """transformers 5 saves no SentencePiece model; the one rebuilt from tokenizer.json gives the same pieces."""
    assert xling("convert", xling_folder, tmp_path / "hf") == 0
    (tmp_path / "hf" / "sentencepiece.bpe.model").unlink()
    assert xling("convert", tmp_path / "hf", tmp_path / "back") == 0
    first, second = load_model(xling_folder), load_model(tmp_path / "back")
    assert first.dictionary.symbols == second.dictionary.symbols
    texts = [*SENTENCES, "½ ﬁn ☃☃  \u3000 Œuvre"]
    for left, right in zip(first.encode_text(texts), second.encode_text(texts), strict=True):
        assert left.tolist() == right.tolist()


def test_roberta_tokenizer(hf_roberta_folder, tmp_path):
    """fairseq's own GPT-2 encoding with the files we write gives the ids of transformers."""
    from fairseq.data.encoders.gpt2_bpe_utils import get_encoder

    assert xling("convert", hf_roberta_folder, tmp_path / "roberta") == 0
    assert files(tmp_path / "roberta") == ["dict.txt", "encoder.json", "model.pt", "vocab.bpe"]
    encoder = get_encoder(str(tmp_path / "roberta" / "encoder.json"), str(tmp_path / "roberta" / "vocab.bpe"))
    dictionary = load_model(tmp_path / "roberta").dictionary
    original = transformers.AutoTokenizer.from_pretrained(hf_roberta_folder)
    assert xling("convert", tmp_path / "roberta", tmp_path / "back") == 0
    back = transformers.AutoTokenizer.from_pretrained(tmp_path / "back")
    text = "the hen owns the town, über ☃"
    expected = original(text)["input_ids"]
    assert back(text)["input_ids"] == expected
    assert [0, *(dictionary.index(str(number)) for number in encoder.encode(text)), 2] == expected
    assert json.loads((tmp_path / "back" / "vocab.json").read_text()) == original.get_vocab()


def test_gpt2_numbers():
    """GPT-2 gives "!" 0, "A" 32, " " 220, the first merge 256, and <|endoftext|> the last number."""
    numbers = vocabularies.gpt2_numbers("\n".join(["#version: 0.2", *MERGES]))
    assert (numbers["!"], numbers["A"], numbers["Ġ"], numbers["he"], numbers["Ġthe"]) == (0, 32, 220, 256, 258)
    assert numbers["<|endoftext|>"] == 256 + len(MERGES)


def test_roberta_without_merges_keeps_the_weights(xling_folder, tmp_path, caplog):
    (xling_folder / "sentencepiece.bpe.model").unlink()
    assert xling("convert", xling_folder, tmp_path / "hf") == 0
    assert files(tmp_path / "hf") == ["config.json", "model.safetensors"]
    assert "no tokenizer written" in caplog.text
    assert json.loads((tmp_path / "hf" / "config.json").read_text())["model_type"] == "roberta"


def test_to_forces_the_kind(xling_folder, tmp_path):
    assert xling("convert", xling_folder / "model.pt", tmp_path / "out", "--to", "fairseq") == 0
    assert files(tmp_path / "out") == ["dict.txt", "languages.txt", "model.pt", "sentencepiece.bpe.model"]


def test_a_converted_model_remembers_its_symbols(xling_folder, tmp_path, capsys):
    assert xling("convert", xling_folder, tmp_path / "out", "--to", "fairseq") == 0
    (tmp_path / "out" / "sentencepiece.bpe.model").unlink()
    lines = (tmp_path / "out" / "dict.txt").read_text().splitlines(keepends=True)
    (tmp_path / "out" / "dict.txt").write_text("".join([*lines[:-2], lines[-1], lines[-2]]))
    assert xling("convert", tmp_path / "out", tmp_path / "hf") == 2
    assert (
        f"model.pt: was trained with other symbols than those of {tmp_path / 'out'}: symbol " in capsys.readouterr().err
    )


def test_target_that_is_not_empty(xling_folder, tmp_path, capsys):
    target = tmp_path / "hf"
    target.mkdir()
    assert xling("convert", xling_folder, target) == 0  # an empty folder is fine
    before = contents(target)
    assert xling("convert", xling_folder, target) == 2
    assert "exists and is not empty" in capsys.readouterr().err
    assert contents(target) == before
    assert xling("convert", xling_folder / "model.pt", xling_folder, "--force") == 2
    assert "holds the source" in capsys.readouterr().err
    assert files(tmp_path) == ["hf", "xling"]


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def occupied(hf_folder):
    """A model of transformers among files of somebody's own, one of them in several places."""
    (hf_folder / "pytorch_model-00001-of-00002.bin").write_text("old")
    (hf_folder / "notes").write_text("mine")
    (hf_folder / "README.md").write_text("mine")
    (hf_folder / "other.pt").write_text("mine")
    (hf_folder / "runs").mkdir()
    (hf_folder / "runs" / "model.pt").write_text("mine")
    (hf_folder / "merges.txt").mkdir()  # a folder is no file of a model
    (hf_folder / "merges.txt" / "a").write_text("mine")
    (hf_folder.parent / "blob").write_text("linked")
    (hf_folder / "added_tokens.json").symlink_to(hf_folder.parent / "blob")
    return hf_folder


MINE = ["README.md", "merges.txt", "notes", "other.pt", "runs"]


def test_force_replaces_the_model_and_nothing_else(xling_folder, occupied, tmp_path, capsys):
    """No file of the former kind is left to be taken for one of the new."""
    assert xling("convert", xling_folder / "model.pt", occupied, "--to", "fairseq", "--force") == 0
    model = ["dict.txt", "languages.txt", "model.pt", "sentencepiece.bpe.model"]
    assert files(occupied) == sorted([*MINE, *model])
    assert capsys.readouterr().out == f"{occupied}: {', '.join(model)}\n"
    assert [(occupied / name).read_text() for name in ("notes", "runs/model.pt", "merges.txt/a")] == ["mine"] * 3
    assert (tmp_path / "blob").read_text() == "linked", "a link goes, not what it leads to"
    assert load_model(occupied).path == occupied / "model.pt"
    # and back
    assert xling("convert", xling_folder, occupied, "--force") == 0
    assert {"config.json", "model.safetensors"} < {*files(occupied)}
    assert not {"dict.txt", "languages.txt", "model.pt"} & {*files(occupied)}
    assert {*MINE} < {*files(occupied)}


@pytest.mark.parametrize("stop", range(12))
def test_a_failure_brings_the_old_model_back(xling_folder, occupied, monkeypatch, capsys, stop):
    """Whichever of the moves it is that fails."""
    rename, calls = Path.rename, []

    def fails_once(self, target):
        calls.append(self)
        if len(calls) == stop + 1:
            raise OSError(5, "Input/output error")
        return rename(self, target)

    before = contents(occupied)
    monkeypatch.setattr(Path, "rename", fails_once)
    status = xling("convert", xling_folder / "model.pt", occupied, "--to", "fairseq", "--force")
    if len(calls) > stop:
        assert status == 2
        assert "cannot be written: Input/output error" in capsys.readouterr().err
        assert contents(occupied) == before
        assert (occupied / "added_tokens.json").is_symlink()
    assert not [path for path in occupied.iterdir() if path.name.startswith(".")]


def test_a_conversion_that_is_killed_is_not_taken_for_a_model(xling_folder, occupied, monkeypatch):
    """At every moment of the moves: the old model, or the new one, or none."""
    seen = set()
    rename = Path.rename

    def look(self, target):
        rename(self, target)
        try:
            seen.add(load_model(occupied).path.name)
        except UserError as error:
            assert "holds none of model.pt" in str(error)  # noqa: PT017
            seen.add(None)

    monkeypatch.setattr(Path, "rename", look)
    assert xling("convert", xling_folder / "model.pt", occupied, "--to", "fairseq", "--force") == 0
    assert seen == {None, "model.pt"}


def test_what_is_no_model_is_not_replaced(xling_folder, vocabulary, tmp_path, capsys):
    """A data-bin has files of the same names, and a training needs those beside its checkpoints."""
    data_bin, run = tmp_path / "data-bin", tmp_path / "run"
    shutil.copytree(vocabulary, data_bin)
    shutil.copytree(xling_folder, run)
    (run / "checkpoint_last.pt").write_text("trained")
    for folder, message in (
        (data_bin, f"{data_bin}: holds dict.txt but no model it could belong to"),
        (run, f"{run}: holds checkpoint_last.pt of a training, which needs the dictionary beside it"),
    ):
        before = contents(folder)
        assert xling("convert", xling_folder, folder, "--force") == 2
        assert message in capsys.readouterr().err
        assert contents(folder) == before


def test_target_that_is_no_folder(xling_folder, tmp_path, capsys):
    """--force replaces a model's folder, it does not delete a file."""
    target = tmp_path / "notes"
    target.write_text("mine")
    for options in ([], ["--force"]):
        assert xling("convert", xling_folder, target, *options) == 2
        assert f"{target}: exists and is not a folder" in capsys.readouterr().err
        assert target.read_text() == "mine"


def test_target_that_is_a_link(xling_folder, tmp_path, capsys):
    """Neither the link nor what it names is touched."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "hf").symlink_to(tmp_path / "mine")
    assert xling("convert", xling_folder, tmp_path / "hf", "--force") == 2
    assert f"{tmp_path / 'hf'}: is a link; name the folder it leads to" in capsys.readouterr().err
    assert (tmp_path / "hf").is_symlink()
    assert files(tmp_path / "mine") == []


def test_a_failure_leaves_nothing(xling_folder, model_folder, tmp_path, capsys):
    size = len(load_model(xling_folder).dictionary)
    pre_norm = xling_model(size, encoder_normalize_before=True)
    source = model_folder("pre", checkpoint_of(pre_norm))
    assert xling("convert", source, tmp_path / "new" / "hf") == 2
    assert "post-norm" in capsys.readouterr().err
    assert files(tmp_path / "new") == []
    assert xling("convert", tmp_path / "nothing", tmp_path / "hf") == 2
    assert "no such checkpoint" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert xling("convert", source, tmp_path / "file" / "hf") == 2
    assert "cannot be written" in capsys.readouterr().err


def test_full_disk(xling_folder, tmp_path, monkeypatch, capsys):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    assert xling("convert", xling_folder, tmp_path / "out", "--to", "fairseq") == 2
    assert "cannot be written: No space left on device" in capsys.readouterr().err
    assert files(tmp_path) == ["xling"]


def test_tokenizers_agree_on_real_text(shared_data, tmp_path):
    """transformers' tokenizer, and SentencePiece rebuilt from its file, give the pieces of the model they came from."""
    files = {lang: shared_data / "parallel" / f"tatoeba.en-{lang}.{lang}.gz" for lang in ("ar", "de", "hi", "th", "zh")}
    lines = []
    for file in files.values():
        with gzip.open(file, "rt", encoding="utf-8") as stream:
            lines += list(itertools.islice((" ".join(line.split()) for line in stream), 300))
    (tmp_path / "text").write_text("\n".join(lines[::2]), encoding="utf-8")
    vocab.train({"xx": [str(tmp_path / "text")]}, tmp_path, 2000)
    _, model = vocabularies.read_xlmr(tmp_path)
    transformers.XLMRobertaTokenizerFast.from_pretrained(tmp_path).save_pretrained(tmp_path / "hf")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
    rebuilt = vocabularies.read_xlmr(tmp_path / "hf")[1]
    expected = [row.tolist() for row in model.encode(lines)]
    assert [row[1:-1] for row in tokenizer(lines)["input_ids"]] == expected
    assert [row.tolist() for row in rebuilt.encode(lines)] == expected
