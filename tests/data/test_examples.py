"""Examples depend on (seed, epoch, item) only; batches keep to their budget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fairseq_xling.data.databin import DataBin
from fairseq_xling.data.examples import INDEX_BITS, ExampleDataset, group
from fairseq_xling.data.sentences import Monolingual
from tests.helpers import SYMBOLS, random_sentences, write_data_bin


def dataset(folder: Path, sizes: dict[str, int], alpha: float = 1.0, seed: int = 1, **options: Any) -> ExampleDataset:
    """Examples are the sentence and a random number."""
    corpora = {lang: random_sentences(n, seed=k) for k, (lang, n) in enumerate(sizes.items())}
    data = DataBin(str(write_data_bin(folder, corpora)))
    source = Monolingual(data.open_mono("train", 1), SYMBOLS, 16)

    def build(item: Any, rng: np.random.Generator) -> dict[str, Any]:
        return {"tokens": item[0], "language": item[1], "noise": rng.random()}

    return ExampleDataset(source, build, alpha, (seed, 0), **options)


def indices(items: np.ndarray) -> np.ndarray:
    return items & ((1 << INDEX_BITS) - 1)


def test_examples_are_functions_of_seed_epoch_and_item(tmp_path):
    examples, again, other_seed = (dataset(tmp_path, {"en": 20}, seed=seed) for seed in (1, 1, 2))
    noise = {(item, epoch): examples.example(item, epoch)["noise"] for item in range(20) for epoch in range(1, 4)}
    assert len(set(noise.values())) == 60
    for (item, epoch), value in noise.items():
        assert again.example(item, epoch)["noise"] == value
        assert other_seed.example(item, epoch)["noise"] != value


def test_repetitions_have_noise_of_their_own_and_the_same_text(tmp_path):
    examples = dataset(tmp_path, {"en": 5})
    first, second = (examples.example(3 + (repetition << INDEX_BITS), 1) for repetition in (0, 1))
    assert first["tokens"].tolist() == second["tokens"].tolist()
    assert first["noise"] != second["noise"]
    assert first["id"] == second["id"] == 3


def test_an_upsampled_language_gets_new_noise_for_every_copy(tmp_path):
    examples = dataset(tmp_path, {"de": 300, "en": 4}, alpha=0.0)
    items = examples.epoch_items(1)
    english = items[indices(items) >= 300]
    assert len(english) == 152
    assert np.bincount(indices(english) - 300).tolist() == [38] * 4
    assert len(set(items.tolist())) == len(items)
    assert len({examples.example(int(item), 1)["noise"] for item in english}) == 152


def test_sampling_takes_other_sentences_of_a_large_language_in_the_next_epoch(tmp_path):
    examples = dataset(tmp_path, {"de": 300, "en": 100}, alpha=0.0)
    german = [indices(examples.epoch_items(epoch)) for epoch in (1, 2)]
    first, second = (set(part[part < 300].tolist()) for part in german)
    assert len(first) == 200
    assert len(first | second) == 300  # all were drawn before any comes again
    assert (np.sort(german[0]) == np.sort(indices(examples.epoch_items(1)))).all()


def test_a_shard_goes_on_where_it_stopped(tmp_path):
    """With 2 shards this one comes in epochs 1, 3, …: nothing is repeated before all was drawn, here too."""
    examples = dataset(tmp_path, {"de": 300, "en": 100}, alpha=0.0, num_shards=2)
    first, second = ({int(i) for i in indices(examples.epoch_items(epoch)) if i < 300} for epoch in (1, 3))
    assert len(first | second) == 300


def test_alpha_1_takes_every_sentence_once_but_not_empty_ones(tmp_path):
    data = DataBin(str(write_data_bin(tmp_path, {"en": [[5], [], [6, 7], []]})))
    source = Monolingual(data.open_mono("train", 1), SYMBOLS, 16)
    examples = ExampleDataset(source, lambda item, rng: {"tokens": item[0]}, 1.0, (1, 0))
    for epoch in (1, 2):
        assert sorted(examples.epoch_items(epoch).tolist()) == [0, 2]


def test_batches_keep_to_the_budget_and_waste_little(tmp_path):
    examples = dataset(tmp_path, {"de": 200, "en": 150})
    batches = examples.batches(1, (100, None, 1))
    assert sorted(int(i) for batch in batches for i in batch) == list(range(350))
    padded = [examples.sizes[batch].max() * len(batch) for batch in batches]
    assert max(padded) <= 100
    assert sum(padded) < 1.1 * examples.sizes.sum()
    by_sentences = examples.batches(1, (None, 7, 1))
    assert {len(batch) for batch in by_sentences} <= {7, 350 % 7 or 7}
    multiples = examples.batches(1, (200, None, 4))
    assert all(len(batch) % 4 == 0 for batch in multiples[:-1]) or sum(len(b) % 4 != 0 for b in multiples) <= 1


def test_batches_are_deterministic_and_change_with_the_epoch(tmp_path):
    examples = dataset(tmp_path, {"en": 100})
    first, again, other = (examples.batches(epoch, (100, None, 1)) for epoch in (1, 1, 2))
    assert [b.tolist() for b in first] == [b.tolist() for b in again]
    assert [b.tolist() for b in first] != [b.tolist() for b in other]
    lengths = [int(examples.sizes[batch].max()) for batch in first]
    assert lengths != sorted(lengths)  # not from short to long


@pytest.mark.parametrize("count", [1, 5, 8, 13, 21])
@pytest.mark.parametrize(("max_tokens", "max_sentences"), [(64, None), (None, 16), (64, 12)])
def test_no_item_is_left_out_whatever_the_multiple(count, max_tokens, max_sentences):
    items = np.arange(count) + 100
    batches = group(items, np.full(count, 4), max_tokens, max_sentences, 8)
    assert np.concatenate(batches).tolist() == items.tolist()
    assert all(len(batch) <= min(max_sentences or 99, (max_tokens or 999) // 4) for batch in batches)
    assert all(len(batch) < 8 or len(batch) % 8 == 0 for batch in batches)
