"""The language of a dump, and arguments."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from fairseq_xling_preprocess.errors import UserError
from fairseq_xling_preprocess.wiki.dumps.dump import inspect, language_of_name, open_dumps
from tests.preprocess.wiki.dumps.exports import export, page


def write(path: Path, data: bytes | None = None) -> str:
    path.write_bytes(export([page(1, "A")]) if data is None else data)
    return str(path)


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("enwiki-20240101-pages-articles-multistream1.xml-p1p41242.bz2", "en"),
        ("zh_min_nanwiki-latest-pages-articles.xml.bz2", "zh-min-nan"),
        ("be_x_oldwiki-20240101.xml", "be-tarask"),
        ("simplewiki.xml.gz", "simple"),
        ("sw.xml", "sw"),
        ("wikidata.xml.bz2", ""),
        ("nb.xml", "no"),
        ("mini_wiki.xml", ""),
        ("dump.xml", ""),
        ("enwiktionary-20240101-pages-articles.xml.bz2", ""),
    ],
)
def test_languages_of_names(name: str, language: str) -> None:
    assert language_of_name(name) == language


def test_the_language_is_the_users_then_of_the_name_then_of_the_header(tmp_path: Path) -> None:
    named, unnamed = write(tmp_path / "dewiki-1.xml"), write(tmp_path / "dump.xml")
    bare = write(tmp_path / "bare.xml", export([page(1, "A")], site=False))
    dumps = open_dumps([named, unnamed, f"fr={tmp_path}/*re.xml", write(tmp_path / "a=b.xml")])
    assert [dump.language for dump in dumps] == ["de", "en", "fr", "en"]
    assert [dump.notes for dump in dumps] == [
        ("its header says enwiki, it is taken as de",),
        (),
        ("its header says en, it is taken as fr", "it has no <siteinfo>: the usual rules for titles hold"),
        (),
    ]
    assert inspect(bare).language == "en"


def test_compression_is_known_by_content(tmp_path: Path) -> None:
    assert inspect(write(tmp_path / "en.xml", gzip.compress(export([])))).compression == "gz"


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("{d}/nowhere.xml", "nowhere.xml: no such file"),
        ("{d}", "is a folder; give files"),
        ("../x={d}/en.xml", r"'\.\./x' is no code of a language; give CODE=DUMP"),
        ("{d}/half.gz", r"half\.gz: cannot be read at all \(the file ends before its compressed data do\)"),
        ("{d}/none.xml", "its language is not known .* give CODE="),
        ("{d}/e?.xml", "given twice"),
    ],
)
def test_wrong_arguments(argument: str, message: str, tmp_path: Path) -> None:
    write(tmp_path / "en.xml")
    write(tmp_path / "half.gz", gzip.compress(export([]))[:12])
    write(tmp_path / "none.xml", b"<mediawiki></mediawiki>")
    with pytest.raises(UserError, match=message):
        open_dumps([str(tmp_path / "en.xml"), argument.format(d=tmp_path)])


def test_a_header_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairseq_xling_preprocess.wiki.dumps.dump.MAX_HEADER", 1 << 20)
    with pytest.raises(UserError, match="no page begins within its first 1,048,576 bytes"):
        inspect(write(tmp_path / "en.xml", b"<mediawiki>" + b" " * (3 << 20)))


@pytest.mark.parametrize(
    ("name", "dbname", "message"),
    [
        ("dewiktionary-2024.xml", "dewiktionary", "its name says dewiktionary, which is no Wikipedia; give CODE="),
        ("de.xml", "frwikibooks", "its header says frwikibooks, which is no Wikipedia"),
        ("commonswiki-2024.xml", "commonswiki", "its name says commonswiki"),
        ("dump.xml", "my_wiki", r"its language is not known \(my_wiki\)"),
    ],
)
def test_other_projects_are_taken_by_request_only(name: str, dbname: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, export([page(1, "A")], dbname=dbname))
    with pytest.raises(UserError, match=message):
        inspect(path)
    (dump,) = open_dumps([f"fr={path}"])
    assert (dump.language, dump.notes) == ("fr", (f"its header says {dbname}, it is taken as fr",))


def test_the_address_tells_the_project_where_an_old_header_has_no_database(tmp_path: Path) -> None:
    old = "<mediawiki xml:lang='de'><siteinfo><base>http://de.{}.org/wiki/A</base></siteinfo><page>"
    assert inspect(write(tmp_path / "x.xml", old.format("wikipedia").encode())).language == "de"
    with pytest.raises(UserError, match="its header says dewiktionary"):
        inspect(write(tmp_path / "y.xml", old.format("wiktionary").encode()))


@pytest.mark.parametrize(
    ("given", "language"), [("nb", "no"), ("be-x-old", "be-tarask"), ("yue", "zh-yue"), ("gsw", "als")]
)
def test_a_language_has_one_name(given: str, language: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x.xml", f"<mediawiki xml:lang='{given}'></mediawiki>".encode())
    assert [dump.language for dump in open_dumps([path])] == [language]
    assert [dump.language for dump in open_dumps([f"{given}={path}"])] == [language]


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "en.xml")
    with pytest.raises(UserError, match=r"en\.xml: not a regular file; .* write it to a file"):
        open_dumps([f"en={tmp_path}/en.xml"])


def test_other_tags_of_pages_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="its pages begin with <page >, not <page>"):
        inspect(write(tmp_path / "en.xml", export([page(1, "A").replace("<page>", "<page >")])))


def test_json_is_no_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairseq_xling_preprocess.wiki.dumps.dump.MAX_HEADER", 1 << 20)
    for size in (10, 3 << 20):
        with pytest.raises(UserError, match="is no MediaWiki export: it begins with"):
            inspect(write(tmp_path / "en.xml", b"[" + b" " * size + b"{}]"))
