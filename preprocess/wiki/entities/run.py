"""``xling entities``: the tables of ``xling wiki`` and ``xling wikidata`` to the columns that training reads."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ...encode import Tokeniser, make_encoders
from ...errors import UserError
from ...progress import steps
from ...text import UNWRITABLE
from ...workers import exit_on_sigterm
from .. import schemas
from ..tables import batch, open_table
from . import engines, shards
from .contexts import Settings, encode_articles, read_articles, write_language
from .dictionary import FIRST, read_dictionary
from .knowledge import read_rows, write_knowledge
from .places import check_whole, distinct, num_rows, table_files, write_places

SQL = Path(__file__).with_name("joins.sql")
# tables of each input folder; those that are not required count as empty
TABLES = {
    "articles": ("wiki", schemas.ARTICLES, True),
    "anchors": ("wiki", schemas.ANCHORS, True),
    "sitelinks": ("wikidata", schemas.SITELINKS, True),
    "triples": ("wikidata", schemas.TRIPLES, False),
    "properties": ("wikidata", schemas.PROPERTIES, False),
    "merged": ("wikidata", schemas.MERGED, False),
}
# views that leave the engine, and the order of their rows
OUTPUTS = {
    "counts": ("kind", "language", "reason"),
    "language_counts": ("num_languages",),
    "entities": ("entity",),
    "relations": ("relation",),
    "described_triples": ("subject", "relation", "object"),
    "descriptions": ("entity", "language"),
    "pages": ("language", "place"),
    "mentions": ("language", "place", "char_begin", "char_end", "entity"),
}
_PARAMETERS = pa.schema([("every_language", pa.bool_()), ("top_languages", pa.int64()), ("valid_below", pa.string())])
_WANTED = pa.schema([("language", pa.string())])
# what report.py adds to these
REPORTS = ("report.md", "results.json", "entities.png")
_NAMED = 20  # languages of a message
WORK = ".entities."  # and the number of the process: the folder where it works, in that of the result


@dataclass(frozen=True)
class Options:
    """What ``build`` is to do.

    Attributes:
        wiki, wikidata: folders of ``xling wiki`` and ``xling wikidata``.
        out: the folder to make.
        dictionary: ``dict.txt``.
        languages: those to keep; None: all.
        top_languages: of these the largest by articles.
        max_tokens: length of a window or description with ``<s>`` and ``</s>``.
        valid_share: of the articles, and of the triples.
    """

    wiki: Path
    wikidata: Path
    out: Path
    dictionary: Path
    tokeniser: Tokeniser
    languages: Sequence[str] | None = None
    top_languages: int = 100
    max_tokens: int = 256
    valid_share: float = 0.01
    engine: str = "duckdb"
    master: str = "local[*]"
    memory_limit: str = "4GB"
    workers: int = 1
    overwrite: bool = False


@dataclass
class Result:
    """What was made and what was left out.

    Attributes:
        counts: (kind, language, reason) -> number, of the view ``counts``.
        contexts: language -> counts of ``contexts.py``.
        num_languages: number of languages -> entities described in so many.
        lengths: as in meta.json.
        absent: optional tables that were not there.
    """

    counts: dict[tuple[str, str, str], int]
    num_languages: dict[int, int]
    contexts: dict[str, Counter[str]]
    languages: list[str]
    lengths: dict[str, int]
    absent: list[str] = field(default_factory=list)


def valid_below(share: float) -> str:
    """The MD5 digests (hexadecimal) below this are that share of all, from 0 to below 1."""
    return f"{int(share * (1 << 128)):032x}"


def build(options: Options) -> Result:
    """Make ``options.out`` (``shards.py``) without its reports; it appears when it is complete.

    Raises:
        UserError: for any wrong input, or too little memory or disk; nothing is left in ``out`` then.
    """
    numbers = read_dictionary(options.dictionary)
    make_encoders(options.tokeniser, 1)  # complain here rather than in every worker
    files = {
        name: table_files(getattr(options, folder), name, schema, required)
        for name, (folder, schema, required) in TABLES.items()
    }
    _check_out(options)
    made = not options.out.exists()
    work = options.out / f"{WORK}{os.getpid()}"
    try:
        try:
            with exit_on_sigterm():
                work.mkdir(parents=True)
                result = _build(options, files, numbers, work)
                _install(work / "done", options.out, result.languages)
        except BrokenProcessPool as error:
            raise UserError(
                "a worker process was killed, most likely for want of memory: give --workers 1 or more memory"
            ) from error
        except OSError as error:
            if error.errno in UNWRITABLE:
                raise UserError(f"cannot write {options.out}: {(error.strerror or str(error)).lower()}") from error
            raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if made:
            with contextlib.suppress(OSError):
                options.out.rmdir()  # if it is empty
    return result


def _build(options: Options, files: dict[str, list[Path]], numbers: dict[str, int], work: Path) -> Result:
    with steps("read", num_rows(files["articles"])) as progress:
        places = write_places(files["articles"], work / "places.parquet", progress.update)
    missing = sorted(set(options.languages or ()) - set(places.row_groups))
    if missing:
        raise UserError(
            f"--languages {','.join(missing)}: no article in {options.wiki}; there are {','.join(sorted(places.row_groups))}"
        )
    outputs = join(options, {**files, "places": [work / "places.parquet"]}, work)
    done = work / "done"
    done.mkdir()
    counts = {row[:3]: row[3] for row in read_rows(outputs["counts"], "kind", "language", "reason", "number")}
    languages = sorted(language for kind, language, reason in counts if (kind, reason) == ("articles", "kept"))
    if not languages:
        raise UserError(f"{options.wiki}: no article with text in the languages to keep")
    _check_out(options, languages)
    if not any(kind == "descriptions" and reason == "kept" for kind, _, reason in counts):
        raise UserError(f"no page of {options.wiki} has an item in {options.wikidata}: {_in_common(languages, files)}")
    lengths = write_knowledge(outputs, languages, done)
    entities = shards.map_column(done / "entities.npy", lengths["entities"])
    contexts = {}
    settings = Settings(options.tokeniser, numbers, _token_dtype(numbers), options.max_tokens)
    articles = read_articles(outputs["pages"], outputs["mentions"], places, entities)
    total = sum(number for (kind, _, reason), number in counts.items() if (kind, reason) == ("articles", "kept"))
    with steps("encode", total) as progress:
        encoded = encode_articles(articles, settings, options.workers)
        for language, parts in groupby(encoded, itemgetter(0)):
            contexts[language], split_lengths = write_language(
                done, language, parts, settings.token_dtype, progress.update
            )
            lengths.update(split_lengths)
    if not sum(counted["mentions"] for counted in contexts.values()):
        raise UserError(
            f"no link of {options.wiki} leads to a page that has an item in {options.wikidata}: {_in_common(languages, files)}"
        )
    meta = {
        "format": shards.FORMAT,
        "dictionary": shards.file_sha256(options.dictionary),
        "token_dtype": settings.token_dtype.name,
        "max_tokens": options.max_tokens,
        "valid_share": options.valid_share,
        "languages": languages,
        "lengths": lengths,
    }
    (done / shards.META).write_text(json.dumps(meta, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    num_languages = dict(read_rows(outputs["language_counts"], "num_languages", "num_entities"))
    absent = [name for name, found in files.items() if not found]
    return Result(counts, num_languages, contexts, languages, lengths, absent)


def _in_common(languages: Sequence[str], files: dict[str, list[Path]]) -> str:
    """Which languages articles and sitelinks have in common, for a message."""
    linked = {name for file in files["sitelinks"] for name in distinct(file, "language")}
    common = sorted(linked.intersection(languages))
    if common:
        return f"both have {','.join(common)}; are titles and dumps of the same wikis?"
    return f"the articles are in {_some(languages)}, the sitelinks in {_some(sorted(linked))}; no language is in both"


def _some(names: Sequence[str]) -> str:
    return ",".join([*names[:_NAMED], *(["..."] if len(names) > _NAMED else [])]) or "none"


def _token_dtype(numbers: dict[str, int]) -> np.dtype[Any]:
    return shards.token_dtype(FIRST + len(numbers) + 1)  # <mask> is added by the task


# ---- joins -----------------------------------------------------------------------------------------------------------


def join(options: Options, files: dict[str, list[Path]], work: Path) -> dict[str, list[Path]]:
    """The files of each of ``OUTPUTS``.

    Raises:
        UserError: a file is damaged, or memory or disk do not suffice.
    """
    spill = work / "spill"
    spill.mkdir()
    stored = work / "stored"
    stored.mkdir()
    _write_table(work / "wanted.parquet", _WANTED, [list(options.languages or ())])
    every = options.languages is None
    parameters: list[list[Any]] = [[every], [options.top_languages], [valid_below(options.valid_share)]]
    _write_table(work / "parameters.parquet", _PARAMETERS, parameters)
    files = {**files, "wanted": [work / "wanted.parquet"], "parameters": [work / "parameters.parquet"]}
    for name, (_, schema, _) in TABLES.items():
        if not files[name]:
            files[name] = [work / f"{name}.parquet"]
            _write_table(files[name][0], schema, [list[Any]() for _ in schema])
    script = SQL.read_text(encoding="utf-8")
    outputs = {}
    with (
        _naming_damage(files),
        contextlib.closing(
            engines.make(options.engine, spill, options.memory_limit, options.workers, options.master)
        ) as engine,
    ):
        with steps("join", script.count("CREATE OR REPLACE") + len(OUTPUTS)) as progress:
            for name, found in files.items():
                engine.read(name, found)
            for _ in engines.run(engine, script, stored):
                progress.update()
            for name, order in OUTPUTS.items():
                outputs[name] = engine.write(name, order, work / name)
                progress.update()
    shutil.rmtree(stored)
    return outputs


@contextlib.contextmanager
def _naming_damage(files: dict[str, list[Path]]) -> Iterator[None]:
    """Raise UserError for the damaged file, if there is one, instead of an exception of an engine, which may not name it."""
    try:
        yield
    except UserError:
        raise
    except Exception:  # each engine has classes of its own
        for name in TABLES:
            check_whole(files[name])
        raise


def _write_table(path: Path, schema: pa.Schema, columns: list[list[Any]]) -> None:
    with open_table(path, schema) as table:
        table.write(batch(schema, columns))


# ---- the folder ------------------------------------------------------------------------------------------------------


def _check_out(options: Options, languages: Sequence[str] = ()) -> None:
    """Raise UserError if a result is there and is not to be replaced, or something else is in the way."""
    out = options.out
    if options.overwrite:
        _check_way(out, [*_former_languages(out), *languages])
        return
    _check_way(out, languages)
    if (out / shards.META).exists():
        raise UserError(f"--out {out}: holds a result; give --overwrite to replace it, or another folder")
    for file in _files(out, languages):
        if file.exists():
            raise UserError(
                f"{file}: in the way: of another program, or of a run that was killed; move it, or give --overwrite to "
                "replace it"
            )


def _check_way(out: Path, languages: Sequence[str]) -> None:
    """Raise UserError if a file of a result could not be deleted or come to its place."""
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out}: is a file; name a folder")
    files = [out / shards.META, *_files(out, languages)]
    for file in files:
        if file.is_dir():
            raise UserError(f"{file}: in the way: a folder where a file belongs; move it, or name another --out")
    folders = {folder for file in files for folder in file.parents if folder.is_relative_to(out)}
    for folder in sorted(folders):
        if os.path.lexists(folder) and not folder.is_dir():
            raise UserError(f"{folder}: in the way: a file where a folder belongs; move it, or name another --out")
        if folder.is_dir() and not os.access(folder, os.W_OK | os.X_OK):
            raise UserError(f"cannot write {folder}: permission denied")


def _former_languages(out: Path) -> list[str]:
    """The languages of the result in ``out``, if one is there.

    Raises:
        UserError: its ``meta.json`` is damaged, and other files are there, so that it is not known what is of the result.
    """
    if not (out / shards.META).exists():
        return []
    try:
        return list(shards.read_meta(out)["languages"])
    except UserError as error:
        damage = error
    languages = sorted(folder.name for folder in out.iterdir() if shards.LANGUAGE.fullmatch(folder.name))
    ours = {out / shards.META, *_files(out, languages)}
    for file in sorted(out.rglob("*")):
        left = file.relative_to(out).parts[0].startswith(WORK)  # by a run that was killed
        if not (file.is_dir() or file in ours or left):
            raise UserError(
                f"{damage}: and {file} is not of xling entities; move that file, or delete {out / shards.META}"
            ) from None
    return languages


def _install(done: Path, out: Path, languages: Sequence[str]) -> None:
    """Move what is finished to ``out``, ``meta.json`` last, in place of an earlier result; other files there stay.

    Raises:
        UserError: something is in the way; nothing was deleted or moved then.
    """
    former = _former_languages(out)
    _check_way(out, [*former, *languages])
    if (out / shards.META).exists():
        (out / shards.META).unlink()
        for file in _files(out, former):
            file.unlink(missing_ok=True)
        for language in former:
            for folder in (*(out / language / split for split in shards.SPLITS), out / language):
                with contextlib.suppress(OSError):  # if it holds something else
                    folder.rmdir()
    files = [file for file in done.rglob("*") if file.is_file()]
    for file in sorted(files, key=lambda file: file.name == shards.META):
        target = out / file.relative_to(done)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(file, target)


def _files(out: Path, languages: Sequence[str]) -> list[Path]:
    """All files of a result, but ``meta.json``."""
    names = [*(f"{name}.npy" for name in shards.COLUMNS), shards.RELATIONS, *REPORTS]
    return [
        *(out / name for name in names),
        *(
            out / language / split / f"{name}.npy"
            for language in languages
            for split in shards.SPLITS
            for name in shards.SPLIT_COLUMNS
        ),
    ]
