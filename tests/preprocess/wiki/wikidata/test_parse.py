"""Entities to rows: ranks, both data models, and what is no entity."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fairseq_xling_preprocess.wiki.wikidata.parse import Parsed, Parser


def statement(value: Any, rank: str = "normal", datatype: str = "wikibase-item") -> dict[str, Any]:
    """A statement that names an entity, or one with "somevalue" or "novalue"."""
    snak: dict[str, Any] = {"snaktype": "value", "datatype": datatype}
    if value in ("somevalue", "novalue"):
        snak["snaktype"] = value
    else:
        snak["datavalue"] = {"type": "wikibase-entityid", "value": {"id": value}}
    return {"mainsnak": snak, "rank": rank}


def item(name: str, claims: Any = None, **more: Any) -> dict[str, Any]:
    return {"type": "item", "id": name, "claims": claims or {}, **more}


def parse(*entities: Any, languages: tuple[str, ...] = ("en",), **known: Any) -> Parsed:
    return Parser(languages).parse(b",\n".join(json.dumps(entity).encode() for entity in entities), **known)


def rows(parsed: Parsed, table: str) -> list[tuple[str, ...]]:
    return list(zip(*[column.to_pylist() for column in parsed.tables[table].columns], strict=True))


N, P, D = "normal", "preferred", "deprecated"


@pytest.mark.parametrize(
    ("claims", "objects"),
    [
        ([("Q5", N), ("Q6", P), ("Q7", D), ("somevalue", N)], ["Q6"]),
        ([("Q5", N), ("Q6", N)], ["Q5", "Q6"]),
        ([("Q5", D)], []),
        ([("Q5", D), ("Q6", N)], ["Q6"]),
        ([("novalue", N)], []),
        ([("somevalue", N), ("Q5", N)], ["Q5"]),
        # the best is that it is not known
        ([("somevalue", P), ("Q5", N)], []),
        ([("Q5", N), ("Q5", N)], ["Q5"]),
        ([("Q5", P)], ["Q5"]),
    ],
)
def test_the_best_rank(claims: list[tuple[str, str]], objects: list[str]) -> None:
    parsed = parse(item("Q1", {"P1": [statement(*claim) for claim in claims]}))
    assert rows(parsed, "triples") == [("Q1", "P1", name) for name in objects]
    # every statement is a triple or is counted
    left_out = sum(number for (what, _), number in parsed.counts.items() if what == "left out")
    assert len(claims) == len(objects) + left_out


def test_the_rank_is_of_one_property() -> None:
    parsed = parse(item("Q1", {"P1": [statement("Q5", P)], "P2": [statement("Q6")]}))
    assert rows(parsed, "triples") == [("Q1", "P1", "Q5"), ("Q1", "P2", "Q6")]


def test_only_items_are_objects() -> None:
    parsed = parse(
        item(
            "Q1",
            {
                "P1": [statement("P2", datatype="wikibase-property")],
                "P3": [statement("L4", datatype="wikibase-lexeme"), statement("L4-F1", datatype="wikibase-form")],
                "P5": [{"mainsnak": {"snaktype": "value", "datatype": "string", "datavalue": {"value": "Q7"}}}],
            },
        )
    )
    assert rows(parsed, "triples") == []
    assert parsed.counts["left out", "statements: a property as object"] == 1
    assert parsed.counts["left out", "statements: a lexeme as object"] == 2


def test_the_data_model_of_2014() -> None:
    def old(value: Any, kind: str = "wikibase-entityid") -> dict[str, Any]:
        return {"mainsnak": {"snaktype": "value", "datavalue": {"type": kind, "value": value}}, "rank": "normal"}

    novalue = {"mainsnak": {"snaktype": "novalue"}, "rank": "normal"}
    parsed = parse(
        item(
            "Q1",
            {
                "P1": [novalue, old({"entity-type": "item", "numeric-id": 64})],
                "P2": [novalue, old("Q5", "string")],
                "P3": [old({"entity-type": "property", "numeric-id": 64})],
                "P4": [novalue],
            },
        )
    )
    assert rows(parsed, "triples") == [("Q1", "P1", "Q64")]
    assert parsed.counts["left out", "statements: a property as object"] == 1


def test_sitelinks_of_wikipedias_only() -> None:
    sites = {"enwiki": "A b", "be_x_oldwiki": "Б", "commonswiki": "A", "enwikivoyage": "A", "nowiki": "Å"}
    parsed = parse(item("Q1", sitelinks={site: {"site": site, "title": title} for site, title in sites.items()}))
    assert rows(parsed, "sitelinks") == [("en", "A b", "Q1"), ("be-tarask", "Б", "Q1"), ("no", "Å", "Q1")]
    assert parsed.counts["other sites", "commonswiki"] == parsed.counts["other sites", "enwikivoyage"] == 1


def test_labels_in_the_languages_asked_for() -> None:
    labels = {"en": {"value": "one"}, "fr": {"value": "un"}}
    everywhere = {"mul": {"value": "1"}}
    parsed = parse(
        item("Q1", labels=labels), item("Q2", labels=everywhere), item("Q3", labels=[]),
        {"type": "property", "id": "P1", "labels": labels}, languages=("en", "de"),
    )  # fmt: skip
    assert rows(parsed, "labels") == [("Q1", "en", "one"), ("Q2", "en", "1"), ("Q2", "de", "1")]
    assert rows(parsed, "properties") == [("P1", "en", "one")]
    assert (parsed.items.tolist(), parsed.properties.tolist()) == ([1, 2, 3], [1])
    assert parsed.counts["labels: mul instead", "de"] == 1
    assert parsed.counts["labels: none", "de"] == 2


def test_entities_with_little_to_them() -> None:
    parsed = parse({"id": "Q1"}, {"type": "item"}, {}, {"type": "lexeme", "id": "L1"}, {"id": "P2", "claims": []})
    assert (parsed.items.tolist(), parsed.properties.tolist(), parsed.bad) == ([1], [2], [])
    assert parsed.counts["left out", "entities: without id"] == 2
    assert parsed.counts["left out", "entities: lexeme"] == 1


def test_of_a_repeated_entity_the_first_counts() -> None:
    label = {"en": {"value": "first"}}
    parsed = parse(item("Q1", labels=label), item("Q1", labels={"en": {"value": "second"}}), item("Q2"), items=[2])
    assert rows(parsed, "labels") == [("Q1", "en", "first")]
    assert parsed.items.tolist() == [1]
    assert parsed.counts["left out", "entities: repeated"] == 2


@pytest.mark.parametrize(
    "line",
    [
        '{"id": "Q2", "sitelinks"',
        '"Q2"',
        "12",
        '{"id": 2}',
        '{"id": "Q0"}',
        '{"id": "Q2/../x"}',
        '{"id": "Q٢"}',
        '{"id": "Q99999999999"}',
        '{"id": "Q2", "sitelinks": {"enwiki": {"title": "T"}, "dewiki": {"title": 3}}}',
        '{"id": "Q2", "sitelinks": {"enwiki": "T"}}',
        '{"id": "Q2", "claims": {"P1": [{"rank": "normal"}]}}',
        '{"id": "Q2", "claims": [1]}',
        '{"id": "Q2", "labels": {"en": {"value": "\\ud800"}}}',
        "[" * 5000,
    ],
)
def test_a_bad_line_is_named_and_leaves_nothing(line: str) -> None:
    good = json.dumps(item("Q1", labels={"en": {"value": "good"}}))
    parsed = Parser(["en"]).parse(f"[\n{good},\n{line},\n\n{good.replace('Q1', 'Q3')}\n]\n".encode())
    assert [bad.line for bad in parsed.bad] == [2]
    assert rows(parsed, "labels") == [("Q1", "en", "good"), ("Q3", "en", "good")]
    assert rows(parsed, "sitelinks") == rows(parsed, "triples") == []
    assert parsed.items.tolist() == [1, 3]


def test_an_array_on_one_line() -> None:
    parsed = Parser(["en"]).parse(b'[{"id": "Q1"},{"id": "Q2"}]')
    assert parsed.items.tolist() == [1, 2]


def test_nothing_of_a_bad_line_is_taken_or_counted() -> None:
    commons = {"commonswiki": {"title": "X"}}
    bad = [item("Q40", sitelinks=commons), item("Q41", sitelinks={**commons, "enwiki": {}})]
    parsed = parse(bad, item("Q40", sitelinks={"enwiki": {"title": "Austria"}}))
    assert rows(parsed, "sitelinks") == [("en", "Austria", "Q40")]
    assert parsed.items.tolist() == [40]
    assert [line.line for line in parsed.bad] == [0]
    assert parsed.counts.keys() == {("labels: none", "en")}


def test_a_sitelink_without_a_title_is_left_out() -> None:
    parsed = parse(item("Q1", sitelinks={"enwiki": {"title": ""}, "dewiki": {"title": "X"}}))
    assert rows(parsed, "sitelinks") == [("de", "X", "Q1")]
    assert parsed.counts["left out", "sitelinks: without a title"] == 1
