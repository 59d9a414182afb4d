"""Loading checkpoints of fairseq, old and new."""

import hashlib
import shutil
from argparse import Namespace

import numpy as np
import pytest
import torch

from fairseq_xling.data.databin import load_dictionary
from fairseq_xling.data.identity import remember
from fairseq_xling.errors import UserError
from fairseq_xling.interop.load import load_model
from fairseq_xling_preprocess import spm
from tests.interop.models import (
    POSITIONS,
    assert_same_weights,
    checkpoint_of,
    fairseq_roberta,
    padded_batch,
    xling_model,
)


def as_published(model):
    """A checkpoint as fairseq wrote it when XLM-R was published: options as ``args``, names under ``decoder.``."""
    state = {}
    for key, tensor in model.state_dict().items():
        key = key.replace("encoder.", "decoder.", 1).replace("layernorm_embedding", "emb_layer_norm")
        if "self_attn.q_proj" in key:
            parts = [
                model.state_dict()[key.replace("decoder.", "encoder.", 1).replace("q_proj", p)]
                for p in ("q_proj", "k_proj", "v_proj")
            ]
            state[key.replace("q_proj.", "in_proj_")] = torch.cat(parts)
        elif "k_proj" not in key and "v_proj" not in key:
            state[key] = tensor
    state["decoder.sentence_encoder.version"] = torch.tensor([3.0])
    args = Namespace(**{**vars(model.args), "arch": "roberta_base", "task": "multilingual_masked_lm", "data": "/none"})
    history = {"criterion_name": "MaskedLmLoss", "optimizer_name": "FairseqAdam", "num_updates": 500_000}
    return {
        "args": args,
        "model": state,
        "optimizer_history": [{**history, "lr_scheduler_state": {"best": None}}],
        "extra_state": {"train_iterator": {"epoch": 7, "iterations_in_epoch": 9}},
        "last_optimizer_state": None,
    }


@pytest.mark.parametrize("published", [True, False], ids=["old names", "today's names"])
def test_published_folder_gives_the_states_of_fairseqs_own_model(vocabulary, model_folder, published):
    theirs = fairseq_roberta(vocabulary)
    content = as_published(theirs) if published else {"args": theirs.args, "model": theirs.state_dict()}
    loaded = load_model(model_folder("xlmr.tiny", content))
    tokens = padded_batch(len(loaded.dictionary))
    real = tokens.ne(1)
    with torch.no_grad():
        logits, extra = theirs(tokens, return_all_hiddens=True)
        states = loaded.model(tokens, all_layers=True)
        for mine, expected in zip(states, extra["inner_states"], strict=True):
            torch.testing.assert_close(mine[real], expected.transpose(0, 1)[real], rtol=0, atol=1e-5)
        torch.testing.assert_close(loaded.model.heads["lm"](states[-1])[real], logits[real], rtol=0, atol=1e-5)
    assert not loaded.model.training
    assert loaded.symbols.mask == len(loaded.dictionary) - 1


def test_everything_that_belongs_to_the_model(xling_folder):
    loaded = load_model(xling_folder)
    assert loaded.languages == ["de", "en"]
    assert loaded.path == xling_folder / "model.pt"
    assert loaded.home == xling_folder
    assert loaded.model.max_positions() == POSITIONS
    assert loaded.sha256() == hashlib.sha256(loaded.path.read_bytes()).hexdigest()


def test_text_is_encoded_as_the_training_data(xling_folder):
    loaded = load_model(xling_folder)
    texts = ["The river flows.", " Zwei\tHunde\u0085 laufen ", "", "snowman ☃☃ <mask>"]
    pieces = spm.PieceEncoder(spm.load(str(xling_folder / "sentencepiece.bpe.model"))).encode(texts)
    for ids, line in zip(loaded.encode_text(texts), pieces, strict=True):
        expected = loaded.dictionary.encode_line(line, append_eos=False, add_if_not_exist=False)
        assert ids.dtype == np.int64
        assert ids.tolist() == expected.tolist()


def test_mask_language_table_and_dropout(vocabulary, model_folder):
    model = xling_model(len(load_dictionary(vocabulary / "dict.txt")), dropout=0.3)
    model.add_language_embedding(2)
    with torch.no_grad():
        model.encoder.sentence_encoder.embed_languages.weight.normal_()
    folder = model_folder("languages", checkpoint_of(model))
    loaded = load_model(folder)
    assert_same_weights(loaded.model.state_dict(), model.state_dict())
    assert loaded.model.cfg.dropout == 0.3
    (folder / "languages.txt").write_text("de\nen\nfr\n")
    with pytest.raises(UserError, match=r"table has 2 languages, .*languages\.txt names 3"):
        load_model(folder)


def test_pre_norm(vocabulary, model_folder):
    size = len(load_dictionary(vocabulary / "dict.txt"))
    model = xling_model(size, encoder_normalize_before=True)
    loaded = load_model(model_folder("pre", checkpoint_of(model)))
    tokens = padded_batch(size)
    assert torch.equal(loaded.model(tokens), model(tokens))


def test_half_precision_is_loaded_as_single(vocabulary, model_folder):
    model = xling_model(len(load_dictionary(vocabulary / "dict.txt"))).half()
    loaded = load_model(model_folder("half", checkpoint_of(model)))
    assert_same_weights(loaded.model.state_dict(), model.float().state_dict())


def test_heads_of_other_objectives_are_left_out(vocabulary, model_folder):
    model = xling_model(len(load_dictionary(vocabulary / "dict.txt")))
    content = checkpoint_of(model)
    content["model"]["classification_heads.nli.dense.weight"] = torch.zeros(3, 3)
    assert_same_weights(load_model(model_folder("more", content)).model.state_dict(), model.state_dict())


def test_which_checkpoint_of_a_folder(xling_folder):
    (xling_folder / "model.pt").rename(xling_folder / "checkpoint_last.pt")
    assert load_model(xling_folder).path.name == "checkpoint_last.pt"
    shutil.copyfile(xling_folder / "checkpoint_last.pt", xling_folder / "checkpoint_best.pt")
    assert load_model(xling_folder).path.name == "checkpoint_best.pt"
    assert load_model(xling_folder / "checkpoint_last.pt").path.name == "checkpoint_last.pt"


def test_dictionary_of_the_data_bin(vocabulary, xling_folder, tmp_path, caplog):
    """A checkpoint that was moved away from its dictionary finds that of its data-bin."""
    content = torch.load(xling_folder / "model.pt")
    content["cfg"]["task"]["data"] = f"{vocabulary}:/another/shard"
    (tmp_path / "moved").mkdir()
    torch.save(content, tmp_path / "moved" / "checkpoint1.pt")
    loaded = load_model(tmp_path / "moved" / "checkpoint1.pt")
    assert loaded.home == vocabulary
    assert f"has no dict.txt beside it; {vocabulary}/dict.txt is used, as it was trained there" in caplog.text
    assert loaded.languages == ["de", "en"]
    assert loaded.encode_text(["the old town"])[0].size


def swap(dictionary):
    """Swap the first two lines of a dict.txt."""
    first, second, *rest = dictionary.read_text(encoding="utf-8").splitlines(keepends=True)
    dictionary.write_text("".join([second, first, *rest]), encoding="utf-8")
    return [line.split(" ")[0] for line in (first, second)]


def test_symbols_of_another_order(vocabulary, xling_folder, caplog):
    """The sizes agree. A checkpoint that remembers its symbols is not loaded with others."""
    content = torch.load(xling_folder / "model.pt")
    content["task_state"] = {"vocabulary": remember(load_dictionary(vocabulary / "dict.txt"), ["de", "en"])}
    content["cfg"]["task"]["data"] = str(vocabulary)
    torch.save(content, xling_folder / "model.pt")
    load_model(xling_folder)
    (xling_folder / "sentencepiece.bpe.model").unlink()
    first, second = swap(xling_folder / "dict.txt")
    with pytest.raises(
        UserError,
        match=rf"model\.pt: was trained with other symbols .*: symbol 4 is '{first}' against '{second}'; use the dict\.txt",
    ):
        load_model(xling_folder)
    # an older one may have been trained with either
    assert not caplog.text
    del content["task_state"]
    torch.save(content, xling_folder / "model.pt")
    load_model(xling_folder)
    assert (
        f"{xling_folder}/dict.txt is used, which is not {vocabulary}/dict.txt, where it was trained: symbol 4"
        in caplog.text
    )


def test_languages_of_another_order(vocabulary, model_folder):
    """They count where the rows of a table belong to them."""
    dictionary = load_dictionary(vocabulary / "dict.txt")
    for table in (False, True):
        model = xling_model(len(dictionary))
        if table:
            model.add_language_embedding(2)
        content = {**checkpoint_of(model), "task_state": {"vocabulary": remember(dictionary, ["en", "de"])}}
        folder = model_folder(f"languages-{table}", content)
        if table:
            with pytest.raises(UserError, match=r"other languages than those of .*: language 0 is 'en' against 'de'"):
                load_model(folder)
        else:
            load_model(folder)


def test_without_sentencepiece(xling_folder):
    (xling_folder / "sentencepiece.bpe.model").unlink()
    loaded = load_model(xling_folder)
    with pytest.raises(UserError, match=r"sentencepiece\.bpe\.model: not found, and raw text cannot be encoded"):
        loaded.encode_text(["a"])


def test_files_that_are_missing_or_damaged(xling_folder, tmp_path):
    with pytest.raises(UserError, match="no such checkpoint"):
        load_model(tmp_path / "nothing.pt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"holds none of model\.pt"):
        load_model(tmp_path / "empty")
    whole = (xling_folder / "model.pt").read_bytes()
    for content in (b"", b"text", whole[: len(whole) // 2]):
        (xling_folder / "model.pt").write_bytes(content)
        with pytest.raises(UserError, match=r"model\.pt: not a readable checkpoint .* download it again"):
            load_model(xling_folder)
    (xling_folder / "model.pt").write_bytes(whole)
    (xling_folder / "dict.txt").unlink()
    with pytest.raises(UserError, match=r"dict\.txt: not found; copy"):
        load_model(xling_folder)


class Unwanted:
    """Stands for code in a checkpoint."""


def test_a_checkpoint_cannot_run_code(xling_folder):
    torch.save({"model": Unwanted()}, xling_folder / "model.pt")
    with pytest.raises(UserError, match="not a readable checkpoint"):
        load_model(xling_folder)


def test_dictionary_of_another_model(xling_folder):
    with open(xling_folder / "dict.txt", "a") as stream:
        stream.write("more 1\n")
    with pytest.raises(UserError, match=r"the vocabulary has \d+ symbols, dict\.txt with <mask> has \d+"):
        load_model(xling_folder)


def change(**options):
    return lambda content: content["cfg"]["model"].update(options)


FC1 = "encoder.sentence_encoder.layers.1.fc1.bias"


def put(key, value):
    return lambda content: content["model"].update({key: value})


def replace_weight(content):
    content["model"]["heads.lm.weight"] = content["model"]["heads.lm.weight"] + 1


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (change(encoder_attention_heads=None), "encoder_attention_heads is None"),
        (change(encoder_attention_heads=5), "encoder_attention_heads is 5 for a width of 32"),
        (change(activation_fn="relu"), "activation 'relu'"),
        (replace_weight, "must be the word embedding"),
        (lambda content: content.pop("model"), "no entry 'model'"),
        (lambda content: content["model"].clear(), "not a RoBERTa-family model"),
        (
            lambda content: content["model"].pop("encoder.sentence_encoder.embed_positions.weight"),
            "no learned positions",
        ),
        (
            lambda content: content["model"].pop("encoder.sentence_encoder.layers.1.fc2.bias"),
            r"model\.pt: has no .*layers\.1\.fc2\.bias: the file is incomplete",
        ),
        (put(FC1, torch.zeros(47)), r"model\.pt: \S+fc1\.bias has shape \(47,\), the other parameters ask for \(48,\)"),
        (put(FC1, torch.full((48,), torch.nan)), r"model\.pt: \S+fc1\.bias holds inf or nan"),
        (put(f"{FC1}es", torch.zeros(1)), r"model\.pt: has \S+fc1\.biases, for which the encoder has no place"),
        (put("encoder.sentence_encoder.embed_positions.weight", torch.zeros(9)), r"\(9,\), not that of a matrix"),
        (
            lambda content: content["model"].pop("heads.lm.dense.bias"),
            r"model\.pt: has no heads\.lm\.dense",
        ),
    ],
)
def test_other_architectures_are_refused(xling_folder, edit, message):
    content = torch.load(xling_folder / "model.pt")
    edit(content)
    torch.save(content, xling_folder / "model.pt")
    with pytest.raises(UserError, match=message) as caught:
        load_model(xling_folder)
    assert "--arch" not in str(caught.value)
