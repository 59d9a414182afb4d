"""The pool whose processes end with its block."""

from __future__ import annotations

import time

import pytest

from fairseq_xling_preprocess.workers import process_pool


def nothing() -> None:
    pass


def large(size: int) -> bytes:
    return bytes(size)


def interrupted(delay: float) -> None:
    with process_pool(2, nothing) as pool:
        for _ in range(100):
            pool.submit(large, 1 << 26)
        time.sleep(delay)
        raise KeyboardInterrupt


@pytest.mark.parametrize("delay", [0.05, 0.1, 0.2])
def test_an_exception_while_large_results_are_under_way(delay: float) -> None:
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        interrupted(delay)
    assert time.monotonic() < started + 10
