"""Wikitext to clean text and anchors: small cases with the value that a reader sees."""

import random

import pytest

from fairseq_xling_preprocess.wiki.wikitext.grammar import Parser
from fairseq_xling_preprocess.wiki.wikitext.site import Site


def parsed(wikitext, language="en"):
    """The text, and (start, end, title) of every anchor."""
    result = Parser(Site(language)).parse(wikitext)
    return result.text, [tuple(anchor[:3]) for anchor in result.anchors]


@pytest.mark.parametrize(
    ("wikitext", "text", "anchors"),
    [
        # links
        ("p[[bee]]s", "pbees", [(1, 5, "Bee")]),
        ("[[Lake (Oz)|]] is", "Lake is", [(0, 4, "Lake (Oz)")]),
        ("[[Oz, Kansas|]] is", "Oz is", [(0, 2, "Oz, Kansas")]),
        ("[[a|b|c]]", "b|c", [(0, 3, "A")]),
        ("[[a| b ]]c", "b c", [(0, 3, "A")]),
        ("[[a|''b'']]c", "bc", [(0, 2, "A")]),
        ("[[a|<b>b</b> {{nowrap|c}}]]d", "b cd", [(0, 4, "A")]),
        ("[[a|b\nc]]", "b c", [(0, 3, "A")]),
        ("[[a|<ref>x</ref>]]b", "b", [(0, 1, "A")]),  # the trail is shown as the link
        ("[[a|<ref>x</ref>]] b", "b", []),  # nothing is
        ("[[a|b [[c]] d]]", "b c d", [(2, 3, "C")]),  # links do not nest: the inner one is one
        ("[[a [[b]] c", "[[a b c", [(4, 5, "B")]),
        ("[[{{x}}|b]]", "b", []),
        ("x&nbsp;[[y&amp;z]]", "x\u00a0y&z", [(2, 5, "Y&z")]),
        ("[[P#Q|q]]", "q", [(0, 1, "P")]),
        ("[[#Sec|below]]", "below", []),
        ("[[foo<!-- c -->|bar]]", "bar", [(0, 3, "Foo")]),
        ("[[a|[b]]] c", "[b] c", [(0, 3, "A")]),
        ("[[a|b&#10;c]]", "b c", [(0, 3, "A")]),
        # files, categories, other wikis
        ("x [[File:A.jpg|thumb|see [[Rye]] field]]y", "x y", []),
        ("Go [[:File:M.ogg|here]] now", "Go here now", []),
        ("[[:fr:Blé|wheat]] end", "wheat end", []),
        ("a[[Category:X]]b [[de:Y]]", "ab", []),
        ("a[[Category:X<!-- -->]]b [[File:x.jpg<!-- -->|thumb|The caption]]", "ab", []),
        # what is gone, without gluing words
        ("a{{x|{{y}}|[[z]]}}b", "a b", []),
        ("a<ref name='q'>[[z]]</ref>. B<ref name=q />", "a. B", []),
        ("a<!-- [[z]] -->b", "ab", []),
        ("a\n{|\n|-\n| [[z]]\n{|\n|x\n|}\n|}\nb", "a\nb", []),
        ("{{Box\n|a=\n{|\n|x\n|}\n|b=}}c", "c", []),
        ("<table><tr><td>[[z]]</table>c", "c", []),
        ("a <gallery>\nFile:x.jpg|[[z]]\n</gallery> b", "a b", []),
        ("E = <math>mc^2</math>!", "E = !", []),
        ("A ({{IPA}}, b) ({{x}}) ( c )", "A (b) ( c )", []),
        ("A {{x}}, b", "A, b", []),
        ("<span style='display:none'>k</span>a", "a", []),
        ("<div style='display:none'><div>x</div>k</div>a", "a", []),
        ('<ref name="a>b" /> x <ref>z</ref> end', "end", []),  # as MediaWiki reads it
        # what stays
        ("a <nowiki>[[no]] ''x''</nowiki> [[yes]]", "a [[no]] ''x'' yes", [(15, 18, "Yes")]),
        ("n {{lang|la|[[lex]]}} m", "n lex m", [(2, 5, "Lex")]),
        ("{{lang-de|Bär}} {{nihongo|Tokyo|東京|Tōkyō}} {{convert|5|km|mi}}", "Bär Tokyo (東京, Tōkyō) 5 km", []),
        ("{{nowrap|{{lang|la|[[lex]]}} {{x}}b}}", "lex b", [(0, 3, "Lex")]),
        ("{{lang|1=la|2=lex}}", "lex", []),
        ("{{nowrap|E{{=}}mc}} {{nowrap|a{{!}}b}}", "E=mc a|b", []),
        ("{{frac|2}} {{frac|3|4}} {{frac|1|1|2}}", "1/2 3/4 1 1/2", []),
        ("a {{quote|text=b}}", "a\nb", []),
        ("<nowiki><!-- x --></nowiki><pre>a <!-- y --></pre>", "<!-- x -->a <!-- y -->", []),
        ("== H [[a]] ==\n* one\n## two\n----\n: three", "H a\none\ntwo\nthree", [(2, 3, "A")]),
        ("a<br />b<sup>2</sup> <small>c</small>", "a\nb2 c", []),
        ("[https://x.org label] [https://x.org] https://x.org", "label https://x.org", []),
        ("l'''[[Avenir]]'' est '''gras'''", "l'Avenir est gras", [(2, 8, "Avenir")]),
        ("__NOTOC__ __init__ &lt;b&gt; &#91;&#91;x]]", "__init__ <b> [[x]]", []),
        ("{{unclosed [[d]]", "{{unclosed d", [(11, 12, "D")]),
        ("<ref>unclosed [[d]]", "unclosed d", [(9, 10, "D")]),
        ("{{{p|q}}}a", "a", []),
        ("a\ufdd0b\ufdd1", "ab", []),
    ],
)  # fmt: skip
def test_what_a_reader_sees(wikitext, text, anchors):
    assert parsed(wikitext) == (text, anchors)


@pytest.mark.parametrize(
    ("language", "wikitext", "text", "anchors"),
    [
        ("ja", "<ruby>漢<rt>かん</rt></ruby>字[[x]]", "漢字x", [(2, 3, "X")]),
        ("ja", "漢{{x}}字[[x]]は", "漢字xは", [(2, 3, "X")]),  # no blank, no trail
        ("ru", "в [[москва|Москв]]е", "в Москве", [(2, 8, "Москва")]),
        ("de", "[[Bild:x.jpg|[[a]]]][[Bär]]ß", "Bärß", [(0, 4, "Bär")]),
        ("zh", "-{zh-hant:中國;zh-hans:中国}-的-{T|x}-", "中国的", []),
        ("zh", "-{A|zh-cn:甲;zh-tw:乙}-", "甲", []),
        ("zh", "-{zh-hans;zh-hant|丙}--{丁|[[x]]}-", "丙x", [(1, 2, "X")]),
        ("en", "-{a}-", "-{a}-", []),  # has no converter
        ("sr", "-{[[x]]}-", "x", [(0, 1, "X")]),
    ],
)
def test_what_a_reader_of_another_language_sees(language, wikitext, text, anchors):
    assert parsed(wikitext, language) == (text, anchors)


def test_fragments_are_kept():
    (anchor,) = Parser(Site("en")).parse("[[#Sec|below]] [[P#Q_r|q]]").anchors
    assert anchor == (6, 7, "P", "Q r")


MARKS = ["[[", "]]", "{{", "}}", "{|", "|}", "|", "<ref>", "</ref>", "<!--", "-->", "<nowiki>", "</nowiki>", "'''", "''",
         "==", "\n", "\n*", " ", "a", "é", "(", ")", "&amp;", "[http://x", "]", "<table>", "</table>", "lang|la|",
         "File:x|", "-{", "}-", "zh-cn:", ";", "<br>", "__TOC__", "\t", "\u00a0"]  # fmt: skip


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_page_breaks_the_parser_or_an_offset(language):
    draw = random.Random(1)
    site = Site(language)
    parser = Parser(site)
    for _ in range(3000):
        page = "".join(draw.choices(MARKS, k=draw.randrange(40)))
        text, anchors = parser.parse(page)
        assert not any("\ufdd0" <= letter <= "\ufdef" for letter in text), page
        assert text == text.strip(" \n"), page
        assert "\n\n" not in text, page
        ends = [0]
        for start, end, title, _ in anchors:
            surface = text[start:end]
            assert surface == surface.strip() != "", page
            assert "\n" not in surface, page
            assert start >= ends[-1], page
            assert title == site.title(title), page
            ends.append(end)


@pytest.mark.parametrize(
    "mark", ["[[", "{{", "<ref>", "\n{|", "[[a|", "{{nowrap|", "[[File:a|", "{{lang|a|[[", "<nowiki>"]
)
def test_a_thousand_marks_within_each_other(mark):
    text, _ = parsed(mark * 1000)
    assert len(text) <= 1000 * len(mark)
    closing = {"[": "]]", "{": "}}"}.get(mark[0], "")
    parsed(mark * 1000 + "x" + closing * 1000)
