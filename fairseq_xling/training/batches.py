"""fairseq's epoch iterator, with a clock on how long training waits for data."""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterator
from multiprocessing.util import Finalize
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


def _measured(batches: Iterator[Any], count: int) -> Iterator[Any]:
    """The next ``count`` of ``batches``, each waited for on the clock of `DataWait`.

    The loader is released with its last batch. fairseq never asks it for one more and holds it in a reference cycle;
    collected as such, its worker processes miss their farewell and are waited for, five seconds each.
    """
    for left in reversed(range(count)):
        start = time.perf_counter()
        batch = next(batches)
        DataWait.seconds += time.perf_counter() - start
        if not left:
            del batches
        yield batch


def _release(reading: weakref.ref[Any]) -> None:
    """End the worker processes of a loader that a run has left before its end.

    Where training runs in a child process, Python's exit would terminate them, which PyTorch takes for a crash: the
    finished job would exit with code 1.
    """
    batches = reading()
    if batches is not None:
        batches.close()


class MeasuredBatchIterator(EpochBatchIterator):
    """`EpochBatchIterator` that adds the time spent in the data loader to `DataWait`."""

    def _get_iterator_for_epoch(self, *args: Any, **kwargs: Any) -> CountingIterator | None:
        iterator = super()._get_iterator_for_epoch(*args, **kwargs)
        if iterator is not None:
            iterator._itr = _measured(iterator._itr, iterator.total - iterator.n)
            Finalize(iterator._itr, _release, (weakref.ref(iterator._itr),), exitpriority=10)
        return iterator
