"""The tables of a folder, checked, and the place of every article in them: what orders the rest of the work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...errors import UserError
from ..tables import batch, open_table
from .shards import LANGUAGE

# place counts the rows of all files; blank: no visible character in the text
PLACES = pa.schema(
    [
        ("language", pa.string()),
        ("page_id", pa.int64()),
        ("title", pa.string()),
        ("place", pa.int64()),
        ("blank", pa.bool_()),
    ]
)
_BATCH_ROWS = 512


class RowGroup(NamedTuple):
    """A part of a Parquet file, and the place of its first row."""

    file: Path
    number: int
    place: int


@dataclass
class Places:
    """The row groups that hold articles of a language, in order."""

    row_groups: dict[str, list[RowGroup]] = field(default_factory=dict)

    def texts(self, language: str) -> Iterator[tuple[int, str]]:
        """Yield place and text of each article of a language, in order; the memory is that of a few articles."""
        for group in self.row_groups[language]:
            place = group.place
            for rows in _read(group.file, ["language", "text"], group.number):
                for index in pc.indices_nonzero(pc.equal(rows["language"], language)).to_pylist():
                    yield place + index, rows["text"][index].as_py()
                place += rows.num_rows


def table_files(folder: str | Path, table: str, schema: pa.Schema, required: bool = True) -> list[Path]:
    """The Parquet files of ``folder/table`` by name, with these columns at least; none only if not required.

    Raises:
        UserError: there is none, or a file is damaged or lacks a column.
    """
    files = sorted(file for file in Path(folder, table).glob("*.parquet") if not file.name.startswith("."))
    if required and not files:
        made_by = "xling wiki" if table in ("articles", "anchors") else "xling wikidata"
        raise UserError(f"{Path(folder, table)}: no Parquet files; give the folder that {made_by} wrote")
    for file in files:
        try:
            found = pq.read_schema(file)
        except (OSError, pa.ArrowException) as error:
            raise UserError(f"{file}: not a Parquet file, or damaged ({error}); make it again") from error
        for column in schema:
            index = found.get_field_index(column.name)
            if index < 0 or not _same_type(found.field(index).type, column.type):
                has = "is missing" if index < 0 else f"is {found.field(index).type}"
                raise UserError(f"{file}: the column {column.name} {has}, expected {column.type}; make it again")
    return files


def _same_type(found: pa.DataType, wanted: pa.DataType) -> bool:
    texts = (pa.string(), pa.large_string())
    return found == wanted or (found in texts and wanted in texts)


def write_places(files: list[Path], target: Path, advance: Callable[[int], object]) -> Places:
    """Write the table ``PLACES`` of the files of articles; ``advance`` is called with numbers of articles.

    Raises:
        UserError: a language has no usable code, or a file is damaged.
    """
    places = Places()
    place = 0
    with open_table(target, PLACES) as table:
        for file in files:
            for number in range(pq.read_metadata(file).num_row_groups):
                begin, languages = place, set[str]()
                for rows in _read(file, ["language", "page_id", "title", "text"], number):
                    languages.update(pc.unique(rows["language"]).to_pylist())
                    visible = pc.match_substring_regex(rows["text"], r"[^\pZ\pC]")
                    count = rows.num_rows
                    columns = rows["language"], rows["page_id"], rows["title"], range(place, place + count)
                    table.write(batch(PLACES, [*columns, pc.invert(pc.fill_null(visible, False))]))
                    place += count
                    advance(count)
                for language in sorted(languages, key=str):
                    if not LANGUAGE.fullmatch(language or ""):
                        raise UserError(f"{file}: the language {language!r} is no code such as en or zh-min-nan")
                    places.row_groups.setdefault(language, []).append(RowGroup(file, number, begin))
    return places


def num_rows(files: list[Path]) -> int:
    """Rows of Parquet files, by their footers."""
    return sum(pq.read_metadata(file).num_rows for file in files)


def check_whole(files: list[Path]) -> None:
    """Read all of some files. Raises UserError, naming the first that is damaged."""
    for file in files:
        for number in range(pq.read_metadata(file).num_row_groups):
            for _ in _read(file, None, number):
                pass


def distinct(file: Path, column: str) -> set[str]:
    """The values of a column. Raises UserError if the file is damaged."""
    groups = range(pq.read_metadata(file).num_row_groups)
    return {
        value
        for number in groups
        for rows in _read(file, [column], number)
        for value in pc.unique(rows[column]).drop_null().to_pylist()
    }


def _read(file: Path, columns: list[str] | None, row_group: int) -> Iterator[pa.RecordBatch]:
    try:
        with pq.ParquetFile(file) as parquet:
            yield from parquet.iter_batches(_BATCH_ROWS, [row_group], columns, use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{file}: damaged in row group {row_group} ({error}); make it again") from error
