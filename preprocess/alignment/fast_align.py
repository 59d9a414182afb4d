"""The original ``fast_align`` program (Dyer, Chahuneau and Smith, 2013) as aligner."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..workers import end_with_parent
from .aligners import LinesAligner
from .shards import identity, read_shard

PROGRAM = "fast_align"
# -d favours the diagonal, -o learns how much, -v is variational Bayes: what its README recommends.
FLAGS = ("-d", "-o", "-v")
# The separator of its input, and its name of the null word.
_RESERVED = {"|||": "||||", "<eps>": "<<eps>>"}


class FastAlign(LinesAligner):
    """Runs the binary once a direction over the whole text.

    Args:
        program: its file; None: ``fast_align`` on PATH.
    """

    def __init__(self, program: str | None = None) -> None:
        self._program = shutil.which(program or PROGRAM)
        if self._program is None:
            missing = f"--fast-align-bin {program}: no such program" if program else "fast_align is not on PATH"
            raise UserError(
                f"{missing}; build it from github.com/clab/fast_align (cmake, a C++ compiler) and name it with "
                "--fast-align-bin, or use --aligner embedded, which needs no program"
            )

    def settings(self) -> dict[str, Any]:
        return {PROGRAM: identity(str(self._program)), "flags": FLAGS}

    def train(self, shards: Sequence[Path], model: Path, direction: str) -> None:
        model.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{model.name}.", dir=model.parent) as folder:
            bitext, links, log = (Path(folder, name) for name in ("bitext", f"{PROGRAM}.{direction}", "log"))
            write_bitext(bitext, shards)
            command = [str(self._program), "-i", str(bitext), *FLAGS, *(["-r"] if direction == "reverse" else [])]
            try:
                with links.open("wb") as output, log.open("wb") as errors:
                    status = subprocess.run(
                        command, stdout=output, stderr=errors, check=False, preexec_fn=end_with_parent
                    ).returncode
            except OSError as error:
                raise UserError(f"{self._program}: cannot be started ({error.strerror})") from error
            if status:
                how = f"exit code {status}" if status > 0 else f"signal {-status}"
                lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
                last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
                raise UserError(f"{self._program} failed ({direction}, {how}): {last[:300]}")
            try:
                self.cut(str(links), shards, model, skips_empty=True)
            except UserError as error:
                raise UserError(f"{self._program} wrote garbage: {_without_file(str(error), links)}") from error


def _without_file(message: str, file: Path) -> str:
    """``file:N: …`` becomes ``line N of its output: …``: the file is deleted by the time the message is read."""
    match = re.match(rf"{re.escape(str(file))}(?::([0-9]+))?: ", message)
    if match is None:
        return message
    place = f"line {match[1]} of its output" if match[1] else "its output"
    return f"{place}: {message[match.end() :]}"


def write_bitext(path: Path, shards: Sequence[Path]) -> None:
    """Write the pairs with words on both sides as ``source ||| target``."""
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for shard in shards:
            for pair in read_shard(shard):
                if all(pair):
                    sides = [" ".join([_RESERVED.get(word, word) for word in side]) for side in pair]
                    stream.write(" ||| ".join(sides) + "\n")
