"""fairseq's epoch iterator: the position in an epoch, whatever the number of processes; a clock on how long training waits for data."""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Iterator, Mapping
from multiprocessing.util import Finalize
from typing import Any

from fairseq.data.iterators import CountingIterator, EpochBatchIterator

logger = logging.getLogger(__name__)


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
        plan: what the batches and their order follow from, option -> value.
        update_freq: batches of an update on each process.
        options: of `EpochBatchIterator`.
    """

    def __init__(self, *, plan: Mapping[str, Any], update_freq: int, **options: Any):
        super().__init__(**options)
        self.plan = dict(plan)
        self.update_freq = update_freq

    def ordered_batches(self, epoch: int, fix_batches_to_gpus: bool, shuffle: bool) -> Any:
        """The batches of this process."""
        return super().ordered_batches(epoch, fix_batches_to_gpus, shuffle=False)

    def state_dict(self) -> dict[str, Any]:
        """The position in the epoch, with what it is counted in."""
        state: dict[str, Any] = super().state_dict()
        return {**state, **self._counted_in()}

    def _counted_in(self) -> dict[str, Any]:
        return {"num_processes": self.num_shards, "num_batches": len(self.frozen_batches), "plan": self.plan}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue where the checkpoint is.

        With the batches it was made with, at the same batch, on any number of processes; with others (another ``--max-tokens``, say)
        at the same fraction of the epoch. An update is not begun in its middle. The log says what is seen again.
        """
        before = {**self._counted_in(), **state_dict}
        processes, count, total = before["num_processes"], before["num_batches"], len(self.frozen_batches)
        done = state_dict.get("iterations_in_epoch", 0) * processes
        changed = [
            f"{flag} {now}, was {before['plan'].get(flag)}"
            for flag, now in self.plan.items()
            if now != before["plan"].get(flag)
        ]
        epoch, said = state_dict["epoch"], []
        # the number of batches is rounded up to one that the processes can divide
        if changed or count - processes >= total or total - self.num_shards >= count:
            share = done / count
            done = round(share * total)
            said.append(
                f"epoch {epoch} is made of other batches than the checkpoint's ({'; '.join(changed) or 'other data'}): continuing after "
                f"{share:.1%} of it; some of its text may be seen twice or not at all"
            )
        per_update = self.num_shards * self.update_freq
        offset = min(done, total - 1) // per_update * self.update_freq
        if again := done - offset * self.num_shards:
            said.append(
                f"the checkpoint is after batch {done} of epoch {epoch}, an update has {per_update}: starting again at batch "
                f"{done - again + 1}"
            )
        if state_dict.get("iterations_in_epoch", 0) and self.shard_id == 0:
            for message in said:
                logger.warning(message)
        super().load_state_dict({**state_dict, "iterations_in_epoch": offset})

    def _get_iterator_for_epoch(self, *args: Any, **kwargs: Any) -> CountingIterator | None:
        iterator = super()._get_iterator_for_epoch(*args, **kwargs)
        if iterator is not None:
            iterator._itr = _measured(iterator._itr, iterator.total - iterator.n)
            Finalize(iterator._itr, _release, (weakref.ref(iterator._itr),), exitpriority=10)
        return iterator
