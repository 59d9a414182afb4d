"""docs/finetuning.md and docs/tasks: the example runs as it stands, every flag and every benchmark is there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fairseq_xling.data.databin import load_dictionary
from fairseq_xling.evaluation import cli
from fairseq_xling.finetuning.benchmarks import BENCHMARKS, FORMATS
from fairseq_xling_preprocess import vocab
from tests.conftest import ROOT, Run
from tests.interop.models import checkpoint_of, xling_model

PAGE = (ROOT / "docs" / "finetuning.md").read_text(encoding="utf-8")
TASKS = ROOT / "docs" / "tasks"
PAWSX = ROOT / "examples" / "data" / "benchmarks" / "pawsx"


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


@pytest.mark.slow
def test_the_example_runs(tmp_path: Path, run_block: Callable[[str], Run]) -> None:
    """From a pre-trained folder (here of random weights) to the table."""
    checkpoints = tmp_path / "checkpoints"
    vocab.train({"en": [str(PAWSX / "train-en.tsv")]}, checkpoints, 300)
    model = xling_model(len(load_dictionary(checkpoints / "dict.txt")), max_positions=64)
    torch.save(checkpoint_of(model), checkpoints / "model.pt")
    (block,) = re.findall(r"```bash\n(.*?)```", section("Example"), re.DOTALL)
    run = run_block(block)
    assert re.search(r"^\| \*\*average\*\* \| \d+ \| \*\*[\d.]+\*\* \|$", run.stdout, re.MULTILINE)
    out = tmp_path / "out" / "pawsx"
    results = json.loads((out / "eval" / "results.json").read_text(encoding="utf-8"))
    assert results["languages"] == ["en", "de"]
    assert {"checkpoint_best.pt", "checkpoint_last.pt", "labels.txt", "dict.txt"} <= {
        path.name for path in out.iterdir()
    }
    for language, test in results["files"].items():
        predictions = (out / "eval" / "predictions" / f"{language}.jsonl").read_text(encoding="utf-8").splitlines()
        assert len(predictions) == len((tmp_path / test).read_text(encoding="utf-8").splitlines())
    # what the page says of results.json
    described = section("What a run leaves")
    assert not [key for key in (*results["rows"][0], *results["finetuning"]) if f"`{key}`" not in described]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_flag_of_the_evaluation_is_in_its_table(name: str) -> None:
    table = section("xling eval BENCHMARK")
    for option in cli.evaluate.commands[name].params:
        row = re.search(rf"^\| `{option.opts[0]}[ `].*$", table, re.MULTILINE)
        assert row is not None, option.opts[0]
        assert ("required" in row[0]) is option.required
        if isinstance(option.default, str | int) and not isinstance(option.default, bool):
            assert str(option.default) in row[0], option.opts[0]


def test_every_format_is_named() -> None:
    (row,) = (line for line in PAGE.splitlines() if line.startswith("| `--train-format` "))
    assert set(FORMATS) <= set(re.findall(r"\w+", row))


def test_every_benchmark_has_a_page_and_no_other() -> None:
    assert {page.stem for page in TASKS.iterdir()} == set(BENCHMARKS)
    assert set(re.findall(r"\]\(tasks/(\w+)\.md\)", PAGE)) == set(BENCHMARKS)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_page_of_a_benchmark(name: str) -> None:
    """Short; with the recipe, the task, all languages in their order, labels, metric, and names of files."""
    benchmark, page = BENCHMARKS[name], (TASKS / f"{name}.md").read_text(encoding="utf-8")
    assert len(page.splitlines()) <= 60
    assert f"recipes/finetune/{name}.sh CHECKPOINT" in page
    assert f"`--task {benchmark.task} --benchmark {name}`" in page
    assert f"| languages | {' '.join(benchmark.languages)} |" in page
    (labels,) = re.findall(r"^\| labels \| (.*) \|$", page, re.MULTILINE)
    assert set(benchmark.labels or ()) <= set(re.findall(r"\w+", labels))
    (metric,) = re.findall(r"^\| metric \| (.*) \|$", page, re.MULTILINE)
    assert re.findall(r"`(\w+)`", metric) == list(benchmark.scoring.names)
    for part, patterns in benchmark.files.items():
        for pattern in patterns:
            file = pattern.rpartition("=")[2]
            assert f"`{file}`" in page or f"`{file.replace(part, '{split}')}`" in page, (part, file)


def test_links_lead_to_files() -> None:
    for page in [ROOT / "docs" / "finetuning.md", *sorted(TASKS.glob("*.md"))]:
        text = page.read_text(encoding="utf-8")
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", text):
            linked = page.parent / target if target else page
            assert linked.is_file(), f"{page.name} links to {target}"
            titles = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles]
            assert not anchor or anchor in anchors, f"{page.name} links to {target}#{anchor}"
