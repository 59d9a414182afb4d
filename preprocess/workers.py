"""Worker processes that end with the command that started them, however it ends."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from types import FrameType
from typing import Any

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def num_cores() -> int:
    """Cores this process may use (Linux), else cores of the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def process_pool(
    workers: int, initializer: Callable[..., None], initargs: tuple[Any, ...] = ()
) -> Iterator[ProcessPoolExecutor]:
    """A pool for a ``with`` block. An exception in the block, Ctrl-C and SIGTERM kill its processes at once.

    What a worker writes must therefore appear only when complete. On Linux the workers of a killed process (SIGKILL) end too.
    SIGTERM raises SystemExit(143) within the block, so that the block can remove what is half-written.
    """
    others = set(multiprocessing.active_children())
    with exit_on_sigterm():
        pool = ProcessPoolExecutor(workers, initializer=_start, initargs=(os.getpid(), initializer, initargs))
        try:
            yield pool
        except BaseException:
            for worker in set(multiprocessing.active_children()) - others:
                worker.kill()
            # or the executor waits for the rest of a result that was half sent
            pool._result_queue._writer.close()  # type: ignore[attr-defined]
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def end_with_parent() -> None:
    """Let the kernel kill this process when its parent ends (Linux; nothing elsewhere)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _start(parent: int, initializer: Callable[..., None], initargs: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a forked worker has its parent's handler
    end_with_parent()
    if os.getppid() != parent:  # it ended before
        os._exit(1)
    initializer(*initargs)


@contextlib.contextmanager
def exit_on_sigterm() -> Iterator[None]:
    """SIGTERM raises SystemExit in the block, unless the caller has a handler of its own or is not the main thread."""
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    if ours:
        signal.signal(signal.SIGTERM, _exit)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
