"""The work folder of ``xling align``: finished parts of an interrupted run are kept if its input and options were the same."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..text import open_outputs

Pair = tuple[list[str], list[str]]

SHARDS = "shards.json"
_FINGERPRINT = "fingerprint.json"
# all that is made in the folder, half-made parts of a killed run too; the mark last, which shows whose the folder is
_PARTS = ("words", "forward", "reverse", "align", "*.model", ".*.model.*", SHARDS, ".*.json", _FINGERPRINT)


def open_work(folder: Path, fingerprint: Mapping[str, Any]) -> None:
    """Make the folder, or keep the parts in it if they were left by a run with the same fingerprint.

    Raises:
        UserError: the folder is not one of ours, or cannot be written.
    """
    wanted = json.dumps(fingerprint, indent=1, sort_keys=True)
    mark = folder / _FINGERPRINT
    if folder.exists():
        if mark.is_file() and mark.read_text(encoding="utf-8") == wanted:
            return
        if not mark.is_file() and (not folder.is_dir() or any(folder.iterdir())):
            raise UserError(f"{folder}: in the way, and no work folder of xling align; remove it or change --output")
        clear_work(folder)
    with open_outputs([mark]) as (stream,):
        stream.write(wanted.encode())


def clear_work(folder: Path) -> None:
    """Remove what was made in the folder, and the folder unless something else is in it."""
    for path in [path for pattern in _PARTS for path in folder.glob(pattern)]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    with contextlib.suppress(OSError):
        folder.rmdir()


def identity(path: str | Path) -> list[Any]:
    """Path, size and time of the last change, by which a file is known to be still the same."""
    status = os.stat(path)
    return [os.path.realpath(path), status.st_size, status.st_mtime_ns]


def write_lines(path: Path, lines: Sequence[str]) -> None:
    """Write a file that is there only when complete."""
    with open_outputs([path]) as (stream,):
        stream.write("".join([f"{line}\n" for line in lines]).encode())


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a file that ``write_lines`` wrote."""
    with path.open(encoding="utf-8", newline="\n") as stream:
        for line in stream:
            yield line.removesuffix("\n")


def write_shard(path: Path, pairs: Sequence[Pair]) -> None:
    """Write the words of sentence pairs: words separated by spaces, sides by a tab."""
    write_lines(path, ["\t".join([" ".join(side) for side in pair]) for pair in pairs])


def read_shard(path: Path) -> Iterator[Pair]:
    """The pairs that ``write_shard`` wrote."""
    for line in read_lines(path):
        source, target = line.split("\t")
        yield source.split(" ") if source else [], target.split(" ") if target else []


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A temporary folder that becomes ``path`` when the block ends without an exception, unless that is there by then."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield temporary
        try:
            os.replace(temporary, path)
        except OSError:
            if not path.is_dir():  # a folder that another run finished is as good
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
