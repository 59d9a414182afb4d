"""recipes/ladder.py: values of rows, metrics, layers and seeds as cells, tables, pictures and results.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recipes import ladder as module
from recipes.ladder import Ladder

BOTH = ("retrieval_acc_xx_en", "retrieval_acc_en_xx")


@pytest.fixture
def ladder() -> Ladder:
    """Two rows, two directions, two layers, three seeds; the initial model has one seed."""
    filled = Ladder()
    for row, start in (("tlm", 0.1), ("btmlm", 0.2)):
        for seed in (1, 2, 3):
            for layer in (0, 1):
                for number, metric in enumerate(BOTH):
                    value = start + 0.01 * seed + 0.1 * layer + 0.02 * number
                    filled.add(row, metric, value, layer=layer, seed=seed)
    for metric in BOTH:
        filled.add("initial", metric, 0.05, layer=0, seed=1)
    return filled


def test_a_value_for_each_seed(ladder: Ladder) -> None:
    assert ladder.seeds == [1, 2, 3]
    assert ladder.values(row="tlm", metric=BOTH[0], layer=1) == pytest.approx([0.21, 0.22, 0.23])
    assert ladder.values(row="tlm", metric=BOTH, layer=1) == pytest.approx([0.22, 0.23, 0.24])


def test_axes_that_leave_a_choice_are_refused(ladder: Ladder) -> None:
    with pytest.raises(ValueError, match="give more axes"):
        ladder.values(row="tlm", metric=BOTH[0])


def test_cells(ladder: Ladder) -> None:
    assert ladder.cell(row="tlm", metric=BOTH[0], layer=0) == "12.0 ± 1.0"
    assert ladder.cell(row="initial", metric=BOTH, layer=0) == "5.0"
    assert ladder.cell(row="initial", metric=BOTH[0], layer=1) == "–"
    assert ladder.spread() == "mean ± standard deviation of 3 seeds (1, 2, 3)"


def test_runs_of_fine_tuning_count_by_themselves() -> None:
    ladder = Ladder()
    for tuning_seed, value in ((1, 0.3), (2, 0.5)):
        ladder.add("tlm", "pos_f1_de", value, layer=3, seed=1, tuning_seed=tuning_seed)
    assert ladder.values(metric="pos_f1_de") == [0.3, 0.5]
    assert ladder.spread() == "one seed (1)"


def test_table(ladder: Ladder) -> None:
    table = ladder.table(
        "model",
        {"TLM": {"row": "tlm"}, "start": {"row": "initial"}},
        {"layer 0": {"layer": 0}, "layer 1": {"layer": 1}},
        texts={"paper": ["93.3", "–"]},
        metric=BOTH[1],
    )
    assert table.splitlines() == [
        "| model | layer 0 | layer 1 | paper |",
        "| --- | ---: | ---: | ---: |",
        "| TLM | 14.0 ± 1.0 | 24.0 ± 1.0 | 93.3 |",
        "| start | 5.0 | – | – |",
    ]


def test_pictures_have_error_bars(ladder: Ladder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(module, "save", lambda axes, path: drawn.append(axes))
    curves = {"TLM": {"row": "tlm"}, "start": {"row": "initial"}}
    shown = ladder.picture(tmp_path / "both.png", "Retrieval", curves, metric=BOTH)
    assert shown.splitlines()[0] == "![Retrieval](both.png)"
    assert "standard deviation" in shown
    tlm, start = drawn[0].containers
    assert tlm.lines[0].get_xydata() == pytest.approx(np.array([(0, 13), (1, 23)]))
    (bars,) = tlm.lines[2]
    assert bars.get_segments() == pytest.approx(np.array([[(0, 12), (0, 14)], [(1, 22), (1, 24)]]))
    assert start.lines[2] == ()


def test_a_curve_over_an_axis_of_the_recipe(tmp_path: Path) -> None:
    ladder = Ladder()
    for pairs in (1000, 10_000):
        ladder.add("tlm", "restored", pairs / 20_000, layer=None, seed=1, pairs=pairs)
    shown = ladder.picture(
        tmp_path / "pairs.png", "Pairs", {"TLM": {"row": "tlm"}}, axis="pairs", label="pairs", logarithmic=True
    )
    assert shown == "![Pairs](pairs.png)"
    assert (tmp_path / "pairs.png").stat().st_size > 1000


def test_what_is_written(ladder: Ladder, tmp_path: Path) -> None:
    (tmp_path / "commands.sh").write_text(f"xling a {tmp_path}/x\nxling a {tmp_path}/x\n")
    ladder.write(tmp_path, "mini/test", ["# Title", "text"], pairs=10)
    results = json.loads((tmp_path / "results.json").read_text())
    assert (results["recipe"], results["seeds"], results["seed"], results["pairs"]) == (
        "mini/test",
        [1, 2, 3],
        None,
        10,
    )
    assert results["rows"][0] == {"row": "tlm", "metric": BOTH[0], "layer": 0, "seed": 1, "value": pytest.approx(0.11)}
    report = (tmp_path / "report.md").read_text()
    assert report.startswith("# Title\n\ntext\n\n## Made with")
    assert report.count("xling a $OUT/x") == 1


def test_retrieval_of_an_evaluation(tmp_path: Path) -> None:
    evaluation = {
        "rows": [
            {"pair": "de-en", "metric": BOTH[0], "layer": 0, "value": 0.5},
            {"pair": "average", "metric": BOTH[0], "layer": 0, "value": 0.4},
            {"pair": "average", "metric": f"{BOTH[0]}_centred", "layer": 0, "value": 0.6},
            {"pair": "average", "metric": "retrieval_acc_de_fr", "layer": 0, "value": 0.2},
        ],
        "test_sets": [
            {"accuracy": {"de->en": [0.5], "en->de": [0.3]}, "accuracy_centred": {"de->en": [0.7]}},
            {"accuracy": {"de->fr": [0.2]}},
        ],
    }
    (tmp_path / "results.json").write_text(json.dumps(evaluation))
    ladder = Ladder()
    ladder.add_retrieval("tlm", tmp_path, seed=1, states="centred")
    assert {entry["metric"]: entry["value"] for entry in ladder.entries} == {
        BOTH[0]: 0.4,
        f"{BOTH[0]}_centred": 0.6,
        "retrieval_acc_de_en_centred": 0.7,
        "retrieval_acc_de_en": 0.5,
        "retrieval_acc_en_de": 0.3,
        "retrieval_acc_de_fr": 0.2,
    }
    assert ladder.values(metric=BOTH[0], states="centred") == [0.4]
