"""Writing results, and curves from training logs."""

from __future__ import annotations

import json

import pytest

from fairseq_xling.errors import UserError
from fairseq_xling.evaluation.plot import draw_curves, read_log
from fairseq_xling.evaluation.results import markdown_table, provenance, write_report, write_text
from fairseq_xling_preprocess.cli import main

JSON_LOG = """\
2026-01-01 00:00:00 | INFO | fairseq_cli.train | begin
2026-01-01 00:00:01 | INFO | train_inner | {"epoch": 1, "loss": "9.5", "loss_mmlm": "4.5", "loss_tlm": "5", "num_updates": "10", "lr": "0.1"}
2026-01-01 00:00:02 | INFO | valid | {"epoch": 1, "valid_loss": "8", "valid_loss_mmlm": "4", "valid_num_updates": "10"}
2026-01-01 00:00:03 | INFO | train_inner | {"epoch": 1, "loss": "7.5", "loss_mmlm": "3.5", "loss_tlm": "4", "num_updates": "20", "lr": "1e-05"}
"""
SIMPLE_LOG = """\
2026-01-01 00:00:01 | INFO | train_inner | epoch 001:     10 / 581 loss=9.5, loss_mmlm=4.5, loss_tlm=5, num_updates=10, lr=0.1
2026-01-01 00:00:02 | INFO | valid | epoch 001 | valid on 'valid' subset | loss 8 | loss_mmlm 4 | num_updates 10
2026-01-01 00:00:03 | INFO | train_inner | epoch 001:     20 / 581 loss=7.5, loss_mmlm=3.5, loss_tlm=4, num_updates=20, lr=1e-05
"""


@pytest.mark.parametrize("text", [JSON_LOG, SIMPLE_LOG], ids=["json", "simple"])
def test_both_log_formats_give_the_same_curves(tmp_path, text):
    log = tmp_path / "train.log"
    log.write_text(text)
    train, valid = read_log(log)
    assert train["loss_mmlm"] == [(10, 4.5), (20, 3.5)]
    assert train["lr"] == [(10, 0.1), (20, 1e-05)]
    assert valid["loss_mmlm"] == [(10, 4)]


def test_a_resumed_run_overwrites_what_it_repeats(tmp_path):
    log = tmp_path / "train.log"
    log.write_text(SIMPLE_LOG + SIMPLE_LOG.replace("loss_mmlm=3.5", "loss_mmlm=3.25"))
    assert read_log(log)[0]["loss_mmlm"] == [(10, 4.5), (20, 3.25)]


def test_curves_command(tmp_path, capsys):
    log, other = tmp_path / "a.log", tmp_path / "b.log"
    log.write_text(JSON_LOG)
    other.write_text("| INFO | train_inner | epoch 1: 5 / 9 loss=nan, num_updates=5\n")
    draw_curves([log, other], tmp_path / "new" / "curves.png")
    assert (tmp_path / "new" / "curves.png").read_bytes().startswith(b"\x89PNG")
    for words, code in ((("a.log",), 0), (("none.log",), 2)):
        with pytest.raises(SystemExit) as error:
            main(["plot", "curves", *(str(tmp_path / word) for word in words), "--out", str(tmp_path / "c.png")])
        assert (error.value.code or 0) == code
    assert "no such file" in capsys.readouterr().err


def test_a_file_that_is_no_log(tmp_path):
    (tmp_path / "x").write_text("hello\n")
    with pytest.raises(UserError, match="no training log of fairseq-train"):
        read_log(tmp_path / "x")


def test_report_files_are_complete_or_absent(tmp_path):
    data = tmp_path / "data"
    data.write_text("x")
    results = {**provenance(data=[data], seed=3), "rows": []}
    write_report(tmp_path / "out", results, "# Title")
    assert json.loads((tmp_path / "out" / "results.json").read_text())["seed"] == 3
    assert (tmp_path / "out" / "report.md").read_text() == "# Title\n"
    (tmp_path / "taken").mkdir()
    with pytest.raises(UserError, match="cannot write"):
        write_text(tmp_path / "taken", "text")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "out", "taken"]


def test_markdown_table():
    assert markdown_table(["a", "b"], [["x|y", 1]]) == "| a | b |\n| --- | ---: |\n| x\\|y | 1 |"
