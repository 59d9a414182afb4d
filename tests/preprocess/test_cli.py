"""The ``xling`` command: help, exit codes, messages."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from fairseq.data import data_utils

from fairseq_xling_preprocess import cli, doctor
from fairseq_xling_preprocess.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


def run(*args: str | Path) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main([str(arg) for arg in args])
    code = caught.value.code
    assert isinstance(code, int)
    return code


def test_help_names_every_command_and_imports_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    output = capsys.readouterr().out
    assert all(f"  {name} " in output for name in cli.COMMANDS)
    code = (
        "import sys; from fairseq_xling_preprocess import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'fairseq', 'numpy', 'sentencepiece', 'fairseq_xling'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("command", ["vocab", "encode", "user-dir", "doctor"])
def test_help_of_a_command_has_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "--help") == 0
    output = capsys.readouterr().out
    assert "Example" in output
    assert "doctor" in output or "$(xling user-dir)" in output or "--output" in output


def test_help_of_the_evaluations_loads_no_model() -> None:
    code = (
        "import sys; from fairseq_xling_preprocess import cli\n"
        "try: cli.main(['eval', *sys.argv[1:], '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'fairseq', 'fairseq_xling'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    for command in ([], ["xnli"]):
        subprocess.run([sys.executable, "-c", code, *command], check=True, capture_output=True)


def test_offline_half_does_not_load_the_training_side() -> None:
    code = (
        "import sys; import fairseq_xling_preprocess.commands, fairseq_xling_preprocess.doctor\n"
        "heavy = {'torch', 'fairseq', 'fairseq_xling'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_user_dir_is_the_package_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("user-dir") == 0
    folder = Path(capsys.readouterr().out.strip())
    assert folder.is_absolute()
    assert folder.name == "fairseq_xling"
    assert (folder / "__init__.py").is_file()


def test_doctor_lists_versions_and_optional_parts(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("doctor") == 0
    rows = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines())
    assert {"python", "torch", "fairseq-fixed", "numpy", "devices", "apex", "flash-attn", "fast_align", "faiss"} <= set(
        rows
    )
    assert rows["python"] == sys.version.split()[0]


def test_doctor_checks_data_and_checkpoint(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def check_checkpoint(checkpoint: str, data: str | None) -> list[str]:
        raise UserError(f"{checkpoint} does not fit {data}")

    checks = SimpleNamespace(check_data_bin=lambda path: [f"{path}: fine"], check_checkpoint=check_checkpoint)
    monkeypatch.setitem(sys.modules, "fairseq_xling.interop.doctor", checks)
    assert run("doctor", "--data", "data-bin") == 0
    assert "data-bin: fine" in capsys.readouterr().out
    assert run("doctor", "--data", "data-bin", "--checkpoint", "x.pt") == 2
    assert "x.pt does not fit data-bin" in capsys.readouterr().err


def test_plugin_folder_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install"):
        doctor.plugin_folder()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nothing"], "No such command"),
        (["encode", "--input", "x"], "Missing option"),
        (["encode", "--model", "x", "--input", "x", "--output", "y", "--format", "pdf"], "'pdf' is not one of"),
        (["encode", "--model", "none", "--input", ROOT / "setup.py", "--output", "y"], "none: no such file"),
        (["encode", "--model", "m", "--input", "none.txt", "--output", "y"], "none.txt: no such file"),
        (["encode", "--model", "m", "--input", "x", "--output", "y", "--pair", "ende"], "--pair ende: expected two"),
        (["vocab", "--output", "y"], "give either --input"),
        (["vocab", "--output", "y", "--input", "en=x", "--from-spm", "m"], "give either --input"),
        (["vocab", "--output", "y", "--input", f"en={ROOT}/setup.py"], "--size is missing"),
        (["vocab", "--output", "y", "--input", "en=x", "--size", "many"], "not a valid integer"),
        (["vocab", "--output", "y", "--input", "train.en", "--size", "50"], "expected LANG=FILE"),
    ],
)
def test_wrong_input_is_one_message_and_exit_code_2(
    args: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*args) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("columns", ["0,1", "a,b", "1,"])
def test_wrong_columns(columns: str, corpus: dict[str, Path], model: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--format", "tsv", "--pair", "en-de", "--columns", columns]
    assert run("encode", "--model", model, "--input", corpus["en"], "--output", "y", *options) == 2
    assert f"--columns {columns}: expected numbers" in capsys.readouterr().err


def test_columns_of_a_file_without(corpus: dict[str, Path], model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("encode", "--model", model, "--input", corpus["en"], "--output", "y", "--columns", "2") == 2
    assert "--columns 2: --format lines has no columns" in capsys.readouterr().err


def test_keyboard_interrupt_is_quiet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.cli, "main", interrupt)
    assert run("vocab") == 130
    assert capsys.readouterr().err == ""


def test_report_and_warning(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.en").write_text("Two dogs ☃\n\nrun\n", encoding="utf-8")
    (tmp_path / "x.de").write_text("Zwei Hunde\nZwei\nHunde\n", encoding="utf-8")
    args = ["--input", tmp_path / "x.en", "--input", tmp_path / "x.de", "--pair", "en-de", "--workers", "1"]
    assert run("encode", "--model", model, *args, "--output", tmp_path / "out") == 0
    captured = capsys.readouterr()
    assert "out.en: 2 lines" in captured.out
    assert "dropped 1 pairs" in captured.out
    assert "☃ U+2603 x1" in captured.err
    assert "out.de: more than" not in captured.err


@pytest.mark.slow
def test_from_raw_text_to_data_bin(corpus: dict[str, Path], tmp_path: Path, command: Callable) -> None:
    """The chain of the help text, with the real programs."""
    data = tmp_path / "data-bin"
    inputs = [word for lang, path in corpus.items() for word in ("--input", f"{lang}={path}")]
    done = command("xling", "vocab", *inputs, "--size", "80", "--output", data)
    assert done.returncode == 0, done.log
    spm, dictionary = data / "sentencepiece.bpe.model", data / "dict.txt"
    enc = tmp_path / "enc"
    en, de = corpus["en"], corpus["de"]
    for words in (
        ["xling", "encode", "--model", spm, "--input", en, "--output", enc / "mono.en"],
        ["xling", "encode", "--model", spm, "--pair", "en-de", "--input", en, "--input", de, "--output", enc / "train"],
        ["fairseq-preprocess", "--only-source", "--srcdict", dictionary, "--trainpref", enc / "mono.en",
         "--destdir", data / "mono" / "en"],
        ["fairseq-preprocess", "-s", "en", "-t", "de", "--srcdict", dictionary, "--tgtdict", dictionary,
         "--trainpref", enc / "train", "--destdir", data / "para" / "en-de"],
    ):  # fmt: skip
        done = command(*words)
        assert done.returncode == 0, done.log
    for prefix in ("mono/en/train", "para/en-de/train.en-de.en", "para/en-de/train.en-de.de"):
        dataset = data_utils.load_indexed_dataset(str(data / prefix), None)
        assert dataset is not None
        assert len(dataset) == 300
