"""The grammar against mwparserfromhell on real pages."""

import re
from collections import Counter

import pytest

from benchmarks.wikitext_oracle import Oracle
from fairseq_xling_preprocess.wiki.wikitext.grammar import Parser
from fairseq_xling_preprocess.wiki.wikitext.site import Site

from .pages import SHARED, pages

pytest.importorskip("mwparserfromhell")

DUMPS = {
    "en": "enwiki-2014.wp2txt.xml.bz2",
    "it": "itwiki-2013.json-wikipedia.xml.gz",
    "ja": "jawiki-2022.wp2txt.xml.bz2",
    "ltg": "ltgwiki-2017.dumpster-dive.xml.gz",
}


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the real dumps in ../shared/data/wiki")
@pytest.mark.parametrize("language", DUMPS)
def test_two_parsers_agree_on_words_and_links(language):
    """Every sixteenth article; where they differ, the oracle mostly left mark-up in the text (docs/wiki.md)."""
    site = Site(language)
    parser, oracle = Parser(site), Oracle(site)
    words, links = [0, 0, 0], [0, 0, 0]  # shared, ours, the oracle's
    for _, wikitext in pages(SHARED / "dumps" / DUMPS[language])[::16]:
        text, anchors = parser.parse(wikitext)
        their_text, their_links = oracle.parse(wikitext)
        compare(words, re.findall(r"\w+", text), re.findall(r"\w+", their_text))
        compare(links, [anchor.title for anchor in anchors], [title for shown, title in their_links if shown])
    assert 2 * words[0] / (words[1] + words[2]) >= 0.985
    assert links[0] / links[2] >= 0.99
    assert links[0] / links[1] >= 0.999


def compare(counts, ours, theirs):
    shared = Counter(ours) & Counter(theirs)
    for index, number in enumerate((shared.total(), len(ours), len(theirs))):
        counts[index] += number
