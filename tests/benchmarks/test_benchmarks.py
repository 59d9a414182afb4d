"""Every benchmark runs and keeps its output contract; nothing is said about speed here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = {"date", "command", "commit", "versions", "machine", "ratios", "runs", "seed"}


def run(script: str, out: Path) -> dict[str, Any]:
    command = [sys.executable, str(ROOT / "benchmarks" / script), "--smoke", "--out", str(out)]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert results.keys() >= CONTRACT
    assert results["runs"]
    report = (out / "report.md").read_text(encoding="utf-8")
    assert report.startswith("# ")
    assert f"- Date: {results['date']}" in report
    assert sorted(path.name for path in out.iterdir()) == ["report.md", "results.json"]
    return results


@pytest.mark.slow
def test_throughput(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    results = run("throughput.py", tmp_path / "out")
    assert results["ratios"].keys() >= {
        "mmlm_vs_fairseq_tokens_per_s",
        "mmlm_vs_transformers_tokens_per_s",
        "btmlm_vs_tlm_step_time",
    }
    assert all(value > 0 for value in results["ratios"].values())
    for measured in results["runs"]:
        assert 0 < measured["tokens"] <= measured["cells"]
    names = {measured["name"] for measured in results["runs"]}
    assert {"mmlm", "fairseq masked_lm", "transformers", "btmlm mix", "tlm mix", "mmlm, loading only"} <= names


@pytest.mark.slow
def test_weam(tmp_path: Path) -> None:
    results = run("weam.py", tmp_path / "out")
    assert results["ratios"].keys() == {"weam_vs_tlm_step_time"}
    assert results["ratios"]["weam_vs_tlm_step_time"] > 0
    assert results["square_tensors"] == []
    assert {measured["name"] for measured in results["runs"]} == {"tlm", "weam"}
    assert len({(measured["tokens"], measured["updates"]) for measured in results["runs"]}) == 1, "equal tokens"


@pytest.mark.slow
def test_finetune(tmp_path: Path) -> None:
    """The script itself checks that both models compute the same function and see the same batches."""
    pytest.importorskip("transformers")
    results = run("finetune.py", tmp_path / "out")
    ratios = results["ratios"]
    contract = ratios.pop("finetune_vs_transformers_examples_per_s")
    assert ratios.keys() == {
        f"{task}_vs_transformers_examples_per_s" for task in ("question_answering", "token_classification")
    }
    assert 0 < contract == min(ratios.values())
    for task in ("question_answering", "token_classification"):
        ours, theirs = (run for run in results["runs"] if run["task"] == task)
        assert 0 < ours["tokens"] == theirs["tokens"] <= ours["cells"] == theirs["cells"]
        assert ours["examples"] == theirs["examples"] > 0
        ratio = theirs["seconds"] / ours["seconds"]
        assert ratios[f"{task}_vs_transformers_examples_per_s"] == pytest.approx(ratio)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux's /proc/self/smaps_rollup")
def test_memory(tmp_path: Path) -> None:
    results = run("memory.py", tmp_path / "out")
    assert {f"{mix}_{when}_bytes_per_sentence" for mix in ("mmlm", "btmlm") for when in ("after", "peak")} == results[
        "ratios"
    ].keys()
    assert all(0 < point["after"] <= point["peak"] for point in results["runs"])


def test_loss_trace_is_reproducible(tmp_path: Path) -> None:
    first, second = (run("loss_trace.py", tmp_path / name)["runs"][0] for name in ("a", "b"))
    assert len(first["losses"]) == 2
    assert first == second


@pytest.mark.slow
def test_wiki(tmp_path: Path) -> None:
    pytest.importorskip("mwparserfromhell")
    results = run("wiki.py", tmp_path / "out")
    assert results["ratios"] == {"anchor_recall": 1.0}
    assert results["wikidata"]["mb_per_s"] > 0
    assert results["joins"][0]["memory_limit"] == "16GB"
    assert len(results["linearity"]) == 11


@pytest.mark.slow
def test_contrastive(tmp_path: Path) -> None:
    results = run("contrastive.py", tmp_path / "out")
    assert results["ratios"]["queue_step_overhead"] > 0
    assert len({(measured["tokens"], measured["updates"]) for measured in results["runs"]}) == 1, "equal tokens"
