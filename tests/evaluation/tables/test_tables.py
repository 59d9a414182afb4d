"""``xling report``: numbers by hand and from the papers' own tables, layout, mistakes."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from fairseq_xling.errors import UserError
from fairseq_xling.evaluation.tables.collect import collect
from fairseq_xling.evaluation.tables.comparability import find_warnings
from fairseq_xling.evaluation.tables.overview import overviews, transfer_gaps
from fairseq_xling.evaluation.tables.run import run
from fairseq_xling.evaluation.tables.tables import make_tables
from fairseq_xling.finetuning.benchmarks import BENCHMARKS
from fairseq_xling_preprocess.cli import main

LOG = """\
2026-01-01 00:00:01 | INFO | train_inner | epoch 001:     10 / 20 loss=2.5, num_updates=10
2026-01-01 00:00:02 | INFO | train_inner | epoch 001:     20 / 20 loss=1.5, num_updates=20
2026-01-01 00:00:03 | INFO | valid | epoch 001 | valid on 'valid' subset | loss 1.8 | score 55.5 | num_updates 20
"""


def write(
    folder: Path,
    benchmark: str,
    scores: dict[str, Any],
    *,
    trained_on: tuple[str, ...] = ("en",),
    seed: int = 1,
    updates: int | None = 9000,
    split: str | None = "test",
    data: str = "one",
    **entries: Any,
) -> Path:
    """results.json as ``xling eval BENCHMARK`` writes it; a score is a number, or one for each metric."""
    metrics = BENCHMARKS[benchmark].scoring.names
    values = {
        code: value if isinstance(value, tuple) else (value, *[0.0] * (len(metrics) - 1))
        for code, value in scores.items()
    }
    files = {code: f"{benchmark}/{code}.test" for code in scores}
    content = {
        "evaluation": "finetuned",
        "benchmark": benchmark,
        "split": split,
        "data": [{"path": file, "sha256": f"{file}-{data}"} for file in files.values()],
        "finetuning": {"model": "m.pt", "model_updates": updates, "languages": list(trained_on), "seed": seed},
        "metrics": list(metrics),
        "languages": list(scores),
        "files": files,
        "rows": [
            {"language": code, "metric": metric, "value": value, "n": 100}
            for code, row in values.items()
            for metric, value in zip(metrics, row, strict=True)
        ],
        **entries,
    }
    return write_json(folder, content)


def write_json(folder: Path, content: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def tables_of(*folders: Path | str):
    return make_tables(collect([str(folder) for folder in folders])[0])


def section(report: str, heading: str) -> list[list[str]]:
    """Cells of the first table after a heading."""
    lines = report.split(f"{heading}\n", 1)[1].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return [rows[0], *rows[2:]]


def by_name(text: str) -> dict[str, float]:
    return {item.split(":")[0]: float(item.split(":")[1]) for item in text.split()}


# ERNIE-M's rows of Table 1 and Table 3
XNLI = by_name(
    "en:85.5 fr:80.1 es:81.2 de:79.2 el:79.1 bg:80.4 ru:78.1 tr:76.8 ar:76.3 vi:78.3 th:75.8 zh:77.4 hi:72.9 sw:69.5 ur:68.8"
)
MLQA = {
    "en": (81.6, 68.5), "es": (70.9, 52.6), "de": (65.8, 50.7), "ar": (61.8, 41.9), "hi": (65.4, 47.5), "vi": (70.0, 49.2),
    "zh": (65.6, 41.0),
}  # fmt: skip


def test_mean_deviation_and_best_seed_by_hand(tmp_path):
    # averages over the languages: 60, 62, 67; their mean 63, their variance (9 + 1 + 16) / 2 = 13
    for seed, scores in ((3, {"de": 54.0, "en": 66.0}), (1, {"en": 70.0, "de": 54.0}), (2, {"en": 71.0, "de": 63.0})):
        write(tmp_path / "m" / str(seed), "conll", scores, seed=seed)
    (table,) = tables_of(tmp_path / "m")
    (row,) = table.blocks[0].rows
    average = row.average("f1")
    assert [run.seed for run in row.runs] == [1, 2, 3]
    assert average.mean == pytest.approx(63)
    assert average.deviation == pytest.approx(13**0.5)
    assert (average.best, row.best.seed) == (67, 2)
    english = row.score("en", "f1")
    assert (english.mean, english.best) == (69, 71)
    assert english.deviation == pytest.approx(7**0.5)  # (1 + 4 + 9) / 2
    assert row.score("nl", "f1") is None


def test_max_is_one_seed_and_not_the_best_of_each_cell(tmp_path):
    write(tmp_path / "m/1", "mlqa", {"en": (80.0, 60.0), "de": (50.0, 40.0)}, seed=1)  # average F1 65, EM 50
    write(tmp_path / "m/2", "mlqa", {"en": (70.0, 65.0), "de": (62.0, 45.0)}, seed=2)  # average F1 66, EM 55
    run([str(tmp_path / "m")], str(tmp_path / "out"))
    assert section((tmp_path / "out/report.md").read_text(), "from en") == [
        ["model", "seeds", "en", "de", "Avg"],
        ["m (avg)", "2", "75.0 / 62.5", "56.0 / 42.5", "65.5 ± 0.7 / 52.5 ± 3.5"],
        ["m (max)", "seed 2", "70.0 / 65.0", "62.0 / 45.0", "66.0 / 55.0"],
    ]


def test_papers_own_averages_and_gap(tmp_path):
    """ERNIE-M: Table 1 (77.3), Table 3 (68.7 / 50.2) and Table 7 (15.0, 8.8; 11.9)."""
    write(tmp_path / "x", "xnli", dict(reversed(XNLI.items())))
    write(tmp_path / "y", "mlqa", MLQA)
    run([f"ERNIE-M={tmp_path / 'x'}", f"ERNIE-M={tmp_path / 'y'}"], str(tmp_path / "out"))
    report = (tmp_path / "out/report.md").read_text()
    assert section(report, "## Cross-lingual transfer gap") == [
        ["model", "xnli", "mlqa", "Avg"],
        ["ERNIE-M", "8.8", "15.0", "11.9"],
    ]
    xnli, mlqa = section(report, "## xnli"), section(report, "## mlqa")
    assert xnli[0] == ["model", "seeds", *XNLI, "Avg"]  # the paper's order, whatever that of the evaluation
    assert xnli[1][-1] == "77.3"
    assert mlqa[0] == ["model", "seeds", *MLQA, "Avg"]
    assert mlqa[1] == ["ERNIE-M", "1", *(f"{f1} / {em}" for f1, em in MLQA.values()), "68.7 / 50.2"]


def test_gap_is_a_statistic_over_seeds_and_leaves_cross_pairs_out(tmp_path):
    # gaps 80 - (60 + 50) / 2 = 25 and 70 - (60 + 40) / 2 = 20
    for seed, (en, de, es) in enumerate([(80.0, 60.0, 50.0), (70.0, 60.0, 40.0)], start=1):
        scores = {"en": (en, 0.0), "de": (de, 0.0), "es": (es, 0.0), "de-en": (1.0, 0.0)}
        write(tmp_path / f"m/{seed}", "mlqa", scores, seed=seed)
    write(tmp_path / "all", "xnli", {"en": 80.0, "de": 70.0}, trained_on=("en", "de"))
    write(tmp_path / "german", "pawsx", {"de": 80.0, "en": 70.0}, trained_on=("de",))
    tables = tables_of(tmp_path / "m", tmp_path / "all", tmp_path / "german")
    (gap,) = transfer_gaps(tables)  # the others are no transfer from English
    assert (gap.name, gap.benchmark, gap.seeds, gap.value.mean) == ("m", "mlqa", 2, 22.5)
    assert gap.value.deviation == pytest.approx(12.5**0.5)
    assert [table.languages for table in tables if table.benchmark == "mlqa"] == [("en", "es", "de", "de-en")]


@pytest.mark.parametrize(
    ("values", "average", "main"),
    [
        # MetaXLM, Table 1: XLM 49.2, MetaXLM 55.7, +Dict 59.3 (mean of F1 and EM)
        ("63.8 51.0 47.3/33.2 39.9/25.3 26.8/15.2 57.9 77.8", 49.2, None),
        ("63.7 54.0 57.9/42.0 51.5/34.3 39.7/23.0 64.6 83.2", 55.7, None),
        ("67.4 55.0 64.4/49.0 57.0/40.0 44.4/27.8 67.2 84.2", 59.3, None),
        # mPMR, Table 1 without CoNLL, ABSA and POS by hand: (70.7 + 79.2 + 73.1 + 74.7 + 79.3 + 88.0) / 6 = 77.5
        ("- 70.7 79.2/64.4 73.1/55.4 74.7/58.3 79.3 88.0", None, 77.5),
    ],
)
def test_overview_averages_as_the_papers_print_them(tmp_path, values, average, main):
    benchmarks = ("pos", "wikiann", "xquad", "mlqa", "tydiqa", "xnli", "pawsx")
    for benchmark, text in zip(benchmarks, values.split(), strict=True):
        if text != "-":
            numbers = tuple(map(float, text.split("/")))
            padding = (0.0,) * (len(BENCHMARKS[benchmark].scoring.names) - len(numbers))
            # two languages around the average
            scores = {"en": tuple(n + 2 for n in numbers) + padding, "de": tuple(n - 2 for n in numbers) + padding}
            write(tmp_path / "m" / benchmark, benchmark, scores)
    (overview,) = overviews(tables_of(tmp_path / "m"))
    if average is not None:
        assert overview.average("m") == pytest.approx(average, abs=0.051)
    if main is not None:
        assert overview.main_average("m") == pytest.approx(main, abs=0.051)


def test_overview_has_no_average_where_a_benchmark_is_missing(tmp_path):
    write(tmp_path / "a/1", "xnli", {"en": 80.0, "de": 70.0})
    write(tmp_path / "a/2", "pawsx", {"en": 90.0, "de": 80.0})
    write(tmp_path / "b/1", "xnli", {"en": 81.0, "de": 71.0})
    run([str(tmp_path / "a"), str(tmp_path / "b")], str(tmp_path / "out"))
    assert section((tmp_path / "out/report.md").read_text(), "## Overview: Cross-lingual transfer from en") == [
        ["model", "xnli", "pawsx", "Avg"],
        ["a", "75.0", "85.0", "80.0"],
        ["b", "76.0", "–", "–"],
    ]


def test_supervised_runs_make_one_row(tmp_path):
    """MetaXLM, Table 2: a run for each language and domain; its row of XLM and its average."""
    values = (84.1, 81.8, 84.7, 82.2, 79.8, 82.5, 83.6, 83.0, 84.2, 74.3, 75.2, 79.3)
    languages = BENCHMARKS["amazon"].languages
    for code, value in reversed(list(zip(languages, values, strict=True))):
        write(tmp_path / "XLM" / code / "seed-1/eval", "amazon", {code: value}, trained_on=(code,))
    run([str(tmp_path / "XLM")], str(tmp_path / "out"))
    assert section((tmp_path / "out/report.md").read_text(), "Supervised: trained and tested on the same language") == [
        ["model", "seeds", *languages, "Avg"],
        ["XLM", "1", *map(str, values), "81.2"],
    ]
    write(tmp_path / "XLM/again", "amazon", {"en-dvd": 1.0}, trained_on=("en-dvd",))
    with pytest.raises(
        UserError, match=r"again/results.json and .*en-dvd/seed-1/eval/results.json: two results of XLM"
    ):
        tables_of(tmp_path / "XLM")
    (tmp_path / "XLM/again/results.json").unlink()
    write(tmp_path / "XLM/two", "amazon", {"en-dvd": 1.0}, trained_on=("en-dvd",), seed=2)
    with pytest.raises(UserError, match="with seed 2 has other languages than with seed 1"):
        tables_of(tmp_path / "XLM")


def test_training_languages_are_blocks(tmp_path):
    write(
        tmp_path / "m/transfer",
        "conll",
        {"en": 90.0, "de": 70.0, "xx": 5.0, "aa": 4.0, "ww": 3.0, "bb": 2.0, "vv": 1.0},
    )
    write(tmp_path / "m/all", "conll", {"en": 91.0, "de": 72.0}, trained_on=("en", "de"))
    write(tmp_path / "m/de", "conll", {"de": 75.0}, trained_on=("de",))
    write(tmp_path / "m/unknown", "conll", {"de": 1.0}, trained_on=())
    (table,) = tables_of(tmp_path / "m")
    assert [(block.setting, block.trained_on) for block in table.blocks] == [
        ("Translate-train-all", ("en", "de")),
        ("Supervised", ()),
        ("Cross-lingual transfer from en", ("en",)),
        ("Training languages not recorded", ()),
    ]
    assert table.languages == ("en", "de", "aa", "bb", "vv", "ww", "xx")


def test_files_and_pictures(tmp_path):
    for label in ("a", "b"):
        for updates in (2000, 4000):
            for seed in (1, 2):
                folder = tmp_path / label / f"{updates}/seed-{seed}"
                write(folder / "eval", "wikiann", {"en": 60.0 + seed, "de": 50.0}, seed=seed, updates=updates)
                (folder / "train.log").write_text(LOG)
    out = tmp_path / "a/report"
    run([str(tmp_path / "a"), f"other={tmp_path / 'b'}"], str(out))
    pictures = {path.name for path in out.glob("*.png")}
    assert pictures == {
        "bars-wikiann.png", "convergence-wikiann-loss.png", "convergence-wikiann-score.png",
        "pretraining-wikiann-others.png", "pretraining-wikiann-en.png", "pretraining-wikiann-gap.png",
    }  # fmt: skip
    report = (out / "report.md").read_text()
    assert all(f"({name})" in report for name in pictures)
    assert [row[0] for row in section(report, "from en")][1::2] == [
        "a (2,000 updates) (avg)", "a (4,000 updates) (avg)", "other (2,000 updates) (avg)", "other (4,000 updates) (avg)",
    ]  # fmt: skip
    cells = list(csv.DictReader((out / "cells.csv").read_text().splitlines()))
    assert len(cells) == 4 * 3 * 3  # rows, languages and average, metrics
    (english,) = (
        cell
        for cell in cells
        if (cell["model"], cell["pretraining_updates"], cell["language"], cell["metric"]) == ("a", "4000", "en", "f1")
    )
    assert [english[name] for name in ("mean", "max", "max_seed", "seeds", "n")] == ["61.5", "62.0", "2", "2", "100"]
    assert float(english["sd"]) == pytest.approx(0.5**0.5)
    table = list(csv.DictReader((out / "wikiann.csv").read_text().splitlines()))
    assert (table[0]["row"], table[0]["en f1"], table[0]["Avg f1"]) == ("avg", "61.5", "55.75")
    assert (table[1]["row"], table[1]["seeds"], table[1]["en f1"]) == ("max", "2", "62.0")
    results = json.loads((out / "results.json").read_text())
    assert len(results["data"]) == 8
    assert results["rows"][0]["model"] == "a"
    run([str(tmp_path / "a"), f"other={tmp_path / 'b'}"], str(out))  # its own results.json is below a
    assert (out / "wikiann.csv").read_text().count("\n") == 9


def test_a_log_that_cannot_be_read_is_a_warning(tmp_path, capsys):
    write(tmp_path / "m/eval", "xnli", {"en": 60.0, "de": 50.0})
    (tmp_path / "m/train.log").write_text("nothing\n")
    run([str(tmp_path / "m")], str(tmp_path / "out"))
    assert "no curve of m" in capsys.readouterr().err
    assert "no curve of m" in (tmp_path / "out/report.md").read_text()
    assert [path.name for path in (tmp_path / "out").glob("*.png")] == ["bars-xnli.png"]


def test_many_languages_take_two_tables(tmp_path):
    languages = BENCHMARKS["wikiann"].languages
    write(tmp_path / "m", "wikiann", dict.fromkeys(languages, 50.0))
    run([str(tmp_path / "m")], str(tmp_path / "out"))
    headers = [
        line for line in (tmp_path / "out/report.md").read_text().splitlines() if line.startswith("| model | seeds")
    ]
    assert [len(line.split("|")) - 2 for line in headers] == [22, 23]
    assert headers[1].endswith("| yo | zh | Avg |")


def test_warnings(tmp_path, capsys):
    write(tmp_path / "a", "xnli", {"en": 60.0, "de": 50.0})
    write(tmp_path / "b", "xnli", {"en": 60.0, "de": 50.0, "fr": 40.0}, data="another")
    model = {"model": "n.pt", "model_updates": 9000, "languages": ["en"], "seed": 2}
    write(tmp_path / "a/2", "xnli", {"en": 60.0, "de": 50.0}, finetuning=model)
    (tmp_path / "a/other").mkdir()
    (tmp_path / "a/other/results.json").write_text('{"recipe": "demo"}')
    assert main_code("report", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "out") == 0
    found = capsys.readouterr().err
    assert "not of xling eval, left out: " + str(tmp_path / "a/other/results.json") in found
    for text in (
        f"xnli, de: the test data of {tmp_path}/b/results.json (b) are not those of {tmp_path}/a/",
        "a was not evaluated on fr; its average is over other languages",
        "the seeds of a are of different models: m.pt, n.pt",
    ):
        assert f"warning: {text}" in found or text in found
        assert text in (tmp_path / "out/report.md").read_text()


def test_equal_data_and_languages_give_no_warning(tmp_path):
    write(tmp_path / "a", "xnli", {"en": 60.0, "de": 50.0})
    write(tmp_path / "b", "xnli", {"de": 60.0, "en": 50.0}, seed=7)
    assert find_warnings(tables_of(tmp_path / "a", tmp_path / "b")) == []


def main_code(*words: object) -> int:
    with pytest.raises(SystemExit) as error:
        main([str(word) for word in words])
    return int(error.value.code or 0)


def test_command_ends_with_2_and_writes_nothing(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main_code("report", tmp_path / "empty", "--out", tmp_path / "out") == 2
    assert "no results.json of xling eval" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_bad_folders_and_files(tmp_path):
    good = write(tmp_path / "x/m", "xnli", {"en": 60.0})
    for folders, message in (
        ([tmp_path / "none"], "none: no such folder"),
        ([f"={good}"], "the label before = is empty"),
        ([good, write(tmp_path / "y/m", "xnli", {"en": 60.0}, seed=2)], "both rows would be called m"),
        ([f"a={good}", f"b={good}"], "below the folders of two rows, a and b"),
        ([f"a={good}", f"a={write(tmp_path / 'z', 'xnli', {'en': 1.0})}"], "two results of a on xnli with seed 1"),
        ([good, write(tmp_path / "dev", "xnli", {"en": 1.0}, split="dev")], r"is of xnli's test, .*dev/results.json of its dev"),
        ([write(tmp_path / "nan", "xnli", {"en": float("nan")})], "not a finite number"),
        ([write(tmp_path / "norows", "xnli", {"en": 1.0}, rows=[])], r"norows/results.json: the entry \('en', 'accuracy'\)"),
        ([write(tmp_path / "odd", "xnli", {"en": 1.0}, languages=3)], "odd/results.json: not the layout of xling eval"),
        ([write_json(tmp_path / "list", [])], "list/results.json:1: expected a JSON object"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=message):
            tables_of(*folders)
    broken = write_json(tmp_path / "broken", {})
    (broken / "results.json").write_text('{"a": 1,\n "b": }\n')
    with pytest.raises(UserError, match=r"broken/results.json:2: not JSON"):
        tables_of(broken)


@pytest.mark.parametrize(
    "name",
    ["../../x", "/tmp/x", "a/b", "..", ".", "", "x\0y", "x" * 5000, "Xnli", "tatoeba", "cells", 7, None, ["xnli"]],
)
def test_a_name_that_was_read_becomes_no_path(tmp_path, name, capsys):
    folder = write(tmp_path / "a/b/m", "xnli", {"en": 60.0, "de": 40.0})
    content = json.loads((folder / "results.json").read_text())
    write_json(folder, {**content, "benchmark": name})
    before = sorted(tmp_path.rglob("*"))
    assert main_code("report", folder, "--out", tmp_path / "a/b/out") == 2
    error = capsys.readouterr().err
    assert "results.json: " in error
    assert "is no benchmark of this version (xnli, " in error
    assert len(error) < 700
    assert sorted(tmp_path.rglob("*")) == before


def test_other_names_in_results_become_no_paths(tmp_path):
    odd = "../../x"
    finetuning = {"model": odd, "model_updates": 5, "languages": [odd, "/y"], "seed": 1}
    for updates in (5, 6):
        model = {**finetuning, "model_updates": updates}
        write(tmp_path / f"a/b/m/{updates}", "xnli", {odd: 6.0, "/z": 4.0}, finetuning=model, split=odd)
    run([f"{odd}={tmp_path / 'a/b/m'}"], str(tmp_path / "a/b/out"))
    assert {path.name for path in tmp_path.glob("*")} == {"a"}
    assert {path.name for path in tmp_path.glob("a/b/*")} == {"m", "out"}
    assert {path.name for path in tmp_path.glob("a/b/out/*")} == {
        "report.md", "results.json", "cells.csv", "xnli.csv", "bars-xnli.png", "pretraining-xnli-average.png",
    }  # fmt: skip


def test_a_folder_named_twice_counts_once(tmp_path):
    write(tmp_path / "m/1", "xnli", {"en": 60.0, "de": 40.0})
    (table,) = tables_of(f"m={tmp_path / 'm'}", f"m={tmp_path / 'm/1'}")
    assert len(table.rows[0].runs) == 1


def test_feature_based_evaluations(tmp_path):
    shared = {"data": [{"path": "f", "sha256": "1"}, {"path": "g", "sha256": "2"}]}
    accuracy = {"de->en": [0.1, 0.5], "en->de": [0.2, 0.75]}
    write_json(
        tmp_path / "m/tatoeba",
        {
            "evaluation": "tatoeba",
            "settings": {"layer": 1, "num_layers": 1, "score": "cosine", "neighbours": None},
            "test_sets": [{"pair": "de-en", "a": "de", "b": "en", "sentences": 9, "accuracy": accuracy}],
            **shared,
        },
    )
    scores = {name: [0.9, value] for name, value in (("aer", 0.4), ("precision", 0.7), ("recall", 0.5), ("f1", 0.6))}
    write_json(
        tmp_path / "m/alignment",
        {
            "evaluation": "alignment",
            "settings": {"layer": 1, "num_layers": 1, "methods": {"argmax": {}, "ot": {"ot_entropy": 1.0}}},
            "test_sets": [{"name": "en-fr", "pairs": 7, "scores": {"argmax": scores, "ot": scores}}],
            **shared,
        },
    )
    rows = [
        {"corpus": "T-REx", "relation": "P36", "type": "1-1", "n": 5, "value": 0.9},
        {"corpus": "T-REx", "relation": "average", "type": "1-1", "n": 5, "value": 0.5},
        {"corpus": "T-REx", "relation": "total", "type": "", "n": 5, "value": 0.25},
        {"corpus": "SQuAD", "relation": "total", "type": "", "n": 5, "value": 0.125},
        {"corpus": "ConceptNet", "relation": "total", "type": "", "n": 0, "value": None},
    ]
    settings = {"format": "lama", "patterns": "first", "common_vocabulary": None}
    write_json(tmp_path / "m/lama", {"evaluation": "lama", "settings": settings, "rows": rows, **shared})
    (tmp_path / "m/train.log").write_text(LOG)  # of the pre-training
    run([str(tmp_path / "m")], str(tmp_path / "out"))
    assert not list((tmp_path / "out").glob("convergence*"))
    report = (tmp_path / "out/report.md").read_text()
    assert section(report, "### Layer 1 of 1, cosine")[1] == ["m", "1", "50.0 / 75.0", "50.0 / 75.0"]
    assert section(report, "### Layer 1 of 1, ot, entropy 1")[1] == ["m", "1", "40.0", "40.0"]
    assert section(report, "## lama") == [
        ["model", "seeds", "T-REx 1-1", "T-REx total", "SQuAD total", "Avg"],
        ["m", "1", "50.0", "25.0", "12.5", "18.8"],
    ]
    assert "Overview" not in report
    assert "transfer gap" not in report


def test_plain_and_centred_retrieval_are_blocks_of_their_own(tmp_path):
    content = {
        "evaluation": "tatoeba",
        "settings": {"layer": 1, "num_layers": 1, "score": "cosine", "neighbours": None, "centre": True},
        "data": [{"path": "f", "sha256": "1"}, {"path": "g", "sha256": "2"}],
    }
    test_set = {"pair": "de-en", "a": "de", "b": "en", "sentences": 9}
    plain, centred = {"de->en": [0.1, 0.5], "en->de": [0.2, 0.75]}, {"de->en": [0.1, 0.6], "en->de": [0.2, 0.8]}
    for name, kinds in (("a", {"accuracy": plain, "accuracy_centred": centred}), ("b", {"accuracy": plain})):
        write_json(tmp_path / name, {**content, "test_sets": [{**test_set, **kinds}]})
    run([str(tmp_path / "a"), str(tmp_path / "b")], str(tmp_path / "out"))
    report = (tmp_path / "out/report.md").read_text()
    assert [row[:3] for row in section(report, "### Layer 1 of 1, cosine")[1:]] == [
        ["a", "1", "50.0 / 75.0"],
        ["b", "1", "50.0 / 75.0"],
    ]
    assert [row[:3] for row in section(report, "### Layer 1 of 1, cosine, centred")[1:]] == [["a", "1", "60.0 / 80.0"]]
