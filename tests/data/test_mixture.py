"""One batch of every objective an update: cycling, lengths, shards, epochs."""

from __future__ import annotations

import logging
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fairseq_xling.data.examples import INDEX_BITS
from fairseq_xling.data.mixture import MixtureDataset
from fairseq_xling.errors import UserError
from tests.helpers import make_task, random_sentences, small_data_bin, write_data_bin


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_data_bin(tmp_path_factory.mktemp("mixture"))


def mixture(folder: Path, split: str = "train", **options: Any) -> MixtureDataset:
    task = make_task(folder, **options)
    task.load_dataset(split)
    return task.datasets[split]


def parts_of(data: MixtureDataset, batches: list[np.ndarray]) -> list[dict[str, list[int]]]:
    """Ids of each objective in each composite batch."""
    return [{name: part["id"].tolist() for name, part in data.collater([data[i] for i in b]).items()} for b in batches]


def test_every_update_has_every_objective_and_the_shorter_ones_are_cycled(folder, caplog):
    data = mixture(folder, sampling_alpha=1.0)
    with caplog.at_level(logging.INFO):
        batches = data.batches(1, max_tokens=400, max_sentences=None)
    single = {name: len(part.batches(1, (100, None, 1))) for name, part in data.parts.items()}
    assert len(batches) == max(single.values())
    updates = parts_of(data, batches)
    assert all(list(update) == ["mmlm", "tlm", "camlm", "btmlm"] for update in updates)
    for name, part in data.parts.items():
        seen = Counter(i for update in updates for i in update[name])
        assert seen.keys() == set(np.flatnonzero(part.sizes).tolist())  # nothing is left out
        assert max(seen.values()) - min(seen.values()) <= 1  # and all of it before any again
        (passes,) = re.findall(rf"{name} (\d\.\d\d)", caplog.text)
        assert float(passes) == pytest.approx(len(batches) / single[name], abs=0.15)
    assert f"epoch 1: {len(batches)} updates of one batch per objective; passes over each: " in caplog.text


def test_batches_keep_to_each_objectives_share(folder):
    data = mixture(folder, objectives="mmlm,tlm", objective_shares="0.25,0.75")
    for batch in data.batches(1, max_tokens=200, max_sentences=None):
        parts = data.collater([data[i] for i in batch])
        assert parts["mmlm"]["tokens"].numel() <= 50
        assert parts["tlm"]["tokens"].numel() <= 150
    for batch in data.batches(1, max_tokens=None, max_sentences=8):
        parts = data.collater([data[i] for i in batch])
        assert len(parts["mmlm"]["id"]) <= 2
        assert len(parts["tlm"]["id"]) <= 6


def test_a_cycle_has_masks_of_its_own(folder):
    data = mixture(folder, objectives="mmlm,tlm", mask_prob=0.5)
    batches = data.batches(1, max_tokens=200, max_sentences=None)
    by_sentence: dict[int, list[bytes]] = {}
    for batch in batches:
        for i in batch:
            name, example = data[i]
            if name == "tlm":
                by_sentence.setdefault(example["id"], []).append(example["tokens"].tobytes())
    repeated = [masks for masks in by_sentence.values() if len(masks) > 1]
    assert len(repeated) >= 5
    assert all(len(set(masks)) == len(masks) for masks in repeated)


def test_epochs_have_masks_of_their_own_in_training_only(folder):
    for split, same in (("train", False), ("valid", True)):
        data = mixture(folder, split, objectives="mmlm", mask_prob=0.5)
        drawn = []
        for epoch in (1, 2, 2):
            data.set_epoch(epoch)
            drawn.append([data[i][1]["tokens"].tobytes() for i in range(30)])
        assert drawn[1] == drawn[2]
        differ = sum(a != b for a, b in zip(drawn[0], drawn[1], strict=True))
        assert differ == 0 if same else differ > 25
        orders = [[batch.tolist() for batch in data.batches(epoch, 100, None)] for epoch in (1, 2)]
        assert (orders[0] == orders[1]) == same


def test_validation_sees_everything_once(folder):
    data = mixture(folder, "valid")
    updates = parts_of(data, data.batches(5, max_tokens=400, max_sentences=None, num_shards=2))
    for name, part in data.parts.items():
        assert sorted(i for update in updates for i in update.get(name, [])) == list(range(len(part.sizes)))
    assert [len(update) for update in updates] == sorted((len(update) for update in updates), reverse=True)
    assert len(updates[-1]) < 4  # the longest goes on alone


@pytest.mark.parametrize("num_shards", [1, 2, 3, 8])
def test_every_process_gets_as_many_updates_and_none_the_same_item(folder, num_shards):
    data = mixture(folder)
    batches = data.batches(1, 400, None, num_shards=num_shards)
    assert len(batches) % num_shards == 0
    assert len(batches) - num_shards < len(data.batches(1, 400, None))
    items = [{int(i) for batch in batches[shard::num_shards] for i in batch} for shard in range(num_shards)]
    assert sum(map(len, items)) == len(set.union(*items)) == sum(map(len, batches))


@pytest.mark.parametrize("workers", [0, 2])
def test_the_tasks_iterators_divide_the_updates_among_processes(folder, workers):
    task = make_task(folder)
    task.load_dataset("train")
    seen = []
    for shard in range(2):
        iterator = task.get_batch_iterator(
            task.datasets["train"], max_tokens=400, num_shards=2, shard_id=shard, num_workers=workers, epoch=3, seed=1
        )
        seen.append([{name: part["tokens"] for name, part in batch.items()} for batch in iterator.next_epoch_itr()])
    assert len(seen[0]) == len(seen[1]) > 2
    pairs = [(a, b) for a in seen[0] for b in seen[1]]
    assert not any(torch.equal(a[name], b[name]) for a, b in pairs for name in a)


@pytest.mark.parametrize("workers", [0, 2])
def test_masks_differ_between_epochs_with_and_without_worker_processes(folder, workers):
    """fairseq's own tasks show worker processes the masks of the first epoch for ever."""
    task = make_task(folder, objectives="mmlm", mask_prob=0.5)
    task.load_dataset("train")
    texts = []
    for epoch in (1, 2):
        iterator = task.get_batch_iterator(task.datasets["train"], max_tokens=200, num_workers=workers, epoch=epoch)
        found = {}
        for batch in iterator.next_epoch_itr():
            found.update(zip(batch["mmlm"]["id"].tolist(), batch["mmlm"]["tokens"].tolist(), strict=True))
        texts.append({i: [t for t in tokens if t != 1] for i, tokens in found.items()})
    assert texts[0].keys() == texts[1].keys()
    assert sum(texts[0][i] != texts[1][i] for i in texts[0]) > 0.9 * len(texts[0])


def test_one_objective_repeated_very_often(tmp_path):
    """A tiny pair corpus beside a large one: cycles are many, the longer one is not cut."""
    few = random_sentences(2)
    data = mixture(
        write_data_bin(tmp_path, {"de": random_sentences(400)}, {"de-en": (few, few)}),
        objectives="mmlm,tlm",
        mask_prob=0.5,
    )
    batches = data.batches(1, None, 2)
    assert len(batches) == 400
    masks = {
        example["tokens"].tobytes() for b in batches for name, example in map(data.__getitem__, b) if name == "tlm"
    }
    assert len(masks) > 250


@pytest.mark.parametrize("long", [2500, 900, 420])
def test_a_cycled_objective_reads_on(tmp_path, long):
    """No pair comes again before all of its language pair have been there, within an epoch and from one to the next."""
    sizes = {"aa-en": 300, "bb-en": 40, "cc-en": 9, "dd-en": 2}
    pairs = {pair: (random_sentences(n, seed=1), random_sentences(n, seed=2)) for pair, n in sizes.items()}
    folder = write_data_bin(tmp_path, {"en": random_sentences(long)}, pairs)
    data = mixture(folder, objectives="mmlm,tlm")
    source = data.parts["tlm"].source
    seen: Counter[int] = Counter()
    for epoch in range(1, 9):
        for update in parts_of(data, data.batches(epoch, 800, None)):
            seen.update(update["tlm"])
    for start, end in zip(source.bounds[:-1], source.bounds[1:], strict=True):
        times = np.array([seen[i] for i in range(start, end)])
        # a few batches are cut off or read ahead at the end of each epoch
        assert times.max() - times.min() <= max(3, 0.25 * times.mean()), (start, times.min(), times.max())
        assert times.std() < 1.2, (start, times.std())


def test_nothing_of_the_longest_is_cut_off_or_comes_twice(tmp_path):
    para = {"de-en": (random_sentences(90, seed=1), random_sentences(90, seed=2))}
    data = mixture(write_data_bin(tmp_path, {"en": random_sentences(700)}, para), objectives="mmlm,tlm")
    for epoch in (1, 2, 3):
        seen = Counter(i for update in parts_of(data, data.batches(epoch, 800, None)) for i in update["mmlm"])
        assert seen == Counter(range(700))


@pytest.mark.parametrize("num_shards", [2, 3, 7])
def test_the_order_is_that_of_one_process_whatever_reads_on(tmp_path, num_shards):
    """What fills up the last round of the processes stands at the end, of every objective."""
    para = {"de-en": (random_sentences(90, seed=1), random_sentences(90, seed=2))}
    data = mixture(write_data_bin(tmp_path, {"en": random_sentences(700)}, para), objectives="mmlm,tlm")
    expected = data.batches(2, 410, None)
    found = data.batches(2, 410, None, num_shards=num_shards)
    assert len(found) % num_shards == 0
    for one, other in zip(expected, found, strict=False):
        assert one.tolist() == other.tolist()
    assert len(set(np.concatenate(found).tolist())) == sum(map(len, found))


def test_blank_lines_and_empty_sides_do_not_count_in_sampling(tmp_path):
    """Two languages of 100 sentences, one with a blank line after every fifth, are drawn alike."""
    sentences = random_sentences(100)
    blanks = [line for i, sentence in enumerate(sentences) for line in ([sentence, []] if i % 5 == 4 else [sentence])]
    few = random_sentences(20)
    folder = write_data_bin(
        tmp_path,
        {"de": sentences, "en": blanks},
        {"de-en": (few, few), "de-fr": ([*few, [5], []], [*few, [], [6]])},
    )
    for alpha in (0.0, 0.7, 1.0):
        data = mixture(folder, objectives="mmlm,tlm", sampling_alpha=alpha)
        for part in data.parts.values():
            items = part.epoch_items(1)
            drawn = np.searchsorted(part.source.bounds, items & ((1 << INDEX_BITS) - 1), side="right") - 1
            assert np.bincount(drawn).tolist() == [len(items) // 2] * 2
            assert (part.item_sizes(items) > 0).all()


def test_max_tokens_too_small(folder):
    data = mixture(folder)
    longest = int(data.parts["tlm"].sizes.max())
    with pytest.raises(
        UserError, match=r"--max-tokens 60 x the share 0\.25 of tlm = 15 is less than its longest example"
    ):
        data.batches(1, 60, None)
    needed = 4 * longest
    with pytest.raises(UserError, match=rf"raise --max-tokens to {needed} or lower --max-positions"):
        data.batches(1, 4 * longest - 4, None)
    data.batches(1, needed, None)


def test_no_samples_make_an_empty_batch(folder):
    assert MixtureDataset(mixture(folder).parts, {}, {}, cycle=False).collater([]) == {}
