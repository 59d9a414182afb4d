"""The SQL on both engines, and DuckDB within its memory."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from fairseq_xling_preprocess.errors import UserError
from fairseq_xling_preprocess.wiki.entities import engines
from fairseq_xling_preprocess.wiki.entities.places import table_files, write_places
from fairseq_xling_preprocess.wiki.entities.run import OUTPUTS, Options, join
from tests.preprocess.wiki.entities.world import TABLES, write_world


def joined(folder: Path, engine: str) -> dict[str, list[dict[str, Any]]]:
    """The rows of each view that leaves the engine."""
    wiki, wikidata = folder / "wiki", folder / "wikidata"
    work = folder / engine
    work.mkdir()
    options = Options(
        wiki, wikidata, work, work, "", top_languages=3, valid_share=0.3, engine=engine, master="local[2]",
        memory_limit="1GB",
    )  # fmt: skip
    files = {name: table_files(folder, name, schema) for name, (folder, schema) in _folders(wiki, wikidata).items()}
    write_places(files["articles"], work / "places.parquet", lambda count: None)
    outputs = join(options, {**files, "places": [work / "places.parquet"]}, work)
    return {name: [row for file in found for row in pq.read_table(file).to_pylist()] for name, found in outputs.items()}


def _folders(wiki: Path, wikidata: Path) -> dict[str, tuple[Path, pa.Schema]]:
    return {
        name: (wiki if name in ("articles", "anchors") else wikidata, schema) for name, (schema, _) in TABLES.items()
    }


@pytest.mark.slow
def test_spark_gives_the_rows_of_duckdb(tmp_path: Path) -> None:
    if importlib.util.find_spec("pyspark") is None:
        pytest.skip("pyspark is not installed")
    if shutil.which("java") is None:
        pytest.skip("Java is not installed")
    write_world(tmp_path)
    expected = joined(tmp_path, "duckdb")
    assert set(expected) == set(OUTPUTS)
    assert all(expected.values())
    assert joined(tmp_path, "spark") == expected


def test_without_pyspark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pyspark", "pyspark.errors", "pyspark.sql"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match="--engine spark needs pyspark and Java"):
        engines.make("spark", tmp_path, "1GB", 1, "local[1]")


def test_duckdb_sorts_more_than_its_memory(tmp_path: Path) -> None:
    numbers = pa.array(range(1_000_000), pa.int64())
    source = tmp_path / "numbers.parquet"
    pq.write_table(pa.table({"number": numbers}), source)
    with contextlib.closing(engines.make("duckdb", tmp_path / "spill", "40MB", 1, "")) as engine:
        engine.read("numbers", [source])
        engine.execute("CREATE TEMP VIEW digests AS SELECT number, md5(CAST(number AS VARCHAR)) AS digest FROM numbers")
        (file,) = engine.write("digests", ("digest",), tmp_path / "sorted")
    table = pq.read_table(file)
    assert pc.all(pc.less(table["digest"][:-1], table["digest"][1:])).as_py()
    assert table.num_rows == len(numbers)


def test_too_little_memory_is_said(tmp_path: Path) -> None:
    source = tmp_path / "numbers.parquet"
    pq.write_table(pa.table({"number": pa.array(range(500_000), pa.int64())}), source)
    with contextlib.closing(engines.make("duckdb", tmp_path / "spill", "1MB", 1, "")) as engine:
        engine.read("numbers", [source])
        with pytest.raises(UserError, match=r"--memory-limit 1MB: not enough for DuckDB here .* give more"):
            engine.write("numbers", ("number",), tmp_path / "sorted")
