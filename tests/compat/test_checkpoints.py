"""Checkpoints: safe loading, and writes that never cost the previous checkpoint."""

import argparse
import errno
import os
import pickle
import shutil
import zipfile

import pytest
import torch
from fairseq import checkpoint_utils
from fairseq.distributed.utils import _TensorPlaceholder
from fairseq.file_io import PathManager
from fairseq.logging import meters
from fairseq.optim.adam import FairseqAdam, FairseqAdamConfig
from omegaconf import OmegaConf

from fairseq_xling.compat._replace import original
from fairseq_xling.compat.checkpoints import safe_loading
from fairseq_xling.errors import UserError

STATES = {
    "options": argparse.Namespace(lr=[0.1]),
    "omegaconf": OmegaConf.create({"task": {"_name": "mmlm", "langs": ["de", "en"]}}),
    "broadcast": {"model": _TensorPlaceholder(0)},
    "meters": meters.AverageMeter(),
}


@pytest.mark.parametrize("state", STATES)
def test_loads_what_fairseq_saves_and_nothing_without_the_list(state, tmp_path):
    torch.save(STATES[state], tmp_path / "x.pt")
    kept = torch.serialization.get_safe_globals()
    try:
        torch.serialization.clear_safe_globals()
        with pytest.raises(pickle.UnpicklingError, match=r"Unsupported (global|class)"):
            torch.load(tmp_path / "x.pt")
        safe_loading()
        assert type(torch.load(tmp_path / "x.pt")) is type(STATES[state])
    finally:
        torch.serialization.add_safe_globals(kept)


def test_meters_of_old_published_models_load_under_their_old_module_name(tmp_path):
    torch.save(meters.TimeMeter(), tmp_path / "new.pt")
    # the archive stores the pickle uncompressed: the same file as an old fairseq would have written it
    with zipfile.ZipFile(tmp_path / "new.pt") as new, zipfile.ZipFile(tmp_path / "old.pt", "w") as old:
        for item in new.infolist():
            old.writestr(item, new.read(item).replace(b"cfairseq.logging.meters\n", b"cfairseq.meters\n"))
    assert torch.serialization.get_unsafe_globals_in_checkpoint(tmp_path / "old.pt") == []
    assert isinstance(torch.load(tmp_path / "old.pt"), meters.TimeMeter)


class Evil:
    def __reduce__(self):
        return os.system, ("true",)


def test_arbitrary_code_is_still_refused(tmp_path):
    torch.save({"model": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(pickle.UnpicklingError, match="system"):
        torch.load(tmp_path / "evil.pt")


class Killed(BaseException):
    """Stands for kill -9: nothing may rely on catching it."""


def test_a_copy_cut_short_leaves_the_previous_checkpoint(tmp_path, monkeypatch):
    new, last = tmp_path / "checkpoint_1_2.pt", tmp_path / "checkpoint_last.pt"
    new.write_bytes(b"new" * 1000)
    last.write_bytes(b"old")

    def half(source, target, length=0):
        target.write(source.read(100))
        target.flush()
        raise Killed

    def half_file(source, target):
        with open(source, "rb") as a, open(target, "wb") as b:
            half(a, b)

    monkeypatch.setattr(shutil, "copyfileobj", half)
    monkeypatch.setattr(shutil, "copyfile", half_file)
    with pytest.raises(Killed):
        PathManager.copy(str(new), str(last), overwrite=True)
    assert last.read_bytes() == b"old"
    with pytest.raises(Killed):
        original(PathManager.copy)(str(new), str(last), overwrite=True)
    assert last.read_bytes() != b"old", "fairseq's own copy loses it"
    monkeypatch.undo()
    assert PathManager.copy(str(new), str(last), overwrite=True)
    assert last.read_bytes() == new.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [new.name, last.name]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full to stand for a full disk")
def test_a_full_disk_is_reported_and_leaves_the_previous_checkpoint(tmp_path):
    last = tmp_path / "checkpoint_last.pt"
    checkpoint_utils.torch_persistent_save({"model": torch.zeros(3)}, str(last))
    before = last.read_bytes()
    os.symlink("/dev/full", f"{last}.tmp")
    with pytest.raises(OSError, match="No space left") as caught:
        checkpoint_utils.torch_persistent_save({"model": torch.zeros(1 << 18)}, str(last))
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(last))
    assert last.read_bytes() == before
    assert os.listdir(tmp_path) == [last.name], "the temporary file is gone"


def test_a_failed_write_is_not_retried_into_the_same_file(tmp_path, monkeypatch):
    """fairseq's retry appends a second archive to the first half-written one."""
    save, calls = torch.save, []

    def fails_once(obj, file):
        calls.append(1)
        if len(calls) == 1:
            file.write(b"half an archive")
            raise OSError(errno.EIO, "Input/output error")
        save(obj, file)

    monkeypatch.setattr(torch, "save", fails_once)
    monkeypatch.setattr(checkpoint_utils.time, "sleep", lambda seconds: None)
    path = tmp_path / "x.pt"
    original(checkpoint_utils.torch_persistent_save)({"a": 1}, str(path))
    assert path.read_bytes().startswith(b"half an archive")
    path.unlink()
    calls.clear()
    with pytest.raises(OSError, match="Input/output"):
        checkpoint_utils.torch_persistent_save({"a": 1}, str(path))
    assert os.listdir(tmp_path) == []


def test_a_named_checkpoint_must_be_there(tmp_path):
    trainer = argparse.Namespace(checkpoint_suffix="")

    def load(restore_file="checkpoint_last.pt", finetune_from_model=None, continue_once=None):
        cfg = argparse.Namespace(
            save_dir=str(tmp_path),
            restore_file=restore_file,
            finetune_from_model=finetune_from_model,
            continue_once=continue_once,
        )
        checkpoint_utils.load_checkpoint(cfg, trainer)

    for path in (str(tmp_path), str(tmp_path / "x.pt")):
        with pytest.raises(UserError, match=rf"--restore-file {path}: no such checkpoint"):
            load(restore_file=path)
        with pytest.raises(UserError, match=rf"--finetune-from-model {path}: no such checkpoint"):
            load(finetune_from_model=path)
        with pytest.raises(UserError, match=rf"--continue-once {path}: no such checkpoint"):
            load(continue_once=path)
    (tmp_path / "checkpoint_last.pt").touch()
    with pytest.raises(AttributeError):  # resumes, whatever became of the model it started from: fairseq itself goes on
        load(finetune_from_model=str(tmp_path / "x.pt"))


def test_the_task_is_asked_before_a_checkpoint_is_loaded(tmp_path):
    """It learns what fairseq would load, and whether the run saves."""

    class Asked(Exception):
        pass

    class Task:
        def before_loading(self, *question):
            raise Asked(*question)

    trainer = argparse.Namespace(checkpoint_suffix="", task=Task(), get_model=lambda: "model")

    def question(**options):
        cfg = {
            "restore_file": "checkpoint_last.pt",
            "finetune_from_model": None,
            "continue_once": None,
            "no_save": False,
        }
        with pytest.raises(Asked) as caught:
            checkpoint_utils.load_checkpoint(argparse.Namespace(save_dir=str(tmp_path), **{**cfg, **options}), trainer)
        return caught.value.args

    other, last = tmp_path / "other.pt", tmp_path / "checkpoint_last.pt"
    other.touch()
    assert question() == ("--finetune-from-model", None, "model", True)
    assert question(finetune_from_model=str(other)) == ("--finetune-from-model", str(other), "model", True)
    assert question(continue_once=str(other), no_save=True) == ("--continue-once", str(other), "model", False)
    last.touch()
    assert question(finetune_from_model=str(other)) == ("--save-dir", str(last), "model", True)
    assert question(restore_file=str(other)) == ("--restore-file", str(other), "model", True)


@pytest.mark.parametrize(("content", "reason"), [(b"garbage", "Unsupported operand"), (b"PK\3\4", "zip archive")])
def test_a_damaged_checkpoint_is_named(tmp_path, content, reason):
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(
        UserError, match=rf"x\.pt: not a readable checkpoint .*{reason}.*is the file complete"
    ) as caught:
        checkpoint_utils.load_checkpoint_to_cpu(str(tmp_path / "x.pt"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shapes", [[(3, 2), (4,)], [(6,), (4,)]])
def test_an_optimizer_of_other_parameters_is_refused(shapes):
    """As many parameters, in another order or of other shapes: fairseq compares their number only."""
    cfg = FairseqAdamConfig(lr=[0.1], adam_betas="(0.9, 0.98)")
    optimizers = []
    for own in ([(4,), (3, 2)], shapes):
        parameters = [torch.nn.Parameter(torch.ones(shape)) for shape in own]
        optimizers.append(FairseqAdam(cfg, parameters))
        sum(p.sum() for p in parameters).backward()
        optimizers[-1].step()
    first, second = optimizers
    first.load_state_dict(first.state_dict())
    with pytest.raises(UserError, match="was trained with other parameters"):
        second.load_state_dict(first.state_dict())
