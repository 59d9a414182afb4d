"""Dumps of many pages in small parts."""

from __future__ import annotations

import bz2
from pathlib import Path

import pytest

from fairseq_xling_preprocess.wiki.dumps import chunks
from tests.preprocess.wiki.dumps.exports import export, page


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Dumps of two languages in small parts: plain, multistream as of MediaWiki, and with streams that end anywhere."""
    monkeypatch.setattr(chunks, "CHUNK", 1 << 10)
    monkeypatch.setattr(chunks, "RANGE", 1)
    monkeypatch.setattr("fairseq_xling_preprocess.wiki.dumps.decompress.MAX_OUTPUT", 500)
    pages = [page(number, f"T{number}", f"[[T{number // 2}]] " + "word " * number) for number in range(1, 120)]
    whole = export(pages)
    (tmp_path / "en.xml").write_bytes(whole)
    groups = ["".join(pages[begin : begin + 7]).encode() for begin in range(0, len(pages), 7)]
    head = whole[: whole.index(b"  <page>")]
    (tmp_path / "de.xml.bz2").write_bytes(b"".join(map(bz2.compress, [head, *groups, b"</mediawiki>\n"])))
    pieces = [whole[begin : begin + 333] for begin in range(0, len(whole), 333)]
    (tmp_path / "fr.xml.bz2").write_bytes(b"".join(map(bz2.compress, pieces)))
    return [str(tmp_path / name) for name in ("en.xml", "de.xml.bz2", "fr.xml.bz2")]
