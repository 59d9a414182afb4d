"""Contenders that take turns, so that a busy machine slows all of them, and what comes out of it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from statistics import median

import report
from contenders import Contender, Sample

Samples = dict[str, list[Sample]]


def take_turns(contenders: dict[str, Callable[[], Contender]], rounds: int, updates: int) -> Samples:
    """Measure A B C A B C ...; every contender makes one unmeasured update first."""
    running = {name: build() for name, build in contenders.items()}
    for contender in running.values():
        contender.measure(1)
    samples: Samples = {name: [] for name in running}
    for _ in range(rounds):
        for name, contender in running.items():
            samples[name].append(contender.measure(updates))
    for contender in running.values():
        contender.close()
    running.clear()
    gc.collect()  # models and trainers refer to each other
    return samples


def quotients(samples: Samples, ours: str, theirs: str, clock: str) -> list[float]:
    """Quotient of tokens per second in each round; ``clock`` is ``seconds`` or ``cpu_seconds``."""
    return [
        (a.tokens / getattr(a, clock)) / (b.tokens / getattr(b, clock))
        for a, b in zip(samples[ours], samples[theirs], strict=True)
    ]


def run_table(samples: Samples) -> str:
    """One line per contender: medians over its runs."""
    rows = [
        (
            name,
            median(s.tokens_per_s for s in runs),
            " ".join(f"{s.tokens_per_s:.0f}" for s in runs),
            median(s.seconds / s.updates for s in runs),
            sum(s.tokens for s in runs) / sum(s.updates for s in runs),
            f"{100 * (1 - sum(s.tokens for s in runs) / sum(s.cells for s in runs)):.1f} %",
        )
        for name, runs in samples.items()
    ]
    return report.table(("run", "tokens/s", "all runs", "s/update", "tokens/update", "padding"), rows)
