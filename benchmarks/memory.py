"""Host memory of a training process against the size of its corpus.

    python benchmarks/memory.py --out out/bench-memory             # 1, 5, 10 and 20 million sentences, about 3 GB of disk
    python benchmarks/memory.py --quick --out out/bench-memory     # 0.5, 1 and 2 million

Counted is anonymous memory, which every rank has for itself; the corpus is memory-mapped and shared through the page
cache. Each point is a process of its own that loads the training data and builds the iterator of the first epoch. The
slope of a least-squares line is the number of bytes per sentence. Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

VOCABULARY = 5_000
MEDIAN_LENGTH = 6.0
LIMIT = 64


def anonymous_bytes(process: int | str = "self") -> int:
    """Memory of a process that no file backs."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Anonymous:")), 0)


def load(mix: str, data_bin: str, max_tokens: int) -> dict[str, Any]:
    """Load the training data as ``fairseq-train`` does; memory before and after, in bytes."""
    from fairseq import options, tasks
    from fairseq.dataclass.utils import convert_namespace_to_omegaconf

    import fairseq_xling  # noqa: F401  registers the plugin with fairseq

    logging.disable(logging.WARNING)
    arguments = [data_bin, "--task", mix, "--arch", "xling_tiny", "--max-tokens", str(max_tokens), "--cpu"]
    parser = options.get_training_parser()
    cfg = convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, arguments))
    task = tasks.setup_task(cfg.task)
    before, start = anonymous_bytes(), time.perf_counter()
    task.load_dataset("train", epoch=1)
    iterator = task.get_batch_iterator(task.dataset("train"), max_tokens=max_tokens, epoch=1)
    batches = iterator.next_epoch_itr(shuffle=True)
    next(batches)
    return {
        "before": before,
        "after": anonymous_bytes(),
        "seconds": time.perf_counter() - start,
        "updates": len(batches),
    }


def measure(mix: str, data_bin: Path, max_tokens: int) -> dict[str, Any]:
    """`load` in a fresh process, whose highest memory is looked for every 10 ms."""
    command = [sys.executable, __file__, "--load", mix, str(data_bin), str(max_tokens)]
    peak = 0
    with tempfile.TemporaryFile("w+") as out, subprocess.Popen(command, stdout=out, text=True) as process:
        while process.poll() is None:
            with contextlib.suppress(OSError):  # it has just ended
                peak = max(peak, anonymous_bytes(process.pid))
            time.sleep(0.01)
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)} failed")
        out.seek(0)
        found = json.loads(out.read().splitlines()[-1])
    return {**found, "peak": max(peak, found["after"])}


def line(sentences: list[int], memory: list[int]) -> tuple[float, float]:
    """Slope (bytes per sentence) and intercept (bytes) of a least-squares line."""
    slope, intercept = np.polyfit(sentences, memory, 1)
    return float(slope), float(intercept)


def main() -> None:
    if sys.argv[1:2] == ["--load"]:
        print(json.dumps(load(sys.argv[2], sys.argv[3], int(sys.argv[4]))))
        return
    import report
    from corpus import write_data_bin

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", help="folder for results.json and report.md (default: print only)")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="0.5 to 2 million sentences")
    size.add_argument("--smoke", action="store_true", help="a few thousand sentences, to see that everything runs")
    parser.add_argument("--max-tokens", type=int, default=4096, help="batch size in tokens, as in training")
    args = parser.parse_args()

    millions = (0.5, 1, 2) if args.quick else (0.01, 0.02) if args.smoke else (1, 5, 10, 20)
    points = []
    for count in (int(1_000_000 * n) for n in millions):
        with tempfile.TemporaryDirectory(prefix="memory-") as folder:
            for mix in ("mmlm", "btmlm"):
                # the btmlm mix reads as many sentences in all: half of them alone, half in pairs
                mono, pairs = (count, 0) if mix == "mmlm" else (count // 2, count // 4)
                data_bin = write_data_bin(Path(folder) / mix, mono, VOCABULARY, pairs=pairs, median=MEDIAN_LENGTH)
                point = {"mix": mix, "sentences": count, **measure(mix, data_bin, args.max_tokens)}
                print(json.dumps(point), file=sys.stderr, flush=True)
                points.append(point)

    ratios, rows = {}, []
    for mix in ("mmlm", "btmlm"):
        mine = [point for point in points if point["mix"] == mix]
        for when in ("after", "peak"):
            slope, intercept = line([p["sentences"] for p in mine], [p[when] for p in mine])
            ratios[f"{mix}_{when}_bytes_per_sentence"] = slope
            rows.append((mix, when, slope, intercept / 1e6))
    fit = report.table(("mix", "memory", "bytes per sentence", "constant, MB"), rows)
    runs = report.table(
        ("mix", "sentences", "before, MB", "after, MB", "peak, MB", "updates", "s"),
        [
            (
                p["mix"],
                f"{p['sentences']:,}",
                *(p[key] / 1e6 for key in ("before", "after", "peak")),
                p["updates"],
                p["seconds"],
            )
            for p in points
        ],
    )
    body = f"At most {LIMIT} bytes per sentence are meant to be used.\n\n{fit}\n{runs}"
    results = {"ratios": ratios, "runs": points, "settings": {"max_tokens": args.max_tokens}, "seed": 1}
    report.write(args.out, "Host memory per rank", results, body)


if __name__ == "__main__":
    main()
