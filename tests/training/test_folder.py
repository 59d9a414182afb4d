"""--save-dir: one run at a time, and weights beside the vocabulary they belong to. Each refusal leaves the folder as it was."""

import multiprocessing
import os
import shutil
import signal
import time
from functools import partial
from pathlib import Path

import pytest
import torch

from fairseq_xling.errors import UserError
from fairseq_xling.training import folder as folders
from fairseq_xling.training.folder import LOCK, hold

from ..helpers import NUM_WORDS
from .conftest import OPTIONS, free_port, launch, log_of

WORDS = [f"w{number}" for number in range(NUM_WORDS)]
SWAPPED = [WORDS[1], WORDS[0], *WORDS[2:]]


@pytest.fixture
def other(data_bin, tmp_path):
    """``other(words, languages)`` makes a data-bin of the same sizes whose dict.txt or languages.txt has another order."""

    def make(words=WORDS, languages="de en fr"):
        folder = tmp_path / "other"
        shutil.copytree(data_bin, folder)
        (folder / "dict.txt").write_text("".join(f"{word} 1\n" for word in words))
        (folder / "languages.txt").write_text("".join(f"{language}\n" for language in languages.split()))
        return folder

    return make


@pytest.fixture
def begin(data_bin, tmp_path):
    """``begin(*options, data=…)`` starts ``fairseq-train --task tlm`` in ``tmp_path / "run"``, for one update unless told otherwise."""

    def run(*options, data=data_bin, task="tlm", **kwargs):
        save_dir = tmp_path / "run"
        words = [data, "--task", task, *OPTIONS.split(), "--save-dir", save_dir, "--max-update", 1, *options]
        return launch(words, save_dir, **kwargs)

    return run


@pytest.fixture
def succeed(begin, tmp_path):
    def run(*options, **kwargs):
        process = begin(*options, **kwargs)
        process.join(timeout=100)
        assert process.exitcode == 0, log_of(tmp_path / "run").read_text()[-4000:]
        return tmp_path / "run"

    return run


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != LOCK}


@pytest.fixture
def refused(begin, tmp_path):
    """``refused(*options)`` runs a job that must end with exit code 2 and leave the folder alone; returns its one line."""

    def run(*options, **kwargs):
        folder = tmp_path / "run"
        log_of(folder).unlink(missing_ok=True)
        before = files(folder) if folder.exists() else {}
        process = begin(*options, **kwargs)
        process.join(timeout=100)
        log = log_of(folder).read_text()
        assert process.exitcode == 2, log[-6000:]
        assert "Traceback" not in log
        assert files(folder) == before
        (line,) = [line for line in log.splitlines() if "error: " in line]
        return line.partition("error: ")[2]

    return run


# ---- the vocabulary of the folder -------------------------------------------------------------------------------------


def test_a_run_goes_on_with_its_own_symbols_and_languages_only(succeed, refused, other, data_bin, tmp_path):
    folder = succeed()
    data = other(SWAPPED)
    assert refused("--max-update", 2, data=data) == (
        f"--save-dir {folder}: its dict.txt is not that of {data}: symbol 4 is 'w0' against 'w1'; continue with the data it was made from, or "
        "name another folder"
    )
    shutil.rmtree(data)
    data = other(languages="en de fr")
    assert refused("--max-update", 2, data=data).startswith(
        f"--save-dir {folder}: its languages.txt is not that of {data}: language 0 is 'de' against 'en'"
    )
    # the checkpoint itself remembers both
    (folder / "languages.txt").unlink()
    assert refused("--max-update", 2, data=data).startswith(
        f"--save-dir {folder}/checkpoint_last.pt: was trained with other languages than those of {data}: language 0 is 'de' against 'en'"
    )
    # counts say nothing
    (folder / "dict.txt").write_text("".join(f"{word} 7\n" for word in WORDS))
    succeed("--max-update", 2)
    assert (folder / "dict.txt").read_text().startswith("w0 7\n"), "nothing is written over it"
    assert (folder / "languages.txt").read_bytes() == (data_bin / "languages.txt").read_bytes(), (
        "what was missing is there"
    )


def test_other_languages_where_no_weights_belong_to_them(succeed, other, tmp_path):
    """The log says that the list is another now."""
    succeed(task="mmlm")
    data = other(languages="en de fr")
    folder = succeed("--max-update", 2, task="mmlm", data=data)
    assert (folder / "languages.txt").read_text() == "en\nde\nfr\n"
    assert f"languages.txt: is now that of {data}: language 0 is 'de' against 'en'" in log_of(folder).read_text()


def test_a_folder_without_checkpoints_may_be_somebody_elses(refused, other, tmp_path):
    """For example another data-bin."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "dict.txt").write_text("".join(f"{word} 1\n" for word in SWAPPED))
    assert refused().startswith(f"--save-dir {folder}: its dict.txt is not that of ")
    (folder / "dict.txt").unlink()
    (folder / "languages.txt").write_text("nobody\n")
    assert "its languages.txt is not that of" in refused()


def test_an_older_checkpoint_goes_on(succeed, tmp_path):
    folder = succeed()
    content = torch.load(folder / "checkpoint_last.pt")
    del content["task_state"]
    torch.save(content, folder / "checkpoint_last.pt")
    succeed("--max-update", 2)
    assert "symbols" in torch.load(folder / "checkpoint_last.pt")["task_state"]["vocabulary"]


# ---- a checkpoint from elsewhere --------------------------------------------------------------------------------------


@pytest.mark.parametrize("flag", ["--restore-file", "--finetune-from-model", "--continue-once"])
def test_a_checkpoint_of_other_symbols_from_elsewhere(succeed, refused, other, tmp_path, flag):
    source = succeed().rename(tmp_path / "source")
    data, file = other(SWAPPED), source / "checkpoint_last.pt"
    assert refused(flag, file, data=data) == (
        f"{flag} {file}: was trained with other symbols than those of {data}: symbol 4 is 'w0' against 'w1'; use the dict.txt and the "
        "tokeniser it was trained with"
    )
    content = torch.load(file)
    del content["task_state"]
    torch.save(content, file)
    assert refused(flag, file, data=data).startswith(
        f"{flag} {file}: the dict.txt beside it is not that of {data}: symbol 4 is 'w0' against 'w1'; use the dictionary, "
    )


def test_fairseq_validate(succeed, other, command, tmp_path):
    folder = succeed()
    done = command("fairseq-validate", other(SWAPPED), "--path", folder / "checkpoint_last.pt", "--task", "tlm", "--user-dir",
                   Path(folders.__file__).parents[1], "--batch-size", 8, "--cpu", "--max-positions", 64)  # fmt: skip
    assert done.returncode == 2, done.log[-3000:]
    assert "error: the checkpoint: was trained with other symbols than those of" in done.stderr


# ---- one run at a time ------------------------------------------------------------------------------------------------


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


ENDLESS = ("--max-update", 1_000_000, "--save-interval-updates", 5, "--keep-interval-updates", 1)


def test_a_second_run_is_refused_and_a_killed_one_is_in_nobodys_way(begin, succeed, refused, tmp_path):
    folder = tmp_path / "run"
    first = begin(*ENDLESS)
    wait_for((folder / "checkpoint_last.pt").exists)
    os.kill(first.pid, signal.SIGSTOP)
    try:
        loaders = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()
        assert loaders
        message = refused("--max-update", 1)
        assert message.startswith(f"--save-dir {folder}: another run writes there (process {first.pid} on ")
        assert message.endswith("; name another folder, or wait until it has ended")
        succeed("--no-save", "--max-update", 100)
        for loader in loaders:
            os.kill(int(loader), signal.SIGSTOP)  # as if they were slow to notice
    finally:
        os.kill(first.pid, signal.SIGKILL)
        first.join()
    try:
        reached = torch.load(folder / "checkpoint_last.pt")["optimizer_history"][-1]["num_updates"]
        succeed("--max-update", reached + 1)
    finally:
        for loader in loaders:
            os.kill(int(loader), signal.SIGKILL)


def test_nothing_is_written_without_saving(succeed):
    assert files(succeed("--no-save")) == {}


def test_all_processes_end_when_the_first_may_not_write(begin, other, succeed, tmp_path):
    """One line; whether another run is there, or the dictionary is another."""
    folder = succeed()

    def both(data):
        log_of(folder).unlink()
        common = {"MASTER_ADDR": "localhost", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2"}
        ranks = [begin("--max-update", 2, data=data, environment={**common, "RANK": str(rank)}) for rank in range(2)]
        for process in ranks:
            process.join(timeout=100)
        assert [process.exitcode for process in ranks] == [2, 2], log_of(folder).read_text()[-4000:]
        (line,) = [line for line in log_of(folder).read_text().splitlines() if "error: " in line]
        return line

    assert "its dict.txt is not that of" in both(other(SWAPPED))
    shutil.rmtree(tmp_path / "other")
    with Holder(folder):
        assert "another run writes there" in both(other())


# ---- the lock itself --------------------------------------------------------------------------------------------------


class Holder:
    """Another process, and one forked by it, in whose hands a folder is within the block."""

    def __init__(self, folder):
        self.folder = folder
        self.forked, self.killed = multiprocessing.Pipe()

    def _hold(self):
        hold(self.folder)
        child = os.fork()
        if child:
            self.killed.send(child)
        signal.pause()

    def __enter__(self):
        self.process = multiprocessing.get_context("fork").Process(target=self._hold)
        self.process.start()
        self.child = self.forked.recv()
        return self

    def kill(self):
        self.process.kill()
        self.process.join()

    def __exit__(self, *error):
        self.kill()
        os.kill(self.child, signal.SIGKILL)


def outcome(function):
    """What a function raises in a process of its own, or "done"."""

    def call():
        try:
            function()
            answer.send("done")
        except UserError as error:
            answer.send(str(error))

    result, answer = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=call)
    process.start()
    process.join()
    return result.recv()


def test_the_lock_ends_with_its_process_whatever_that_forked(tmp_path):
    with Holder(tmp_path) as holder:
        told = outcome(partial(hold, tmp_path))
        assert f"another run writes there (process {holder.process.pid} on " in told
        holder.kill()
        assert outcome(partial(hold, tmp_path)) == "done"


def test_a_process_may_train_twice_and_keeps_the_lock(tmp_path):
    def twice():
        hold(tmp_path)
        hold(tmp_path)
        told.append(outcome(partial(hold, tmp_path)))
        assert "another run writes there" in told[0]

    told = []
    assert outcome(twice) == "done"


def test_the_lock_is_the_folders_whatever_it_is_called(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "run")
    with Holder(tmp_path / "run"):
        assert "another run writes there" in outcome(partial(hold, tmp_path / "link"))


def test_a_file_system_without_locks(tmp_path, monkeypatch, caplog):
    def none(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(folders.fcntl, "lockf", none)
    hold(tmp_path)
    assert "its file system has no locks (No locks available), so nothing keeps a second run out of it" in caplog.text
