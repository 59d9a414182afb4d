"""Training speed against stock fairseq and `transformers`, the cost of BTMLM, and the speed of data loading.

    python benchmarks/throughput.py --out out/bench            # 6 x 512, 32k symbols, about 10 minutes on two cores, 12 GB
    python benchmarks/throughput.py --quick --out out/bench    # a third of it
    python benchmarks/throughput.py --data-bin DIR             # your own data instead of the synthetic corpus

All contenders live in one process and take turns, a few updates each, so that a busy machine slows all of them. A ratio
is the median over the rounds of the quotient of two neighbouring measurements. The same quotients of tokens per second of
processor time are reported beside them: where other jobs share the cores they are the steadier ones.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict
from pathlib import Path
from statistics import median

import report
from contenders import Fairseq, Shape, masked_lm, plugin, stock
from corpus import merge_monolingual, write_data_bin
from turns import Samples, quotients, run_table, take_turns


def loading(contenders: dict[str, Fairseq], rounds: int, updates: int) -> Samples:
    """Read batches without training, in turns."""
    samples: Samples = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            samples[name].append(contender.load(updates))
    return samples


def benchmark(data_bin: Path, scratch: Path, shape: Shape, rounds: int, updates: int) -> Samples:
    """Every measurement of every contender."""
    merged = merge_monolingual(data_bin, scratch / "merged")
    common = ("--save-dir", str(scratch / "save"))
    complete = ("--sample-break-mode", "complete", *common)
    probe = plugin("mmlm", data_bin, shape, *common).load(20)
    tokens_per_update = probe.tokens / probe.updates
    runs = take_turns(
        {
            "mmlm": lambda: plugin("mmlm", data_bin, shape, *common),
            "fairseq masked_lm": lambda: stock(merged, shape, "--sample-break-mode", "eos", *common),
            "transformers": lambda: masked_lm(merged, shape, tokens_per_update),
            "transformers, grouped by length": lambda: masked_lm(merged, shape, tokens_per_update, grouped=True),
        },
        rounds,
        updates,
    )
    runs |= take_turns(
        {
            "mmlm, packed": lambda: plugin("mmlm", data_bin, shape, *complete),
            "fairseq masked_lm, packed": lambda: stock(merged, shape, *complete),
        },
        rounds,
        updates,
    )
    runs |= take_turns(
        {
            "btmlm mix": lambda: plugin("btmlm", data_bin, shape, *common),
            "tlm mix": lambda: plugin("tlm", data_bin, shape, *common),
        },
        # the quotient of interest is near 1
        2 * rounds,
        updates,
    )
    loaders = {
        "mmlm, loading only": plugin("mmlm", data_bin, shape, *common),
        "fairseq masked_lm, loading only": stock(merged, shape, "--sample-break-mode", "eos", *common),
        "btmlm mix, loading only": plugin("btmlm", data_bin, shape, *common),
    }
    runs |= loading(loaders, rounds, 10 * updates)
    return runs


# name: ours, theirs
COMPARISONS = {
    "mmlm_vs_fairseq_tokens_per_s": ("mmlm", "fairseq masked_lm"),
    "mmlm_vs_fairseq_packed_tokens_per_s": ("mmlm, packed", "fairseq masked_lm, packed"),
    "mmlm_vs_transformers_tokens_per_s": ("mmlm", "transformers"),
    "mmlm_vs_transformers_grouped_tokens_per_s": ("mmlm", "transformers, grouped by length"),
    "btmlm_vs_tlm_step_time": ("tlm mix", "btmlm mix"),  # time per token is the inverse of tokens per second
    "loading_vs_fairseq_tokens_per_s": ("mmlm, loading only", "fairseq masked_lm, loading only"),
}
TARGETS = {
    "mmlm_vs_fairseq_tokens_per_s": ">= 1.2",
    "mmlm_vs_transformers_tokens_per_s": ">= 2.5",
    "btmlm_vs_tlm_step_time": "<= 1.10",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", help="folder for results.json and report.md (default: print only)")
    parser.add_argument("--data-bin", type=Path, help="measure on this data-bin, which needs mono/ and para/")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="fewer rounds and smaller batches")
    size.add_argument("--smoke", action="store_true", help="a tiny model, to see that everything runs")
    parser.add_argument("--rounds", type=int, help="measurements of each contender (default: 5, quick 3)")
    parser.add_argument("--updates", type=int, default=2, help="updates in one measurement")
    args = parser.parse_args()

    shape, rounds, sentences = Shape(), 5, 60_000
    if args.quick:
        shape, rounds = Shape(max_tokens=2048), 3
    if args.smoke:
        shape, rounds, sentences = Shape(2, 32, 64, 2, vocabulary=500, max_tokens=1100, max_positions=256), 1, 2_000
    rounds = args.rounds or rounds
    with tempfile.TemporaryDirectory(prefix="throughput-") as folder:
        scratch = Path(folder)
        data_bin = args.data_bin or write_data_bin(scratch / "bin", sentences, shape.vocabulary, pairs=sentences // 2)
        if args.data_bin:
            shape.vocabulary = len((data_bin / "dict.txt").read_text(encoding="utf-8").splitlines()) + 5
        runs = benchmark(data_bin, scratch, shape, rounds, args.updates)
    ratios, cpu_ratios = (
        {name: median(quotients(runs, *pair, clock)) for name, pair in COMPARISONS.items()}
        for clock in ("seconds", "cpu_seconds")
    )
    body = report.table(
        ("ratio", "measured", "in processor time", "target"),
        [(name, value, cpu_ratios[name], TARGETS.get(name, "")) for name, value in ratios.items()],
    )
    settings = asdict(shape) | {"rounds": rounds, "updates": args.updates, "data": str(args.data_bin or "synthetic")}
    body += f"\n{run_table(runs)}\nSettings: {settings}\n"
    results = {
        "ratios": ratios,
        "cpu_ratios": cpu_ratios,
        "runs": [{"name": name, **asdict(sample)} for name, samples in runs.items() for sample in samples],
        "settings": settings,
        "seed": 1,
    }
    report.write(args.out, "Training speed", results, body)


if __name__ == "__main__":
    main()
