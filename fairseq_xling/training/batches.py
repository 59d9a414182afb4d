"""fairseq's epoch iterator: the position in an epoch, whatever the number of processes; a clock on how long training waits for data."""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Iterator
from multiprocessing.util import Finalize
from typing import Any

from fairseq.data.iterators import CountingIterator, EpochBatchIterator

logger = logging.getLogger(__name__)


# option, its name in a checkpoint, and here
_LIMITS = (("--max-tokens", "max_tokens", "max_tokens"), ("--batch-size", "batch_size", "max_sentences"))


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

    The loader is released with its last batch. fairseq never asks it for one more and holds it in a reference cycle. If it
    is freed only when that cycle is collected, its worker processes are not told to end, and each is waited for until a
    time-out of five seconds.
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
    """`EpochBatchIterator` for batches that come in their order, that resumes with other settings too.

    The order is the dataset's, so it does not depend on the number of processes; a dataset shuffles its own batches. The time
    spent in the data loader is added to `DataWait`.

    Args:
        max_tokens, max_sentences: the limits that the batches were made with.
        options: of `EpochBatchIterator`.
    """

    def __init__(self, *, max_tokens: int | None, max_sentences: int | None, **options: Any):
        super().__init__(**options)
        self.max_tokens = max_tokens
        self.max_sentences = max_sentences

    def ordered_batches(self, epoch: int, fix_batches_to_gpus: bool, shuffle: bool) -> Any:
        """The batches of this process."""
        return super().ordered_batches(epoch, fix_batches_to_gpus, shuffle=False)

    def state_dict(self) -> dict[str, Any]:
        """The position in the epoch, with what it is counted in."""
        state: dict[str, Any] = super().state_dict()
        return {**state, **self._counted_in()}

    def _counted_in(self) -> dict[str, Any]:
        return {
            "num_processes": self.num_shards,
            "num_batches": len(self.frozen_batches),
            "max_tokens": self.max_tokens,
            "batch_size": self.max_sentences,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue where the checkpoint is.

        With the batches it was made with, exactly, on any number of processes; with others (another ``--max-tokens`` or
        ``--batch-size``) at the same fraction of the epoch. The log says what is seen again.
        """
        before = {**self._counted_in(), **state_dict}
        processes, count, total = before["num_processes"], before["num_batches"], len(self.frozen_batches)
        done = state_dict.get("iterations_in_epoch", 0) * processes
        limits = [(flag, before[name], getattr(self, attribute)) for flag, name, attribute in _LIMITS]
        changed = [f"{flag} {now} instead of {then}" for flag, then, now in limits if then != now]
        # the number of batches is rounded up to one that the processes can divide
        if changed or count - processes >= total or total - self.num_shards >= count:
            share = done / count
            done = round(share * total)
            if done:
                logger.warning(
                    f"epoch {state_dict['epoch']} has {total} batches, in the checkpoint it has {count} ({'; '.join(changed) or 'other data'}): "
                    f"continuing after {share:.1%} of it; some of its text may be seen twice or not at all"
                )
        offset = min(done // self.num_shards, len(self) - 1)
        if again := done - offset * self.num_shards:
            logger.warning(
                f"the checkpoint is after batch {done} of epoch {state_dict['epoch']}; {self.num_shards} processes start again at batch "
                f"{done - again + 1}"
            )
        super().load_state_dict({**state_dict, "iterations_in_epoch": offset})

    def _get_iterator_for_epoch(self, *args: Any, **kwargs: Any) -> CountingIterator | None:
        iterator = super()._get_iterator_for_epoch(*args, **kwargs)
        if iterator is not None:
            iterator._itr = _measured(iterator._itr, iterator.total - iterator.n)
            Finalize(iterator._itr, _release, (weakref.ref(iterator._itr),), exitpriority=10)
        return iterator
