"""The loss of every update of a tiny seeded run, with a hash, so that two commits can be compared.

    python benchmarks/loss_trace.py > trace.a      # at one commit
    python benchmarks/loss_trace.py > trace.b      # at the other
    diff trace.a trace.b

A change that is meant to alter no number leaves the hash as it is on the same machine with the same versions; one that
only orders floating point operations differently leaves the losses equal to about six digits.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # sums over several threads may be ordered differently

import report
import torch
from contenders import Shape, plugin
from corpus import write_data_bin

SHAPE = Shape(2, 64, 128, 4, vocabulary=500, max_positions=128, max_tokens=2000, learning_rate=1e-3)


def trace(mix: str, updates: int, data_bin: Path, scratch: Path) -> list[float]:
    """Losses (nats) of the first updates of a task, dropout on, seed 1."""
    flags = ["--seed", "1", "--save-dir", str(scratch)]
    if mix == "word_alignment":
        flags += ["--anchor-language", "aa", "--initial-model", str(_initial_model(data_bin, scratch / "initial.pt"))]
    training = plugin(mix, data_bin, SHAPE, *flags)
    losses: list[float] = []
    training.trainer.criterion.register_forward_hook(lambda module, inputs, output: losses.append(output[0].item()))
    training.measure(updates)
    return losses


def _initial_model(data_bin: Path, file: Path) -> Path:
    """A random model to hold the states of word_alignment to."""
    model = plugin("mmlm", data_bin, SHAPE, "--seed", "2", "--save-dir", str(file.parent)).trainer.model
    torch.save({"model": model.state_dict()}, file)
    return file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", help="folder for results.json and report.md (default: print only)")
    parser.add_argument("--mix", default="btmlm", help="the task: mmlm, tlm, camlm, btmlm, weam or word_alignment")
    parser.add_argument("--updates", type=int, default=20)
    parser.add_argument("--smoke", action="store_true", help="two updates")
    args = parser.parse_args()
    updates = 2 if args.smoke else args.updates
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="trace-") as folder:
        data_bin = write_data_bin(Path(folder) / "bin", 2_000, SHAPE.vocabulary, pairs=1_000)
        losses = trace(args.mix, updates, data_bin, Path(folder))
    digest = hashlib.sha256("\n".join(loss.hex() for loss in losses).encode()).hexdigest()
    body = report.table(("update", "loss"), [(str(i), repr(loss)) for i, loss in enumerate(losses, start=1)])
    results = {"ratios": {}, "runs": [{"mix": args.mix, "losses": losses, "sha256": digest}], "seed": 1}
    report.write(args.out, "Loss trace", results, f"{body}\nsha256 of the losses: {digest}\n")


if __name__ == "__main__":
    main()
