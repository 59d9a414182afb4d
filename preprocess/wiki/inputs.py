"""Checks of arguments that the commands of this room share."""

from __future__ import annotations

import os
import re
import stat

from ..errors import UserError
from ..text import expand


def check_regular(path: str) -> None:
    """Raise UserError unless the file can be read more than once: no pipe, no device."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        raise UserError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    if stat.S_ISDIR(mode):
        raise UserError(f"{path}: is a folder; give files, or a quoted pattern such as '{path}/*'")
    if not stat.S_ISREG(mode):
        raise UserError(
            f"{path}: not a regular file; it is read more than once, and its size is needed: write it to a file, and "
            "give that"
        )


def expand_regular(pattern: str) -> list[str]:
    """The files of a path or pattern, sorted. Raises UserError if there is none, or one cannot be read more than once."""
    paths = expand(pattern)
    for path in paths:
        check_regular(path)
    return paths


def check_memory_limit(text: str) -> None:
    """Raise UserError unless it is a size of memory."""
    if not re.fullmatch(r"[1-9]\d*[KMGT]i?B", text):
        raise UserError(f"--memory-limit {text}: expected a whole number and a unit, as in 400MB or 4GB")
