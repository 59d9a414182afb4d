"""One run at a time in a folder."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import UserError

LOCK = ".lock"


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder that is there, during a ``with`` block.

    A POSIX lock belongs to one process and ends with it, however it ends: workers do not inherit it, as they would
    ``flock``'s. Where the file system has no locks, there is none.

    Raises:
        UserError: another run is there, or the folder cannot be written.
    """
    file = folder / LOCK
    while True:
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise UserError(f"cannot write {file}: {(error.strerror or str(error)).lower()}") from error
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                os.close(descriptor)
                raise UserError(
                    f"--out {folder}: another run is writing there; wait for its end, or take another folder"
                ) from None
        if _is_same(descriptor, file):
            break
        os.close(descriptor)  # the run before has removed it since
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
        os.close(descriptor)


def _is_same(descriptor: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(file))
    except FileNotFoundError:
        return False
