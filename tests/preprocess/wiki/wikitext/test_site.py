"""Titles and links by the rules of a wiki."""

import pytest

from fairseq_xling_preprocess.wiki.wikitext.site import Kind, Link, Namespace, Site, SiteInfo


@pytest.mark.parametrize(
    ("language", "text", "title"),
    [
        ("en", " bee_keeping  today ", "Bee keeping today"),
        ("ru", "москва", "Москва"),
        ("de", "ßmarkt", "ßmarkt"),
        ("tr", "istanbul", "İstanbul"),
        ("en", "istanbul", "Istanbul"),
        ("ka", "თბილისი", "თბილისი"),
        ("el", "όλυμπος", "Όλυμπος"),
        ("fr", "e\u0301cole", "École"),  # composed, as MediaWiki stores it
        ("he", "\u200eירושלים\u200f", "ירושלים"),
    ],
)
def test_a_title_is_normalised_by_its_language(language, text, title):
    assert Site(language).title(text) == title


def test_a_wiki_may_tell_small_from_capital_first_letters():
    site = Site("jbo", SiteInfo(case="case-sensitive"))
    assert site.title("cacra") == "cacra"
    first_letter = SiteInfo(case="case-sensitive", namespaces=(Namespace(0, "", "first-letter"),))
    assert Site("en", first_letter).title("bee") == "Bee"


@pytest.mark.parametrize(
    ("target", "kind", "link"),
    [
        ("bee", Kind.ARTICLE, Link("Bee", "")),
        (":bee", Kind.ARTICLE, Link("Bee", "")),
        ("Bee#Life_cycle", Kind.ARTICLE, Link("Bee", "Life cycle")),
        ("y&amp;z", Kind.ARTICLE, Link("Y&z", "")),
        ("A%20B%C3%A9", Kind.ARTICLE, Link("A Bé", "")),
        ("100%", Kind.ARTICLE, Link("100%", "")),
        ("%FF", Kind.ARTICLE, Link("%FF", "")),  # not UTF-8: as it stands
        ("Star Wars: Episode I", Kind.ARTICLE, Link("Star Wars: Episode I", "")),
        ("en:Bee", Kind.ARTICLE, Link("Bee", "")),  # the wiki itself
        ("#Life", Kind.TEXT, None),
        ("a<b", Kind.TEXT, None),
        ("é" * 128, Kind.TEXT, None),  # 256 bytes
        ("fr:Abeille", Kind.HIDDEN, None),
        (":fr:Abeille", Kind.TEXT, None),
        ("be-tarask:Пчала", Kind.HIDDEN, None),
        ("wikt:bee", Kind.TEXT, None),
        ("Category:Bees", Kind.HIDDEN, None),
        (":Category:Bees", Kind.TEXT, None),
        ("image : Bee.jpg", Kind.FILE, None),
        (":File:Bee.jpg", Kind.TEXT, None),
        ("user_talk:Bee", Kind.TEXT, None),
    ],
)
def test_what_a_link_is(target, kind, link):
    assert Site("en").resolve(target) == (kind, link)


def test_namespaces_have_the_names_of_the_wiki():
    info = SiteInfo(namespaces=(Namespace(14, "Nodaļa", "first-letter"), Namespace(102, "Projekts", "first-letter")))
    site = Site("xx", info)
    assert site.resolve("nodaļa:Bites")[0] is Kind.HIDDEN
    assert site.resolve("Projekts:Bites") == (Kind.TEXT, None)
    assert Site("yy").article("Projekts:Bites") == Link("Projekts:Bites", "")


@pytest.mark.parametrize(("language", "target"), [("de", "Bild:a.jpg"), ("vi", "Tập_tin:a.jpg"), ("ja", "画像:a.jpg")])
def test_files_have_local_names_also_where_the_header_lacks_them(language, target):
    assert Site(language).resolve(target)[0] is Kind.FILE
