"""Articles of real dumps, read without the code under test."""

import bz2
import gzip
import html
import re
from pathlib import Path

SHARED = Path(__file__).resolve().parents[5] / "shared" / "data" / "wiki"
_PAGE = re.compile(r"<title>(.*?)</title>\s*<ns>0</ns>.*?<text[^>]*>(.*?)</text>", re.DOTALL)


def pages(dump: Path) -> list[tuple[str, str]]:
    """Title and wikitext of every page in the main namespace."""
    opened = (bz2 if dump.suffix == ".bz2" else gzip).open(dump, "rt", encoding="utf-8")
    with opened as stream:
        return [(html.unescape(title), html.unescape(text)) for title, text in _PAGE.findall(stream.read())]
