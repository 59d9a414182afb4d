"""BERT and mBERT: the same function, the same symbols, and every bit of what is kept, both ways."""

import json
import shutil

import pytest
import torch

from fairseq_xling.errors import UserError
from fairseq_xling.interop.huggingface import write_fairseq, write_transformers
from fairseq_xling.interop.load import load_model
from fairseq_xling.interop.parameters import FAMILIES, POSITIONS, to_fairseq, to_transformers
from fairseq_xling_preprocess import cli
from fairseq_xling_preprocess.wordpiece import Options, read_options
from tests.interop.conftest import SENTENCES
from tests.interop.models import HEADS, LABELS, assert_same_weights, hf_bert, padded_batch, xling_model
from tests.interop.models import POSITIONS as NUM_POSITIONS
from tests.wordpieces import PIECES

transformers = pytest.importorskip("transformers")

TEXTS = [*SENTENCES, "running  (é)\tÜber", "Ωmega [MASK] <mask> 1/2", ""]
SYMBOLS = {"[CLS]": 0, "[PAD]": 1, "[SEP]": 2, "[UNK]": 3}
every_head = pytest.mark.parametrize("head", HEADS)


def xling(*words):
    with pytest.raises(SystemExit) as caught:
        cli.main([str(word) for word in words])
    return caught.value.code


def written(write, loaded, folder):
    folder.mkdir()
    write(loaded, folder)
    return folder


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def theirs_of(folder, model_class="ForMaskedLM"):
    """The model of a folder, every parameter of which must be in the file."""
    model, report = getattr(transformers, f"Bert{model_class}").from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    return model.eval()


def ids_there(loaded, tokens):
    """BERT's ids of our symbols; the first four and the last of ours are BERT's specials."""
    names = dict(
        zip(["<s>", "<pad>", "</s>", "<unk>", "<mask>"], ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"], strict=True)
    )
    numbers = [PIECES.index(names.get(symbol, symbol)) for symbol in loaded.dictionary.symbols]
    return torch.tensor(numbers)[tokens], torch.tensor(numbers)


def assert_same_outputs(theirs, loaded):
    """States of every layer and logits, with padding; logits in the order of our symbols."""
    tokens = padded_batch(len(PIECES))
    ids, order = ids_there(loaded, tokens)
    real = tokens.ne(1)
    with torch.no_grad():
        expected = theirs(input_ids=ids, attention_mask=real.long(), output_hidden_states=True)
        states = loaded.model(tokens, all_layers=True)
        assert len(states) == len(expected.hidden_states) > 2
        for mine, other in zip(states, expected.hidden_states, strict=True):
            torch.testing.assert_close(mine[real], other[real], rtol=0, atol=1e-5)
        logits = loaded.model.heads["lm"](states[-1])[real]
    assert logits.std() > 0.1
    torch.testing.assert_close(logits, expected.logits[real][:, order], rtol=0, atol=1e-5)


def test_from_transformers(hf_bert_folder, caplog):
    loaded = load_model(hf_bert_folder)
    theirs = theirs_of(hf_bert_folder)
    assert theirs.bert.embeddings.token_type_embeddings.weight.abs().min() > 0
    assert_same_outputs(theirs, loaded)
    assert loaded.model.max_positions() == NUM_POSITIONS
    assert loaded.model.cfg.layer_norm_eps == 1e-12
    assert "bert.embeddings.token_type_embeddings (rows from 1)" in caplog.text
    assert loaded.num_separators == 1


def test_symbols(hf_bert_folder):
    """BERT's specials become fairseq's, all others keep their order, [unusedN] too."""
    loaded = load_model(hf_bert_folder)
    specials = {*SYMBOLS, "[MASK]"}
    middle = [piece for piece in PIECES if piece not in specials]
    assert loaded.dictionary.symbols == ["<s>", "<pad>", "</s>", "<unk>", *middle, "<mask>"]
    word = theirs_of(hf_bert_folder).bert.embeddings.word_embeddings.weight
    ours = loaded.model.encoder.sentence_encoder.embed_tokens.weight
    for piece, number in {**SYMBOLS, "[MASK]": len(PIECES) - 1, middle[5]: 9, middle[-1]: len(PIECES) - 2}.items():
        assert torch.equal(ours[number], word[PIECES.index(piece)]), piece


def test_to_transformers(bert_folder, tmp_path):
    loaded = load_model(bert_folder)
    folder = written(write_transformers, loaded, tmp_path / "out")
    theirs = theirs_of(folder)
    assert_same_outputs(theirs, loaded)
    assert theirs.bert.embeddings.token_type_embeddings.weight.tolist() == [[0.0] * 32] * 2
    config = json.loads((folder / "config.json").read_text())
    assert (config["model_type"], config["architectures"]) == ("bert", ["BertForMaskedLM"])
    assert (config["max_position_embeddings"], config["type_vocab_size"]) == (NUM_POSITIONS, 2)
    assert (config["layer_norm_eps"], config["pad_token_id"]) == (1e-12, PIECES.index("[PAD]"))


def test_from_fairseq_and_back(bert_folder, tmp_path):
    """Every bit, but for the position rows before the first that a token can have."""
    assert xling("convert", bert_folder, tmp_path / "hf") == 0
    assert {"config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json"} < {*files(tmp_path / "hf")}
    assert xling("convert", tmp_path / "hf", tmp_path / "back") == 0
    assert files(tmp_path / "back") == ["dict.txt", "model.pt", "tokenizer_config.json", "vocab.txt"]
    first, second = (load_model(folder).model.state_dict() for folder in (bert_folder, tmp_path / "back"))
    assert torch.equal(second[POSITIONS][:2], torch.zeros(2, 32))
    first[POSITIONS][:2] = 0
    assert_same_weights(first, second)
    for name in ("dict.txt", "vocab.txt", "tokenizer_config.json"):
        assert (bert_folder / name).read_bytes() == (tmp_path / "back" / name).read_bytes()


def test_from_transformers_and_back(hf_bert_folder, tmp_path):
    """Every bit, but for token types, which go into the positions: their sum keeps every bit."""
    from safetensors.torch import load_file

    fairseq = written(write_fairseq, load_model(hf_bert_folder), tmp_path / "fairseq")
    back = written(write_transformers, load_model(fairseq), tmp_path / "back")
    first, second = (load_file(folder / "model.safetensors") for folder in (hf_bert_folder, back))
    types, positions = (f"bert.embeddings.{name}_embeddings.weight" for name in ("token_type", "position"))
    first[positions] += first[types][0]
    first[types].zero_()
    assert_same_weights(first, second)
    assert_same_outputs(theirs_of(back), load_model(fairseq))


def test_what_bert_was_released_with(hf_bert_folder, caplog):
    """Google's names of the layer norm's parameters, pooler, next-sentence head, and the decoder stored again."""
    from safetensors.torch import load_file, save_file

    expected = load_model(hf_bert_folder).model.state_dict()
    state = load_file(hf_bert_folder / "model.safetensors")
    state = {
        key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
        for key, tensor in state.items()
    }
    assert sum("gamma" in key for key in state) == 6
    state["cls.predictions.decoder.weight"] = state["bert.embeddings.word_embeddings.weight"].clone()
    state["cls.seq_relationship.weight"] = torch.ones(2, 32)
    state["bert.pooler.dense.weight"] = torch.ones(32, 32)
    state["bert.embeddings.position_ids"] = torch.arange(NUM_POSITIONS)
    save_file(state, hf_bert_folder / "model.safetensors")
    caplog.clear()
    loaded = load_model(hf_bert_folder)
    assert_same_weights(expected, loaded.model.state_dict())
    assert list(loaded.model.heads) == ["lm"]
    (message,) = [record.getMessage() for record in caplog.records]
    assert "bert.pooler.dense" in message
    assert "cls.seq_relationship" in message
    assert "position_ids" not in message
    state["cls.predictions.decoder.weight"] += 1
    save_file(state, hf_bert_folder / "model.safetensors")
    with pytest.raises(UserError, match="not the word embedding"):
        load_model(hf_bert_folder)


def test_the_bare_model_both_ways(hf_bert_folder_of, tmp_path, caplog):
    """Its parameters have no prefix; its pooler is dropped."""
    source = hf_bert_folder_of("Model")
    loaded = load_model(source)
    assert "lm" not in loaded.model.heads
    assert "bert.pooler.dense" in caplog.text
    folder = written(write_transformers, loaded, tmp_path / "out")
    assert json.loads((folder / "config.json").read_text())["architectures"] == ["BertModel"]
    tokens = padded_batch(len(PIECES))
    ids, _ = ids_there(loaded, tokens)
    real = tokens.ne(1)
    for place in (source, folder):
        theirs = transformers.BertModel.from_pretrained(place, add_pooling_layer=False).eval()
        with torch.no_grad():
            expected = theirs(input_ids=ids, attention_mask=real.long()).last_hidden_state
            torch.testing.assert_close(loaded.model(tokens)[real], expected[real], rtol=0, atol=1e-5)


@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("kept", ["tokenizer.json", "vocab.txt"])
def test_tokenizers_agree(hf_bert_folder_of, tmp_path, lowercase, kept):
    """The ids of transformers with its own folder and with ours; with the files of version 5 and of older ones."""
    source = hf_bert_folder_of("ForMaskedLM", lowercase)
    original = transformers.AutoTokenizer.from_pretrained(source)
    if kept == "vocab.txt":
        (source / "tokenizer.json").unlink()
        (source / "vocab.txt").write_text("".join(f"{piece}\n" for piece in PIECES), encoding="utf-8")
        (source / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lowercase, "model_max_length": 24}))
    assert xling("convert", source, tmp_path / "fairseq") == 0
    assert read_options(tmp_path / "fairseq") == Options(do_lower_case=lowercase)
    assert xling("convert", tmp_path / "fairseq", tmp_path / "back") == 0
    back = transformers.AutoTokenizer.from_pretrained(tmp_path / "back")
    assert back.get_vocab() == original.get_vocab()
    for folder in (source, tmp_path / "fairseq"):
        loaded = load_model(folder)
        for text, ids in zip(TEXTS, loaded.encode_text(TEXTS), strict=True):
            if "[MASK]" not in text:  # a special of the tokenizer, here text
                expected = original(text)["input_ids"]
                assert ids_there(loaded, torch.tensor([0, *ids, 2]))[0].tolist() == expected
                assert back(text)["input_ids"] == expected
    (tmp_path / "text").write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    flags = ["--wordpiece", tmp_path / "fairseq" / "vocab.txt", "--workers", "1"]
    assert xling("encode", *flags, "--input", tmp_path / "text", "--output", tmp_path / "pieces") == 0
    loaded = load_model(tmp_path / "fairseq")
    pieces = (tmp_path / "pieces").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    assert [" ".join(row) for row in loaded.tokenizer.pieces(TEXTS)] == pieces
    for line, ids in zip(pieces, loaded.encode_text(TEXTS), strict=True):
        assert [loaded.dictionary.index(piece) for piece in line.split()] == ids.tolist()


def test_offsets(hf_bert_folder):
    loaded = load_model(hf_bert_folder)
    text = " The\u200b  dogs\u3000running ☃é"
    (pieces,) = loaded.encode_with_offsets([text])
    assert [loaded.dictionary[number] for number in pieces.ids] == ["The", "dogs", "run", "##ning", "<unk>"]
    found = [text[begin:end] for begin, end in zip(pieces.begins, pieces.ends, strict=True)]
    assert found == ["The", "dogs", "run", "ning", "☃é"]
    (empty,) = loaded.encode_with_offsets([" "])
    assert len(empty.ids) == len(empty.begins) == len(empty.ends) == 0


# ---- fine-tuned models -----------------------------------------------------------------------------------------------


def options_of(head):
    return {} if head == "span" else {"id2label": dict(enumerate(LABELS))}


def assert_same_logits(theirs, loaded, head):
    tokens = padded_batch(len(PIECES))
    ids, _ = ids_there(loaded, tokens)
    real = tokens.ne(1)
    with torch.no_grad():
        found = theirs(input_ids=ids, attention_mask=real.long())
        logits = loaded.model.heads[head](loaded.model(tokens))
    if head == "sequence":
        expected, logits = found.logits, logits[:, 0]
    elif head == "token":
        expected, logits = found.logits[real], logits[real]
    else:
        expected, logits = torch.stack((found.start_logits, found.end_logits), -1)[real], logits[real]
    assert logits.std() > 0.1
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5)


@every_head
def test_finetuned_both_ways(hf_bert_folder_of, tmp_path, head):
    name = HEADS[head][0]
    source = hf_bert_folder_of(name, **options_of(head))
    loaded = load_model(source)
    assert list(loaded.model.heads) == [head]
    assert loaded.labels == (None if head == "span" else LABELS)
    assert_same_logits(theirs_of(source, name), loaded, head)
    fairseq = load_model(written(write_fairseq, loaded, tmp_path / "fairseq"))
    back = written(write_transformers, fairseq, tmp_path / "back")
    assert json.loads((back / "config.json").read_text())["architectures"] == [f"Bert{name}"]
    assert_same_logits(theirs_of(back, name), fairseq, head)
    assert_same_weights(loaded.model.state_dict(), load_model(back).model.state_dict())


@pytest.mark.parametrize(
    ("name", "head"), [("ForSequenceClassification", "sequence"), ("ForTokenClassification", "token")]
)
def test_a_classifier_without_architectures(hf_bert_folder_of, name, head):
    folder = hf_bert_folder_of(name, num_labels=3)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "architectures": None}))
    assert list(load_model(folder).model.heads) == [head]


def test_other_heads_are_dropped(hf_bert_folder_of, caplog):
    loaded = load_model(hf_bert_folder_of("ForMultipleChoice"))
    assert list(loaded.model.heads) == []
    assert "bert.pooler.dense, classifier" in caplog.text.replace(".bias", "")


@every_head
def test_every_parameter_has_its_place(head):
    ours = xling_model(50, head=False, finetuned=head)
    theirs = hf_bert(50, HEADS[head][0], num_labels=HEADS[head][1])
    converted, dropped = to_transformers(ours.state_dict(), FAMILIES["bert"], pad=1)
    assert dropped == []
    own = {key: tensor.shape for key, tensor in theirs.state_dict().items() if ".layer." not in key}
    assert {key: tensor.shape for key, tensor in converted.items() if ".layer." not in key} == own
    back, dropped = to_fairseq(converted, FAMILIES["bert"], 1, [head])
    assert dropped == []
    state = ours.state_dict()
    state[POSITIONS][:2] = 0
    assert_same_weights(state, back)


# ---- what does not fit -----------------------------------------------------------------------------------------------


def test_vocabulary_of_another_model(bert_folder, capsys, tmp_path):
    pieces = (bert_folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
    other = PIECES.index("river")
    pieces[other], pieces[other + 1] = pieces[other + 1], pieces[other]
    (bert_folder / "vocab.txt").write_text("\n".join(pieces), encoding="utf-8")
    assert xling("convert", bert_folder, tmp_path / "out") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "dict.txt does not belong to" in line
    assert "vocab.txt, the WordPiece vocabulary of another model: symbol" in line
    assert "is 'river' against 'flows'" in line


def test_two_tokenisers(bert_folder, xling_folder):
    shutil.copyfile(xling_folder / "sentencepiece.bpe.model", bert_folder / "sentencepiece.bpe.model")
    with pytest.raises(UserError, match=r"holds sentencepiece\.bpe\.model and vocab\.txt; keep only the one"):
        load_model(bert_folder)


def test_vocabulary_of_another_size(hf_bert_folder):
    (hf_bert_folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in PIECES[:-1]), encoding="utf-8")
    with pytest.raises(
        UserError,
        match=rf"the vocabulary has {len(PIECES)} symbols, vocab.txt has {len(PIECES) - 1}: use the vocab.txt",
    ):
        load_model(hf_bert_folder)


def test_folder_without_a_tokenizer(hf_bert_folder):
    (hf_bert_folder / "tokenizer.json").unlink()
    with pytest.raises(UserError, match=r"has neither vocab\.txt nor a WordPiece tokenizer\.json; copy the tokenizer"):
        load_model(hf_bert_folder)


def test_a_fairseq_folder_without_its_vocabulary(bert_folder, tmp_path, capsys):
    """It is no RoBERTa, whose vocab.bpe would not help."""
    (bert_folder / "vocab.txt").unlink()
    assert xling("convert", bert_folder, tmp_path / "hf") == 2
    error = capsys.readouterr().err
    assert f"{bert_folder}/dict.txt: has BERT's pieces (##…), and there is no vocab.txt beside it; copy" in error
    assert not (tmp_path / "hf").exists()
