"""XTREME's choice and order of Tatoeba's test sets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fairseq_xling.evaluation.tatoeba.xtreme import LANGUAGES
from tests.evaluation.tatoeba.test_tatoeba import LEFT, RIGHT, run, write

# ERNIE-M, Table 16
TABLE_16 = "af ar bg bn de el es et eu fa fi fr he hi hu id it ja jv ka kk ko ml mr nl pt ru sw ta te th tl tr ur vi zh"


@pytest.fixture
def laser(tmp_path: Path) -> Path:
    """All 36 test sets and two more; in Afrikaans alone every translation is the sentence itself."""
    folder = tmp_path / "v1"
    folder.mkdir()
    for name in [*LANGUAGES.values(), "dan", "lat"]:
        write(folder / f"tatoeba.{name}-eng.{name}", LEFT)
        write(folder / f"tatoeba.{name}-eng.eng", LEFT if name == "afr" else RIGHT)
    return folder


def test_the_languages_are_those_of_the_paper():
    assert list(LANGUAGES) == TABLE_16.split()
    assert len(set(LANGUAGES.values())) == 36
    assert all(len(name) == 3 for name in LANGUAGES.values())


def test_table_and_average(model_folder, laser, tmp_path):
    out = tmp_path / "out"
    assert run("--checkpoint", model_folder, "--data", laser, "--xtreme", "--layer", 3, "--out", out) == 0
    results = json.loads((out / "results.json").read_text())
    assert [item["pair"] for item in results["test_sets"]] == [f"{code}-en" for code in TABLE_16.split()]
    values = {row["pair"]: row["value"] for row in results["rows"] if row["layer"] == 3 and "xx_en" in row["metric"]}
    assert values["af-en"] == 1
    average = values.pop("average")
    assert average == pytest.approx(sum(values.values()) / 36)
    report = (out / "report.md").read_text()
    assert "|  | af | ar | bg | bn | de | el | es | et | eu | fa | fi | fr | he | hi | hu | id | it | ja |" in report
    assert "| xx → en | 100.0 | " in report
    assert report.count("| en → xx |") == 2
    assert run("--checkpoint", model_folder, "--data", laser, "--xtreme", "--centre", "--out", out) == 0
    report = (out / "report.md").read_text()
    assert [report.count(f"| {kind} {way} |") for kind in ("centred", "plain") for way in ("xx → en", "en → xx")] == [
        2
    ] * 4


def test_names_of_two_letters(model_folder, laser, tmp_path):
    for path in laser.glob("*pes*"):
        path.rename(laser / path.name.replace("pes", "fa"))
    out = tmp_path / "out"
    assert run("--checkpoint", model_folder, "--data", laser, "--xtreme", "--out", out) == 0
    assert "tatoeba.fa-eng.fa" in (out / "results.json").read_text()


def test_missing_and_doubled_languages(model_folder, laser, tmp_path, capsys):
    command = ("--checkpoint", model_folder, "--data", laser, "--xtreme", "--out", tmp_path / "out")
    write(laser / "tatoeba.de-en.de", LEFT)
    write(laser / "tatoeba.de-en.en", LEFT)
    assert run(*command) == 2
    assert "--xtreme: two test sets of de: " in capsys.readouterr().err
    for path in [*laser.glob("*pes*"), *laser.glob("*swh*")]:
        path.unlink()
    assert run(*command) == 2
    assert "2 of the 36 test sets are not in --data: fa (pes-eng), sw (swh-eng); add them" in capsys.readouterr().err
    assert run("--checkpoint", model_folder, "--pair", "de-en=a,b", "--xtreme", "--out", tmp_path / "out") == 2
    assert not (tmp_path / "out").exists()
