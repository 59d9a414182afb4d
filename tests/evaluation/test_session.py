"""What all evaluations share: the device, the model, the folder, the files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from fairseq_xling.errors import UserError
from fairseq_xling.evaluation.session import Session, choose_device
from fairseq_xling_preprocess.evaluation.cli import evaluate

SHARED = ["checkpoint", "out", "max_tokens", "device"]


@pytest.fixture
def session(model_folder: Path, tmp_path: Path) -> Session:
    return Session.open(checkpoint=str(model_folder), out=str(tmp_path / "out"), device="cpu")


def test_the_device(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == "cpu"
    with pytest.raises(UserError, match="--device cuda: no CUDA device is visible"):
        choose_device("cuda")
    with pytest.raises(UserError, match="--fp16 needs CUDA"):
        choose_device("auto", fp16=True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto", fp16=True) == choose_device("cuda") == "cuda"
    with pytest.raises(UserError, match="--fp16 needs CUDA"):
        choose_device("cpu", fp16=True)


def test_a_wrong_device_ends_before_the_checkpoint_is_looked_for(tmp_path):
    with pytest.raises(UserError, match="--fp16 needs CUDA"):
        Session.open(checkpoint=str(tmp_path / "none"), out=str(tmp_path / "out"), device="cpu", fp16=True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_half_precision(model_folder, tmp_path):
    session = Session.open(checkpoint=str(model_folder), out=str(tmp_path), device="auto", fp16=True)
    assert {(p.dtype, p.device.type) for p in session.loaded.model.parameters()} == {(torch.float16, "cuda")}


def test_the_layer(session):
    assert session.choose_layer(None) == {"layer": 2, "layer_rule": "default: two thirds up", "num_layers": 3}
    assert session.choose_layer(None, 3)["layer_rule"] == "the layer of its fine-tuning"
    assert session.choose_layer(0, 3) == {"layer": 0, "layer_rule": "--layer", "num_layers": 3}
    with pytest.raises(UserError, match=r"--layer 4: the model has the layers 0 \(embeddings\) to 3"):
        session.choose_layer(4)


def test_nothing_is_written_before_the_end(session, model_folder, capsys):
    data = model_folder / "text"
    results = session.results("probe", data=[data], settings={"score": "cosine"}, seed=3, rows=[1])
    assert not session.folder.exists()
    assert not session.loaded.model.training
    session.finish(results, "# Probe\n\nA number.\n\n## More", "picture.png")
    content = json.loads((session.folder / "results.json").read_text())
    assert content["evaluation"] == "probe"
    assert content["settings"] == {"score": "cosine", "device": "cpu", "fp16": False}
    assert (content["seed"], content["rows"], content["data"][0]["path"]) == (3, [1], str(data))
    assert content["checkpoint"]["sha256"] == session.loaded.sha256()
    out = session.folder
    assert capsys.readouterr().out == (
        f"# Probe\n\nA number.\n\nwrote {out / 'results.json'}, {out / 'report.md'}, {out / 'picture.png'}\n"
    )


def test_a_folder_that_cannot_be_made(model_folder):
    session = Session.open(checkpoint=str(model_folder), out=str(model_folder / "model.pt" / "out"), device="cpu")
    with pytest.raises(UserError, match="cannot make the folder"):
        session.make_folder()


def test_every_evaluation_has_the_shared_options():
    for name, command in evaluate.commands.items():
        options = {option.name: option for option in command.params}
        assert set(SHARED) <= set(options), name
        assert options["device"].default == "auto"
