"""Errors the user can mend: one line on stderr, exit code 2."""

import argparse
import errno
import os

import pytest
from fairseq.distributed import utils as distributed_utils
from torch._utils import ExceptionWrapper
from torch.multiprocessing import ProcessExitedException

from fairseq_xling.compat._replace import original
from fairseq_xling.errors import UserError


def config(save_dir="checkpoints"):
    namespace = argparse.Namespace
    return namespace(
        checkpoint=namespace(save_dir=str(save_dir)),
        common=namespace(cpu=True, tpu=False),
        distributed_training=namespace(
            distributed_init_method=None, distributed_world_size=1, tpu=False, pipeline_model_parallel=False
        ),
    )


def raising(error):
    def main(cfg):
        raise error

    return main


def line_of(error, capsys, save_dir="checkpoints"):
    """Run a job that ends in ``error``; return the one line it printed."""
    with pytest.raises(SystemExit) as caught:
        distributed_utils.call_main(config(save_dir), raising(error))
    out, err = capsys.readouterr()
    assert (caught.value.code, out) == (2, "")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err.strip().partition(": error: ")[2]


def test_a_user_error_is_one_line_and_exit_code_2(capsys):
    assert line_of(UserError("--langs xx: unknown"), capsys) == "--langs xx: unknown"
    with pytest.raises(UserError):
        original(distributed_utils.call_main)(config(), raising(UserError("--langs xx: unknown")))


def test_no_batch_size(capsys):
    error = AssertionError("Must specify batch size either with --max-tokens or --batch-size")
    assert line_of(error, capsys).startswith("the size of a batch is missing; give --max-tokens")


def test_an_error_of_a_loading_process_keeps_only_its_message(capsys):
    try:
        raise UserError("train.idx: truncated; binarise it again")
    except UserError:
        in_worker = ExceptionWrapper(where="in DataLoader worker process 0")
    with pytest.raises(UserError, match="Original Traceback") as caught:
        in_worker.reraise()
    assert line_of(caught.value, capsys) == "train.idx: truncated; binarise it again"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk(number, capsys):
    error = OSError(number, os.strerror(number), "/x/checkpoint_last.pt")
    assert line_of(error, capsys).startswith(f"cannot write /x/checkpoint_last.pt: {os.strerror(number)}")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.ENOENT])
def test_a_save_dir_that_cannot_be_written(number, capsys, tmp_path):
    error = OSError(number, os.strerror(number), str(tmp_path / "dummy"))
    assert line_of(error, capsys, tmp_path).startswith(f"cannot write --save-dir {tmp_path}: {os.strerror(number)}")
    parent = OSError(number, os.strerror(number), str(tmp_path))
    assert line_of(parent, capsys, tmp_path / "a" / "b").startswith("cannot write --save-dir")


def test_a_process_that_has_reported_is_not_reported_again(capsys):
    with pytest.raises(SystemExit) as caught:
        distributed_utils.call_main(
            config(), raising(ProcessExitedException("", error_index=0, error_pid=1, exit_code=2))
        )
    assert caught.value.code == 2
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a bug"),
        OSError(errno.ENOENT, "No such file", "/elsewhere/dict.txt"),
        OSError(errno.EIO, "Input/output error"),
        ProcessExitedException("", error_index=0, error_pid=1, exit_code=1),
    ],
)
def test_everything_else_keeps_its_traceback(error):
    with pytest.raises(type(error)) as caught:
        distributed_utils.call_main(config(), raising(error))
    assert caught.value is error


def test_a_job_with_a_file_for_a_save_dir(train, tmp_path, capsys):
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as caught:
        train(tmp_path / "file" / "checkpoints", "--max-update", "1")
    assert caught.value.code == 2
    assert "fairseq-train: error: cannot write --save-dir" in capsys.readouterr().err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full to stand for a full disk")
def test_a_job_whose_disk_fills_up(train, tmp_path, capsys):
    train(tmp_path, "--max-update", "1")
    before = (tmp_path / "checkpoint_last.pt").read_bytes()
    (tmp_path / "checkpoint_last.pt.tmp").symlink_to("/dev/full")
    with pytest.raises(SystemExit) as caught:
        train(tmp_path, "--max-update", "2")
    assert caught.value.code == 2
    assert "No space left" in capsys.readouterr().err
    assert (tmp_path / "checkpoint_last.pt").read_bytes() == before
