"""Readers of LAMA, ParaRel, mParaRel and mLAMA, on lines of the shapes these corpora have."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from fairseq_xling.errors import UserError
from fairseq_xling.evaluation.lama.cloze import jsonl_files, read_jsonl, trex_type
from fairseq_xling.evaluation.lama.formats import MAX_WORDS, detect_format, read_source
from tests.evaluation.lama.lama_files import write_jsonl, write_lama


def brief(relation) -> tuple:
    facts = [(fact.subject, fact.object, fact.sentences[0]) for fact in relation.facts]
    return relation.corpus, relation.name, relation.kind, facts


def test_lama(tmp_path):
    write_lama(tmp_path)
    assert detect_format(tmp_path) == "lama"
    source = read_source(tmp_path)
    assert [brief(relation) for relation in source.relations] == [
        ("Google-RE", "place_of_birth", "", [("Ada Lind", "river", "Ada Lind was born in [MASK] .")]),
        ("Google-RE", "date_of_birth", "", [("Ada Lind", "1815", "Ada Lind (born [MASK]).")]),
        ("T-REx", "P36", "1-1", [("Norland", "town", "The capital of Norland is [MASK] .")]),
        (
            "T-REx",
            "P101",
            "N-M",
            [("Bo", "stone", "Bo works in the field of [MASK] ."), ("Bo", "town", "Bo works in the field of [MASK] .")],
        ),
        ("ConceptNet", "AtLocation", "", [("dog", "river", "A dog can be near a [MASK] .")]),
        ("ConceptNet", "IsA", "", [("bridge", "stone", "A bridge is made of [MASK] .")]),
        ("SQuAD", "SQuAD", "", [("Squad", "river", "the [MASK] is of stone . Ada .")]),
    ]
    left_out = {relation.name: dict(relation.left_out) for relation in source.relations if relation.left_out}
    assert left_out == {"place_of_birth": {"judged wrong": 1}, "P101": {"repeated": 1}}
    assert source.without_template == ["T-REx P999"]
    assert {path.name for path in source.files} == {
        "relations.jsonl", "P36.jsonl", "P101.jsonl.gz", "place_of_birth_test.jsonl",
        "date_of_birth_test.jsonl", "test.jsonl",
    }  # fmt: skip


def test_long_sentences_and_several_masks_are_left_out(tmp_path):
    words = ["word"] * MAX_WORDS
    write_jsonl(
        tmp_path / "Squad" / "test.jsonl",
        [
            {"masked_sentences": [" ".join([*words[:-1], "[MASK]"])], "obj_label": "a", "sub_label": "Squad"},
            {"masked_sentences": [" ".join([*words, "[MASK]"])], "obj_label": "a", "sub_label": "Squad"},
            {"masked_sentences": ["[MASK] or", "[MASK]"], "obj_label": "a", "sub_label": "Squad"},
        ],
    )
    (relation,) = read_source(tmp_path).relations
    assert (len(relation.facts), dict(relation.left_out)) == (1, {"over 100 words": 1, "several masks": 1})


def write_pararel(folder: Path, facts: str = "facts", patterns: str = "patterns") -> Path:
    entries = [{"sub_label": "Norland", "obj_label": "town", "uuid": "1"}]
    write_jsonl(folder / facts / "P36.jsonl.gz", entries)
    write_jsonl(folder / facts / "P31.jsonl", entries)
    patterns_of = [
        {
            "pattern": "The capital of [X] is [Y] .",
            "lemma": "capital",
            "extended_lemma": "capital-of",
            "tense": "present",
        },
        {
            "pattern": "[Y] is the capital of [X].",
            "lemma": "capital",
            "extended_lemma": "capital-of",
            "tense": "present",
        },
    ]
    write_jsonl(folder / patterns / "P36.jsonl", patterns_of)
    return folder


@pytest.mark.parametrize("names", [("facts", "patterns"), ("trex_lms_vocab", "pattern_data/graphs_json")])
def test_pararel_first_or_all_patterns(tmp_path, names, caplog):
    source = read_source(write_pararel(tmp_path, *names))
    first = ("The capital of Norland is [MASK] .",)
    assert [(r.corpus, r.name, r.kind, r.facts[0].sentences) for r in source.relations] == [
        ("ParaRel", "P36", "1-1", first)
    ]
    assert source.without_template == ["ParaRel P31"]
    assert "no template: ParaRel P31" in caplog.text
    (relation,) = read_source(tmp_path, all_patterns=True).relations
    assert relation.facts[0].sentences == (*first, "[MASK] is the capital of Norland.")


def test_mpararel_and_languages(tmp_path):
    for language, pattern in (("en", "[X] is in [Y]"), ("de", "[X] liegt in [Y]")):
        fact = {"sub_uri": "Q1", "obj_uri": "Q2", "sub_label": "Ulm", "obj_label": "Bayern", "lineid": 0}
        write_jsonl(tmp_path / "tuples" / language / "P17.jsonl.gz", [fact])
        write_jsonl(tmp_path / "patterns" / language / "P17.jsonl.gz", [{"pattern": pattern, "checked-by-human": True}])
    assert [brief(relation) for relation in read_source(tmp_path).relations] == [
        ("mParaRel de", "P17", "N-1", [("Ulm", "Bayern", "Ulm liegt in [MASK]")]),
        ("mParaRel en", "P17", "N-1", [("Ulm", "Bayern", "Ulm is in [MASK]")]),
    ]
    assert [relation.corpus for relation in read_source(tmp_path, languages=["en"]).relations] == ["mParaRel en"]
    with pytest.raises(UserError, match=r"--languages fr: .*tuples has de, en"):
        read_source(tmp_path, languages=["en", "fr"])


def test_mlama(tmp_path):
    fact = {"sub_uri": "Q1", "obj_uri": "Q2", "sub_label": "Ulm", "obj_label": "Bayern", "lineid": 0, "uuid": "1"}
    for name in ("P17", "place_of_birth", "P27"):
        write_jsonl(tmp_path / "de" / f"{name}.jsonl", [fact])
    templates = [
        {"relation": "P17", "template": "[X] liegt in [Y] ."},
        {"relation": "place_of_birth", "template": "[X] kommt aus [Y] ."},
    ]
    write_jsonl(tmp_path / "de" / "templates.jsonl", templates)
    assert detect_format(tmp_path) == "mlama"
    source = read_source(tmp_path)
    assert [brief(relation)[:3] for relation in source.relations] == [
        ("mLAMA de", "P17", "N-1"),
        ("mLAMA de", "place_of_birth", ""),
    ]
    assert source.relations[1].facts[0].sentences == ("Ulm kommt aus [MASK] .",)
    assert source.without_template == ["mLAMA de P27"]


def test_relation_types():
    assert [trex_type(name) for name in ("P36", "P47", "P17", "place_of_birth", "IsA")] == ["1-1", "N-M", "N-1", "", ""]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"sub_label": "a"', r"P36\.jsonl:2: not JSON"),
        ('["a", "b"]', r"P36\.jsonl:2: expected a JSON object"),
        ('{"sub_label": "a"}', r"P36\.jsonl:2: 'obj_label' is None, expected text"),
        ('{"sub_label": "a", "obj_label": 7}', r"P36\.jsonl:2: 'obj_label' is 7, expected text"),
        ('{"sub_label": " ", "obj_label": "b"}', r"P36\.jsonl:2: 'sub_label' is ' '"),
        ('{"sub_label": "a [MASK]", "obj_label": "b"}', r"P36\.jsonl:2: .* has 2 times \[MASK\]"),
        ('{"sub_label": "a", "obj_label": "b", "judgments": "no"}', r"P36\.jsonl:2: 'judgments' is 'no'"),
    ],
)
def test_malformed_facts_name_file_and_line(tmp_path, line, message):
    write_pararel(tmp_path)
    (tmp_path / "facts" / "P36.jsonl.gz").unlink()
    (tmp_path / "facts" / "P36.jsonl").write_text(f'{{"sub_label": "x", "obj_label": "y"}}\n{line}\n')
    with pytest.raises(UserError, match=message):
        read_source(tmp_path)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("[X] is here", r"P36\.jsonl:1: the template .* must have \[X\] and exactly one \[Y\]"),
        ("[Y] is [Y] of [X]", "exactly one"),
        ("this is [Y]", r"must have \[X\]"),
        ("", "'pattern' is ''"),
    ],
)
def test_malformed_templates(tmp_path, pattern, message):
    write_pararel(tmp_path)
    write_jsonl(tmp_path / "patterns" / "P36.jsonl", [{"pattern": pattern}])
    with pytest.raises(UserError, match=message):
        read_source(tmp_path)


def test_malformed_lama_files(tmp_path):
    write_lama(tmp_path)
    write_jsonl(tmp_path / "relations.jsonl", [{"relation": "P36", "template": "[X] [Y]", "type": "1-N"}])
    with pytest.raises(UserError, match=r"relations\.jsonl:1: the type '1-N' is not one of 1-1, N-1, N-M"):
        read_source(tmp_path)
    write_jsonl(tmp_path / "relations.jsonl", [{"relation": "P36", "type": "1-1"}])
    with pytest.raises(UserError, match=r"relations\.jsonl:1: 'template' is None"):
        read_source(tmp_path)
    (tmp_path / "relations.jsonl").unlink()
    with pytest.raises(UserError, match=r"relations\.jsonl: not found; the templates of TREx are in it"):
        read_source(tmp_path)
    for sentences, message in (("text", "expected a list of texts"), (["no gap"], "has 0 times"), (None, "is None")):
        write_jsonl(tmp_path / "s" / "Squad" / "test.jsonl", [{"obj_label": "a", "masked_sentences": sentences}])
        with pytest.raises(UserError, match=rf"test\.jsonl:1: .*{message}"):
            read_source(tmp_path / "s")


def test_wrong_folders(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        read_source(tmp_path / "none", "lama")
    with pytest.raises(UserError, match="holds neither TREx"):
        read_source(tmp_path)
    with pytest.raises(UserError, match="holds no fact with a template in the format lama"):
        read_source(tmp_path, "lama")
    with pytest.raises(UserError, match="facts: no such folder; expected facts or trex_lms_vocab"):
        read_source(tmp_path, "pararel")
    write_pararel(tmp_path)
    with pytest.raises(UserError, match="--languages: pararel is English only"):
        read_source(tmp_path, languages=["en"])
    write_jsonl(tmp_path / "facts" / "P36.jsonl.gz", [])
    with pytest.raises(UserError, match=r"P36\.jsonl\.gz: the file is empty"):
        read_source(tmp_path)


def test_jsonl_skips_blank_lines_and_keeps_numbers(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"k": "1"}\n\n{"k": "2\x85"}\n')
    assert [(number, entry["k"]) for number, entry in read_jsonl(tmp_path / "a.jsonl", ["k"])] == [
        (1, "1"),
        (3, "2\x85"),
    ]


def test_real_corpora(shared_data):
    """The facts per relation type are those of XLM-K's Table 5, up to seven N-1 facts that mLAMA has not."""
    folder = shared_data / "lama" / "mpararel" / "tuples" / "en"
    counts = {"1-1": [0, 0], "N-1": [0, 0], "N-M": [0, 0]}
    for name, path in jsonl_files(folder).items():
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            counts[trex_type(name)][0] += sum(1 for _ in lines)
        counts[trex_type(name)][1] += 1
    assert counts == {"1-1": [937, 2], "N-1": [20006 - 7, 23], "N-M": [13096, 16]}

    source = read_source(shared_data / "lama" / "pararel", all_patterns=True)
    assert len(source.relations) == 39
    assert source.without_template == ["ParaRel P31", "ParaRel P527"]
    assert sum(len(relation.facts[0].sentences) for relation in source.relations) == 329
    assert sum(relation.left_out["repeated"] for relation in source.relations) == 17

    source = read_source(shared_data / "lama" / "mpararel")
    found = [relation.corpus for relation in source.relations]
    assert {corpus: found.count(corpus) for corpus in found} == {
        "mParaRel de": 38,
        "mParaRel en": 38,
        "mParaRel es": 37,
    }
    berlin = next(r for r in source.relations if (r.corpus, r.name) == ("mParaRel de", "P36")).facts[0]
    assert json.dumps([berlin.subject, berlin.object, *berlin.sentences]) == json.dumps(
        ["Aserbaidschan", "Baku", "[MASK], die hauptstadt von Aserbaidschan"]
    )
