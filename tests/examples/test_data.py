"""The example corpus: its dumps are well formed, linked and aligned, and text/ is derived from them."""

import importlib.util
import json
import re
from pathlib import Path

import mwparserfromhell
import pytest

DATA = Path(__file__).resolve().parents[2] / "examples" / "data"
WIKIDATA_LINES = (DATA / "wikidata.json").read_text(encoding="utf-8").splitlines()

spec = importlib.util.spec_from_file_location("derive_example_data", DATA / "derive.py")
assert spec is not None
assert spec.loader is not None
derive = importlib.util.module_from_spec(spec)
spec.loader.exec_module(derive)

DUMPS = {language: derive.read_dump(DATA / "wiki" / f"{language}.xml") for language in derive.LANGUAGES}
ENTITIES = dict(derive.read_sitelinks(DATA / "wikidata.json"))


def text_lines(split: str, language: str) -> list[str]:
    return (DATA / "text" / f"{split}.{language}").read_text(encoding="utf-8").splitlines()


def link_targets(wikitext: str, category_names: set[str]) -> set[str]:
    """Targets of the links to articles, in the wiki's first-letter upper case."""
    titles = (str(link.title) for link in mwparserfromhell.parse(wikitext).filter_wikilinks())
    return {title[0].upper() + title[1:] for title in titles if title.split(":")[0] not in category_names}


def test_text_is_what_the_dumps_say(capsys):
    assert derive.main(["--check"]) == 0, capsys.readouterr().err


def test_check_reports_a_changed_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(derive, "HERE", tmp_path)
    monkeypatch.setattr(derive, "derive", lambda: {"train.en": ["A sentence."]})
    assert derive.main(["--check"]) == 1
    assert "train.en" in capsys.readouterr().err
    assert derive.main([]) == 0
    assert derive.main(["--check"]) == 0


def test_size():
    assert len(derive.LANGUAGES) >= 5
    assert len(ENTITIES) >= 48


@pytest.mark.parametrize("language", derive.LANGUAGES)
def test_every_sitelink_has_its_page_and_every_page_its_sitelink(language):
    assert {titles[language] for titles in ENTITIES.values()} == set(DUMPS[language][0])


@pytest.mark.parametrize("entity", ENTITIES)
def test_articles_have_the_same_number_of_sentences(entity):
    counts = set()
    for language, title in ENTITIES[entity].items():
        articles, _, category_names = DUMPS[language]
        counts.add(len(derive.sentences(articles[title], category_names)))
    assert len(counts) == 1
    assert counts.pop() >= 6


@pytest.mark.parametrize("language", derive.LANGUAGES)
def test_links_resolve(language):
    articles, redirects, category_names = DUMPS[language]
    assert set(redirects.values()) <= set(articles)
    assert not set(redirects) & set(articles)
    for title, wikitext in articles.items():
        resolved = {redirects.get(target, target) for target in link_targets(wikitext, category_names)}
        assert resolved <= set(articles), title
        assert len(resolved - {title}) >= 3, title


def test_linked_entities_agree_between_languages():
    pages = {lang: {titles[lang]: entity for entity, titles in ENTITIES.items()} for lang in derive.LANGUAGES}
    for entity, titles in ENTITIES.items():
        linked = set()
        for language, title in titles.items():
            articles, redirects, category_names = DUMPS[language]
            targets = link_targets(articles[title], category_names)
            linked.add(frozenset(pages[language][redirects.get(target, target)] for target in targets))
        assert len(linked) == 1, entity


def test_wikidata_is_one_entity_a_line():
    assert WIKIDATA_LINES[0] == "["
    assert WIKIDATA_LINES[-1] == "]"
    body = WIKIDATA_LINES[1:-1]
    assert all(line.endswith("},") for line in body[:-1])
    assert body[-1].endswith("}")
    identifiers = [json.loads(line.rstrip(","))["id"] for line in body]
    assert len(set(identifiers)) == len(identifiers)


def test_claims_refer_to_described_entities():
    entities = {entity["id"]: entity for entity in json.loads("\n".join(WIKIDATA_LINES))}
    for entity in entities.values():
        assert set(entity["labels"]) == set(derive.LANGUAGES)
        assert entity["type"] == ("property" if entity["id"].startswith("P") else "item")
        for property_id, statements in entity["claims"].items():
            assert entities[property_id]["type"] == "property"
            for statement in statements:
                snak = statement["mainsnak"]
                value = snak["datavalue"]["value"]
                assert snak["property"] == property_id
                assert statement["id"].startswith(entity["id"] + "$")
                assert value["id"] == f"Q{value['numeric-id']}"
                assert entities[value["id"]]["type"] == "item"


def test_text_is_aligned_and_clean():
    for split in ("train", "valid"):
        assert len({len(text_lines(split, language)) for language in derive.LANGUAGES}) == 1
    assert len(text_lines("valid", "en")) == len(ENTITIES)
    for language in derive.LANGUAGES:
        lines = text_lines("train", language) + text_lines("valid", language)
        assert len(set(lines)) == len(lines)
        assert not [line for line in lines if re.search(r"\[\[|\]\]|'''|==|[{}|<>]", line)]


def test_an_article_that_lacks_a_sentence_is_reported(tmp_path):
    (tmp_path / "wiki").mkdir()
    for language in derive.LANGUAGES:
        dump = (DATA / "wiki" / f"{language}.xml").read_text(encoding="utf-8")
        if language == "es":
            dump = dump.replace("Toca [[Suiza]]", "\n\nToca. \nOtra frase", 1)
        (tmp_path / "wiki" / f"{language}.xml").write_text(dump, encoding="utf-8")
    (tmp_path / "wikidata.json").write_text("\n".join(WIKIDATA_LINES), encoding="utf-8")
    with pytest.raises(derive.DataError, match=r"Q584: unequal numbers of sentences.*'es': 8"):
        derive.derive(tmp_path)
