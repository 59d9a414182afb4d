"""Texts and pairs of texts as rows, and how long ones are cut."""

from __future__ import annotations

import logging

import pytest
import torch

from fairseq_xling.errors import UserError
from fairseq_xling.finetuning import sequence_classification
from fairseq_xling.finetuning.benchmarks import BENCHMARKS
from fairseq_xling.finetuning.readers.classification import TextPair
from fairseq_xling.finetuning.sequence_classification import SequenceClassification

from .conftest import SENTENCES, build


def formulation(loaded, max_positions=64, benchmark="pawsx"):
    known = BENCHMARKS[benchmark]
    return SequenceClassification(loaded, known, known.labels, max_positions)


def tokens_of(loaded, record, max_positions=64):
    (example,) = build(formulation(loaded, max_positions), [record])
    (row,) = example.rows
    assert (row.positions.tolist(), row.target.tolist()) == ([0], [int(record.label)])
    return row.tokens.tolist()


def test_a_pair_and_a_single_text(loaded):
    x, y = (pieces.tolist() for pieces in loaded.encode_text([SENTENCES[0], SENTENCES[1]]))
    assert tokens_of(loaded, TextPair(SENTENCES[0], SENTENCES[1], "1")) == [0, *x, 2, 2, *y, 2]
    assert tokens_of(loaded, TextPair(SENTENCES[0], None, "0")) == [0, *x, 2]
    assert tokens_of(loaded, TextPair(SENTENCES[0], "", "0")) == [0, *x, 2, 2, 2], "an empty text is a text"


def test_the_longer_side_gives_first(loaded):
    x, y = (pieces.tolist() for pieces in loaded.encode_text([SENTENCES[0], "town"]))
    room = 20 - 4
    assert len(x) + len(y) > room
    cut = tokens_of(loaded, TextPair(SENTENCES[0], "town", "1"), 20)
    assert cut == [0, *x[: room - len(y)], 2, 2, *y, 2]
    assert tokens_of(loaded, TextPair("town", SENTENCES[0], "1"), 20) == [0, *y, 2, 2, *x[: room - len(y)], 2]
    assert tokens_of(loaded, TextPair(SENTENCES[0], SENTENCES[0], "1"), 20) == [0, *x[:8], 2, 2, *x[:8], 2]
    assert tokens_of(loaded, TextPair(SENTENCES[0], None, "1"), 20) == [0, *x[:18], 2]


def test_what_is_cut_is_counted(loaded, caplog):
    (length,) = (len(pieces) for pieces in loaded.encode_text([SENTENCES[0]]))
    records = [TextPair(SENTENCES[0], None, "0"), TextPair("a", "b", "1"), TextPair(SENTENCES[0], "a", "1")]
    with caplog.at_level(logging.INFO):
        build(formulation(loaded, length + 2), records)
    assert caplog.messages == [f"1 of 3 examples are longer than {length + 2} tokens and were cut"]
    caplog.clear()
    with caplog.at_level(logging.INFO):
        build(formulation(loaded, 64), records)
    assert caplog.messages == []


def test_texts_and_pairs_mix_across_chunks(loaded, monkeypatch):
    """The second texts of a chunk are encoded together, and some records have none."""
    records = [TextPair(f"{n} {SENTENCES[n % 4]}", f"{n}" if n % 3 else None, str(n % 2)) for n in range(11)]
    whole = [example.rows[0].tokens.tolist() for example in build(formulation(loaded), records)]
    monkeypatch.setattr(sequence_classification, "_CHUNK", 4)
    parts = [example.rows[0].tokens.tolist() for example in build(formulation(loaded), records)]
    assert parts == whole == [tokens_of(loaded, record) for record in records]


def test_predictions_are_labels(loaded):
    xnli = formulation(loaded, benchmark="xnli")
    assert xnli.num_outputs == 3
    assert xnli.predictions(torch.tensor([[0.1, 0.2, 0.3], [9.0, 1.0, 2.0]]), {}) == ["neutral", "contradiction"]


def test_an_unknown_label_names_file_label_and_remedy(loaded):
    with pytest.raises(UserError) as error:
        build(formulation(loaded), [TextPair("a", "b", "2")])
    assert str(error.value) == (
        "file: the label '2' does not occur in the training set, whose labels are 0, 1; correct the file, or train on data "
        "that has the label"
    )


def test_labels_of_the_data():
    assert SequenceClassification.labels_of(TextPair("a", None, label) for label in "cabac") == ["a", "b", "c"]


def test_too_few_positions(loaded):
    with pytest.raises(UserError, match="--max-positions 7: at least 8 are needed"):
        formulation(loaded, 7)
