"""fairseq-train fine-tunes a model of transformers, and what comes out is one again."""

import json

import pytest
import torch
from omegaconf import OmegaConf

from fairseq_xling.finetuning.task import FinetuneConfig, TokenClassificationTask
from fairseq_xling.interop.load import load_model
from fairseq_xling.models import XlingModelConfig
from fairseq_xling_preprocess import cli
from tests.interop.models import POSITIONS

transformers = pytest.importorskip("transformers")

SENTENCES = "The\tO\nold\tB-LOC\ntown.\tI-LOC\n\nBuch\tB-ORG\nüber\tO\n\n"
OPTIONS = (
    "--arch xling --task token_classification --benchmark wikiann --optimizer adam --lr 0 --batch-size 2 --max-update 2 "
    f"--max-positions {POSITIONS} --num-workers 0 --disable-validation"
).split()


def test_from_a_bare_model_and_out_again(hf_folder_of, fairseq_train, tmp_path):
    """A learning rate of 0 keeps the encoder's weights bit for bit; the head is new."""
    source, save, out = hf_folder_of("Model"), tmp_path / "save", tmp_path / "out"
    (tmp_path / "train").write_text(SENTENCES * 4, encoding="utf-8")
    done = fairseq_train(source, *OPTIONS, "--save-dir", save, "--train-files", f"en={tmp_path / 'train'}")
    assert done.returncode == 0, done.log

    before, after = load_model(source), load_model(save)
    assert list(after.model.heads) == ["token"]
    assert after.labels == ["O", "B-LOC", "I-LOC", "B-ORG", "I-ORG"]
    state = after.model.state_dict()
    for key, tensor in before.model.state_dict().items():
        assert torch.equal(state.pop(key), tensor), key
    assert sorted(state) == ["heads.token.out_proj.bias", "heads.token.out_proj.weight"]
    assert after.encode_text(["the old 城"])[0].tolist() == before.encode_text(["the old 城"])[0].tolist()

    with pytest.raises(SystemExit) as status:
        cli.main(["convert", str(save), str(out)])
    assert status.value.code == 0
    config = json.loads((out / "config.json").read_text())
    assert config["architectures"] == ["XLMRobertaForTokenClassification"]
    assert config["id2label"] == {str(number): label for number, label in enumerate(after.labels)}
    theirs = transformers.AutoModelForTokenClassification.from_pretrained(out).eval()
    tokens = torch.tensor([[0, *after.encode_text(["the old town"])[0].tolist(), 2]])
    with torch.no_grad():
        logits = after.model.heads["token"](after.model(tokens))
        torch.testing.assert_close(logits, theirs(input_ids=tokens).logits, rtol=0, atol=1e-5)


@pytest.mark.parametrize("same", [True, False])
def test_the_head_of_a_model_with_the_same_labels_is_trained_on(hf_folder_of, tmp_path, same):
    labels = ["O", "B-LOC", "I-LOC", "B-ORG", "I-ORG" if same else "I-PER"]
    source = hf_folder_of("ForTokenClassification", id2label=dict(enumerate(labels)))
    (tmp_path / "train").write_text(SENTENCES, encoding="utf-8")
    cfg = FinetuneConfig(
        seed=1,
        update_freq=[1],
        _name="token_classification",
        data=str(source),
        benchmark="wikiann",
        train_files=f"en={tmp_path / 'train'}",
    )
    model = TokenClassificationTask.setup_task(cfg).build_model(OmegaConf.structured(XlingModelConfig(_name="xling")))
    before, after = load_model(source).model.heads["token"], model.heads["token"]
    assert torch.equal(before.out_proj.weight, after.out_proj.weight) == same
    assert torch.equal(before.out_proj.bias, after.out_proj.bias) == same
