"""``--save-dir``: the run of one process group at a time, its weights always beside the vocabulary they belong to."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import IO

import torch.distributed as dist

from ..compat.user_errors import EXIT_CODE, exit_on_user_error
from ..data.databin import LANGUAGES
from ..data.identity import Vocabulary, file_difference, read_memory
from ..errors import UserError

logger = logging.getLogger(__name__)

LOCK = ".lock"

# by process and file: a forked process holds nothing of what its parent holds
_held: dict[tuple[int, Path], IO[str]] = {}


def hold(folder: Path) -> None:
    """Keep other runs out of ``folder`` until this process ends, however it ends.

    A POSIX lock belongs to one process. The processes that load batches do not inherit it, as they would ``flock``'s, so
    what is left of a killed run is in nobody's way.

    Raises:
        UserError: another run is there.
    """
    file = folder.resolve() / LOCK
    if (os.getpid(), file) in _held:  # to open and close it once more would give the lock up
        return
    stream = file.open("a+", encoding="utf-8")
    try:
        fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        stream.seek(0)
        holder = stream.read().strip()
        stream.close()
        if error.errno in (errno.EACCES, errno.EAGAIN):
            raise UserError(
                f"--save-dir {folder}: another run writes there ({holder or 'it does not say which'}); name another folder, or wait "
                "until it has ended"
            ) from None
        logger.warning(
            f"--save-dir {folder}: its file system has no locks ({error.strerror}), so nothing keeps a second run out of it"
        )
        return
    stream.truncate(0)
    stream.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    stream.flush()
    _held[os.getpid(), file] = stream


def check_folder(folder: Path, vocabulary: Vocabulary) -> None:
    """Require that the files in ``folder`` are those of the vocabulary, as far as they are there.

    Its languages.txt may be another where no checkpoint has a mask-language table, whose rows they number.

    Raises:
        UserError: with the first symbol, piece, language or label that differs.
    """
    for ours in vocabulary.files:
        theirs = folder / ours.name
        difference = file_difference(theirs, ours) if theirs.is_file() else ""
        if difference and not (ours.name == LANGUAGES and _numbers_no_languages(folder)):
            raise UserError(
                f"--save-dir {folder}: its {ours.name} is not that of {vocabulary.home}: {difference}; continue with the data it was made from, "
                "or name another folder"
            )


def _numbers_no_languages(folder: Path) -> bool:
    checkpoints = list(folder.glob("*.pt"))
    return bool(checkpoints) and not any(read_memory(checkpoint).has_languages for checkpoint in checkpoints)


def complete_folder(folder: Path, vocabulary: Vocabulary) -> None:
    """Copy the files of the vocabulary that ``folder`` lacks, and languages.txt where `check_folder` let it be another."""
    for ours in vocabulary.files:
        theirs = folder / ours.name
        if not theirs.is_file():
            _copy_whole(ours, theirs)
        elif ours.name == LANGUAGES and (difference := file_difference(theirs, ours)):
            _copy_whole(ours, theirs)
            logger.info(f"{theirs}: is now that of {vocabulary.home}: {difference}")


def in_first_process(function: Callable[[], None], save_dir: str) -> None:
    """Call ``function`` in the first process of a run; where the user is wrong, all processes end, and one line says why.

    Raises:
        SystemExit: the user is wrong, and there are several processes.
    """
    if not dist.is_initialized():
        return function()
    wrong = [False]
    if dist.get_rank() == 0:
        try:
            with exit_on_user_error(save_dir):
                function()
        except SystemExit:
            wrong = [True]
    dist.broadcast_object_list(wrong, src=0)
    if wrong[0]:
        raise SystemExit(EXIT_CODE)


def _copy_whole(source: Path, target: Path) -> None:
    """Copy a file that appears complete or not at all; an error names the target."""
    temporary = f"{target}.tmp"
    try:
        shutil.copyfile(source, temporary)
        os.replace(temporary, target)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.remove(temporary)
        raise OSError(error.errno, error.strerror, str(target)) from error
