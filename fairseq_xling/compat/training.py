"""The training loop: finished jobs, errors that name their cause, and a clean end of the process."""

from __future__ import annotations

import atexit
import contextlib
import math
import queue
import sys
import time
import weakref
from collections.abc import Callable
from typing import Any

import fairseq_cli.train
from fairseq.data import data_utils, iterators
from fairseq.nan_detector import NanDetector
from fairseq.tasks import TASK_REGISTRY
from fairseq.trainer import Trainer

from ._replace import replace


def finished_is_finished() -> None:
    """Run again at its last update, a job makes one more update and rewrites its checkpoint; it should just end."""

    def build(original: Callable[..., Any]) -> Callable[..., Any]:
        def train(cfg: Any, trainer: Any, task: Any, epoch_itr: Any) -> tuple[list[float | None], bool]:
            if trainer.get_num_updates() >= (cfg.optimization.max_update or math.inf):
                fairseq_cli.train.logger.info(
                    f"nothing to do: the checkpoint is at update {trainer.get_num_updates()}, "
                    f"--max-update is {cfg.optimization.max_update}"
                )
                return [None], True
            return original(cfg, trainer, task, epoch_itr)

        return train

    replace(fairseq_cli.train, "train", build)
    # `python -m fairseq_cli.train` runs a second copy of the module
    main = sys.modules["__main__"]
    if getattr(getattr(main, "__spec__", None), "name", None) == "fairseq_cli.train":
        replace(main, "train", build)


def validation_sets_of_data_bins() -> None:
    """fairseq lists ``data`` for validation sets that the run leaves out; a task's ``data`` may be a model, even one file.

    Such a task has an attribute ``data_is_model``.
    """

    def build(original: Callable[..., Any]) -> Callable[..., Any]:
        def raise_if_valid_subsets_unintentionally_ignored(train_cfg: Any) -> None:
            if not getattr(TASK_REGISTRY.get(train_cfg.task._name), "data_is_model", False):
                original(train_cfg)

        return raise_if_valid_subsets_unintentionally_ignored

    replace(data_utils, "raise_if_valid_subsets_unintentionally_ignored", build)


def name_the_batch() -> None:
    """ "gradients are Nan/Inf" and "Minimum loss scale reached" do not say where; add what the criterion knows.

    A criterion that has a method ``diagnose() -> str`` tells which objective and which batch it saw last.
    """

    def build(original: Callable[..., Any]) -> Callable[..., Any]:
        def train_step(self: Any, samples: Any, raise_oom: bool = False) -> Any:
            try:
                return original(self, samples, raise_oom)
            except FloatingPointError as error:
                diagnose = getattr(self.get_criterion(), "diagnose", None)
                if diagnose is None:
                    raise
                raise FloatingPointError(f"{error} ({diagnose()})") from error

        return train_step

    replace(Trainer, "train_step", build)


def whole_updates() -> None:
    """fairseq hands a criterion one micro-batch after the other; a mean over all of an update needs to know of all first.

    A criterion that has a method ``update(samples)`` is entered with this process's micro-batches, as a context.
    """

    def build(original: Callable[..., Any]) -> Callable[..., Any]:
        def train_step(self: Any, samples: Any, raise_oom: bool = False) -> Any:
            update = getattr(self.get_criterion(), "update", None)
            if update is None:
                return original(self, samples, raise_oom)
            with update(samples):
                return original(self, samples, raise_oom)

        return train_step

    replace(Trainer, "train_step", build)


def nan_detector_without_backward_hooks() -> None:
    """After a NaN fairseq runs the batch again with hooks on every module, to say where it first appeared.

    Its kind of backward hook fails in PyTorch on a module that does not return tensors, and that failure hides the NaN.
    The hooks of the forward pass and the norms of all gradients, which the detector also logs, say the same.
    """

    def build(original: Callable[..., Any]) -> Callable[..., Any]:
        def add_hooks(self: Any, module: Any) -> None:
            self.backward = False
            original(self, module)

        return add_hooks

    replace(NanDetector, "add_hooks", build)


_consumers: weakref.WeakSet[Any] = weakref.WeakSet()


def stop_consumers(timeout: float = 10.0) -> None:
    """End the threads that read batches ahead, waiting at most ``timeout`` seconds for the batch in hand."""
    deadline = time.monotonic() + timeout
    for consumer in list(_consumers):
        consumer._max_len = 0  # ends its loop after the current batch
        while consumer.is_alive() and time.monotonic() < deadline:
            with contextlib.suppress(queue.Empty):
                consumer._queue.get(timeout=0.02)  # it may be waiting for room


def stop_reading_ahead() -> None:
    """A run that stops within an epoch leaves fairseq's thread reading batches while Python shuts down.

    Such a thread is ended inside PyTorch's C++ code, which now and then aborts the finished job ("terminate called
    without an active exception", exit code 134). Stop these threads first.
    """
    base = iterators.BackgroundConsumer
    if getattr(base, "is_tracked", False):
        return

    class BackgroundConsumer(base):  # type: ignore[misc, valid-type]
        is_tracked = True

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            _consumers.add(self)

    iterators.BackgroundConsumer = BackgroundConsumer
    atexit.register(stop_consumers)


SHIMS = (
    finished_is_finished,
    validation_sets_of_data_bins,
    name_the_batch,
    whole_updates,
    nan_detector_without_backward_hooks,
    stop_reading_ahead,
)
