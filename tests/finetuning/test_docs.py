"""The example of docs/finetuning.md runs as it stands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fairseq_xling.data.databin import load_dictionary
from fairseq_xling_preprocess import vocab
from tests.conftest import ROOT, Run
from tests.interop.models import checkpoint_of, xling_model
from tests.pages import commands, page, section

PAWSX = ROOT / "examples" / "data" / "benchmarks" / "pawsx"


@pytest.mark.slow
def test_the_example_runs(tmp_path: Path, run_block: Callable[[str], Run]) -> None:
    """From a pre-trained folder (here of random weights) to the table."""
    checkpoints = tmp_path / "checkpoints"
    vocab.train({"en": [str(PAWSX / "train-en.tsv")]}, checkpoints, 300)
    model = xling_model(len(load_dictionary(checkpoints / "dict.txt")), max_positions=64)
    torch.save(checkpoint_of(model), checkpoints / "model.pt")
    text = page("finetuning.md")
    run = run_block(commands(section(text, "Example"))[0])
    out = tmp_path / "out" / "pawsx"
    results = json.loads((out / "eval" / "results.json").read_text(encoding="utf-8"))
    assert results["languages"] == ["en", "de"]
    assert f"**{results['average']['accuracy']:.1f}**" in run.stdout
    assert {"checkpoint_best.pt", "checkpoint_last.pt", "labels.txt", "dict.txt"} <= {
        path.name for path in out.iterdir()
    }
    for language, test in results["files"].items():
        predictions = (out / "eval" / "predictions" / f"{language}.jsonl").read_text(encoding="utf-8").splitlines()
        assert len(predictions) == len((tmp_path / test).read_text(encoding="utf-8").splitlines())
    # what the page says of results.json
    described = section(text, "What a run leaves")
    assert not [key for key in (*results["rows"][0], *results["finetuning"]) if f"`{key}`" not in described]
