"""This project's models and those of transformers compute the same; weights survive the way there and back."""

import json
import sys

import pytest
import torch

from fairseq_xling.data.databin import load_dictionary
from fairseq_xling.errors import UserError
from fairseq_xling.interop.huggingface import write_fairseq, write_transformers
from fairseq_xling.interop.load import load_model
from fairseq_xling.interop.parameters import FAMILIES, to_fairseq, to_transformers
from tests.interop.models import (
    POSITIONS,
    assert_same_outputs,
    assert_same_weights,
    checkpoint_of,
    hf_model,
    padded_batch,
    xling_model,
)

transformers = pytest.importorskip("transformers")

XLMR = FAMILIES["xlm-roberta"]


def written(write, loaded, folder):
    folder.mkdir()
    write(loaded, folder)
    return folder


def test_from_transformers(hf_folder):
    loaded = load_model(hf_folder)
    theirs = transformers.XLMRobertaForMaskedLM.from_pretrained(hf_folder).eval()
    assert_same_outputs(theirs, loaded.model, padded_batch(len(loaded.dictionary)))
    assert loaded.model.max_positions() == POSITIONS


def test_to_transformers(xling_folder, tmp_path):
    loaded = load_model(xling_folder)
    folder = written(write_transformers, loaded, tmp_path / "out")
    theirs, report = transformers.XLMRobertaForMaskedLM.from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert_same_outputs(theirs.eval(), loaded.model, padded_batch(len(loaded.dictionary)))
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["XLMRobertaForMaskedLM"]
    assert config["max_position_embeddings"] == POSITIONS + 2
    assert config["layer_norm_eps"] == 1e-5


def test_roberta_both_ways(hf_roberta_folder, tmp_path):
    loaded = load_model(hf_roberta_folder)
    tokens = padded_batch(len(loaded.dictionary))
    original = transformers.RobertaForMaskedLM.from_pretrained(hf_roberta_folder).eval()
    assert_same_outputs(original, loaded.model, tokens)
    fairseq = written(write_fairseq, loaded, tmp_path / "fairseq")
    back = written(write_transformers, load_model(fairseq), tmp_path / "back")
    again = transformers.RobertaForMaskedLM.from_pretrained(back).eval()
    assert_same_weights(original.state_dict(), again.state_dict())


def test_round_trip_from_fairseq(xling_folder, tmp_path):
    first = load_model(xling_folder)
    hf = written(write_transformers, first, tmp_path / "out")
    second = load_model(written(write_fairseq, load_model(hf), tmp_path / "back"))
    assert_same_weights(first.model.state_dict(), second.model.state_dict())
    assert first.dictionary.symbols == second.dictionary.symbols
    assert first.encode_text(["the old 城"])[0].tolist() == second.encode_text(["the old 城"])[0].tolist()
    for name in ("dict.txt", "sentencepiece.bpe.model"):
        assert (xling_folder / name).read_bytes() == (tmp_path / "back" / name).read_bytes()


def test_round_trip_from_transformers(hf_folder, tmp_path):
    from safetensors.torch import load_file

    fairseq = written(write_fairseq, load_model(hf_folder), tmp_path / "fairseq")
    back = written(write_transformers, load_model(fairseq), tmp_path / "back")
    first, second = (load_file(folder / "model.safetensors") for folder in (hf_folder, back))
    assert_same_weights(first, second)


def test_model_without_lm_head(model_folder, vocabulary, tmp_path):
    model = xling_model(len(load_dictionary(vocabulary / "dict.txt")), head=False)
    loaded = load_model(model_folder("bare", checkpoint_of(model)))
    assert "lm" not in loaded.model.heads
    folder = written(write_transformers, loaded, tmp_path / "out")
    theirs = transformers.AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()
    assert json.loads((folder / "config.json").read_text())["architectures"] == ["XLMRobertaModel"]
    tokens = padded_batch(len(loaded.dictionary))
    real = tokens.ne(1)
    with torch.no_grad():
        expected = theirs(input_ids=tokens, attention_mask=real.long()).last_hidden_state
        torch.testing.assert_close(loaded.model(tokens)[real], expected[real], rtol=0, atol=1e-5)


def test_bare_model_of_transformers_drops_its_pooler(hf_folder, caplog):
    config = json.loads((hf_folder / "config.json").read_text())
    hf_model("XLMRoberta", config["vocab_size"], "Model").save_pretrained(hf_folder)
    loaded = load_model(hf_folder)
    assert "lm" not in loaded.model.heads
    assert "roberta.pooler.dense" in caplog.text


def test_token_types_are_folded_into_the_positions(hf_folder):
    theirs = transformers.XLMRobertaForMaskedLM.from_pretrained(hf_folder).eval()
    with torch.no_grad():
        theirs.roberta.embeddings.token_type_embeddings.weight.normal_()
    theirs.save_pretrained(hf_folder)
    loaded = load_model(hf_folder)
    assert_same_outputs(theirs, loaded.model, padded_batch(len(loaded.dictionary)))


def test_language_table_is_dropped_with_a_message(model_folder, vocabulary, tmp_path, caplog):
    model = xling_model(len(load_dictionary(vocabulary / "dict.txt")))
    model.add_language_embedding(2)
    loaded = load_model(model_folder("languages", checkpoint_of(model)))
    assert loaded.languages == ["de", "en"]
    written(write_transformers, loaded, tmp_path / "out")
    assert "embed_languages" in caplog.text


def test_every_parameter_has_its_place():
    ours = xling_model(50)
    theirs = hf_model("XLMRoberta", 50)
    converted, dropped = to_transformers(ours.state_dict(), XLMR, pad=1)
    assert dropped == []
    tied = {"lm_head.decoder.weight", "lm_head.decoder.bias"}
    assert theirs.state_dict().keys() - tied <= converted.keys()
    back, dropped = to_fairseq(converted, XLMR, 1, [])
    assert dropped == []
    assert_same_weights(ours.state_dict(), back)


def test_pre_norm_has_no_equal():
    with pytest.raises(UserError, match="pre-norm"):
        to_transformers(xling_model(50, encoder_normalize_before=True).state_dict(), XLMR, pad=1)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("model_type", "electra", "model_type is 'electra'; only xlm-roberta, roberta, bert can be read"),
        ("hidden_act", "relu", "hidden_act is 'relu'"),
        ("num_attention_heads", 5, "encoder_attention_heads is 5"),
    ],
)
def test_other_architectures_are_refused(hf_folder, option, value, message):
    config = json.loads((hf_folder / "config.json").read_text())
    (hf_folder / "config.json").write_text(json.dumps({**config, option: value}))
    with pytest.raises(UserError, match=message):
        load_model(hf_folder)


def edit_config(folder, **options):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **options}))


def edit_weights(folder, edit, **parameters):
    """Apply ``edit`` to the encoder's parameters under the bare model's names; ``parameters`` are set as they are."""
    from safetensors.torch import load_file, save_file

    state = load_file(folder / "model.safetensors")
    base = {key.split(".", 1)[1]: tensor for key, tensor in state.items() if key.startswith(("roberta.", "bert."))}
    prefix = next(key for key in state if "embeddings" in key).split(".")[0]
    edit(base)
    heads = {key: tensor for key, tensor in state.items() if not key.startswith(f"{prefix}.")}
    encoder = {f"{prefix}.{key}": tensor for key, tensor in base.items()}
    save_file({**heads, **encoder, **parameters}, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("layer_norm_eps", "a"),
        ("layer_norm_eps", None),
        ("layer_norm_eps", float("nan")),
        ("hidden_dropout_prob", [0.1]),
        ("attention_probs_dropout_prob", 2),
    ],
)
def test_options_that_are_no_numbers(hf_folder, option, value):
    edit_config(hf_folder, **{option: value})
    with pytest.raises(UserError) as caught:
        load_model(hf_folder)
    assert f"{hf_folder}/config.json: {option} is {value!r}, it must be a number" in str(caught.value)


def test_a_config_that_holds_no_options(hf_folder):
    (hf_folder / "config.json").write_text("[1]")
    with pytest.raises(UserError, match=r"config\.json: holds no options of a model"):
        load_model(hf_folder)


@pytest.mark.parametrize("bert", [False, True])
@pytest.mark.parametrize(
    ("option", "value", "found"),
    [
        ("num_hidden_layers", 3, 2),
        ("num_hidden_layers", 1, 2),
        ("hidden_size", 64, 32),
        ("intermediate_size", 64, 48),
        ("max_position_embeddings", 512, None),
        ("vocab_size", 30522, None),
        ("type_vocab_size", 3, None),
    ],
)
def test_a_config_of_another_shape(hf_folder, hf_bert_folder, bert, option, value, found):
    """In particular a lost last layer: the rest would work without it."""
    folder = hf_bert_folder if bert else hf_folder
    found = found or json.loads((folder / "config.json").read_text())[option]
    edit_config(folder, **{option: value})
    with pytest.raises(UserError) as caught:
        load_model(folder)
    expected = f"{folder}/config.json: {option} is {value}, in model.safetensors it is {found}: the weights' file is incomplete or another"
    assert expected in str(caught.value)


def test_the_last_layer_is_lost(hf_folder):
    edit_weights(hf_folder, lambda state: [state.pop(key) for key in [*state] if ".layer.1." in key])
    with pytest.raises(UserError, match=r"num_hidden_layers is 2, in model\.safetensors it is 1"):
        load_model(hf_folder)


def put(key, value):
    return lambda state: state.update({key: value})


EMBEDDINGS = "embeddings.word_embeddings.weight"
FC1 = "encoder.layer.1.intermediate.dense"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda state: state.pop(f"{FC1}.bias"), r"has no encoder.*layers\.1\.fc1\.bias"),
        (put(f"{FC1}.bias", torch.zeros(47)), r"layers\.1\.fc1\.bias has shape \(47,\), the other .* ask for \(48,\)"),
        (put(f"{FC1}.bias", torch.full((48,), torch.nan)), r"layers\.1\.fc1\.bias holds inf or nan"),
        (put(f"{FC1}.bias", torch.full((48,), -torch.inf)), r"layers\.1\.fc1\.bias holds inf or nan"),
        (lambda state: state.pop("embeddings.position_embeddings.weight"), r"it has no \w+\.embeddings\.position_emb"),
        (put(EMBEDDINGS, torch.zeros(32)), r"word_embeddings\.weight has shape \(32,\), not that of a matrix"),
    ],
)
@pytest.mark.parametrize("bert", [False, True])
def test_weights_that_are_damaged(hf_folder, hf_bert_folder, bert, edit, message):
    """The file is named, and nothing that only training has."""
    folder = hf_bert_folder if bert else hf_folder
    edit_weights(folder, edit)
    with pytest.raises(UserError, match=rf"/model\.safetensors: .*{message}") as caught:
        load_model(folder)
    assert "--" not in str(caught.value)


@pytest.mark.parametrize("bert", [False, True])
def test_an_output_bias_of_another_vocabulary(hf_folder, hf_bert_folder, bert):
    folder = hf_bert_folder if bert else hf_folder
    edit_weights(folder, lambda _: None, **{"cls.predictions.bias" if bert else "lm_head.bias": torch.zeros(3)})
    with pytest.raises(
        UserError, match=r"model\.safetensors: \S+\.bias has shape \(3,\), the vocabulary has \d+ symbols"
    ):
        load_model(folder)


def test_untied_output_is_refused(hf_folder):
    from safetensors.torch import load_file, save_file

    state = load_file(hf_folder / "model.safetensors")
    state["lm_head.decoder.weight"] = state["roberta.embeddings.word_embeddings.weight"] + 1
    save_file(state, hf_folder / "model.safetensors")
    with pytest.raises(UserError, match="not the word embedding"):
        load_model(hf_folder)


def test_the_epsilon_of_layer_norm_is_kept(hf_folder, tmp_path):
    """An epsilon so large that the states show it."""
    config = json.loads((hf_folder / "config.json").read_text())
    (hf_folder / "config.json").write_text(json.dumps({**config, "layer_norm_eps": 0.1}))
    theirs = transformers.XLMRobertaForMaskedLM.from_pretrained(hf_folder).eval()
    fairseq = written(write_fairseq, load_model(hf_folder), tmp_path / "fairseq")
    loaded = load_model(fairseq)
    assert loaded.model.cfg.layer_norm_eps == 0.1
    assert_same_outputs(theirs, loaded.model, padded_batch(len(loaded.dictionary)))
    back = written(write_transformers, loaded, tmp_path / "back")
    assert json.loads((back / "config.json").read_text())["layer_norm_eps"] == 0.1


def test_damaged_and_missing_files(hf_folder):
    weights = hf_folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"model\.safetensors: not a readable checkpoint .*download it again"):
        load_model(hf_folder)
    weights.unlink()
    with pytest.raises(UserError, match=r"has no model\.safetensors or pytorch_model\.bin"):
        load_model(hf_folder)
    (hf_folder / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"config\.json: not a JSON file"):
        load_model(hf_folder)


def test_pytorch_bin(hf_folder):
    expected = load_model(hf_folder).model.state_dict()
    state = transformers.XLMRobertaForMaskedLM.from_pretrained(hf_folder).state_dict()
    (hf_folder / "model.safetensors").unlink()
    torch.save(state, hf_folder / "pytorch_model.bin")
    assert_same_weights(load_model(hf_folder).model.state_dict(), expected)


def test_folder_without_a_tokenizer(hf_folder, hf_roberta_folder):
    for name in ("sentencepiece.bpe.model", "tokenizer.json"):
        (hf_folder / name).unlink()
    (hf_roberta_folder / "merges.txt").unlink()
    for folder in (hf_folder, hf_roberta_folder):
        with pytest.raises(UserError, match="copy the tokenizer there"):
            load_model(folder)


def test_library_missing(xling_folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UserError, match=r"needs transformers; install it with: pip install 'fairseq_xling\[convert\]'"):
        write_transformers(load_model(xling_folder), tmp_path)
