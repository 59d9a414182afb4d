"""Entities of a Wikidata JSON dump, one a line, to rows: sitelinks, triples of best rank, labels, properties.

Format: https://doc.wikimedia.org/Wikibase/master/php/docs_topics_json.html; also that of 2014, whose values of type
``wikibase-entityid`` have a ``numeric-id`` and no ``id``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa

from ..schemas import LABELS, PROPERTIES, SITELINKS, TRIPLES
from ..tables import batch
from ..wikipedias import language_of
from .ids import is_item, is_property, number_of

TABLES = {"sitelinks": SITELINKS, "triples": TRIPLES, "labels": LABELS, "properties": PROPERTIES}
ANY_LANGUAGE = "mul"  # the label for all languages that have none of their own

Counts = Counter[tuple[str, str]]
"""How often, by what and which: ("other sites", "commonswiki"), ("left out", "entities: without id")."""

_NO_VALUE = "no value, or an unknown one"
_OTHER_VALUES = {"P": "a property", "L": "a lexeme"}
_LETTERS = {"item": "Q", "property": "P"}  # of ids, by type of entity


class BadLine(NamedTuple):
    """A line of which nothing was taken or counted; ``line`` counts from 0 in the text parsed."""

    line: int
    reason: str


class Parsed(NamedTuple):
    """Rows by table, the numbers of the items and properties that they are of (int32), counts, and bad lines."""

    tables: dict[str, pa.RecordBatch]
    items: np.ndarray
    properties: np.ndarray
    counts: Counts
    bad: list[BadLine]


class Parser:
    """Parses lines of a dump; labels are taken in ``label_languages``."""

    def __init__(self, label_languages: Sequence[str]) -> None:
        self._label_languages = label_languages
        self._languages: dict[str, str | None] = {}  # of sites

    def parse(self, text: bytes, items: Collection[int] = (), properties: Collection[int] = ()) -> Parsed:
        """The rows of some lines; never raises.

        Of an entity that comes twice the first counts; ``items`` and ``properties`` have come already.
        """
        self._counts: Counts = Counter()
        self._rows: dict[str, list[list[str]]] = {name: [[] for _ in schema] for name, schema in TABLES.items()}
        known = {"Q": set(items), "P": set(properties)}
        self._new: dict[str, set[int]] = {"Q": set(), "P": set()}
        bad = []
        counts, self._counts = self._counts, Counter()  # of all lines, of this line
        for number, line in enumerate(text.split(b"\n")):
            line = line.strip().rstrip(b",")
            if len(line) < 2:  # blank, or a bracket of the array
                continue
            self._counts.clear()
            self._added: list[tuple[str, int]] = []
            lengths = [len(columns[0]) for columns in self._rows.values()]
            try:
                entities = orjson.loads(line)
                for entity in entities if isinstance(entities, list) else (entities,):
                    self._add(entity, known)
                for key, count in self._counts.items():
                    counts[key] += count
            except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
                not_json = isinstance(error, orjson.JSONDecodeError)
                bad.append(BadLine(number, f"not JSON ({error})" if not_json else "not as Wikibase writes entities"))
                for columns, length in zip(self._rows.values(), lengths, strict=True):
                    for column in columns:
                        del column[length:]
                for letter, added in self._added:
                    self._new[letter].discard(added)
        tables = {name: batch(TABLES[name], columns) for name, columns in self._rows.items()}
        items_found, properties_found = (np.fromiter(self._new[letter], np.int32) for letter in "QP")
        return Parsed(tables, items_found, properties_found, counts, bad)

    def _add(self, entity: dict[str, Any], known: dict[str, set[int]]) -> None:
        name = entity.get("id")
        if not name:
            self._counts["left out", "entities: without id"] += 1
            return
        letter = name[0]
        if letter not in known:
            self._counts["left out", f"entities: {entity.get('type')}"] += 1
            return
        number = number_of(name)
        if number in known[letter] or number in self._new[letter]:
            self._counts["left out", "entities: repeated"] += 1
            return
        # "or": Wikibase has written empty maps as []
        if letter == "Q":
            self._add_sitelinks(name, entity.get("sitelinks") or {})
            self._add_claims(name, entity.get("claims") or {})
        self._add_labels("labels" if letter == "Q" else "properties", name, entity.get("labels") or {})
        self._new[letter].add(number)
        self._added.append((letter, number))

    def _add_sitelinks(self, item: str, sitelinks: dict[str, Any]) -> None:
        languages, titles, entities = self._rows["sitelinks"]
        for site, link in sitelinks.items():
            try:
                language = self._languages[site]
            except KeyError:
                language = self._languages[site] = language_of(site)
            if language is None:
                self._counts["other sites", site] += 1
            else:
                title = _text(link["title"])
                if not title.strip():
                    self._counts["left out", "sitelinks: without a title"] += 1
                    continue
                languages.append(language)
                titles.append(title)
                entities.append(item)
        if not sitelinks:
            self._counts["items", "without sitelinks"] += 1

    def _add_claims(self, item: str, claims: dict[str, Any]) -> None:
        subjects, relations, objects = self._rows["triples"]
        for relation, statements in claims.items():
            if not _name_entities(statements):
                continue
            if not is_property(relation):
                raise ValueError(relation)
            for value in self._best(statements):
                if is_item(value):
                    subjects.append(item)
                    relations.append(relation)
                    objects.append(value)
                else:
                    self._leave_out(f"{_OTHER_VALUES.get(value[0], 'another value')} as object")

    def _best(self, statements: list[dict[str, Any]]) -> Sequence[str]:
        """The entities that statements of one property name, each once: those of rank preferred if any, else normal."""
        if len(statements) == 1 and statements[0].get("rank") == "normal":  # most
            value = _entity(statements[0]["mainsnak"])
            if value is None:
                self._leave_out(_NO_VALUE)
                return ()
            return (value,)
        ranks: dict[str, list[str | None]] = {"preferred": [], "normal": [], "deprecated": []}
        for statement in statements:
            ranks[statement.get("rank", "normal")].append(_entity(statement["mainsnak"]))
        self._leave_out("deprecated", len(ranks["deprecated"]))
        if ranks["preferred"]:
            self._leave_out("normal beside preferred", len(ranks["normal"]))
        best = ranks["preferred"] or ranks["normal"]
        values = [value for value in dict.fromkeys(best) if value is not None]
        self._leave_out(_NO_VALUE, best.count(None))
        self._leave_out("repeated with other qualifiers", len(best) - best.count(None) - len(values))
        return values

    def _leave_out(self, kind: str, number: int = 1) -> None:
        if number:
            self._counts["left out", f"statements: {kind}"] += number

    def _add_labels(self, table: str, name: str, labels: dict[str, Any]) -> None:
        names, languages, texts = self._rows[table]
        for language in self._label_languages:
            label = labels.get(language)
            if label is None:
                label = labels.get(ANY_LANGUAGE)
                self._counts[f"{table}: {ANY_LANGUAGE} instead" if label else f"{table}: none", language] += 1
            if label is not None:
                names.append(name)
                languages.append(language)
                texts.append(_text(label["value"]))


def _name_entities(statements: list[dict[str, Any]]) -> bool:
    """Whether the values of these statements, which are of one property and so of one type, are entities."""
    for statement in statements:
        snak = statement["mainsnak"]
        if "datatype" in snak:
            return bool(snak["datatype"].startswith("wikibase-"))
        if "datavalue" in snak:  # 2014
            return bool(snak["datavalue"]["type"] == "wikibase-entityid")
    return False


def _entity(snak: dict[str, Any]) -> str | None:
    """The id of the entity that is the value; None where it is unknown or there is none."""
    if snak["snaktype"] != "value":
        return None
    value = snak["datavalue"]["value"]
    return _text(value["id"]) if "id" in value else f"{_LETTERS[value['entity-type']]}{value['numeric-id']}"


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError(value)
    return value
