"""fairseq's epoch iterator, with a clock on how long training waits for data."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from fairseq.data.iterators import CountingIterator, EpochBatchIterator


class DataWait:
    """Seconds this process has waited for its data loader since the last `take`."""

    seconds = 0.0

    @classmethod
    def take(cls) -> float:
        """Return the seconds and start again from 0."""
        seconds, cls.seconds = cls.seconds, 0.0
        return seconds


def _measured(items: Iterator[Any]) -> Iterator[Any]:
    while True:
        start = time.perf_counter()
        try:
            item = next(items)
        except StopIteration:
            return
        DataWait.seconds += time.perf_counter() - start
        yield item


class MeasuredBatchIterator(EpochBatchIterator):
    """`EpochBatchIterator` that adds the time spent in the data loader to `DataWait`."""

    def _get_iterator_for_epoch(self, *args: Any, **kwargs: Any) -> CountingIterator | None:
        iterator = super()._get_iterator_for_epoch(*args, **kwargs)
        if iterator is not None:
            iterator._itr = _measured(iterator._itr)
        return iterator
