"""Pages and headers from XML, good and bad."""

from __future__ import annotations

import pytest

from fairseq_xling_preprocess.errors import UserError
from fairseq_xling_preprocess.wiki.dumps.pages import Broken, Page, read_header, read_pages
from fairseq_xling_preprocess.wiki.wikitext.site import Namespace
from tests.preprocess.wiki.dumps.exports import export, page


def header_of(data: bytes) -> bytes:
    return data.partition(b"<page>")[0]


def test_a_header() -> None:
    info = read_header(header_of(export([page(1, "A")], dbname="dewiki")), "x")
    assert (info.dbname, info.language, info.case) == ("dewiki", "en", "first-letter")
    assert info.namespaces[1:] == (Namespace(1, "Talk", "first-letter"), Namespace(14, "Category", "first-letter"))
    assert read_header(export([], site=False), "x").namespaces == ()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "x: the file is empty"),
        (b" \n", "x: the file is empty"),
        (export([]).decode().encode("utf-16"), "is UTF-16; convert .*iconv"),
        (export([]).decode().encode("utf-16-be"), "is UTF-16"),
        (b"<!DOCTYPE html>\n<html><head>", "is an HTML page, not a dump"),
        (b"\xef\xbb\xbf <HTML>", "is an HTML page"),
        (b"a line of text", "is no MediaWiki export: it begins with"),
        (b"<osm></osm>", "its first element is <osm>, not <mediawiki>"),
        (b"<?xml version='1.0' encoding='ISO-8859-1'?><mediawiki/>", "is ISO-8859-1; convert"),
        (b'<!DOCTYPE m [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><mediawiki>&b;', r"declares a document type \(m\)"),
        (b'<!DOCTYPE m [<!ENTITY e SYSTEM "file:///etc/passwd">]><mediawiki>&e;', "declares a document type"),
        (b'<mediawiki><siteinfo><namespaces><namespace key="../x">', "key '../x' of a <namespace> is no number"),
    ],
)
def test_what_is_no_dump(data: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_header(data, "x")


def test_pages() -> None:
    data = export([page(1, "A & B", "x&nbsp;[[y]]"), page(2, "C", redirect="A & B"), page(3, "Talk:C", "t", ns=1)])
    assert list(read_pages(data)) == [
        Page(1, 0, "A & B", None, "wikitext", "x&nbsp;[[y]]"),
        Page(2, 0, "C", "A & B", "wikitext", ""),
        Page(3, 1, "Talk:C", None, "wikitext", "t"),
    ]


def test_other_versions_of_the_format() -> None:
    # 0.3: neither <ns>, <model> nor <redirect>; 0.11: a second slot; a full history: the last revision
    old = b"<page><title>A</title><id>1</id><revision><id>7</id><text>one</text></revision><revision><text>two</text></revision></page>"
    new = (
        b"<page><title>B</title><ns>0</ns><id>2</id><revision><model>wikitext</model><text bytes='1'>b</text>"
        b"<content><role>mediainfo</role><model>json</model><text>{}</text></content></revision></page>"
    )
    prefixed = b"<page><m:title>C</m:title><m:id>3</m:id><m:revision><m:text>c</m:text></m:revision></page>"
    assert list(read_pages(old + new + prefixed)) == [
        Page(1, None, "A", None, "", "two"),
        Page(2, 0, "B", None, "wikitext", "b"),
        Page(3, None, "C", None, "", "c"),
    ]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (page(2, "B", "caf\xe9 x").encode("latin-1"), "not well-formed (invalid token)"),
        (page(2, "B", "x").encode().replace(b"</text>", b""), "mismatched tag"),
        (page(2, "B", "x").encode().replace(b"</page>", b""), "it has no end"),
        (page(2, "B", "Z").encode().replace(b"Z", b"&bomb;"), "undefined entity"),
        (page(2, "B", "x").encode().replace(b"<id>2</id>", b"<id>../2</id>"), "its id '../2' is no number"),
        (page(2, " ", "x").encode(), "it has no title"),
        (page(2, "B", "x").encode().replace(b"<page>", b""), "mismatched tag"),
    ],
)
def test_a_damaged_page_costs_no_other(bad: bytes, reason: str) -> None:
    first, last = page(1, "A", "a").encode(), page(3, "C", "c").encode()
    found = list(read_pages(first + bad + last, offset=1000))
    assert [item.page_id for item in found if isinstance(item, Page)] == [1, 3]
    (broken,) = [item for item in found if isinstance(item, Broken)]
    assert broken.reason == reason
    begin = 1000 + len(first)
    assert broken.offset == begin + 2 if b"<page>" in bad else begin < broken.offset < begin + len(bad)


def test_two_dumps_joined_are_read_as_one() -> None:
    data = export([page(1, "A")]) + b"<?xml version='1.0'?>\n" + export([page(2, "B")]) + export([page(3, "C")])
    assert [item.page_id for item in read_pages(data) if isinstance(item, Page)] == [1, 2, 3]
    assert not [item for item in read_pages(data) if isinstance(item, Broken)]


def test_time_is_linear_in_damaged_pages() -> None:
    found = list(read_pages(b"<page><x></page>" * 50_000))
    assert len(found) == 50_000
    assert all(isinstance(item, Broken) for item in found)
