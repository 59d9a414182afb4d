"""A dump that was looked into: its language, its compression and what its header says."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import UserError
from ...text import expand
from ..inputs import check_regular
from ..wikipedias import canonical, language_of
from ..wikitext.languages import CODES
from ..wikitext.site import SiteInfo
from .decompress import DamagedError, compression, decompress
from .pages import OTHER_PAGE, PAGE, check_beginning, read_header

MAX_HEADER = 16 << 20  # bytes before the first page; a few KiB as a rule
_CODE = re.compile(r"[a-z]{2,12}(?:-[a-z0-9]{1,12})*")
_DATABASE = re.compile(r"[a-z][a-z0-9_]*wiki(?=[-.]|$)")
_OTHER_PROJECT = re.compile(
    r"(?:[a-z0-9_]*(?:wiktionary|wikibooks|wikiquote|wikisource|wikinews|wikiversity|wikivoyage|wikimedia|wikidata)"
    r"|(?:commons|species|meta|wikidata|mediawiki|incubator|foundation|outreach|sources)wiki)(?=[-.]|$)"
)


@dataclass(frozen=True)
class Dump:
    """A ``pages-articles`` dump.

    Attributes:
        language: code of Wikipedia; it is part of file names.
        compression: ``gz``, ``bz2``, ``xz``, ``zst`` or empty.
        size, modified: of the file, before it was read.
        notes: what is odd with it, as sentences.
    """

    path: str
    language: str
    compression: str
    info: SiteInfo
    size: int
    modified: int
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the file."""
        return os.path.basename(self.path)

    def identity(self) -> dict[str, Any]:
        """What tells whether it is the same that was read before."""
        return {"name": self.name, "size": self.size, "modified": self.modified, "language": self.language}


def open_dumps(arguments: Sequence[str]) -> list[Dump]:
    """The dumps that ``DUMP``, ``'quoted glob'`` or ``CODE=DUMP`` name.

    Raises:
        UserError: if one is missing, no dump, of an unknown language, or given twice.
    """
    dumps = [inspect(path, code) for code, pattern in map(_split_code, arguments) for path in expand(pattern)]
    seen: set[str] = set()
    for dump in dumps:
        if (path := os.path.realpath(dump.path)) in seen:
            raise UserError(f"{dump.path}: given twice; leave it out once")
        seen.add(path)
    return dumps


def _split_code(argument: str) -> tuple[str | None, str]:
    code, separator, path = argument.partition("=")
    if not separator or os.path.exists(argument):
        return None, argument
    if not _CODE.fullmatch(code):
        raise UserError(
            f"{argument}: {code!r} is no code of a language; give CODE=DUMP as in de=dump.xml, or DUMP alone"
        )
    return canonical(code), path


def inspect(path: str, code: str | None = None) -> Dump:
    """Read the header.

    Args:
        path: the file.
        code: its language, where the user names it; else the name of the file says it, or the header.

    Raises:
        UserError: if it is no dump, of another project than Wikipedia (and no code is given), or its language is not known.
    """
    check_regular(path)
    status = os.stat(path)
    kind = compression(path)
    info = read_header(_start(path, kind), path)
    name = os.path.basename(path)
    for says, text in (("its name", name), ("its header", info.dbname)):
        if not code and (other := _OTHER_PROJECT.match(text)):
            raise UserError(
                f"{path}: {says} says {other[0]}, which is no Wikipedia; give CODE={path} to take it as one"
            )
    of_header = language_of(info.dbname) or ("" if info.dbname else canonical(info.language))
    language = code or language_of_name(name) or of_header
    if not _CODE.fullmatch(language):
        raise UserError(
            f"{path}: its language is not known ({language or info.dbname or 'neither its name nor its header tells'}); give CODE={path}"
        )
    notes = []
    if (of_header or info.dbname) and of_header != language:
        notes.append(f"its header says {info.dbname or info.language}, it is taken as {language}")
    if not info.namespaces:
        notes.append("it has no <siteinfo>: the usual rules for titles hold")
    return Dump(path, language, kind, info, status.st_size, status.st_mtime_ns, tuple(notes))


def language_of_name(name: str) -> str:
    """``enwiki-20240101-pages-articles.xml.bz2`` and ``en.xml.gz`` -> ``en``; empty for other names."""
    if (match := _DATABASE.match(name)) and (language := language_of(match[0])):
        return language
    stem = canonical(name.partition(".")[0])
    return stem if stem in CODES else ""


def _start(path: str, kind: str) -> bytes:
    """All before the first page."""
    start = bytearray()
    try:
        for block in decompress(path, kind, lambda size: None):
            searched = max(0, len(start) - len(PAGE) + 1)
            start += block
            if (end := start.find(PAGE, searched)) >= 0:
                return bytes(start[:end])
            if len(start) > MAX_HEADER:
                check_beginning(bytes(start[:1000]), path)
                raise UserError(
                    f"{path}: no page begins within its first {MAX_HEADER:,} bytes; is it a pages-articles dump?"
                )
    except DamagedError as error:
        if not start:
            raise UserError(f"{path}: cannot be read at all ({error.damage.reason}); fetch it again") from None
    if found := OTHER_PAGE.search(start):
        raise UserError(
            f"{path}: its pages begin with {found[0].decode()}, not {PAGE.decode()} as MediaWiki writes; rewrite it so"
        )
    return bytes(start)
