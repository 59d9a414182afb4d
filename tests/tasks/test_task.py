"""The tasks' options and messages, and whole runs of both fairseq commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from fairseq.criterions import CRITERION_REGISTRY
from fairseq.tasks import TASK_REGISTRY

from fairseq_xling.errors import UserError
from fairseq_xling.objectives import MIXES
from tests.helpers import make_task, random_sentences, small_data_bin, write_corpus, write_data_bin
from tests.knowledge import write_knowledge


@pytest.fixture(scope="module")
def data_bin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_knowledge(small_data_bin(tmp_path_factory.mktemp("task")))


@pytest.mark.parametrize("name", MIXES)
def test_tasks_and_criterions_are_registered(data_bin, name):
    assert name in TASK_REGISTRY
    assert name in CRITERION_REGISTRY
    options = {"initial_model": "initial.pt"} if name == "word_alignment" else {}
    assert tuple(make_task(data_bin, name, **options).objectives) == MIXES[name]


def test_mixes_are_those_of_the_papers():
    assert MIXES == {
        "mmlm": ("mmlm",),
        "tlm": ("mmlm", "tlm"),
        "camlm": ("mmlm", "tlm", "camlm"),
        "btmlm": ("mmlm", "tlm", "camlm", "btmlm"),
        "weam": ("weam",),
        "word_alignment": ("word_alignment",),
        "xlmk_entity": ("mmlm", "xlmk_entity"),
        "object_entailment": ("mmlm", "object_entailment"),
        "xlmk": ("mmlm", "xlmk_entity", "object_entailment"),
    }


def test_objectives_weights_and_shares(data_bin):
    task = make_task(data_bin, "mmlm", objectives="camlm, tlm", objective_weights="2,0.5", objective_shares=".25,.75")
    assert list(task.objectives) == ["camlm", "tlm"]
    assert task.weights == {"camlm": 2, "tlm": 0.5}
    assert task.shares == {"camlm": 0.25, "tlm": 0.75}
    default = make_task(data_bin, "btmlm")
    assert set(default.weights.values()) == {1}
    assert set(default.shares.values()) == {0.25}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"objectives": "mmlm,xmlm"},
            "--objectives: 'xmlm' is unknown; there are mmlm, tlm, camlm, btmlm, weam, word_alignment",
        ),
        ({"objectives": "mmlm,tlm,mmlm"}, "--objectives: 'mmlm' is named 2 times; use --objective-weights"),
        ({"objectives": "mmlm,"}, "--objectives: '' is unknown"),
        ({"objectives": ""}, "--objectives: '' is unknown"),
        ({"mask_prob": 0}, "--mask-prob 0 leaves nothing to predict"),
        (
            {"objectives": "btmlm", "btmlm_start_update": 5},
            "--objectives btmlm: nothing is trained before update 5; name one that starts at once",
        ),
        (
            {"objective_weights": "1,2"},
            r"--objective-weights 1,2: 2 numbers for 4 objectives \(mmlm, tlm, camlm, btmlm\)",
        ),
        ({"objective_weights": "1,2,x,4"}, "--objective-weights 1,2,x,4: not a list of numbers"),
        ({"objective_weights": "1,0,1,1"}, "--objective-weights 1,0,1,1: every number must be above 0"),
        ({"objective_shares": "1,1,1,-1"}, "--objective-shares 1,1,1,-1: every number must be above 0"),
        ({"objective_shares": "1,1,1,nan"}, "--objective-shares .* above 0"),
        ({"mask_prob": 1.5}, "--mask-prob 1.5 must be between 0 and 1"),
        ({"random_token_prob": -0.5}, "--random-token-prob -0.5 must be between 0 and 1"),
        ({"leave_unmasked_prob": 0.6, "random_token_prob": 0.6}, "must not exceed 1 together"),
        ({"max_positions": 4}, "--max-positions 4: at least 8"),
        ({"sampling_alpha": 1.5}, "--sampling-alpha 1.5 must be between 0 and 1"),
        ({"btmlm_start_update": -5}, "--btmlm-start-update -5 must not be negative"),
    ],
)
def test_wrong_options(data_bin, options, message):
    with pytest.raises(UserError, match=message):
        make_task(data_bin, **options)


def test_missing_data(tmp_path):
    pairs = (random_sentences(3), random_sentences(3))
    folder = write_data_bin(tmp_path, {"de": [[5]], "en": [[6]]}, {"de-en": pairs})
    task = make_task(folder, "tlm")
    with pytest.raises(
        UserError, match=r"no 'valid' data for mmlm, tlm; .*--validpref.* or train with --disable-validation"
    ):
        task.load_dataset("valid")
    for suffix in ("bin", "idx"):
        for side in ("de", "en"):
            train = folder / "para" / "de-en" / f"train.de-en.{side}.{suffix}"
            train.rename(train.with_name(train.name.replace("train", "valid")))
    with pytest.raises(UserError, match="no 'train' data for the objective tlm"):
        make_task(folder, "tlm").load_dataset("train")


def test_data_bin_without_languages_or_pairs(tmp_path):
    with pytest.raises(UserError, match=r"/para: no language pair in it; the objective tlm needs sentence pairs"):
        make_task(write_data_bin(tmp_path / "mono", {"de": [[5]]}), "tlm")
    with pytest.raises(UserError, match=r"/mono: no language in it; the objective mmlm needs monolingual text"):
        make_task(write_data_bin(tmp_path / "para", {}, {"de-en": ([[5]], [[6]])}), "tlm")


def test_nothing_but_blank_lines(tmp_path):
    with pytest.raises(UserError, match=r"every 'train' sentence of the objective mmlm is empty"):
        make_task(write_data_bin(tmp_path, {"de": [[], []]}), "mmlm").load_dataset("train")


def test_validation_data_for_some_objectives_is_enough(tmp_path):
    folder = small_data_bin(tmp_path, splits=("train",))
    write_corpus(folder / "mono" / "en" / "valid", random_sentences(4))
    task = make_task(folder)
    task.load_dataset("valid")
    assert list(task.datasets["valid"].parts) == ["mmlm", "btmlm"]
    assert task.objectives["mmlm"].groups == ["de", "en", "fr"]  # the same in every split


def test_every_split_and_shard_reports_the_same_groups(tmp_path):
    few = random_sentences(4)
    write_data_bin(tmp_path / "a", {"de": few, "en": few})
    write_data_bin(tmp_path / "b", {"en": few})
    task = make_task(f"{tmp_path / 'a'}:{tmp_path / 'b'}", "mmlm")
    groups = []
    for epoch in (1, 2, 3):
        task.load_dataset("train", epoch=epoch)
        part = task.datasets["train"].parts["mmlm"]
        groups.append({task.objectives["mmlm"].groups[part.example(i, epoch)["group"]] for i in range(len(part.sizes))})
    assert groups == [{"de", "en"}, {"en"}, {"de", "en"}]


def test_batch_sizes_below_one(data_bin):
    task = make_task(data_bin)
    task.load_dataset("train")
    for sizes, flag in (({"max_tokens": 0}, "--max-tokens 0"), ({"max_sentences": -1}, "--batch-size -1")):
        with pytest.raises(UserError, match=f"{flag} must be at least 1"):
            task.get_batch_iterator(task.datasets["train"], **sizes)


def test_a_criterion_of_another_kind(data_bin):
    task = make_task(data_bin)
    with pytest.raises(
        UserError, match="--criterion masked_lm does not fit the task; leave it out, or name one of mmlm"
    ):
        task.build_criterion(type("Config", (), {"_name": "masked_lm"}))
    for name in (*MIXES, "cross_entropy"):
        assert list(task.build_criterion(type("Config", (), {"_name": name})).objectives) == list(MIXES["btmlm"])


# ---- whole runs ------------------------------------------------------------------------------------------------------

TRAINING = """
    --arch xling_tiny --encoder-layers 1 --encoder-embed-dim 32 --encoder-ffn-embed-dim 64 --max-positions 64
    --optimizer adam --lr 1e-3 --lr-scheduler inverse_sqrt --warmup-updates 2 --max-tokens 320 --max-update 5
    --log-interval 1 --log-format json --num-workers 1 --seed 3
"""
HYDRA = """
    model=xling_tiny model.encoder_layers=1 model.encoder_embed_dim=32 model.encoder_ffn_embed_dim=64
    task.max_positions=64 optimizer=adam optimization.lr=[1e-3] lr_scheduler=inverse_sqrt lr_scheduler.warmup_updates=2
    dataset.max_tokens=320 optimization.max_update=5 common.log_interval=1 common.log_format=json dataset.num_workers=1
    common.seed=3 common.cpu=true
"""


def logged(log: str) -> list[dict[str, Any]]:
    """The JSON objects fairseq logs, numbers as numbers."""
    found = []
    for line in log.splitlines():
        start = line.find("{")
        if start >= 0 and line.rstrip().endswith("}") and '"epoch"' in line:
            entry = json.loads(line[start:])
            found.append({key: float(value) for key, value in entry.items()})
    return found


@pytest.fixture(scope="module")
def trained(data_bin: Path, fairseq_train: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One run of the whole mix with validation: (save folder, log entries)."""
    folder = tmp_path_factory.mktemp("run")
    done = fairseq_train(data_bin, "--task", "btmlm", *TRAINING.split(), "--save-dir", folder / "save", cwd=folder)
    assert done.returncode == 0, done.log[-3000:]
    return folder / "save", logged(done.log)


@pytest.mark.slow
def test_fairseq_train_logs_every_objective_speed_and_padding(trained):
    _, entries = trained
    updates = [entry for entry in entries if "loss" in entry and "loss_mmlm" in entry]
    assert [int(entry["num_updates"]) for entry in updates] == [1, 2, 3, 4, 5]
    for entry in updates:
        assert entry["loss"] == pytest.approx(sum(entry[f"loss_{name}"] for name in MIXES["btmlm"]), abs=0.02)
        for name in MIXES["btmlm"]:
            assert 4 < entry[f"loss_{name}"] < 8  # log2(45) = 5.5
            assert entry[f"ppl_{name}"] == pytest.approx(2 ** entry[f"loss_{name}"], rel=0.01)
        assert 0 <= entry["padding"] < 50
        assert 0 <= entry["data_wait"] <= 100
    assert all(entry["tokens_per_s"] > 0 for entry in updates[1:])


@pytest.mark.slow
def test_fairseq_train_validates_every_objective_language_and_pair(trained):
    _, entries = trained
    valid = next(entry for entry in entries if "valid_loss" in entry)
    groups = {
        "mmlm": ["de", "en", "fr"],
        "btmlm": ["de", "en", "fr"],
        "tlm": ["de-en", "en-fr"],
        "camlm": ["de-en", "en-fr"],
    }
    for name, names in groups.items():
        for key in (name, *(f"{name}_{group}" for group in names)):
            assert {f"valid_loss_{key}", f"valid_ppl_{key}", f"valid_acc_{key}"} <= valid.keys()
    assert valid["valid_loss"] == pytest.approx(sum(valid[f"valid_loss_{name}"] for name in groups), abs=0.02)


@pytest.mark.slow
def test_fairseq_train_leaves_a_complete_model_folder(trained, data_bin):
    save, _ = trained
    for name in ("dict.txt", "languages.txt"):
        assert (save / name).read_bytes() == (data_bin / name).read_bytes()
    assert {"checkpoint_best.pt", "checkpoint_last.pt"} <= {path.name for path in save.iterdir()}
    assert not list(save.glob("*.tmp*"))
    state = torch.load(save / "checkpoint_last.pt", weights_only=True)
    assert state["last_optimizer_state"] is not None
    assert state["model"]["encoder.sentence_encoder.embed_languages.weight"].shape == (4, 32)


@pytest.mark.slow
def test_fairseq_hydra_train_is_the_same_training(command, trained, data_bin, tmp_path):
    """Options have the same names in both commands; so does everything that follows from them."""
    done = command("fairseq-hydra-train", "task=btmlm", f"task.data={data_bin}", *HYDRA.split(), cwd=tmp_path)
    assert done.returncode == 0, done.log[-3000:]
    _, expected = trained
    found = logged(done.log)
    same = [key for key in expected[0] if key.startswith(("loss", "ppl", "padding", "num_updates", "gnorm", "lr"))]
    assert len(same) > 12
    for mine, theirs in zip(found[:5], expected[:5], strict=True):
        assert {key: mine[key] for key in same} == {key: theirs[key] for key in same}
    assert (tmp_path / "checkpoints" / "checkpoint_last.pt").exists()


@pytest.mark.slow
def test_mistakes_end_with_one_line_and_exit_code_2(fairseq_train, data_bin, tmp_path):
    done = fairseq_train(
        data_bin, "--task", "btmlm", "--objectives", "mmlm,xyz", *TRAINING.split(), "--save-dir", tmp_path / "save"
    )
    assert done.returncode == 2
    assert "error: --objectives: 'xyz' is unknown" in done.stderr
    assert "Traceback" not in done.log
    assert not (tmp_path / "save" / "checkpoint_last.pt").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--seed", "-1"), "error: --seed: it must be a number from 0 to 4294967295"),
        (("--update-freq", "0"), "error: --update-freq 0: every number must be at least 1"),
    ],
)
def test_numbers_that_cannot_be(fairseq_train, data_bin, tmp_path, options, message):
    done = fairseq_train(data_bin, "--task", "mmlm", *TRAINING.split(), *options, "--save-dir", tmp_path / "save")
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_validation_set_without_an_objective_is_said(tmp_path, caplog):
    """Its loss, by which the best checkpoint is chosen, is that of the others."""
    data = write_data_bin(tmp_path, {"en": random_sentences(8)}, splits=("train", "valid"))
    write_data_bin(data, para={"de-en": (random_sentences(4), random_sentences(4))})
    make_task(data, "tlm").load_dataset("valid")
    assert "no 'valid' data for tlm: the loss of 'valid' is that of mmlm alone" in caplog.text
