"""Streaming readers of raw text and an all-or-nothing writer.

Lines end at ``\n`` only: U+0085, U+2028, U+001C and a ``\r`` within a sentence are part of it, because
``str.splitlines`` there would break the alignment of a pair of files. Compression (.gz .bz2 .xz .zst) goes
by suffix, both ways. No reader holds more than one sentence (TMX: one translation unit) in memory.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

from xopen import xopen

from .errors import UserError

COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
# Inline elements of TMX 1.4 whose content is formatting code, not text ("hi" and "mrk" hold text).
TMX_CODES = {"bpt", "ept", "ph", "it", "ut"}
UNWRITABLE = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EEXIST,
    errno.EISDIR,
}  # fmt: skip

Advance = Callable[[int], object]


def squeeze(line: str) -> str:
    """Turn every run of Unicode white space into one space, none at the ends, as fairseq's tokenizer does.

    SentencePiece would keep U+0085 and others as (unknown) characters, and fairseq would then drop them.
    """
    return " ".join(line.split())


def expand(pattern: str) -> list[str]:
    """The files a path or glob pattern names, sorted. Raises UserError if there is none."""
    if os.path.exists(pattern):
        return [pattern]
    files = sorted(path for path in glob.glob(pattern, recursive=True) if os.path.isfile(path))
    if not files:
        raise UserError(f"{pattern}: no such file")
    return files


def split_compression(path: str) -> tuple[str, str]:
    """``train.en.gz`` -> (``train.en``, ``.gz``); the second part is empty for a plain file."""
    for suffix in COMPRESSED:
        if path.endswith(suffix):
            return path[: -len(suffix)], suffix
    return path, ""


class _CountedFile(io.FileIO):
    """A file that reports the bytes read from disk, before decompression."""

    def __init__(self, path: str, advance: Advance) -> None:
        super().__init__(path, "rb")
        self._advance = advance

    def readinto(self, buffer) -> int | None:
        size = super().readinto(buffer)
        self._advance(size or 0)
        return size


@contextlib.contextmanager
def open_input(path: str, advance: Advance | None = None) -> Iterator[IO[bytes]]:
    """Open a plain or compressed file for reading bytes; the ``with`` block must do nothing but read.

    Raises UserError if the file is missing, unreadable, or damaged.
    """
    try:
        raw = io.BufferedReader(_CountedFile(path, advance or (lambda size: None)), 1 << 20)
    except OSError as error:
        raise UserError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    try:
        with raw, xopen(raw, "rb", threads=0) as stream:
            yield stream
    except UserError:
        raise
    except Exception as error:  # every compression library has its own exception class
        raise UserError(f"{path}: cannot be read to its end, damaged or truncated? ({error})") from error


def read_lines(path: str, advance: Advance | None = None) -> Iterator[str]:
    """Yield the lines of a UTF-8 file without their line end, blank ones included.

    Raises UserError naming the line that is not UTF-8, or if the file holds no text.
    """
    blank = True
    with open_input(path, advance) as stream:
        for number, raw in enumerate(stream, 1):
            try:
                line = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                byte = raw[error.start]
                raise UserError(
                    f"{path}:{number}: not UTF-8 (byte 0x{byte:02x} at column {error.start + 1}); "
                    "convert the file, for example with iconv -t UTF-8"
                ) from None
            if number == 1:
                line = line.removeprefix("\ufeff")
            line = line.removesuffix("\n").removesuffix("\r")
            blank = blank and not line.strip()
            yield line
    if blank:
        raise UserError(f"{path}: the file is empty (no text in it)")


def read_documents(path: str, advance: Advance | None = None) -> Iterator[str]:
    """Yield the lines of a CC-100 file: one empty line between documents, none at the ends."""
    pending, started = False, False
    for line in read_lines(path, advance):
        if not line.strip():
            pending = started
            continue
        if pending:
            yield ""
        pending, started = False, True
        yield line


def read_pairs(first: str, second: str, advance: Advance | None = None) -> Iterator[tuple[str, str]]:
    """Yield line *i* of two files together (Moses format). Raises UserError if one has more lines."""
    files = read_lines(first, advance), read_lines(second, advance)
    for count, (left, right) in enumerate(zip_longest(*files)):
        if left is None or right is None:
            longer = count + 1 + sum(1 for _ in files[left is None])
            sizes = (count, longer) if left is None else (longer, count)
            raise UserError(
                f"{first} has {sizes[0]} lines and {second} has {sizes[1]}: "
                "line i of one must translate line i of the other"
            )
        yield left, right


def read_tsv(path: str, columns: Sequence[int], advance: Advance | None = None) -> Iterator[tuple[str, ...]]:
    """Yield the given columns (counted from 1) of a tab-separated file without quoting or header."""
    for number, line in enumerate(read_lines(path, advance), 1):
        cells = line.split("\t")
        if len(cells) < max(columns):
            raise UserError(
                f"{path}:{number}: column {max(columns)} asked for, the line has {len(cells)} "
                "(separator: tab); see --columns"
            )
        yield tuple(cells[column - 1] for column in columns)


def read_tmx(path: str, langs: Sequence[str], advance: Advance | None = None) -> Iterator[tuple[str, ...]]:
    """Yield the segments in ``langs`` of every translation unit of a TMX file that has all of them.

    ``en`` also finds ``EN``, ``en-US`` and ``en_GB``; of several variants in a unit the first is taken.
    Raises UserError if the XML is damaged or no unit has all languages.
    """
    seen: set[str] = set()
    found = False
    body = None
    with open_input(path, advance) as stream:
        try:
            for event, element in ElementTree.iterparse(stream, events=("start", "end")):
                name = _local(element)
                if event == "start":
                    if name == "body":
                        body = element
                elif name == "tu":
                    variants = _tmx_variants(element)
                    seen.update(variants)
                    if body is not None:
                        body.clear()  # or the tree of the whole file stays in memory
                    unit = [_tmx_pick(variants, lang) for lang in langs]
                    if None not in unit:
                        found = True
                        yield tuple(text for text in unit if text is not None)
        except ElementTree.ParseError as error:
            raise UserError(f"{path}:{error.position[0]}: not well-formed TMX ({error})") from error
    if not found:
        has = f"its languages are {', '.join(sorted(seen)[:20])}" if seen else "it has no translation unit"
        raise UserError(f"{path}: no unit has a segment in each of {', '.join(langs)}; {has}")


def _local(element: ElementTree.Element) -> str:
    return element.tag.rsplit("}", 1)[-1]


def _tmx_variants(unit: ElementTree.Element) -> dict[str, str]:
    """Language code (lower case, ``-``) -> text of the first segment in it."""
    variants: dict[str, str] = {}
    for tuv in unit:
        if _local(tuv) != "tuv":
            continue
        lang = (tuv.get(XML_LANG) or tuv.get("lang") or "").lower().replace("_", "-")
        for segment in tuv:
            if _local(segment) == "seg":
                variants.setdefault(lang, _tmx_text(segment))
    return variants


def _tmx_text(segment: ElementTree.Element) -> str:
    parts = [segment.text or ""]
    for child in segment:
        if _local(child) not in TMX_CODES:
            parts.append(_tmx_text(child))
        parts.append(child.tail or "")
    return "".join(parts)


def _tmx_pick(variants: dict[str, str], lang: str) -> str | None:
    wanted = lang.lower().replace("_", "-")
    if wanted in variants:
        return variants[wanted]
    return next((text for code, text in variants.items() if code.startswith(wanted + "-")), None)


@contextlib.contextmanager
def open_outputs(paths: Sequence[str | Path]) -> Iterator[Sequence[IO[bytes]]]:
    """Open files that appear, complete, only when the block ends without an exception.

    They are written under a temporary name in the same folder (which is made if needed) and then renamed.
    Raises UserError if a folder cannot be written or the disk is full.
    """
    targets = [Path(path) for path in paths]
    for target in targets:
        if target.is_dir():
            raise UserError(f"cannot write {target}: it is a folder")
    # The suffix stays last: it decides the compression.
    partial = [target.with_name(f".{os.getpid()}.{target.name}") for target in targets]
    try:
        with contextlib.ExitStack() as stack:
            streams = []
            for target, temporary in zip(targets, partial, strict=True):
                _make_folder(target)
                streams.append(stack.enter_context(xopen(temporary, "wb", threads=0)))
            yield streams
        for target, temporary in zip(targets, partial, strict=True):
            os.replace(temporary, target)
    except OSError as error:
        if error.errno in UNWRITABLE:
            names = ", ".join(str(target) for target in targets)
            raise UserError(f"cannot write {names}: {(error.strerror or str(error)).lower()}") from error
        raise
    finally:
        for temporary in partial:
            with contextlib.suppress(OSError):
                temporary.unlink()


def _make_folder(target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"cannot write {target}: its folder cannot be made ({reason})") from error


def parse_pair(pair: str) -> tuple[str, str]:
    """``en-de`` -> (``en``, ``de``). Raises UserError unless it is two different codes with one ``-``."""
    match = re.fullmatch(r"([A-Za-z0-9_]+)-([A-Za-z0-9_]+)", pair)
    if match is None or match[1] == match[2]:
        raise UserError(f"--pair {pair}: expected two different language codes as in en-de (a region: en-pt_BR)")
    return match[1], match[2]
