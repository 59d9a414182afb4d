"""What a folder of results is made of: a part for each input file, so that an interrupted command goes on after the last."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...alignment.shards import identity
from ...errors import UserError
from ...text import open_outputs

FOLDER = "parts"
_OPTIONS = "options.json"


@dataclass
class Part:
    """What came of one input, or of several that only together say something.

    Attributes:
        name: of its files in the folders of the tables, without ``.parquet``.
        files: path, size and time of the inputs.
        counts: how often, by what and which.
        damage: why an input could not be read to its end, or what lines of it, by name of the file.
        tables: those that have a file of it; ``save`` notes them.
        notes: why it was made anew by this run, which has it only.
    """

    name: str
    files: list[list[Any]]
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    damage: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Parts:
    """The parts in ``out``/parts."""

    def __init__(self, out: Path, options: Mapping[str, Any], resume: bool, tables: Iterable[str]) -> None:
        """Takes over what an earlier run left with ``resume``, else begins.

        Raises:
            UserError: there is a result already, of other options, or not ours.
        """
        self.out = out
        self._folder = out / FOLDER
        self._tables = list(tables)
        self._notes: dict[str, list[str]] = {}
        mark = self._folder / _OPTIONS
        wanted = json.loads(json.dumps(options))
        if self.all():
            if not resume:
                raise UserError(f"--out {out}: holds a result; give --resume to go on with it, or another folder")
            earlier = json.loads(mark.read_text(encoding="utf-8"))
            for name in wanted:
                if earlier.get(name) != wanted[name]:
                    raise UserError(
                        f"--out {out}: was begun with other {name} ({earlier.get(name)}, not {wanted[name]}); "
                        "give the same, or another folder"
                    )
        elif not mark.is_file():
            for name in [*self._tables, FOLDER, "results.json", "report.md"]:
                if (out / name).exists():
                    raise UserError(f"--out {out}: {name} is in the way, and not of this command; give another folder")
        _write(mark, json.dumps(wanted, indent=1).encode())
        for table in self._tables:  # what a killed run left half-written
            for path in (out / table).glob(".[0-9]*.parquet"):
                path.unlink()

    def all(self) -> list[Part]:
        """In the order of their names."""
        paths = sorted(path for path in self._folder.glob("*.json") if path.name != _OPTIONS)
        parts = [Part(**json.loads(path.read_text(encoding="utf-8"))) for path in paths]
        for part in parts:
            part.notes = self._notes.get(part.name, [])
        return parts

    def find(self, paths: Sequence[str], name: str | None = None) -> tuple[Part, bool]:
        """The part of these inputs, by name or else by path, and whether it is done.

        It is not where an input has changed since, or a file of it is missing; ``notes`` say so.
        """
        files = [identity(path) for path in paths]
        parts = self.all()
        for part in parts:
            if part.name == name or (name is None and part.name.isdecimal() and part.files[0][0] == files[0][0]):
                missing = [file for file in self._files(part) if not file.is_file()]
                if part.files == files and not missing:
                    return part, True
                reason = f"{missing[0]} was missing" if part.files == files else "its input has changed"
                return Part(part.name, files, notes=[f"made anew: {reason}"]), False
        return Part(name or f"{sum(part.name.isdecimal() for part in parts):03}", files), False

    def save(self, part: Part, **arrays: np.ndarray) -> None:
        """Note that the part is done, and arrays that later runs need."""
        part.tables = [table for table in self._tables if self._table(table, part.name).is_file()]
        self._notes[part.name] = part.notes
        stream = io.BytesIO()
        np.savez_compressed(stream, **arrays)
        _write(self._folder / f"{part.name}.npz", stream.getvalue())
        _write(
            self._folder / f"{part.name}.json",
            json.dumps({**asdict(part), "notes": []}, indent=1, ensure_ascii=False).encode(),
        )

    def forget(self, name: str) -> None:
        """Note that a part is to be made anew, if there is one, and delete its files."""
        (self._folder / f"{name}.json").unlink(missing_ok=True)
        for table in self._tables:
            self._table(table, name).unlink(missing_ok=True)

    def _table(self, table: str, name: str) -> Path:
        return self.out / table / f"{name}.parquet"

    def _files(self, part: Part) -> list[Path]:
        return [self._folder / f"{part.name}.npz", *(self._table(table, part.name) for table in part.tables)]

    def arrays(self, part: Part) -> Mapping[str, np.ndarray]:
        """What ``save`` was given."""
        with np.load(self._folder / f"{part.name}.npz") as file:
            return dict(file)


def _write(path: Path, content: bytes) -> None:
    with open_outputs([path]) as (stream,):
        stream.write(content)


def nested(counts: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    """Counts by (what, which) to counts by what, by which, without zeros."""
    found: dict[str, dict[str, int]] = {}
    for (what, which), number in counts.items():
        if number:
            found.setdefault(what, {})[which] = number
    return found
