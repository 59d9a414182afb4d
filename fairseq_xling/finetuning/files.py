"""Finding the file of each language: by the names of the benchmark's files, or told one by one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import UserError
from .benchmarks import BENCHMARKS

_PLACEHOLDERS = {
    "{lang}": r"(?P<lang>[A-Za-z]{2,3}(?:_[A-Za-z]+)?)",
    "{question}": r"(?P<more>[A-Za-z]{2,3})",
    "{part}": r"(?P<more>[\w-]+)",
    "*": r"[^/]*",
}
_TOKEN = re.compile(r"\{lang\}|\{question\}|\{part\}|\*")
# a language names files and folders of results
_LANGUAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
SUFFIXES = (".gz", ".bz2", ".xz", ".zst")
_SUFFIX = f"(?:{'|'.join(map(re.escape, SUFFIXES))})?"


class Option(NamedTuple):
    """Value that the user gave, and the flag or the recipe's variable it was given by, for messages."""

    name: str
    value: str | None


def locate(benchmark: str, part: str, data: Option, files: Option, languages: Option) -> dict[str, str]:
    """A part of a benchmark: its files by language, in their order.

    Args:
        part: ``train``, ``dev`` or ``test``.
        data: folder in which the files are found by their names.
        files: files instead of the folder's, as of `parse`.
        languages: as of `choose`.

    Raises:
        UserError: neither folder nor files are named, or they do not hold the part or a language.
    """
    known = BENCHMARKS[benchmark]
    if files.value:
        found = parse(files.name, files.value, known.aliases)
    elif not data.value:
        raise UserError(f"{data.name}: name the folder with the files of {benchmark}, or the files with {files.name}")
    elif part not in known.files:
        raise UserError(
            f"{benchmark} has no {part} part, only {', '.join(known.files)}; name files with {files.name}, or do without the part"
        )
    else:
        found = find(Path(data.value), known.files[part], known.languages, known.aliases)
    return choose(languages.name, found, languages.value, known.languages)


def match(folder: Path, pattern: str, aliases: Mapping[str, str]) -> dict[str, str]:
    """The files whose path under ``folder`` fits, plain or compressed, by language.

    Args:
        pattern: with ``{lang}``; further ``{question}`` (language of the question) and ``{part}`` (domain), which the language
            is joined with by a hyphen where they differ; ``*`` stands for anything but a slash.
        aliases: what files call a language -> its code.

    Raises:
        UserError: two files are of one language.
    """
    expression, position = "", 0
    for token in _TOKEN.finditer(pattern):
        placeholder = _PLACEHOLDERS[token[0]]
        name = placeholder[: placeholder.find(">") + 1]  # "(?P<lang>", which may stand only once
        if name and name in expression:
            placeholder = f"(?P={name[4:-1]})"
        expression += re.escape(pattern[position : token.start()]) + placeholder
        position = token.end()
    regex = re.compile(expression + re.escape(pattern[position:]) + _SUFFIX)
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*/" * pattern.count("/") + "*")):
        fit = regex.fullmatch(path.relative_to(folder).as_posix())
        if fit is None or not path.is_file():
            continue
        names = fit.groupdict()
        language = aliases.get(names["lang"], names["lang"])
        if names.get("more", names["lang"]) != names["lang"]:
            language = f"{language}-{names['more']}"
        if language in found:
            raise UserError(
                f"{found[language]} and {path} are both {language}: keep one of them in the folder, or name the files one by one"
            )
        found[language] = str(path)
    return found


def find(folder: Path, patterns: Sequence[str], languages: Sequence[str], aliases: Mapping[str, str]) -> dict[str, str]:
    """The benchmark's files in a folder by language; where several patterns fit one, the first counts.

    Args:
        patterns: as of `match`; or ``en=NAME``, a file in one language; or ``NAME``, a file that holds all ``languages``.

    Raises:
        UserError: the folder does not exist, or none of the patterns fits a file.
    """
    names = [pattern.rpartition("=")[2] for pattern in patterns]
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; name the one that holds {' or '.join(names)}")
    found: dict[str, str] = {}
    for pattern in patterns:
        if "{lang}" in pattern:
            fitting = match(folder, pattern, aliases)
        else:
            language, equals, name = pattern.rpartition("=")
            files = [path for suffix in ("", *SUFFIXES) if (path := folder / f"{name}{suffix}").is_file()]
            fitting = dict.fromkeys([language] if equals else languages, str(files[0])) if files else {}
        found = {**fitting, **found}
    if not found:
        raise UserError(f"{folder}: holds no {' and no '.join(names)} (plain or compressed)")
    return found


def parse(flag: str, text: str, aliases: Mapping[str, str]) -> dict[str, str]:
    """Read ``de=FILE,fr=FILE`` or a path with ``{lang}`` in it.

    Raises:
        UserError: neither, a language is named twice or cannot name a file, or a file does not exist.
    """
    found: dict[str, str] = {}
    for item in text.split(","):
        language, equals, path = item.strip().partition("=")
        if "{lang}" in item:
            folder = Path(item.strip().partition("{")[0] + "_").parent
            files = match(folder, Path(item.strip()).relative_to(folder).as_posix(), aliases)
            if not files:
                raise UserError(f"{flag} {item.strip()}: no such file")
        elif equals and language and path:
            files = {language: path}
        else:
            raise UserError(
                f"{flag} {text}: expected LANGUAGE=FILE, separated by commas, or a path with {{lang}} in it"
            )
        for language, path in files.items():
            if not _LANGUAGE.fullmatch(language):
                raise UserError(
                    f"{flag}: the language {language[:64]!r} names files of results; write it in letters, digits and . _ -, at "
                    "most 64 of them, a letter or digit first"
                )
            if language in found:
                raise UserError(f"{flag} {text}: the language {language} is named twice")
            if not Path(path).is_file():
                raise UserError(f"{flag} {text}: there is no file {path}")
            found[language] = path
    return found


def choose(flag: str, found: Mapping[str, str], languages: str | None, order: Iterable[str]) -> dict[str, str]:
    """The files of the languages to use, in their order.

    Args:
        languages: comma-separated, or ``all``; None for those of ``order`` that have a file (all there are if none has).

    Raises:
        UserError: a language has no file.
    """
    ordered = sorted(found, key=lambda language: [*order, language].index(language))
    if languages is None:
        known = [language for language in ordered if language in tuple(order)]
        return {language: found[language] for language in known or ordered}
    if languages == "all":
        return {language: found[language] for language in ordered}
    chosen = [language.strip() for language in languages.split(",")]
    for language in chosen:
        if language not in found:
            raise UserError(f"{flag} {language}: no file of this language; there are files of {', '.join(ordered)}")
    return {language: found[language] for language in chosen}
