"""The reader of SQuAD 1.1 JSON."""

from __future__ import annotations

import json

import pytest

from fairseq_xling.errors import UserError
from fairseq_xling.finetuning.readers.squad import Answer, Question, read_squad

CONTEXT = "😀 柏林是德国的首都。"


def entry(text="柏林", start=2, key="q1"):
    return {"id": key, "question": "首都？", "answers": [{"text": text, "answer_start": start}]}


def article(*entries):
    return {"title": "T", "paragraphs": [{"context": CONTEXT, "qas": list(entries)}]}


@pytest.fixture
def write(tmp_path):
    """Write a SQuAD file, return its path."""

    def writer(*articles) -> str:
        path = tmp_path / "dev.json"
        path.write_text(json.dumps({"version": "1.1", "data": articles}), encoding="utf-8")
        return str(path)

    return writer


def test_questions_share_the_context(write):
    two = {**entry(key="q2"), "answers": [{"text": "德国", "answer_start": 5}, {"text": "首都", "answer_start": 8}]}
    first, second = read_squad(write(article(entry()), article(two)))
    assert first == Question("q1", "首都？", CONTEXT, (Answer("柏林", 2),))  # characters: the emoji is one
    assert second.answers == (Answer("德国", 5), Answer("首都", 8))
    assert second.context is not first.context
    same = list(read_squad(write(article(entry(), entry(key="q2")))))
    assert same[0].context is same[1].context


def test_mismatches_are_an_error_that_names_all(write):
    bad = [entry(key="beyond", start=99), entry(key="shifted", start=3), entry(key="negative", start=-9)]
    path = write(article(entry(), *bad), article(entry(key="empty", text="")))
    with pytest.raises(
        UserError,
        match=r"dev.json: 4 questions .*: beyond \('柏林' at 99\); shifted .*; negative .*; empty .*--skip-bad",
    ):
        list(read_squad(path))


def test_skipped_mismatches_are_counted_and_named(write, caplog):
    path = write(article(entry(), entry(key="shifted", start=3)))
    assert [question.id for question in read_squad(path, skip_bad=True)] == ["q1"]
    assert "1 questions left out" in caplog.text
    assert "shifted" in caplog.text


def test_many_mismatches_are_counted_in_full_and_named_in_part(write):
    path = write(article(*(entry(key=f"q{i}", start=0) for i in range(30))))
    with pytest.raises(UserError, match=r"30 questions .*q19 .*; and 10 more"):
        list(read_squad(path))


def test_nothing_is_logged_for_a_good_file(write, caplog):
    assert len(list(read_squad(write(article(entry())), skip_bad=True))) == 1
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"data": [\n {"x": }', r"dev.json:2: not JSON \(Expecting value at column 8\)"),
        ('{"data": ', r"dev.json:1: not JSON"),
        ("[]", r"dev.json: top level: expected an object with 'data' \(not SQuAD 1.1\); found '\[\]'"),
        ('{"data": [{}]}', r"data\[0\]: expected an object with 'paragraphs'"),
        ('{"data": [{"paragraphs": [{"qas": []}]}]}', r"data\[0\].paragraphs\[0\]: expected an object with 'context'"),
        (json.dumps({"data": [article(entry(start="2"))]}), r"qas\[0\].answers\[0\]: .*'answer_start'"),
        (json.dumps({"data": [article(entry(start=True))]}), r"qas\[0\].answers\[0\]: .*'answer_start'"),
        (json.dumps({"data": [article({**entry(), "answers": []})]}), r"qas\[0\]: no answer"),
    ],
)
def test_malformed(tmp_path, text, message):
    path = tmp_path / "dev.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        list(read_squad(str(path)))


def test_not_utf8(tmp_path):
    path = tmp_path / "dev.json"
    path.write_bytes('{"data": "é"}'.encode("latin-1"))
    with pytest.raises(UserError, match=r"dev.json: not UTF-8 \(at byte 10\)"):
        list(read_squad(str(path)))


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match=r"none.json: no such file"):
        list(read_squad(str(tmp_path / "none.json")))


def test_half_of_a_surrogate_pair(tmp_path):
    answers = [{"text": "a", "answer_start": 0}]
    paragraph = {"context": "a \ud83d c", "qas": [{"id": "1", "question": "q?", "answers": answers}]}
    (tmp_path / "q.json").write_text(json.dumps({"data": [{"paragraphs": [paragraph]}]}))
    with pytest.raises(UserError, match=r"q.json: data\[0\].paragraphs\[0\]: 'context' has half of a surrogate pair"):
        list(read_squad(str(tmp_path / "q.json")))
