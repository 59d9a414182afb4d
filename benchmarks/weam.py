"""The cost of WEAM: its step time against TLM's at equal tokens, and whether anything as large as T x T is made.

    python benchmarks/weam.py --out out/bench-weam             # 6 x 512, 32k symbols, about 3 minutes on one core, 4 GB
    python benchmarks/weam.py --mbert --out out/bench-weam     # mBERT's shape, 12 x 768, 119,547 symbols, 15 minutes, 9 GB

Both are trained on the same synthetic pairs in the same batches with the paper's mask probability of .3, in turns, a few
updates each; the ratio is the median over the rounds of the quotient of two neighbouring measurements. The synthetic
alignment links five of six words of one side, so that about as many masked tokens as in real text have partners.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import report
import torch
from contenders import Fairseq, Shape, plugin
from corpus import write_data_bin
from torch.utils._python_dispatch import TorchDispatchMode
from turns import quotients, run_table, take_turns


class Shapes(TorchDispatchMode):
    """Records the shape of every tensor that is computed, in the backward pass too."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[tuple[int, ...]] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        tensors = out if isinstance(out, tuple | list) else [out]
        self.found |= {tuple(tensor.shape) for tensor in tensors if isinstance(tensor, torch.Tensor)}
        return out


def square_tensors(contender: Fairseq) -> list[tuple[int, ...]]:
    """Shapes with the sequence length T twice among those of a batch's forward and backward pass; T is unlike any width.

    Give it a contender without dropout: with it, attention on the CPU keeps its weights.
    """
    model, criterion = contender.trainer.model, contender.trainer.criterion
    widths = {size for parameter in model.parameters() for size in parameter.shape}
    for (sample,) in islice(contender.batches, 1000):
        length = sample["weam"]["tokens"].size(1)
        if length not in widths and length > 32:
            break
    else:
        raise RuntimeError("no batch has a length unlike every width, which the count needs")
    with Shapes() as shapes:
        loss, _, _ = criterion(model, sample)
        loss.backward()
    return sorted(shape for shape in shapes.found if shape.count(length) > 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", help="folder for results.json and report.md (default: print only)")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="fewer rounds")
    size.add_argument("--mbert", action="store_true", help="mBERT's shape, and the paper's sequence length of 128")
    size.add_argument("--smoke", action="store_true", help="a tiny model, to see that everything runs")
    parser.add_argument("--rounds", type=int, help="measurements of each (default: 8, quick and mbert 4)")
    parser.add_argument("--updates", type=int, default=2, help="updates in one measurement")
    args = parser.parse_args()

    shape, rounds, pairs = Shape(max_tokens=2048), 4 if args.quick else 8, 20_000
    if args.mbert:
        shape, rounds = Shape(12, 768, 3072, 12, vocabulary=119_547, max_positions=128, max_tokens=2048), 4
    if args.smoke:
        shape, rounds, pairs = Shape(2, 32, 64, 2, vocabulary=500, max_tokens=600, max_positions=256), 1, 1_000
    rounds = args.rounds or rounds
    with tempfile.TemporaryDirectory(prefix="weam-") as folder:
        data_bin = write_data_bin(Path(folder) / "bin", 2, shape.vocabulary, pairs=pairs)
        # the same task, so the same masks and pair format
        runs = take_turns(
            {
                "tlm": lambda: plugin("weam", data_bin, shape, "--objectives", "tlm"),
                "weam": lambda: plugin("weam", data_bin, shape),
            },
            rounds,
            args.updates,
        )
        ours = ("tlm", "weam")  # time per token is the inverse of tokens per second
        ratio, cpu_ratio = (median(quotients(runs, *ours, clock)) for clock in ("seconds", "cpu_seconds"))
        squares = square_tensors(plugin("weam", data_bin, shape, "--dropout", "0", "--attention-dropout", "0"))
    settings = asdict(shape) | {"rounds": rounds, "updates": args.updates, "pairs": pairs, "mask_prob": 0.3}
    body = report.table(
        ("ratio", "measured", "in processor time", "target"), [("weam_vs_tlm_step_time", ratio, cpu_ratio, "<= 1.25")]
    )
    body += f"\nTensors with the sequence length twice in their shape: {squares or 'none'}.\n"
    body += f"\n{run_table(runs)}\nSettings: {settings}\n"
    results = {
        "ratios": {"weam_vs_tlm_step_time": ratio},
        "cpu_ratios": {"weam_vs_tlm_step_time": cpu_ratio},
        "square_tensors": squares,
        "runs": [{"name": name, **asdict(sample)} for name, samples in runs.items() for sample in samples],
        "settings": settings,
        "seed": 1,
    }
    report.write(args.out, "The cost of WEAM", results, body)


if __name__ == "__main__":
    main()
