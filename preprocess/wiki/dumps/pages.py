"""The XML of a dump: what its header says of the wiki, and the pages.

Elements are known by their local names, which are the same in all versions of the export format (0.3 to 0.11).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from xml.parsers import expat

from ...errors import UserError
from ..wikitext.site import Namespace, SiteInfo

PAGE, END_OF_PAGE = b"<page>", b"</page>"
OTHER_PAGE = re.compile(rb"<(?:[\w.-]+:)?page(?:\s[^<>]{0,80})?>")  # well-formed, but not found
_ROOT = b"<mediawiki>"
_BLOCK = 1 << 14
_HTML = re.compile(rb"\s*<(!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://([a-z-]+)\.(wiki[a-z]+|wiktionary)\.org/")
_ERRORS = expat.errors.codes
# what follows </mediawiki> where two dumps were joined
_SECOND_DUMP = {
    _ERRORS[expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT],
    _ERRORS[expat.errors.XML_ERROR_MISPLACED_XML_PI],
}


class Page(NamedTuple):
    """A page; its text is that of the last revision. ``namespace`` is None and ``model`` empty in old exports without them."""

    page_id: int
    namespace: int | None
    title: str
    redirect: str | None
    model: str
    text: str


class Broken(NamedTuple):
    """A page that is no well-formed XML: the byte where it begins, and why."""

    offset: int
    reason: str


class _BrokenError(Exception):
    """Well-formed XML that is no page."""


def read_header(start: bytes, path: str) -> SiteInfo:
    """The header of a dump, from its first bytes: all before the first page, or all there is.

    Raises:
        UserError: if it is no MediaWiki export, not UTF-8, or declares a document type.
    """
    check_beginning(start, path)
    header = _Header(path)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.XmlDeclHandler = header.declaration
    parser.StartDoctypeDeclHandler = header.doctype
    parser.StartElementHandler = header.start
    parser.EndElementHandler = header.end
    parser.CharacterDataHandler = header.characters
    try:
        parser.Parse(start, False)
    except expat.ExpatError as error:
        raise UserError(f"{path}: byte {parser.ErrorByteIndex} is not well-formed XML ({_reason(error)})") from None
    if not header.is_export:
        raise UserError(f"{path}: is no MediaWiki export: it has no element <mediawiki>")
    return SiteInfo(
        header.dbname.strip() or _database_of_address(header.base),
        header.language,
        header.case.strip() or "first-letter",
        tuple(header.namespaces),
    )


def check_beginning(start: bytes, path: str) -> None:
    """Raise UserError if the first bytes are those of no XML in UTF-8."""
    if not start.strip():
        raise UserError(f"{path}: the file is empty")
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in start[:4]:
        raise UserError(f"{path}: is UTF-16; convert the file, for example with iconv -f UTF-16 -t UTF-8")
    if _HTML.match(start.removeprefix(b"\xef\xbb\xbf")):
        raise UserError(f"{path}: is an HTML page, not a dump; was the link to the dump followed?")
    if not (text := start.removeprefix(b"\xef\xbb\xbf").lstrip()).startswith(b"<"):
        raise UserError(f"{path}: is no MediaWiki export: it begins with {text[:20]!r}, not with <")


def _database_of_address(base: str) -> str:
    """``http://en.wiktionary.org/wiki/Main_Page`` -> ``enwiktionary``, for old exports without ``<dbname>``."""
    match = _ADDRESS.match(base.strip())
    return match[1].replace("-", "_") + match[2].replace("wikipedia", "wiki") if match else ""


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _reason(error: expat.ExpatError) -> str:
    return expat.ErrorString(error.code)


class _Header:
    """Handlers of expat for the root element and ``<siteinfo>``."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.is_export = False
        self.language = self.dbname = self.case = self.base = ""
        self.namespaces: list[Namespace] = []
        self._names: list[str] = []
        self._namespace: tuple[int, str] | None = None
        self._name = ""

    def declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding and encoding.lower().replace("-", "") not in ("utf8", "usascii"):
            raise UserError(f"{self.path}: is {encoding}; convert the file and its first line to UTF-8")

    def doctype(self, name: str, *_: object) -> None:
        raise UserError(
            f"{self.path}: declares a document type ({name}), which no dump does; refused: it can define entities"
        )

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = _local(name)
        if not self.is_export:
            if name != "mediawiki":
                raise UserError(f"{self.path}: is no MediaWiki export: its first element is <{name}>, not <mediawiki>")
            self.is_export = True
            self.language = attributes.get("xml:lang", "")
        self._names.append(name)
        if name == "namespace":
            key = attributes.get("key", "")
            if not re.fullmatch(r"-?[0-9]{1,9}", key):
                raise UserError(f"{self.path}: the key {key!r} of a <namespace> is no number")
            self._namespace, self._name = (int(key), attributes.get("case", "first-letter")), ""

    def end(self, name: str) -> None:
        self._names.pop()
        if self._namespace:
            key, case = self._namespace
            self.namespaces.append(Namespace(key, self._name.strip(), case))
            self._namespace = None

    def characters(self, text: str) -> None:
        if self._namespace:
            self._name += text
        elif self._names[1:] == ["siteinfo", "dbname"]:
            self.dbname += text
        elif self._names[1:] == ["siteinfo", "base"]:
            self.base += text
        elif self._names[1:] == ["siteinfo", "case"]:
            self.case += text


class _Pages:
    """Handlers of expat for pages below a root element."""

    def __init__(self, parser: expat.XMLParserType, origin: int, offset: int) -> None:
        self.found: list[Page | Broken] = []
        self.begin: int | None = None  # of the page that is open, in the part
        self._parser = parser
        self._origin = origin
        self._offset = offset
        self._depth = 1  # within the root
        self._in_revision = False
        self._field = ""
        self._value: list[str] = []
        self._page: dict[str, str] = {}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = _local(name) if ":" in name else name
        depth = self._depth
        self._depth += 1
        if name == "page":
            if self.begin is not None:
                raise _BrokenError("it has no end")
            self.begin, self._page = self._origin + self._parser.CurrentByteIndex, {}
        elif self.begin is None:
            return
        elif depth == 2 and name == "revision":
            self._in_revision = True
            self._page |= {"model": "", "text": ""}
        elif depth == 2 and name == "redirect":
            self._page["redirect"] = attributes.get("title", "")
        elif (depth == 2 and name in ("title", "ns", "id")) or (
            depth == 3 and self._in_revision and name in ("model", "text")
        ):
            self._field = name
            self._value = []

    def characters(self, text: str) -> None:
        if self._field:
            self._value.append(text)

    def end(self, name: str) -> None:
        self._depth -= 1
        if self._field:
            self._page[self._field] = "".join(self._value)
            self._field = ""
        elif self._depth == 2:
            self._in_revision = False
        elif self._depth == 1 and self.begin is not None:
            self.found.append(self._finish(self.begin))
            self.begin = None

    def _finish(self, begin: int) -> Page | Broken:
        page = self._page
        page_id, namespace = page.get("id", "").strip(), page.get("ns", "").strip()
        if not re.fullmatch(r"[0-9]{1,18}", page_id):
            return Broken(self._offset + begin, f"its id {page_id[:80]!r} is no number")
        if not re.fullmatch(r"(-?[0-9]{1,9})?", namespace):
            return Broken(self._offset + begin, f"its namespace {namespace[:80]!r} is no number")
        if not page.get("title", "").strip():
            return Broken(self._offset + begin, "it has no title")
        return Page(
            int(page_id),
            int(namespace) if namespace else None,
            page["title"],
            page.get("redirect"),
            page.get("model", "").strip(),
            page.get("text", ""),
        )


def read_pages(data: bytes, offset: int = 0) -> Iterator[Page | Broken]:
    """Yield the pages of a part of a dump; one that is damaged costs no other page.

    Args:
        data: whole pages, perhaps with the header or the end of the dump around them.
        offset: of its first byte in the dump.
    """
    start = data.find(PAGE)
    while start >= 0:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.buffer_size = 1 << 18
        parser.Parse(_ROOT, False)
        handlers = _Pages(parser, start - len(_ROOT), offset)
        parser.StartElementHandler = handlers.start
        parser.EndElementHandler = handlers.end
        parser.CharacterDataHandler = handlers.characters
        reason = ""
        try:
            # in blocks: after each damaged page expat copies the block that it is given
            for block in range(start, len(data), _BLOCK):
                parser.Parse(data[block : block + _BLOCK], False)
        except expat.ExpatError as error:
            stop = start - len(_ROOT) + parser.ErrorByteIndex
            if handlers.begin is not None or error.code not in _SECOND_DUMP:
                reason = _reason(error)
        except _BrokenError as error:
            stop, reason = len(data), str(error)
        else:
            stop = len(data)
            if handlers.begin is not None:
                reason = "it has no end"
        yield from handlers.found
        if handlers.begin is not None:
            stop = handlers.begin
        if reason:
            yield Broken(offset + stop, reason)
        start = data.find(PAGE, stop + (handlers.begin is not None))
