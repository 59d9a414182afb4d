"""WEAM's recipes: the paper's settings, the small comparison, the commands of docs/weam.md."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT, Run
from tests.pages import commands, page
from tests.recipes.test_scripts import parse, training_commands


@pytest.mark.parametrize("target", ["de", "es", "zh"])
def test_the_papers_settings(recipe: Callable[..., Run], target: str) -> None:
    """Section 3.1."""
    run = recipe(f"weam/en-{target}.sh", DRY_RUN=1)
    assert run.returncode == 0, run.log
    (words,) = training_commands(run.stdout)
    cfg = parse(words)
    task, model = cfg.task, cfg.model
    assert (task._name, task.objectives, task.weam_lambda, task.mask_prob) == ("weam", "weam", 1.0, 0.3)
    assert (task.max_positions, cfg.dataset.batch_size, list(cfg.optimization.lr)) == (128, 32, [5e-5])
    assert (cfg.optimization.max_epoch, cfg.optimization.update_freq) == (2, [1])
    assert (task.pair_separators, task.reset_positions, str(task.lang_embedding)) == (1, False, "none")
    assert (model.encoder_layers, model.encoder_embed_dim, model.encoder_attention_heads) == (12, 768, 12)
    assert cfg.checkpoint.finetune_from_model.endswith("mbert/model.pt")
    assert f"xling align --pair en-{target} --aligner fast_align" in run.stdout
    assert "--align-suffix align" in run.stdout


@pytest.mark.parametrize("objective", ["tlm", "word_alignment"])
def test_a_baseline_differs_in_its_objective_only(recipe: Callable[..., Run], objective: str) -> None:
    one, other = (recipe("weam/en-de.sh", DRY_RUN=1, OBJECTIVE=name).stdout for name in ("weam", objective))
    expected = one.replace("--objectives weam", f"--objectives {objective}").replace("first/weam", f"first/{objective}")
    expected = expected.replace("== weam", f"== {objective}")
    assert re.sub(r" --initial-model \S+", "", other) == expected
    assert ("--initial-model" in other) == (objective == "word_alignment")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"OBJECTIVE": "mlm"}, "OBJECTIVE=mlm: expected weam, tlm or word_alignment"),
        ({"PRECISION": "fp8"}, "PRECISION=fp8: expected fp16, bf16 or fp32"),
        ({"ALIGNER": "giza"}, "ALIGNER=giza: expected fast_align or embedded"),
        ({"HEURISTIC": "final"}, "HEURISTIC=final: expected intersect, union, grow-diag"),
        ({"LINKS": "last"}, "LINKS=last: expected first or all"),
        ({"SEED": "one"}, "SEED=one: expected a number"),
        ({"ALIGNER": "embedded"}, "CORPUS=: no such file; see the head of this script"),
        ({"MAX_LINES": "1000"}, "MAX_LINES=1000: expected a number above 1000"),
        ({"ALIGNER": "embedded", "CORPUS": __file__, "MBERT": "/none"}, "MBERT=/none: holds no config.json"),
    ],
)
def test_wrong_variables(recipe: Callable[..., Run], tmp_path: Path, variables: dict[str, str], message: str) -> None:
    run = recipe("weam/en-zh.sh", OUT=tmp_path / "out", **variables)
    assert (run.returncode, run.stderr.count("\n")) == (2, 1), run.log
    assert message in run.stderr


def test_fields_of_json_lines(command: Callable[..., Run], tmp_path: Path) -> None:
    source, out = tmp_path / "corpus.json", tmp_path / "zh"
    source.write_text(
        '{"english": "A b.", "chinese": "\u4f60 \u597d"}\n{"chinese": "\u518d\\n\u89c1", "english": ""}\n'
    )
    words = (sys.executable, ROOT / "recipes" / "weam" / "json_lines.py", source)
    assert command(*words, "chinese", out).returncode == 0
    assert out.read_text(encoding="utf-8") == "\u4f60 \u597d\n\u518d \u89c1\n"
    run = command(*words, "german", tmp_path / "de")
    assert run.returncode == 2
    assert f"{source}:1: not a JSON object with 'german'" in run.stderr
    assert not (tmp_path / "de").exists()


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"ROWS": "tlm mlm"}, "ROWS: 'mlm' is unknown; there are tlm weam word_alignment"),
        ({"ROWS": "tlm tlm"}, "ROWS: 'tlm' is named twice"),
        ({"SEEDS": "a"}, "SEEDS=a: expected numbers"),
        ({"PAIRS": "abc"}, "PAIRS=abc: expected a number from 1 on"),
        ({"ALIGNER": "giza"}, "ALIGNER=giza: expected embedded or fast_align"),
    ],
)
def test_mini_refuses_wrong_variables(
    recipe: Callable[..., Run], tmp_path: Path, variables: dict[str, str], message: str
) -> None:
    run = recipe("mini/weam.sh", tmp_path / "out", DATA=tmp_path, **variables)
    assert (run.returncode, run.stderr.count("\n")) == (2, 1)
    assert message in run.stderr


def test_mini_names_missing_data(recipe: Callable[..., Run], tmp_path: Path) -> None:
    run = recipe("mini/weam.sh", tmp_path / "out", DATA=tmp_path)
    assert (run.returncode, run.stderr.count("\n")) == (2, 1)
    assert f"{tmp_path}/hansards/train-200k.en.gz is missing" in run.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_mini(recipe: Callable[..., Run], shared_data: Path, tmp_path: Path) -> None:
    """The whole chain on real text, a few updates."""
    out = tmp_path / "out"
    run = recipe("mini/weam.sh", out, BUDGET="smoke", DATA=shared_data / "align", WORKERS=1)
    assert run.returncode == 0, run.log[-4000:]
    rows = json.loads((out / "results.json").read_text())["rows"]
    found = {(row["row"], row["metric"], row["layer"]) for row in rows}
    directions = ("xx_en", "en_xx", "fr_en", "en_fr")
    metrics = ("aer", *(f"retrieval_acc_{way}{kind}" for way in directions for kind in ("", "_centred")))
    models = ("initial", "tlm", "weam", "word_alignment")
    assert found == {(row, metric, layer) for row in models for metric in metrics for layer in range(4)} | {
        ("aligner", "aer", None)
    }
    assert all(0 <= row["value"] <= 1 for row in rows)
    (aligner,) = (row["value"] for row in rows if row["row"] == "aligner")
    assert aligner < 0.4, "1,500 pairs are enough for a statistical aligner to do better than chance"
    train = (out / "text" / "train" / "en").read_text().splitlines()
    valid = (out / "text" / "valid" / "en").read_text().splitlines()
    assert (len(train), len(valid), len(set(valid) & set(train))) == (1500, 100, 0)
    assert all(5 < len(line.split()) < 61 for line in valid)
    report = (out / "report.md").read_text()
    assert all(f"({picture.name})" in report for picture in out.glob("*.png"))


@pytest.mark.slow
def test_the_pages_commands_run(tmp_path: Path, run_block: Callable[[str], Run]) -> None:
    (block,) = (block for block in commands(page("weam.md")) if block.startswith("text="))
    assert "loss_weam_cross" in run_block(block).log
    assert (tmp_path / "out" / "weam-demo" / "checkpoints" / "checkpoint_last.pt").is_file()
