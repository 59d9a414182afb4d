"""Every file of ../shared/data/downstream: it is read, and has as many examples as its index says."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fairseq_xling.finetuning.readers.classification import read_pawsx, read_sick, read_xnli
from fairseq_xling.finetuning.readers.squad import read_squad
from fairseq_xling.finetuning.readers.tagging import read_absa, read_conll, read_conllu, read_uner, read_wikiann
from fairseq_xling.metrics.iob import to_iob2


def named(template: str, languages: str, *counts: int) -> dict[str, int]:
    """File name -> count; one count for all languages, or one for each."""
    codes = languages.split()
    return {
        template.format(code): count for code, count in zip(codes, counts * (len(codes) // len(counts)), strict=True)
    }


MLQA = ("ar de es hi vi zh", 517, 512, 500, 507, 511, 504)
ABSA = "en es fr nl ru tr"

# folder -> (reader, {file: number of examples})
FILES: dict[str, tuple[Callable[[str], Iterator], dict[str, int]]] = {
    "xnli": (read_xnli, named("dev-{}.tsv.gz", "ar bg de el en es fr hi ru sw th tr ur vi zh", 2490)),
    "pawsx": (read_pawsx, named("dev-{}.tsv.gz", "de en es fr ja ko zh", 2000)),
    "sick": (read_sick, named("SICK_{}.tsv.gz", "train trial", 4500, 500)),
    "mlqa": (
        read_squad,
        named("dev-context-{0}-question-{0}.json.gz", *MLQA)
        | named("dev-context-en-question-{}.json.gz", *MLQA)
        | named("dev-context-en-question-{}.json.gz", "en", 1148),
    ),
    "tydiqa": (
        read_squad,
        named("tydiqa.goldp.{}.json.gz", "en.train ko.train sw.train en.dev", 3696, 1625, 2755, 440),
    ),
    "wikiann": (
        read_wikiann,
        named("train-{}.tsv.gz", "en de es fr nl ru zh ar hi ja", 5000)
        | named("dev-{}.tsv.gz", "en de es fr nl ru zh ar ja", 2000)
        | named("{}.tsv.gz", "train-sw dev-sw dev-hi", 1000),
    ),
    "conll2002": (read_conll, named("{}.gz", "esp.train esp.testa ned.train ned.testa", 8323, 1915, 15806, 2895)),
    "uner": (read_uner, {"en_ewt-ud-dev.iob2.gz": 2001}),
    "absa_semeval16_restaurants": (
        read_absa,
        named("{}-train.tsv.gz", ABSA, 1600, 1656, 1332, 1378, 2924, 986)
        | named("{}-dev.tsv.gz", ABSA, 400, 414, 332, 344, 731, 246),
    ),
    "ud": (
        read_conllu,
        named(
            "{}.conllu.gz",
            "de_gsd-ud-dev en_ewt-ud-dev en_ewt-ud-train es_gsd-ud-dev fr_gsd-ud-dev",
            *(799, 2001, 12544, 1400, 1476),
        ),
    ),
}


@pytest.fixture(scope="module")
def folder(shared_data) -> Path:
    return shared_data / "downstream"


def test_every_file_is_listed_here(folder):
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert there == {f"{name}/{file}" for name, (_, files) in FILES.items() for file in files}


@pytest.mark.parametrize("name", FILES)
def test_counts(folder, name):
    reader, files = FILES[name]
    assert {file: sum(1 for _ in reader(str(folder / name / file))) for file in files} == files


def test_xnli_is_balanced(folder):
    for file in FILES["xnli"][1]:
        labels = Counter(pair.label for pair in read_xnli(str(folder / "xnli" / file)))
        assert labels == {"entailment": 830, "neutral": 830, "contradiction": 830}


def test_pawsx_equals_the_csv_module_on_the_whole_file(folder):
    for file in FILES["pawsx"][1]:
        path = folder / "pawsx" / file
        with gzip.open(path, "rt", encoding="utf-8", newline="\n") as stream:
            rows = list(csv.reader(stream, delimiter="\t"))
        assert [[pair.first, pair.second, pair.label] for pair in read_pawsx(str(path))] == rows


@pytest.mark.parametrize("name", ["mlqa", "tydiqa"])
def test_every_gold_answer_is_its_own_span(folder, name):
    for file in FILES[name][1]:
        raw = json.loads(gzip.decompress((folder / name / file).read_bytes()))
        texts = [
            [answer["text"] for answer in entry["answers"]]
            for article in raw["data"]
            for paragraph in article["paragraphs"]
            for entry in paragraph["qas"]
        ]
        spans = [
            [question.context[answer.start : answer.start + len(answer.text)] for answer in question.answers]
            for question in read_squad(str(folder / name / file))
        ]
        assert spans == texts


@pytest.mark.parametrize(
    ("name", "types"),
    [
        ("wikiann", {"PER", "ORG", "LOC"}),
        ("conll2002", {"PER", "ORG", "LOC", "MISC"}),
        ("uner", {"PER", "ORG", "LOC"}),
        ("absa_semeval16_restaurants", {"POS", "NEG", "NEU"}),
    ],
)
def test_entities_come_as_valid_iob2(folder, name, types):
    reader, files = FILES[name]
    found = set()
    for file in files:
        for sentence in reader(str(folder / name / file)):
            assert list(sentence.tags) == to_iob2(sentence.tags)
            found.update(tag[2:] for tag in sentence.tags if tag != "O")
    assert found == types
