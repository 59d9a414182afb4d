"""recipes/mini/btmlm.sh: the four parts of the text, the whole chain, wrong variables."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Run


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"ROWS": "tlm weam"}, "ROWS: 'weam' is unknown; there are mmlm tlm tlm_camlm control btmlm"),
        ({"CURVE_ROWS": "tlm tlm"}, "ROWS: 'tlm' is named twice"),
        ({"SEEDS": "a"}, "SEEDS=a: expected numbers"),
        ({"PAIRS": "3000"}, "'3000' is no number from 1 to PAIR_LINES=2000"),
        ({"CURVE": "250 many"}, "'many' is no number from 1 to PAIR_LINES=2000"),
        ({"BUDGET": "tiny"}, "BUDGET=tiny: expected smoke or full"),
        ({}, "multi30k.train.en.gz is missing; Multi30k is public"),
    ],
)
def test_wrong_variables(recipe: Callable[..., Run], tmp_path: Path, variables: dict[str, str], message: str) -> None:
    run = recipe("mini/btmlm.sh", tmp_path / "out", DATA=tmp_path, **variables)
    assert (run.returncode, run.stderr.count("\n")) == (2, 1), run.log
    assert message in run.stderr
    assert not (tmp_path / "out").exists()


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


@pytest.mark.slow
def test_the_chain(recipe: Callable[..., Run], shared_data: Path, tmp_path: Path) -> None:
    """On real text, a few updates."""
    out = tmp_path / "out"
    run = recipe("mini/btmlm.sh", out, BUDGET="smoke", DATA=shared_data / "parallel", WORKERS=2)
    assert run.returncode == 0, run.log[-4000:]

    text = out / "text"
    pairs, english, cipher, valid = (
        lines_of(text / name) for name in ("train/pairs.en", "train/en", "train/qaa", "valid/en")
    )
    assert list(map(len, (pairs, english, cipher, valid))) == [100, 200, 200, 500]
    assert not {*pairs, *english} & set(valid)
    for name in ("valid/qaa", "train/pairs.qaa", "train/qaa"):
        assert not re.search("[A-Za-z]", (text / name).read_text(encoding="utf-8"))
    one_letter = str.maketrans("abcdefghijklmnopqrstuvwxyz", "абвгдежзийклмнопрстуфхцчшщ")
    assert [line.lower().translate(one_letter) for line in valid] == [
        line.lower() for line in lines_of(text / "valid/qaa")
    ]
    assert not {line.lower().translate(one_letter) for line in (*pairs, *english, *valid)} & {
        line.lower() for line in cipher
    }
    assert len(lines_of(out / "encoded-50" / "para" / "train.en-qaa.qaa")) == 50

    rows = json.loads((out / "results.json").read_text())["rows"]
    assert all(set(row) == {"row", "metric", "layer", "seed", "pairs", "value"} for row in rows)
    assert all(0 <= row["value"] <= 1 for row in rows)
    assert {(row["row"], row["pairs"]) for row in rows} == {
        *((row, 50) for row in ("mmlm", "tlm", "tlm_camlm", "control", "btmlm")),
        ("btmlm", 100),
    }
    found = {row["metric"] for row in rows if row["layer"] is None}
    assert found == {f"restoration_acc_{way}_{name}" for way in ("tlm", "camlm") for name in ("0", "1-3", "4+", "all")}
    assert {row["layer"] for row in rows if row["metric"] == "retrieval_acc_xx_en_centred"} == {0, 1, 2, 3}
    for row, updates in (("btmlm", 3), ("control", 4)):
        assert f"num_updates={updates}," in (out / f"{row}-50-1" / "train.log").read_text()

    report = (out / "report.md").read_text(encoding="utf-8")
    assert "BTMLM minus TLM + CAMLM, seed by seed: tlm 0: " in report
    assert {path.name for path in out.glob("*.png")} == set(re.findall(r"\((\S+\.png)\)", report))

    # finished rows are kept
    done = (out / "btmlm-50-1" / "checkpoint_last.pt").stat().st_mtime_ns
    settings = {"BUDGET": "smoke", "DATA": shared_data / "parallel", "ROWS": "btmlm", "CURVE": ""}
    run = recipe("mini/btmlm.sh", out, **settings)
    assert run.returncode == 0, run.log[-4000:]
    assert (out / "btmlm-50-1" / "checkpoint_last.pt").stat().st_mtime_ns == done
    assert {row["row"] for row in json.loads((out / "results.json").read_text())["rows"]} == {"btmlm"}
