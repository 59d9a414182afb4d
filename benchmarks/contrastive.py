"""The cost of XLM-K's queue: the step time of masked entity prediction with it and with candidates of the batch alone.

    python benchmarks/contrastive.py --out out/bench-contrastive     # 6 x 768, 32,768 keys, some minutes on one core
    python benchmarks/contrastive.py --smoke                         # a tiny model, to see that everything runs

Both train the same model on the same batches in turns; the ratio is the median over the rounds of the quotient of two
neighbouring measurements.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict
from pathlib import Path
from statistics import median

import report
from contenders import Shape, plugin
from corpus import write_data_bin, write_knowledge
from turns import quotients, run_table, take_turns


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", help="folder for results.json and report.md (default: print only)")
    parser.add_argument("--smoke", action="store_true", help="a tiny model, to see that everything runs")
    parser.add_argument("--queue-size", type=int, default=32_768)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--updates", type=int, default=1, help="updates in one measurement")
    args = parser.parse_args()

    shape = Shape(6, 768, 3072, 12, vocabulary=32_000, max_positions=256, max_tokens=4096)
    rounds, entities = args.rounds, 2000
    if args.smoke:
        shape, rounds, entities = Shape(2, 32, 64, 2, vocabulary=500, max_tokens=1024, max_positions=256), 1, 40
    with tempfile.TemporaryDirectory(prefix="contrastive-") as name:
        data = write_data_bin(Path(name) / "bin", 100, shape.vocabulary)
        write_knowledge(data, entities, shape.vocabulary, shape.max_positions)
        sizes = {"batch alone": 0, "queue": args.queue_size}
        runs = take_turns(
            {
                name: lambda size=size: plugin(
                    "xlmk_entity", data, shape, "--objectives", "xlmk_entity", "--queue-size", str(size)
                )
                for name, size in sizes.items()
            },
            rounds,
            args.updates,
        )
    # time per token is the inverse of tokens per second
    ratio, cpu_ratio = (median(quotients(runs, "batch alone", "queue", clock)) for clock in ("seconds", "cpu_seconds"))
    settings = asdict(shape) | {"rounds": rounds, "updates": args.updates, "queue_size": args.queue_size}
    body = report.table(
        ("ratio", "measured", "in processor time", "target"), [("queue_step_overhead", ratio, cpu_ratio, "<= 1.05")]
    )
    body += f"\n{run_table(runs)}\nSettings: {settings}\n"
    results = {
        "ratios": {"queue_step_overhead": ratio},
        "cpu_ratios": {"queue_step_overhead": cpu_ratio},
        "runs": [{"name": name, **asdict(sample)} for name, samples in runs.items() for sample in samples],
        "settings": settings,
        "seed": 1,
    }
    report.write(args.out, "The cost of XLM-K's queue", results, body)


if __name__ == "__main__":
    main()
