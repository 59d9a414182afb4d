"""Pages of real dumps, read by hand: the text and the links that a reader sees in the source, in seven languages and four scripts."""

import pytest

from fairseq_xling_preprocess.wiki.wikitext.grammar import Parser
from fairseq_xling_preprocess.wiki.wikitext.site import Site

from .pages import SHARED, pages

EN = "dumps/enwiki-2014.wp2txt.xml.bz2"
IT = "dumps/itwiki-2013.json-wikipedia.xml.gz"
LTG = "dumps/ltgwiki-2017.dumpster-dive.xml.gz"

# dump, language, title; the beginning of the text, with [shown→title] for each link in it; the end; the number of links on the page
PAGES = [
    (
        EN, "en", "Actrius",
        "Actrius ([Catalan→Catalan language]: Actresses) is a 1996 film directed by [Ventura Pons]. In the film, there are no male "
        "actors and the four leading actresses dubbed themselves in the Castilian version.\nSynopsis\nIn order to prepare the role of "
        "an important old actress, a theatre student interviews three actresses who were her pupils: an international diva (Glòria "
        "Marc, played by [Núria Espert]), a television star (Assumpta Roca, played by [Rosa Maria Sardà]) and a dubbing director "
        "(Maria Caminal, played by [Anna Lizaran]).\nExternal links\nFicha técnica",
        "Ficha técnica", 5,
    ),
    (
        EN, "en", "Animalia (book)",
        "Animalia is an illustrated [children's book→Children's literature] by [Graeme Base]. It was originally published in 1986, "
        "followed by a tenth anniversary edition in 1996 and a 25th anniversary edition in 2012. Over three million copies have been "
        "sold. A special numbered and signed anniversary edition was also published in 1996 with an embossed gold jacket.\nSynopsis\n"
        "Animalia is an [alliterative→Alliteration] [alphabet→Alphabet] book",
        "", 22,
    ),
    (
        EN, "en", "Alain Connes",
        "Alain Connes (born 1 April 1947) is a French [mathematician→Mathematician], currently Professor at the [Collège de France], "
        "[IHÉS], [The Ohio State University] and [Vanderbilt University].\nWork\nAlain Connes studies [operator algebras→Operator "
        "algebra]. In his early work on [von Neumann algebras→Von Neumann algebras] in the 1970s, he succeeded in obtaining the almost "
        "complete classification of injective [factors→Von Neumann algebra].",
        "", 35,
    ),
    (
        IT, "it", "Anni 1760",
        "Gli anni 1760, sono il decennio che comprende gli anni tra il [1760] e il [1769].\nEventi, invenzioni e scoperte\nNel mondo\n"
        "[1760]\nSecondo la cronologia di [Walt W. Rostow→Walt Whitman Rostow], in [Inghilterra] avviene ([1760] – [1780]) il [take "
        "off→Take off (economia)] della [Rivoluzione industriale→Rivoluzione industriale in Inghilterra].\n[1761]\n[1762]\n[1763]\n"
        "[Trattato di Parigi→Trattato di Parigi (1763)]. Termina la [Guerra dei sette anni].",
        "[1769]\nPersonaggi\n...\nAltri progetti", 34,
    ),
    (
        IT, "it", "Anni 1770",
        "Gli anni 1770, sono il decennio che comprende gli anni tra il [1770] e il [1779].\nEventi, invenzioni e scoperte\nNel mondo\n"
        "[1770]\n[29 aprile] - Il capitano britannico [James Cook] con la [HM Bark Endeavour] sbarca sulla costa orientale della Terra "
        "Australis nella zona da lui chiamata [Botany Bay].\n[1771]\n",
        "[1779]\nPersonaggi\n...\nAltri progetti", 29,
    ),
    (
        LTG, "ltg", "Aglyunys nūvods",
        "Aglyunys nūvods — [Latvejis→Latveja] administrativai teritoriskais padalīņs [Latgolā→Latgola], sasadorūšs nu četru pogostu.",
        "pogostu.", 2,
    ),
    (
        LTG, "ltg", "Albaneja",
        "Albaneja (alb.: Shqipëria) — vaļsteiba [Europā→Europa].\nViesture\nPolitika\nGeografeja\nDemografeja\nVerīs taipoš",
        "taipoš", 1,
    ),
    (
        "minidumps/sw.xml.bz2", "sw", "Berlin",
        "Berlin ni [mji mkuu→Mji mkuu], pia mji mkubwa na jimbo la kujitawala la [Ujerumani] ikiwa na wakazi 3.8 millioni. Berlin iko "
        "mashariki ya Ujerumani, palipo mto unaoitwa [Spree].\nBerlin ilianza kukua kama mji mkuu wa [Prussia]. Ilikuwa mji mkuu wa "
        "Ujerumani tangu kuundwa kwa [Dola la Ujerumani] mwaka [1871]. Kati ya 1949 na 1991 ilikuwa mji mkuu wa [Jamhuri ya "
        "Kidemokrasia ya Kijerumani].",
        "kwa [ukuta→Ukuta wa Berlin] kati ya sehemu za mashariki na magharibi.\nViungo vya nje\nTovuti rasmi", 8,
    ),
    (
        "minidumps/hi.xml.bz2", "hi", "बर्लिन",
        "बर्लिन [जर्मनी] की [राजधानी] और इसके 16 राज्यों में से एक है। यह बर्लिन-[ब्रैन्डनबर्ग] मेट्रोपोलिटन क्षेत्र के मध्य में, जर्मनी के "
        "उत्तर-पूर्वी भाग में स्थित है। इसकी जनसंख्या 34 लाख है। यह जर्मनी का सबसे बड़ा और [यूरोपीय संघ] का दूसरा सबसे बड़ा शहर है।",
        "", 40,
    ),
    (
        "minidumps/mn.xml.bz2", "mn", "Берлин",
        "Берлин (Berlin) нь [Германы→Герман] [нийслэл→Нийслэл] бөгөөд холбооны нэгдсэн 16 улсын нэг гэж тооцдог. 3.4 сая хүн амтай "
        "бөгөөд Германы хамгийн том хот юм. [Европын холбооны→Европын холбоо] хотууд дотор",
        "", 34,
    ),
    (
        "minidumps/bn.xml.bz2", "bn", "বার্লিন",
        "বার্লিন (Berlin বেয়ালিন্‌) [জার্মানির→জার্মানি] রাজধানী, এবং [ইউরোপ] মহাদেশের একটি ঐতিহাসিক শহর।",
        "বার্লিন ভ্রমণ সহায়িকা", 5,
    ),
]  # fmt: skip


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the real dumps in ../shared/data/wiki")
@pytest.mark.parametrize(
    ("dump", "language", "title", "begin", "end", "num_links"), PAGES, ids=[page[2] for page in PAGES]
)
def test_a_page_reads_as_it_does_for_a_person(dump, language, title, begin, end, num_links):
    wikitext = dict(reversed(pages(SHARED / dump)))[title]
    text, anchors = Parser(Site(language)).parse(wikitext)
    shown = []
    position = 0
    for anchor in anchors:
        surface = text[anchor.start : anchor.end]
        link = surface if surface == anchor.title else f"{surface}→{anchor.title}"
        shown += [text[position : anchor.start], f"[{link}]"]
        position = anchor.end
    marked = "".join([*shown, text[position:]])
    assert marked[: len(begin)] == begin
    assert marked[len(marked) - len(end) :] == end
    assert len(anchors) == num_links
