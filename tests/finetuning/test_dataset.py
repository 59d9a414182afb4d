"""The batches of an epoch."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fairseq_xling.errors import UserError
from fairseq_xling.finetuning.benchmarks import BENCHMARKS
from fairseq_xling.finetuning.dataset import FinetuneDataset
from fairseq_xling.finetuning.examples import Examples, Row
from fairseq_xling.finetuning.sequence_classification import SequenceClassification

LONGEST = 50


@pytest.fixture
def dataset(loaded):
    """``dataset(lengths, train, seed)``: examples of one row of so many tokens each."""

    def make(lengths, train=True, seed=1):
        examples = Examples(keep_records=not train)
        for length in lengths:
            tokens = np.concatenate([[0], np.full(length - 2, 5), [2]])
            examples.add([Row(tokens, np.zeros(1), np.zeros(1))], 0, None)
        formulation = SequenceClassification(loaded, BENCHMARKS["pawsx"], ["0", "1"], LONGEST)
        return FinetuneDataset(examples, formulation, train, seed)

    return make


def lengths(count, seed=0):
    return np.random.default_rng(seed).integers(3, LONGEST + 1, count).tolist()


def as_lists(batches):
    return [batch.tolist() if isinstance(batch, np.ndarray) else list(batch) for batch in batches]


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("limits", [(None, 16), (200, None), (200, 3)])
@pytest.mark.parametrize("multiple", [1, 8])
def test_every_example_is_in_one_batch_that_fits(dataset, train, limits, multiple):
    """fairseq's trainer asks for multiples of 8, and its own batching would leave out what remains."""
    max_tokens, max_sentences = limits
    data = dataset(lengths(301), train)
    batches = as_lists(data.batches(1, max_tokens, max_sentences, multiple))
    assert sorted(itertools.chain(*batches)) == list(range(301))
    for batch in batches:
        collated = data.collater([data[index] for index in batch])
        assert max_tokens is None or collated["tokens"].numel() <= max_tokens
        assert max_sentences is None or len(batch) <= max_sentences
    if max_sentences == 16 and multiple == 1:
        assert sorted(map(len, batches))[1:] == [16] * 18, "all but one are full"


def test_training_batches_follow_from_seed_and_epoch(dataset):
    sizes = lengths(120)

    def batches(seed, epoch):
        return as_lists(dataset(sizes, seed=seed).batches(epoch, None, 8))

    first = batches(1, 1)
    assert batches(1, 1) == first
    assert batches(1, 2) != first
    assert batches(2, 1) != first
    assert {tuple(sorted(batch)) for batch in batches(1, 2)} != {tuple(sorted(batch)) for batch in first}, (
        "other batches, not the same ones in another order"
    )


def test_examples_of_one_length_are_mixed_too(dataset):
    """Nothing else tells apart batches of a corpus whose texts are all cut to the same length."""
    data = dataset([20] * 64)
    first, second = as_lists(data.batches(1, None, 8)), as_lists(data.batches(2, None, 8))
    assert {frozenset(batch) for batch in first}.isdisjoint(frozenset(batch) for batch in second)


def test_validation_batches_are_the_same_in_every_epoch_and_sorted(dataset):
    data = dataset(lengths(100), train=False)
    assert as_lists(data.batches(1, None, 8)) == as_lists(data.batches(5, None, 8))
    order = list(itertools.chain(*as_lists(data.batches(1, None, 8))))
    assert np.all(np.diff(data.sizes[order]) >= 0)


def test_training_batches_are_random_in_length(dataset):
    """As a plain shuffled loader makes them: no batch is of short or of long examples."""
    data = dataset(lengths(2048))
    means = np.array([data.sizes[batch].mean() for batch in as_lists(data.batches(1, None, 16))])
    # of random batches of 16 the means spread a quarter as much as the examples; of sorted ones as much
    assert means.std() < 0.4 * data.sizes.std()


def test_too_few_tokens_for_a_row(dataset):
    message = (
        f"--max-tokens 49 is less than a row of --max-positions {LONGEST} tokens: raise the one or lower the other"
    )
    with pytest.raises(UserError, match=message):
        dataset([10, 10]).batches(1, 49, None)
    assert len(dataset([10, 10]).batches(1, 50, None)) == 1


def test_an_example_of_many_rows_is_a_batch_of_its_own(loaded):
    examples = Examples(keep_records=True)
    row = Row(np.array([0, *[5] * 38, 2]), np.zeros(1), np.zeros(1))
    for rows in (1, 4, 1):
        examples.add([row] * rows, 0, None)
    formulation = SequenceClassification(loaded, BENCHMARKS["pawsx"], ["0", "1"], LONGEST)
    batches = as_lists(FinetuneDataset(examples, formulation, False, 1).batches(1, 80, None))
    assert sorted(map(sorted, batches)) == [[0, 2], [1]]


def test_examples_come_back_by_their_number(dataset):
    data = dataset([5, 9])
    assert (len(data), data[np.int64(1)].id, len(data[1].rows[0].tokens)) == (2, 1, 9)
    assert data.collater([]) == {}, "what fairseq gives a process that has run out of batches"
