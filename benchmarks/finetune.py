"""Speed of fine-tuning against `transformers`: question answering and token classification.

    python benchmarks/finetune.py --out out/bench-finetune            # 6 x 512, 32k symbols, some minutes on one core
    python benchmarks/finetune.py --quick --out out/bench-finetune    # three rounds, one update of question answering each

Both train the same weights on the same batches, with dropout, in one process and in turns. A ratio is the median over the
rounds of the quotient of two neighbouring measurements.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import report
from contenders import Sample, Shape
from finetune_contenders import SETTINGS, FineTuning, Setting, transformers_like, write_model
from throughput import quotients, take_turns

NAME = "finetune_vs_transformers_examples_per_s"
OURS, THEIRS = "fairseq_xling", "transformers"
# that a measurement takes seconds
UPDATES = {"question_answering": 2, "token_classification": 10}


def compare(
    setting: Setting, model: Path, shape: Shape, max_length: int, dropout: float, rounds: int, updates: int
) -> dict[str, list[Sample]]:
    """Measure both on one task."""
    ours = FineTuning(setting, model, shape, max_length, dropout, rounds * updates)
    theirs = transformers_like(ours, shape, dropout)
    samples = take_turns({OURS: lambda: ours, THEIRS: lambda: theirs}, rounds, updates)
    for a, b in zip(samples[OURS], samples[THEIRS], strict=True):
        assert (a.tokens, a.cells) == (b.tokens, b.cells), "the batches are not the same"
    return samples


def ratios_of(samples: dict[str, list[Sample]], clock: str) -> dict[str, float]:
    """Median, lowest and highest quotient of the rounds; the batches are the same, so it is that of examples per second."""
    values = quotients(samples, OURS, THEIRS, clock)
    return {"median": median(values), "lowest": min(values), "highest": max(values)}


def run_row(task: str, name: str, runs: list[Sample], batch_size: int) -> tuple[Any, ...]:
    """A line of the table of runs."""
    tokens, cells, updates = (sum(getattr(run, field) for run in runs) for field in ("tokens", "cells", "updates"))
    speeds = [batch_size * run.updates / run.seconds for run in runs]
    padding = f"{100 * (1 - tokens / cells):.1f} %"
    seconds = median(run.seconds / run.updates for run in runs)
    return task, name, median(speeds), " ".join(f"{s:.3g}" for s in speeds), seconds, tokens / updates, padding


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", help="folder for results.json and report.md (default: print only)")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="three rounds, half the updates in each")
    size.add_argument("--smoke", action="store_true", help="a tiny model, to see that everything runs")
    parser.add_argument("--rounds", type=int, help="measurements of each contender (default: 5, quick 3)")
    parser.add_argument("--dropout", type=float, default=0.1, help="of states and attention weights (default: 0.1)")
    args = parser.parse_args()

    shape, rounds, max_length, updates = Shape(), 5, 384, UPDATES
    if args.quick:
        rounds, updates = 3, {task: count // 2 for task, count in UPDATES.items()}
    if args.smoke:
        shape, rounds, max_length = Shape(2, 32, 64, 2, vocabulary=500, max_positions=128), 1, 96
        updates = dict.fromkeys(UPDATES, 1)
    rounds = args.rounds or rounds
    runs = {}
    with tempfile.TemporaryDirectory(prefix="finetune-") as folder:
        model = write_model(Path(folder) / "model", shape)
        for setting in SETTINGS:
            count = updates[setting.task]
            runs[setting] = compare(setting, model, shape, max_length, args.dropout, rounds, count)
    spread = {setting.task: ratios_of(samples, "seconds") for setting, samples in runs.items()}
    cpu_spread = {setting.task: ratios_of(samples, "cpu_seconds") for setting, samples in runs.items()}
    ratios, cpu_ratios = (
        {NAME: min(part["median"] for part in parts.values())}
        | {f"{task}_vs_transformers_examples_per_s": part["median"] for task, part in parts.items()}
        for parts in (spread, cpu_spread)
    )
    body = report.table(
        ("ratio", "measured", "lowest to highest round", "in processor time", "target"),
        [(f"`{NAME}`, the smaller of the two", ratios[NAME], "", cpu_ratios[NAME], ">= 1.2")]
        + [
            (task, part["median"], f"{part['lowest']:.2f} to {part['highest']:.2f}", cpu_spread[task]["median"], "")
            for task, part in spread.items()
        ],
    )
    settings = asdict(shape) | {
        "max_length": max_length,
        "dropout": args.dropout,
        "rounds": rounds,
        "updates": updates,
        "batch_size": {setting.task: setting.batch_size for setting in SETTINGS},
    }
    lines = [
        run_row(setting.task, name, samples, setting.batch_size)
        for setting, by_name in runs.items()
        for name, samples in by_name.items()
    ]
    header = ("task", "run", "examples/s", "all runs", "s/update", "tokens/update", "padding")
    results = {
        "ratios": ratios,
        "cpu_ratios": cpu_ratios,
        "spread": spread,
        "cpu_spread": cpu_spread,
        "runs": [
            {"task": setting.task, "name": name, "examples": setting.batch_size * sample.updates, **asdict(sample)}
            for setting, by_name in runs.items()
            for name, samples in by_name.items()
            for sample in samples
        ],
        "settings": settings,
        "seed": 1,
    }
    report.write(
        args.out, "Speed of fine-tuning", results, f"{body}\n{report.table(header, lines)}\nSettings: {settings}\n"
    )


if __name__ == "__main__":
    main()
