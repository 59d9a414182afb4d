"""Words, their first pieces and their tags; sentences longer than a row."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from fairseq_xling.errors import UserError
from fairseq_xling.finetuning.benchmarks import BENCHMARKS, FORMATS
from fairseq_xling.finetuning.readers.tagging import UPOS, TaggedSentence
from fairseq_xling.finetuning.token_classification import TokenClassification

from .conftest import SENTENCES, build

LABELS = ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]


def formulation(loaded, max_positions=64, labels=LABELS):
    return TokenClassification(loaded, BENCHMARKS["wikiann"], labels, max_positions)


def sentence(words, tags=None):
    tags = tags or [("O", "B-LOC", "I-LOC", "B-PER")[i % 4] for i in range(len(words))]
    return TaggedSentence(tuple(words), tuple(tags))


def rows_of(loaded, record, max_positions=64):
    (example,) = build(formulation(loaded, max_positions), [record])
    return example.rows


def test_each_word_is_marked_at_its_first_piece(loaded):
    words = SENTENCES[0].split()
    pieces = [loaded.encode_text([word])[0].tolist() for word in words]
    assert max(map(len, pieces)) > 1
    record = sentence(words)
    (row,) = rows_of(loaded, record)
    assert row.tokens.tolist() == [0, *itertools.chain(*pieces), 2]
    assert row.tokens[row.positions].tolist() == [word[0] for word in pieces]
    assert row.positions.tolist() == list(itertools.accumulate([1, *map(len, pieces[:-1])]))
    assert [LABELS[number] for number in row.target] == list(record.tags)


def test_words_that_normalisation_deletes_keep_their_tags(loaded):
    words = ["\u200b", "Aldor", "\u200b\u200b", "town", ""]
    empty = [len(loaded.encode_text([word])[0]) == 0 for word in words]
    assert empty == [True, False, True, False, True]
    record = TaggedSentence(tuple(words), ("B-PER", "I-PER", "O", "B-LOC", "I-LOC"))
    (row,) = rows_of(loaded, record)
    unknown = loaded.symbols.unk
    assert (row.tokens[row.positions] == unknown).tolist() == empty
    assert [LABELS[number] for number in row.target] == list(record.tags)


def test_a_long_sentence_is_cut_between_words(loaded):
    words = " ".join(SENTENCES).split()
    lengths = [len(pieces) for pieces in loaded.encode_text(words)]
    for room in range(max(lengths), sum(lengths) + 2):
        rows = rows_of(loaded, sentence(words), room + 2)
        assert all(len(row.tokens) <= room + 2 for row in rows)
        assert np.concatenate([row.target for row in rows]).tolist() == [
            LABELS.index(tag) for tag in sentence(words).tags
        ], "every word is in one row"
        inner = np.concatenate([row.tokens[1:-1] for row in rows])
        assert inner.tolist() == np.concatenate(loaded.encode_text(words)).tolist(), "and none lost a piece"
        assert all((row.tokens[0], row.tokens[-1], row.positions[0]) == (0, 2, 1) for row in rows)
        counts = [len(row.positions) for row in rows]
        starts = [0, *itertools.accumulate(counts)]
        for begin, end in itertools.pairwise(starts[:-1]):  # a row ends only where the next word does not fit
            assert sum(lengths[begin : end + 1]) > room
    assert len(rows) == 1


def test_of_a_word_longer_than_a_row_the_beginning_is_kept(loaded):
    words = ["a", "Brückenbauzeichnungslehrer" * 3, "b"]
    long = loaded.encode_text([words[1]])[0].tolist()
    assert len(long) > 14
    rows = rows_of(loaded, sentence(words), 16)
    assert [row.tokens[1:-1].tolist() for row in rows][1] == long[:14]
    assert [len(row.target) for row in rows] == [1, 1, 1]


def test_predictions_are_put_together_again(loaded):
    """One tag for each word of the sentence, rows and sentences in order."""
    records = [sentence(" ".join(SENTENCES).split()), sentence(["Aldor"]), sentence(SENTENCES[1].split())]
    task = formulation(loaded, 20)
    batch = task.collate(build(task, records))
    assert [len(example.rows) > 1 for example in build(task, records)] == [True, False, True]
    perfect = torch.nn.functional.one_hot(batch["target"], len(LABELS)).float()
    assert task.predictions(perfect, batch) == [list(record.tags) for record in records]
    losses, owners = task.losses(perfect, batch)
    assert owners.bincount().tolist() == [len(record.words) for record in records]
    assert len(losses) == sum(len(record.words) for record in records)


def test_every_word_is_predicted_once_on_real_files(shared_data, loaded):
    for name, file in (("wikiann", "wikiann/dev-zh.tsv.gz"), ("pos", "ud/fr_gsd-ud-dev.conllu.gz")):
        benchmark = BENCHMARKS[name]
        records = list(FORMATS[benchmark.format](str(shared_data / "downstream" / file), "", False))
        labels = benchmark.labels or TokenClassification.labels_of(records)
        task = TokenClassification(loaded, benchmark, labels, 64)
        examples = build(task, records)
        batch = task.collate(examples)
        perfect = torch.nn.functional.one_hot(batch["target"], len(labels))
        assert task.predictions(perfect, batch) == [list(record.tags) for record in records]


def test_labels_of_the_training_set():
    records = [sentence("ab", ["I-LOC", "O"]), sentence("ab", ["B-PER", "B-MISC"])]
    assert TokenClassification.labels_of(records) == ["O", "B-LOC", "I-LOC", "B-MISC", "I-MISC", "B-PER", "I-PER"]
    assert BENCHMARKS["pos"].labels == UPOS


def test_an_unknown_label_names_file_label_and_remedy(loaded):
    with pytest.raises(UserError) as error:
        build(formulation(loaded), [sentence(["x"], ["B-MISC"])])
    for words in ("file: the label 'B-MISC' does not occur", "O, B-LOC, I-LOC", "correct the file, or train on data"):
        assert words in str(error.value)
