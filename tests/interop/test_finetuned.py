"""Heads and labels of fine-tuned models, to and from transformers."""

import json
import shutil

import pytest
import torch

from fairseq_xling.data.databin import load_dictionary
from fairseq_xling.errors import UserError
from fairseq_xling.interop.huggingface import write_fairseq, write_transformers
from fairseq_xling.interop.load import load_model
from fairseq_xling.interop.parameters import FAMILIES, to_fairseq, to_transformers
from fairseq_xling_preprocess import cli
from tests.interop.models import (
    HEADS,
    LABELS,
    assert_same_weights,
    checkpoint_of,
    hf_model,
    padded_batch,
    xling_model,
)

transformers = pytest.importorskip("transformers")

ID2LABEL = dict(enumerate(LABELS))
every_head = pytest.mark.parametrize("head", HEADS)


def theirs_of(folder, head):
    """The model of a folder, every parameter of which must be in the file."""
    model, report = getattr(transformers, f"AutoModel{HEADS[head][0]}").from_pretrained(
        folder, output_loading_info=True
    )
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    return model.eval()


def assert_same_logits(theirs, ours, head, tokens):
    """All logits of the head are equal wherever there is a token; not those of a model without the head's dense layer."""
    real = tokens.ne(1)
    with torch.no_grad():
        found = theirs(input_ids=tokens, attention_mask=real.long())
        logits = ours.heads[head](ours(tokens))
    if head == "sequence":
        expected, logits = found.logits, logits[:, 0]
    elif head == "token":
        expected, logits = found.logits[real], logits[real]
    else:
        expected, logits = torch.stack((found.start_logits, found.end_logits), -1)[real], logits[real]
    assert logits.std() > 0.1
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5)


@pytest.fixture
def xling_finetuned(vocabulary, model_folder):
    """``xling_finetuned(head, labels)`` makes a folder of this project's model with a head."""

    def make(head, labels=LABELS, lm_head=False):
        model = xling_model(len(load_dictionary(vocabulary / "dict.txt")), head=lm_head, finetuned=head)
        folder = model_folder("finetuned", checkpoint_of(model))
        if labels:
            (folder / "labels.txt").write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
        return folder

    return make


def written(write, loaded, folder):
    folder.mkdir()
    write(loaded, folder)
    return folder


def config_of(folder):
    return json.loads((folder / "config.json").read_text(encoding="utf-8"))


def edit_config(folder, **options):
    (folder / "config.json").write_text(json.dumps({**config_of(folder), **options}))


def options_of(head):
    return {} if head == "span" else {"id2label": ID2LABEL, "label2id": {label: n for n, label in ID2LABEL.items()}}


@every_head
def test_from_transformers(hf_folder_of, head):
    folder = hf_folder_of(HEADS[head][0], **options_of(head))
    loaded = load_model(folder)
    assert list(loaded.model.heads) == [head]
    assert "lm" not in loaded.model.heads
    assert loaded.labels == (None if head == "span" else LABELS)
    assert_same_logits(theirs_of(folder, head), loaded.model, head, padded_batch(len(loaded.dictionary)))


@every_head
def test_to_transformers(xling_finetuned, tmp_path, head):
    loaded = load_model(xling_finetuned(head))
    folder = written(write_transformers, loaded, tmp_path / "out")
    theirs = theirs_of(folder, head)
    assert_same_logits(theirs, loaded.model, head, padded_batch(len(loaded.dictionary)))
    assert config_of(folder)["architectures"] == [f"XLMRoberta{HEADS[head][0]}"]
    assert theirs.config.num_labels == HEADS[head][1]
    if head != "span":
        assert theirs.config.id2label == ID2LABEL
        assert theirs.config.label2id == {"entailment": 0, "neutral": 1, "contradiction": 2}


@every_head
def test_roberta_both_ways(hf_roberta_folder, tmp_path, head):
    size = config_of(hf_roberta_folder)["vocab_size"]
    hf_model("Roberta", size, HEADS[head][0], **options_of(head)).save_pretrained(hf_roberta_folder)
    loaded = load_model(hf_roberta_folder)
    original = theirs_of(hf_roberta_folder, head)
    assert_same_logits(original, loaded.model, head, padded_batch(size))
    fairseq = written(write_fairseq, loaded, tmp_path / "fairseq")
    back = written(write_transformers, load_model(fairseq), tmp_path / "back")
    assert config_of(back)["architectures"] == [f"Roberta{HEADS[head][0]}"]
    assert_same_weights(original.state_dict(), theirs_of(back, head).state_dict())


@every_head
@pytest.mark.parametrize("labels", [["O", "B-Größe", "人"], None], ids=["named", "unnamed"])
def test_convert_from_fairseq_and_back(xling_finetuned, tmp_path, head, labels):
    source = xling_finetuned(head, None if head == "span" else labels)
    for words in (source, tmp_path / "hf"), (tmp_path / "hf", tmp_path / "back"):
        with pytest.raises(SystemExit) as status:
            cli.main(["convert", *map(str, words)])
        assert status.value.code == 0
    first, second = load_model(source), load_model(tmp_path / "back")
    assert_same_weights(first.model.state_dict(), second.model.state_dict())
    assert first.labels == second.labels == (None if head == "span" else labels)
    assert (tmp_path / "back" / "labels.txt").exists() == (source / "labels.txt").exists()
    for file in source.iterdir():
        if file.name not in ("model.pt", "languages.txt"):
            assert (tmp_path / "back" / file.name).read_bytes() == file.read_bytes()


@every_head
@pytest.mark.parametrize("named", [True, False])
def test_convert_from_transformers_and_back(hf_folder_of, tmp_path, head, named):
    from safetensors.torch import load_file

    source = hf_folder_of(HEADS[head][0], **(options_of(head) if named else {"num_labels": HEADS[head][1]}))
    fairseq = written(write_fairseq, load_model(source), tmp_path / "fairseq")
    back = written(write_transformers, load_model(fairseq), tmp_path / "back")
    assert_same_weights(*(load_file(folder / "model.safetensors") for folder in (source, back)))
    first, second = (transformers.AutoConfig.from_pretrained(folder).to_dict() for folder in (source, back))
    different = {key for key in first.keys() | second.keys() if first.get(key) != second.get(key)}
    assert different <= {"dtype", "_name_or_path"}


@every_head
def test_every_parameter_has_its_place(head):
    ours = xling_model(50, head=False, finetuned=head)
    theirs = hf_model("XLMRoberta", 50, HEADS[head][0], num_labels=HEADS[head][1])
    converted, dropped = to_transformers(ours.state_dict(), FAMILIES["xlm-roberta"], pad=1)
    assert dropped == []
    own = {key: tensor.shape for key, tensor in theirs.state_dict().items() if ".layer." not in key}
    assert {key: tensor.shape for key, tensor in converted.items() if ".layer." not in key} == own
    back, dropped = to_fairseq(converted, FAMILIES["xlm-roberta"], 1, [head])
    assert dropped == []
    assert_same_weights(ours.state_dict(), back)


def test_lm_head_gives_way_to_a_head(xling_finetuned, tmp_path, caplog):
    loaded = load_model(xling_finetuned("token", lm_head=True))
    assert "lm" in loaded.model.heads
    folder = written(write_transformers, loaded, tmp_path / "out")
    assert "left out" in caplog.text
    assert "heads.lm.dense" in caplog.text
    assert_same_logits(theirs_of(folder, "token"), loaded.model, "token", padded_batch(len(loaded.dictionary)))


def test_several_heads_have_no_equal(xling_finetuned, tmp_path):
    loaded = load_model(xling_finetuned("token"))
    loaded.model.add_head("span", outputs=2)
    with pytest.raises(UserError, match=r"several heads \(token, span\); transformers' models have one"):
        written(write_transformers, loaded, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_multiple_choice_is_no_token_classifier(hf_folder_of, caplog):
    """Its parameters have the same names."""
    folder = hf_folder_of("ForMultipleChoice")
    assert list(load_model(folder).model.heads) == []
    assert "left out" in caplog.text
    assert "classifier" in caplog.text
    edit_config(folder, architectures=["XLMRobertaForTokenClassification"])
    assert list(load_model(folder).model.heads) == ["token"]


def test_old_token_classifiers_have_a_pooler(hf_folder_of, caplog):
    """transformers 2 and 3 saved one with every model."""
    from safetensors.torch import load_file, save_file

    folder = hf_folder_of("ForTokenClassification", **options_of("token"))
    state = load_file(folder / "model.safetensors")
    pooler = {"roberta.pooler.dense.weight": torch.ones(32, 32), "roberta.pooler.dense.bias": torch.ones(32)}
    save_file({**state, **pooler}, folder / "model.safetensors")
    assert load_model(folder).labels == LABELS
    assert "roberta.pooler.dense" in caplog.text


def test_labels_are_ordered_by_number(hf_folder_of):
    folder = hf_folder_of("ForTokenClassification", num_labels=12)
    labels = [f"T{number}" for number in range(12)]
    edit_config(folder, id2label={str(number): labels[number] for number in sorted(range(12), key=str)})
    assert load_model(folder).labels == labels


@pytest.mark.parametrize("names", [None, {}, {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}])
def test_a_head_without_names_for_its_labels(hf_folder_of, names):
    folder = hf_folder_of("ForSequenceClassification", num_labels=3)
    edit_config(folder, id2label=names)
    loaded = load_model(folder)
    assert loaded.labels is None
    assert loaded.model.heads["sequence"].out_proj.out_features == 3


def test_labels_without_a_head_mean_nothing(hf_folder, xling_folder):
    edit_config(hf_folder, id2label={"0": "yes", "1": "no"})
    (xling_folder / "labels.txt").write_text("yes\nno\n")
    assert load_model(hf_folder).labels is None
    assert load_model(xling_folder).labels is None


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"0": "yes", "1": "no"}, "id2label names 2 labels, the sequence head has 3 outputs; use the file"),
        ({"1": "a", "2": "b", "3": "c"}, "expected a label for each of 0, 1"),
        (["a", "b", "c"], "expected a label for each of 0, 1"),
        ({"0": "a", "1": "b\nc", "2": "d"}, r"the label 'b\\nc' of id2label has a line break"),
    ],
)
def test_wrong_labels_in_config(hf_folder_of, names, message):
    folder = hf_folder_of("ForSequenceClassification", num_labels=3)
    edit_config(folder, id2label=names)
    with pytest.raises(UserError, match=rf"config\.json: .*{message}"):
        load_model(folder)


@pytest.mark.parametrize("text", ["entailment\nneutral\n", "a\nb\nc\nd\n", ""])
def test_another_number_of_labels_is_one_message(xling_finetuned, tmp_path, capsys, text):
    folder = xling_finetuned("sequence")
    (folder / "labels.txt").write_text(text)
    with pytest.raises(SystemExit) as status:
        cli.main(["convert", str(folder), str(tmp_path / "hf")])
    assert status.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    count = len(text.splitlines())
    assert f"labels.txt names {count} labels, the sequence head has 3 outputs; use the file that was written" in line
    assert not (tmp_path / "hf").exists()


def test_labels_that_are_not_text(xling_finetuned):
    folder = xling_finetuned("token")
    (folder / "labels.txt").write_bytes("Größe\nb\nc\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"labels\.txt: not UTF-8 text"):
        load_model(folder)


def test_labels_belong_to_the_checkpoint_not_to_its_data(xling_finetuned, tmp_path):
    """A checkpoint moved away finds the vocabulary of the model it was made from, whose labels are of another head."""
    folder = xling_finetuned("token", ["O", "B-X", "I-X"])
    content = torch.load(folder / "model.pt")
    content["cfg"]["task"]["data"] = str(folder)
    (tmp_path / "moved").mkdir()
    torch.save(content, tmp_path / "moved" / "checkpoint_best.pt")
    loaded = load_model(tmp_path / "moved")
    assert loaded.home == folder
    assert loaded.labels is None
    shutil.copyfile(folder / "labels.txt", tmp_path / "moved" / "labels.txt")
    assert load_model(tmp_path / "moved").labels == ["O", "B-X", "I-X"]


def test_regression_is_reported(hf_folder_of, caplog):
    folder = hf_folder_of("ForSequenceClassification", num_labels=1)
    load_model(folder)
    assert "problem_type" not in caplog.text
    edit_config(folder, problem_type="regression")
    load_model(folder)
    assert "problem_type is 'regression'" in caplog.text
