"""Batches of the fine-tuning tasks hold every example, whatever fairseq's multiple of batch sizes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fairseq_xling.finetuning.dataset import FinetuneDataset


class Lengths(list[int]):
    """Examples that are nothing but lengths."""

    @property
    def sizes(self) -> np.ndarray:
        return np.array(self)


def dataset(count: int, train: bool) -> FinetuneDataset:
    examples: Any = Lengths(5 + number * 7 % 40 for number in range(count))
    formulation: Any = SimpleNamespace(max_positions=64)
    return FinetuneDataset(examples, formulation, train, seed=1)


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize(
    ("count", "max_tokens", "max_sentences"), [(5, None, 64), (60, None, 64), (2490, None, 32), (61, 200, None)]
)
def test_every_example_is_in_a_batch(
    count: int, max_tokens: int | None, max_sentences: int | None, train: bool
) -> None:
    batches = dataset(count, train).batches(1, max_tokens, max_sentences, size_multiple=8)
    assert sorted(np.concatenate(batches).tolist()) == list(range(count))


def test_a_batch_of_12_is_one_of_12() -> None:
    batches = dataset(30, train=False).batches(1, None, 12, size_multiple=8)
    assert [len(batch) for batch in batches] == [12, 12, 6]
