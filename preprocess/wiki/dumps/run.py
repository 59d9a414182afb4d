"""The whole of ``xling wiki``: dumps to raw tables, and these, a language at a time, to the tables that are given out."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import signal
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...progress import bar
from ...workers import process_pool
from ..inputs import check_memory_limit
from ..lock import hold
from ..tables import told_to_resume
from .articles import TABLES
from .dump import Dump, open_dumps
from .extract import RECORD, Task, extract, read_record
from .redirects import clear_databases, database, resolve
from .report import COMMAND, REPORT, Languages, read_results, write_results

WORK = "work"


def extract_dumps(
    arguments: Sequence[str], out: str, workers: int = 1, memory_limit: str = "4GB", resume: bool = False
) -> Languages:
    """Write ``out``/{articles,anchors,redirects}/CODE-NNN.parquet, one for each dump, report.md and results.json.

    A language is in results.json when all its files are complete. Interrupted, ``resume`` goes on: dumps that were read are
    not read again, languages whose dumps are the same stay, others that ``out`` holds too.

    Args:
        arguments: paths, quoted globs or CODE=DUMP.
        memory_limit: of DuckDB, when redirects are followed.

    Returns:
        For each language of the dumps what was counted in each.

    Raises:
        UserError: if a file is no dump, ``out`` holds something else, cannot be written, or another run is there.
    """
    check_memory_limit(memory_limit)
    dumps = open_dumps(arguments)
    folder = Path(out)
    _read_folder(folder, resume)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {out}: cannot be made ({(error.strerror or str(error)).lower()})") from error
    with hold(folder), told_to_resume():
        return _extract(dumps, folder, workers, memory_limit, resume)


def unfinished(out: str) -> list[str]:
    """The languages of which ``out`` holds dumps that were read, or begun, and no tables yet."""
    names = [folder.name for folder in _listed(Path(out, WORK)) if _is_task(folder)]
    return sorted({name.rpartition("-")[0] for name in names})


def _extract(dumps: Sequence[Dump], folder: Path, workers: int, memory_limit: str, resume: bool) -> Languages:
    finished = _read_folder(folder, resume)
    tasks = _tasks(dumps, folder)
    missing_tables = {language: _missing_tables(folder, records) for language, records in finished.items()}
    open_tasks = {
        language: group
        for language, group in tasks.items()
        if missing_tables.get(language) or not _is_finished(group, finished.get(language, []))
    }
    _check_in_the_way(folder, open_tasks, finished)
    (folder / WORK).mkdir(exist_ok=True)
    with bar("wiki", [dump.path for dump in dumps]) as progress, process_pool(workers, _start_worker) as pool:
        pool.submit(int).result()  # workers start now, before a library has threads of its own
        unread = [task for group in open_tasks.values() for task in group if not _is_read(folder, task)]
        progress.update(progress.total - sum(os.path.getsize(task.dump.path) for task in unread))
        missing = {language: sum(task in unread for task in group) for language, group in open_tasks.items()}
        ready = [language for language, count in missing.items() if not count]
        try:
            for task in itertools.chain([None], extract(unread, pool, workers, progress.update)):
                if task:
                    missing[task.dump.language] -= 1
                    ready += [task.dump.language] * (not missing[task.dump.language])
                while ready:
                    _finish(folder, ready.pop(), open_tasks, finished, memory_limit, workers)
        except BrokenProcessPool as error:
            raise UserError(
                "a worker process was killed, most likely for want of memory; give fewer --workers, and --resume to go on"
            ) from error
    for language in open_tasks:
        for path in missing_tables.get(language, ()):
            finished[language][0]["notes"].append(
                f"{path.relative_to(folder)}: was missing; the tables of {language} were made anew"
            )
    write_results(folder, finished)
    _clear(folder / WORK, tasks)
    return {language: finished[language] for language in tasks}


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it even within a library; it writes nothing


def _read_folder(folder: Path, resume: bool) -> Languages:
    """The languages that an earlier run finished there."""
    finished = read_results(folder)
    if finished is None and (folder / REPORT).exists():  # ours come together
        raise UserError(f"{folder / REPORT}: in the way, and not of {COMMAND}; move it, or take another --out")
    if not resume and (finished is not None or any(map(_is_task, _listed(folder / WORK)))):
        raise UserError(
            f"--out {folder}: holds the tables of an earlier run; give --resume to go on, or another folder"
        )
    return finished or {}


def _listed(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _is_task(folder: Path) -> bool:
    return re.fullmatch(r"[a-z][a-z0-9-]*-[0-9]{3,}", folder.name) is not None and folder.is_dir()


def _tasks(dumps: Sequence[Dump], folder: Path) -> dict[str, list[Task]]:
    """By language, in the order given. Names of files are made of the language and a number only."""
    tasks: dict[str, list[Task]] = {}
    for dump in dumps:
        group = tasks.setdefault(dump.language, [])
        group.append(Task(dump, folder / WORK / f"{dump.language}-{len(group):03}"))
    return tasks


def _outputs(folder: Path, name: str) -> dict[str, Path]:
    return {table: folder / table / f"{name}.parquet" for table in TABLES}


def _is_finished(tasks: Sequence[Task], records: Sequence[Mapping[str, Any]]) -> bool:
    return [record["identity"] for record in records] == [task.dump.identity() for task in tasks]


def _missing_tables(folder: Path, records: Sequence[Mapping[str, Any]]) -> list[Path]:
    paths = [path for record in records for path in _outputs(folder, record["files"]).values()]
    return [path for path in paths if not path.is_file()]


def _is_read(folder: Path, task: Task) -> bool:
    """Whether the raw tables of a dump are all there, and it is still the same."""
    if read_record(task) is None:
        return False
    moved = _outputs(folder, task.folder.name)
    return all(
        (task.folder / f"{table}.parquet").is_file() or (table == "articles" and moved[table].is_file())
        for table in TABLES
    )


def _check_in_the_way(folder: Path, tasks: Mapping[str, Sequence[Task]], finished: Languages) -> None:
    for name in (WORK, *TABLES):
        if (folder / name).exists() and not (folder / name).is_dir():
            raise UserError(
                f"{folder / name}: in the way: a file where a folder belongs; move it, or take another --out"
            )
    for language, group in tasks.items():
        for task in group:
            for path in _outputs(folder, task.folder.name).values():
                if path.exists() and language not in finished and not task.folder.exists():
                    raise UserError(f"{path}: in the way, and not of {COMMAND}; move it, or take another --out")


def _finish(
    folder: Path,
    language: str,
    tasks: Mapping[str, Sequence[Task]],
    finished: Languages,
    memory_limit: str,
    workers: int,
) -> None:
    """Make the final tables of a language whose dumps are all read, and record it in results.json."""
    group = tasks[language]
    former = finished.pop(language, [])
    if former:  # its tables are about to be replaced, one after the other
        write_results(folder, finished)
    sources, outputs = [], []
    for task in group:
        paths = _outputs(folder, task.folder.name)
        raw = {table: task.folder / f"{table}.parquet" for table in TABLES}
        if not raw["articles"].exists():  # moved by a run that was then interrupted
            raw["articles"] = paths["articles"]
        for path in paths.values():
            for stale in path.parent.glob(f".*.{path.name}"):  # of a run that was killed
                stale.unlink(missing_ok=True)
        sources.append(raw)
        outputs.append(paths)
    records = []
    with database(folder / WORK, memory_limit, workers) as connection:
        counted = resolve(connection, language, sources, outputs)
    for task, counts in zip(group, counted, strict=True):
        record = read_record(task)
        assert record is not None
        raw_counts = Counter(record["counts"])
        for table in TABLES:
            del raw_counts[table]
        raw_counts.update(counts)
        records.append({**record, "files": task.folder.name, "counts": dict(+raw_counts)})
    for number in range(len(group), len(former)):  # of dumps that are not given any more
        for path in _outputs(folder, f"{language}-{number:03}").values():
            path.unlink(missing_ok=True)
    finished[language] = records
    write_results(folder, finished)
    for task in group:
        _clear_task(task.folder)


def _clear_task(folder: Path) -> None:
    for path in [folder / RECORD, *folder.glob("*.parquet"), *folder.glob(".*.parquet")]:
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


def _clear(work: Path, languages: Iterable[str]) -> None:
    """Remove what was made there for these languages, by killed runs too, and the folder unless something else is in it."""
    for folder in _listed(work):
        if _is_task(folder) and folder.name.rpartition("-")[0] in languages:
            _clear_task(folder)
    clear_databases(work)
    with contextlib.suppress(OSError):
        work.rmdir()
