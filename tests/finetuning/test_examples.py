"""Examples in flat memory, and that a batch says of each of its examples what the example alone says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from fairseq_xling.data.masking import Symbols
from fairseq_xling.finetuning.benchmarks import BENCHMARKS
from fairseq_xling.finetuning.examples import Example, Examples, Row, collate
from fairseq_xling.finetuning.formulation import Formulation
from fairseq_xling.finetuning.question_answering import QuestionAnswering, SpanLimits
from fairseq_xling.finetuning.readers.classification import TextPair
from fairseq_xling.finetuning.readers.squad import Answer, Question
from fairseq_xling.finetuning.readers.tagging import TaggedSentence
from fairseq_xling.finetuning.sequence_classification import SequenceClassification
from fairseq_xling.finetuning.token_classification import TokenClassification
from fairseq_xling.interop.loaded import LoadedModel

from ..helpers import SYMBOLS
from .conftest import SENTENCES, build, pad

PAD = SYMBOLS.pad


def row(tokens: list[int], positions: list[int], target: list[int]) -> Row:
    return Row(np.array(tokens), np.array(positions), np.array(target))


def same(left: Row, right: Row) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


SHORT, LONG = row([0, 5, 2], [0], [1]), row([0, 6, 7, 8, 2], [1, 3], [4, 5])


@pytest.mark.parametrize("keep_records", [True, False])
def test_what_is_stored_comes_back(keep_records):
    examples = Examples(keep_records)
    examples.add([SHORT], 2, "first")
    examples.add([LONG, SHORT], 0, "second")
    assert len(examples) == 2
    first, second = examples[0], examples[1]
    assert (first.group, first.id, second.group, second.id) == (2, 0, 0, 1)
    assert [first.record, second.record] == (["first", "second"] if keep_records else [None, None])
    assert same(first.rows[0], SHORT)
    assert [same(*pair) for pair in zip(second.rows, [LONG, SHORT], strict=True)] == [True, True]
    assert first.rows[0].tokens.dtype == np.int32
    assert examples.sizes.tolist() == [3, 10], "rows times the longest of them"


def test_collate_by_hand():
    batch = collate([Example([LONG, SHORT], 1, 7, "a"), Example([SHORT], 0, 3, "b")], SYMBOLS)
    assert batch["tokens"].tolist() == [[0, 6, 7, 8, 2], [0, 5, 2, PAD, PAD], [0, 5, 2, PAD, PAD]]
    assert batch["positions"].tolist() == [1, 3, 5, 10]
    assert batch["marks"] == [2, 1, 1]
    assert batch["target"].tolist() == [4, 5, 1, 1]
    assert batch["example"].tolist() == [0, 0, 1]
    assert (batch["group"].tolist(), batch["id"].tolist(), batch["records"]) == ([1, 0], [7, 3], ["a", "b"])
    assert (batch["padded"], batch["num_tokens"]) == (True, 11)
    assert not collate([Example([SHORT], 0, 0, None)] * 2, SYMBOLS)["padded"]
    assert collate([], SYMBOLS) == {}


# ---- a batch against its examples alone -------------------------------------------------------------------------------


def classification(loaded: LoadedModel) -> tuple[Formulation, list[Any]]:
    records = [
        TextPair(SENTENCES[0], SENTENCES[1], "0"),
        TextPair("A river", None, "1"),
        TextPair(SENTENCES[3], "no", "1"),
        TextPair("x", "y", "0"),
    ]
    return SequenceClassification(loaded, BENCHMARKS["pawsx"], ["0", "1"], 40), records


def tagging(loaded: LoadedModel) -> tuple[Formulation, list[Any]]:
    """The first sentence is longer than a row."""
    texts = [" ".join(SENTENCES * 2), SENTENCES[2], "Aldor"]
    records = []
    for text in texts:
        words = tuple(text.split())
        records.append(TaggedSentence(words, tuple("B-X" if word[0].isupper() else "O" for word in words)))
    return TokenClassification(loaded, BENCHMARKS["wikiann"], ["O", "B-X", "I-X"], 40), records


def reading(loaded: LoadedModel) -> tuple[Formulation, list[Any]]:
    """The first context is longer than a row."""
    records = []
    for context, text in ((" ".join(SENTENCES), "Buch"), (SENTENCES[3], "1871"), ("Aldor", "Aldor")):
        records.append(Question("q", "Where is it?", context, (Answer(text, context.index(text)),)))
    return QuestionAnswering(loaded, BENCHMARKS["squad"], [], 40, SpanLimits(12, 8, 5)), records


@pytest.fixture(params=[classification, tagging, reading], ids=lambda make: make.__name__)
def case(request, loaded):
    """A formulation, its examples, and the model with its head."""
    formulation, records = request.param(loaded)
    examples = build(formulation, records)
    assert (max(len(example.rows) for example in examples) > 1) == (request.param is not classification)
    torch.manual_seed(0)
    loaded.model.add_head(formulation.head, outputs=formulation.num_outputs)
    for parameter in loaded.model.heads.parameters():
        torch.nn.init.normal_(parameter)
    return formulation, examples, loaded.model.eval()


def results(formulation: Formulation, model: Any, batch: dict[str, Any]) -> tuple[Any, ...]:
    with torch.no_grad():
        logits = formulation.logits(model, batch)
        losses, owners = formulation.losses(logits, batch)
        return logits, losses, owners, formulation.predictions(logits, batch)


def test_a_batch_of_many_is_many_batches_of_one(case):
    formulation, examples, model = case
    together = results(formulation, model, formulation.collate(examples))
    alone = [results(formulation, model, formulation.collate([example])) for example in examples]
    for number in (0, 1):
        torch.testing.assert_close(together[number], torch.cat([part[number] for part in alone]), rtol=0, atol=2e-5)
    owners = [number for number, part in enumerate(alone) for _ in part[2]]
    assert together[2].tolist() == owners
    assert together[3] == [prediction for part in alone for prediction in part[3]]


def test_the_amount_of_padding_changes_nothing(case):
    formulation, examples, model = case
    batch = formulation.collate(examples)
    expected = results(formulation, model, batch)
    for wide in (pad(batch, 17), {**pad(batch, 17), "real": None}):
        found = results(formulation, model, wide)
        for left, right in zip(expected[:2], found[:2], strict=True):
            torch.testing.assert_close(left, right, rtol=0, atol=2e-5)
        assert expected[3] == found[3]
    assert expected[1].unique().numel() == expected[1].numel(), "the losses tell the examples apart"


def test_the_order_of_a_batch_changes_nothing(case):
    formulation, examples, model = case
    forth = results(formulation, model, formulation.collate(examples))[3]
    back = results(formulation, model, formulation.collate(examples[::-1]))[3]
    assert forth == back[::-1]


def test_scores_of_a_batch_are_those_of_its_examples(case):
    formulation, examples, model = case
    batch = formulation.collate(examples)
    predictions = results(formulation, model, batch)[3]
    scores = formulation.scores(predictions, batch, ["en"])
    count = formulation.benchmark.scoring.count
    expected = [count(example.record, text, "en") for example, text in zip(examples, predictions, strict=True)]
    assert scores.tolist() == [list(map(float, row)) for row in expected]


def test_losses_by_hand(case):
    """Cross-entropy with the target, of each row's marks by themselves."""
    formulation, examples, model = case
    batch = formulation.collate(examples)
    logits, losses, _, _ = results(formulation, model, batch)
    if formulation.head == "span":
        expected = []
        for part, target in zip(logits.split(batch["marks"]), batch["target"].view(-1, 2).tolist(), strict=True):
            logs = part.log_softmax(0)
            expected.append(-(logs[target[0], 0] + logs[target[1], 1]) / 2)
    else:
        logs = logits.log_softmax(1)
        expected = [-line[target] for line, target in zip(logs, batch["target"].tolist(), strict=True)]
    torch.testing.assert_close(losses, torch.stack(expected))


def test_symbols_are_the_models_own(case, loaded):
    formulation, _, _ = case
    assert formulation.symbols == Symbols.of(loaded.dictionary)
