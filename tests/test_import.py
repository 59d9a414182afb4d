"""Ways to import the plugin: from a plain checkout, without fairseq, by fairseq-preprocess."""

import importlib
import importlib.util
import sys

import pytest

from fairseq_xling import _checkout

from .conftest import PLUGIN, ROOT

WITHOUT_FAIRSEQ = """
import sys
sys.modules["fairseq"] = None
import fairseq_xling, fairseq_xling.errors
assert issubclass(fairseq_xling.errors.UserError, ValueError)
assert "torch" not in sys.modules
"""


def test_a_plain_checkout_finds_its_offline_half(monkeypatch):
    find_spec = importlib.util.find_spec
    for name in [name for name in sys.modules if name.partition(".")[0] == _checkout.NAME]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == _checkout.NAME else find_spec(name, *rest)
    )
    _checkout.register_preprocess()
    errors = importlib.import_module(f"{_checkout.NAME}.errors")
    assert errors.__file__ == str(ROOT / "preprocess" / "errors.py")


@pytest.mark.slow
def test_light_modules_need_no_fairseq(command):
    run = command("python", "-c", WITHOUT_FAIRSEQ)
    assert run.returncode == 0, run.log


@pytest.mark.slow
def test_fairseq_preprocess_takes_the_plugin(command, tmp_path):
    (tmp_path / "train").write_text("a b c\nb c\n" * 50, encoding="utf-8")
    run = command(
        *("fairseq-preprocess", "--user-dir", PLUGIN, "--only-source", "--workers", "2"),
        *("--trainpref", tmp_path / "train", "--destdir", tmp_path / "bin"),
    )
    assert run.returncode == 0, run.log
    assert (tmp_path / "bin" / "train.idx").exists()
