"""Training that starts from another model's checkpoint."""

import shutil

import pytest
import torch

from fairseq_xling.errors import UserError
from fairseq_xling.interop.huggingface import write_fairseq
from fairseq_xling.interop.load import load_model
from tests.helpers import random_sentences, write_corpus
from tests.interop.models import POSITIONS, fairseq_roberta, xling_model
from tests.interop.test_load_model import as_published

OPTIONS = (
    "--task mmlm --arch xling_tiny --encoder-layers 2 --encoder-embed-dim 32 --encoder-attention-heads 4 "
    f"--max-positions {POSITIONS} --batch-size 4 --optimizer adam --lr 1e-4 --max-update 2 --log-interval 1 "
    "--num-workers 0 --disable-validation --reset-optimizer --reset-dataloader --reset-meters"
).split()


@pytest.fixture
def data_bin(vocabulary, tmp_path):
    """A data-bin of the vocabulary; its numbers are symbols of every vocabulary of that size."""
    shutil.copytree(vocabulary, tmp_path / "data")
    for language in ("de", "en"):
        write_corpus(tmp_path / "data" / "mono" / language / "train", random_sentences(12))
    return tmp_path / "data"


@pytest.fixture
def train(fairseq_train, data_bin, tmp_path):
    """``train(checkpoint, ffn, *options)`` makes two updates from a checkpoint."""

    def run(checkpoint, ffn, *options):
        return fairseq_train(
            data_bin,
            *OPTIONS,
            *("--encoder-ffn-embed-dim", str(ffn), "--save-dir", tmp_path / "save", "--restore-file", checkpoint),
            *options,
        )

    return run


def test_from_a_published_model(train, vocabulary, model_folder, tmp_path):
    """A learning rate of almost nothing keeps the weights, so what is saved must be what was loaded."""
    folder = model_folder("xlmr.tiny", as_published(fairseq_roberta(vocabulary)))
    done = train(folder / "model.pt", 64, "--lr", "1e-9")
    assert done.returncode == 0, done.log
    assert "Loaded checkpoint" in done.log
    saved = torch.load(tmp_path / "save" / "checkpoint_last.pt")
    assert saved["optimizer_history"][-1]["num_updates"] == 2
    before, after = load_model(folder), load_model(tmp_path / "save")
    for key, tensor in before.model.state_dict().items():
        torch.testing.assert_close(after.model.state_dict()[key], tensor, rtol=0, atol=1e-6)
    assert after.dictionary.symbols == before.dictionary.symbols


def test_from_a_converted_model_with_fewer_positions(train, hf_folder, tmp_path):
    pytest.importorskip("transformers")
    (tmp_path / "converted").mkdir()
    write_fairseq(load_model(hf_folder), tmp_path / "converted")
    done = train(tmp_path / "converted" / "model.pt", 48, "--max-positions", "16")
    assert done.returncode == 0, done.log
    assert f"using the first 16 of the checkpoint's {POSITIONS} positions" in done.log
    assert load_model(tmp_path / "save").model.max_positions() == 16


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--max-positions", "30"],
            "--max-positions 30 is beyond the checkpoint's table of 24 positions: lower it to at most 24",
        ),
        ([], "the dict.txt beside it is not that of "),
    ],
    ids=["positions", "dictionary"],
)
def test_a_model_that_does_not_fit(train, data_bin, vocabulary, model_folder, tmp_path, options, message):
    folder = model_folder("xlmr.tiny", as_published(fairseq_roberta(vocabulary)))
    if not options:
        (data_bin / "sentencepiece.bpe.model").unlink()
        with open(data_bin / "dict.txt", "a") as stream:
            stream.write("more 1\n")
    done = train(folder / "model.pt", 64, *options)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if "error:" in line]
    assert message in line
    assert "Traceback" not in done.log
    assert not list((tmp_path / "save").glob("*.pt"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoder_layers": 4}, r"the checkpoint has no encoder\.sentence_encoder\.layers\.3"),
        ({"encoder_layers": 2}, r"the checkpoint has encoder\.sentence_encoder\.layers\.2"),
        (
            {"encoder_ffn_embed_dim": 40},
            r"layers\.0\.fc1\.weight has shape \(48, 32\) in the checkpoint and \(40, 32\)",
        ),
        ({"encoder_normalize_before": True}, r"the checkpoint has no encoder\.sentence_encoder\.layer_norm"),
    ],
)
def test_another_shape_is_named(options, message):
    with pytest.raises(UserError, match=f"{message}.*--encoder-"):
        xling_model(50, **options).load_state_dict(xling_model(50).state_dict())
