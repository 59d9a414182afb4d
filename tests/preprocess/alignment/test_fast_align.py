"""The fast_align back-end, with a stand-in program and, where it is installed, the real one."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from fairseq_xling_preprocess.alignment import fast_align, run
from fairseq_xling_preprocess.errors import UserError

# Links word k with word k, and writes what it was called with; BODY may change what comes out.
PROGRAM = """#!{python}
import sys
arguments = sys.argv[1:]
rows = [line.rstrip("\\n").split(" ||| ") for line in open(arguments[arguments.index("-i") + 1], encoding="utf-8")]
assert all(len(row) == 2 for row in rows), rows
assert arguments[:1] == ["-i"] and arguments[2:5] == ["-d", "-o", "-v"], arguments
reverse = arguments[5:] == ["-r"]
links = [" ".join(f"{{k}}-{{k}}" for k in range(min(len(side.split()) for side in row))) for row in rows]
{body}
print("\\n".join(links))
"""


def program(folder: Path, body: str = "") -> str:
    path = folder / "stand-in"
    path.write_text(PROGRAM.format(python=sys.executable, body=body), encoding="utf-8")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def bitext(tmp_path: Path) -> run.Bitext:
    lines = {"en": ["a b c", "", "d ||| e", "<eps>"], "fr": ["x y", "z", "u ||| v w", "t"]}
    for lang, text in lines.items():
        (tmp_path / f"a.{lang}").write_text("\n".join(text) + "\n")
    return run.Bitext(("en", "fr"), [str(tmp_path / "a.en"), str(tmp_path / "a.fr")], pretokenized=True)


def lines_of(path: Path) -> list[str]:
    return path.read_text().split("\n")[:-1]


def test_empty_sides_and_its_separator_as_a_word(bitext: run.Bitext, tmp_path: Path) -> None:
    body = "links = [line if reverse else '0-0' for line in links]"
    aligner = fast_align.FastAlign(program(tmp_path, body))
    run.align_files(bitext, str(tmp_path / "x"), aligner, ("intersect",), workers=2)
    assert lines_of(tmp_path / "x.forward") == ["0-0", "", "0-0", "0-0"]
    assert lines_of(tmp_path / "x.reverse") == ["0-0 1-1", "", "0-0 1-1 2-2", "0-0"]
    assert lines_of(tmp_path / "x.intersect") == ["0-0", "", "0-0", "0-0"]
    assert lines_of(tmp_path / "x.en")[2] == "d ||| e"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("sys.stderr.write('reading\\nout of memory\\n\\n'); sys.exit(3)", r"failed \(forward, exit code 3\): out of memory"),
        ("import os; os.kill(os.getpid(), 9)", r"failed \(forward, signal 9\): it said nothing"),
        ("links[1] = '0-0 nonsense'", r"wrote garbage: line 2 of its output: 'nonsense' is not a link"),
        ("links[0] = '0-2'", r"wrote garbage: line 1 of its output: link 0-2 is out of range"),
        ("links.pop()", r"wrote garbage: its output: has 2 lines, the bitext 3 pairs"),
        ("links = ['\\udcff']; sys.stdout.reconfigure(errors='surrogateescape')", r"wrote garbage: line 1 of its output: not UTF-8"),
        ("links = []", r"wrote garbage: its output: the file is empty"),
    ],
)  # fmt: skip
def test_failures_are_one_message(bitext: run.Bitext, tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(UserError, match=f"stand-in {message}"):
        run.align_files(bitext, str(tmp_path / "x"), fast_align.FastAlign(program(tmp_path, body)))
    assert not (tmp_path / "x.en").exists()


def test_not_a_program(bitext: run.Bitext, tmp_path: Path) -> None:
    path = tmp_path / "broken"
    path.write_bytes(b"\x7fELF broken")
    path.chmod(0o755)
    with pytest.raises(UserError, match="broken: cannot be started"):
        run.align_files(bitext, str(tmp_path / "x"), fast_align.FastAlign(str(path)))


def test_missing_program_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        UserError, match=r"not on PATH; build it from github\.com/clab/fast_align .* --aligner embedded"
    ):
        fast_align.FastAlign()


def test_the_real_program(tmp_path: Path) -> None:
    if shutil.which("fast_align") is None:
        pytest.skip("needs fast_align on PATH (github.com/clab/fast_align)")
    words = {
        "en": ["red house", "red door", "old house"] * 30,
        "fr": ["rouge maison", "rouge porte", "vieille maison"] * 30,
    }
    files = []
    for lang, lines in words.items():
        (tmp_path / f"a.{lang}").write_text("\n".join([*lines, ""]) + "\n")
        files.append(str(tmp_path / f"a.{lang}"))
    run.align_files(run.Bitext(("en", "fr"), files), str(tmp_path / "x"), fast_align.FastAlign(), workers=2)
    assert lines_of(tmp_path / "x.grow-diag-final-and") == ["0-0 1-1"] * 90 + [""]
