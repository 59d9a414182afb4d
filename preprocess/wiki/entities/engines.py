"""The SQL of this room on DuckDB (in process, out of core) or on Spark SQL, with Parquet before, between and behind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from ...errors import UserError

ENGINES = ("duckdb", "spark")
_VIEW = re.compile(r"CREATE OR REPLACE TEMP VIEW (\w+) AS")
_STORED = re.compile(r"^-- stored$", re.MULTILINE)


class Engine(Protocol):
    """Runs SQL over Parquet files."""

    def read(self, name: str, files: Sequence[Path]) -> None:
        """Make a view of Parquet files of the same columns."""

    def execute(self, statement: str) -> None:
        """Run a statement that gives no rows."""

    def write(self, name: str, order: Sequence[str], folder: Path) -> list[Path]:
        """Write a view to a new folder, sorted by the columns ``order``, and return its files in that order."""

    def close(self) -> None:
        """Give everything back."""


def run(engine: Engine, script: str, folder: Path) -> Iterator[str]:
    """Run a script of views, storing in ``folder`` those that ask for it; yields the name of each view when it is done."""
    for statement in script.split(";\n"):
        view = _VIEW.search(statement)
        if view is None:
            continue
        engine.execute(statement)
        if _STORED.search(statement):
            engine.read(view[1], engine.write(view[1], (), folder / view[1]))
        yield view[1]


class DuckDB:
    """DuckDB within this process."""

    def __init__(self, temporary: Path, memory_limit: str, workers: int) -> None:
        """``temporary``: the folder it spills to. Raises UserError if DuckDB is missing or the limit is not one."""
        try:
            import duckdb
        except ImportError as error:
            raise UserError("the joins need duckdb: pip install 'fairseq_xling[wiki]'") from error
        self._duckdb = duckdb
        self._limit = memory_limit
        self._connection = duckdb.connect(
            config={
                "memory_limit": memory_limit,
                "threads": workers,
                "temp_directory": str(temporary),
                "preserve_insertion_order": False,  # costs memory; every result whose order matters has an ORDER BY
            }
        )
        self._connection.execute("SET enable_progress_bar = false")

    def read(self, name: str, files: Sequence[Path]) -> None:
        paths = ", ".join(_literal(file) for file in files)
        self.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT * FROM read_parquet([{paths}])")

    def execute(self, statement: str) -> None:
        try:
            self._connection.execute(statement)
        except self._duckdb.OutOfMemoryException as error:
            raise UserError(
                f"--memory-limit {self._limit}: not enough for DuckDB here ({_first_line(error)}); give more, fewer "
                "--workers, or free space on the disk of --out, where it spills to"
            ) from error
        except self._duckdb.IOException as error:
            raise UserError(f"DuckDB cannot read or write: {_first_line(error)}") from error

    def write(self, name: str, order: Sequence[str], folder: Path) -> list[Path]:
        folder.mkdir()
        file = folder / "part.parquet"
        ordered = f" ORDER BY {', '.join(order)}" if order else ""
        self.execute(f"COPY (SELECT * FROM {name}{ordered}) TO {_literal(file)} (FORMAT parquet)")
        return [file]

    def close(self) -> None:
        self._connection.close()


class Spark:
    """Spark SQL: in this machine's JVM, or on a cluster that sees the same files."""

    def __init__(self, temporary: Path, memory_limit: str, master: str) -> None:
        """Raises UserError if pyspark or Java is missing, or no session comes up."""
        try:
            from pyspark.errors import PySparkException
            from pyspark.sql import SparkSession
        except ImportError as error:
            raise UserError(
                "--engine spark needs pyspark and Java 17 or later: pip install 'pyspark>=4.1', or --engine duckdb"
            ) from error
        memory = memory_limit.lower().replace("i", "").removesuffix("b")
        settings = {
            "spark.driver.memory": memory,
            "spark.executor.memory": memory,
            "spark.local.dir": str(temporary),
            "spark.ui.enabled": "false",
            "spark.sql.cteRecursionRowLimit": "-1",  # merged items are millions
        }
        builder = SparkSession.builder.appName("xling entities").master(master)
        for key, value in settings.items():
            builder = builder.config(key, value)
        try:
            self._session: Any = builder.getOrCreate()
        except Exception as error:  # what py4j, the launcher and the JVM raise has no common class
            raise UserError(
                f"--engine spark --master {master}: Spark does not start ({_first_line(error)}); is Java 17 or later "
                f"there (JAVA_HOME), is --memory-limit {memory_limit} at least 512MB?"
            ) from error
        self._session.sparkContext.setLogLevel("ERROR")
        self._error = PySparkException

    def read(self, name: str, files: Sequence[Path]) -> None:
        self._session.read.parquet(*(str(file.resolve()) for file in files)).createOrReplaceTempView(name)

    def execute(self, statement: str) -> None:
        self._session.sql(statement)

    def write(self, name: str, order: Sequence[str], folder: Path) -> list[Path]:
        view = self._session.table(name)
        (view.orderBy(*order) if order else view).write.parquet(str(folder.resolve()))
        return sorted(folder.glob("part-*.parquet"))

    def close(self) -> None:
        self._session.stop()


def make(name: str, temporary: Path, memory_limit: str, workers: int, master: str) -> Engine:
    """The engine of this name. Raises UserError if it cannot run here."""
    if name == "spark":
        return Spark(temporary, memory_limit, master)
    return DuckDB(temporary, memory_limit, workers)


def _literal(path: Path) -> str:
    return "'" + str(path.resolve()).replace("'", "''") + "'"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
