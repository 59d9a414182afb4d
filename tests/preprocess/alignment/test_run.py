"""xling align from text to files: shape, resumption, number of processes, wrong input."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from fairseq_xling_preprocess.alignment import aligners, embedded, run, shards
from fairseq_xling_preprocess.alignment.pharaoh import parse_links
from fairseq_xling_preprocess.alignment.symmetrize import HEURISTICS
from fairseq_xling_preprocess.errors import UserError

LEXICON = {
    "the": "la", "house": "maison", "red": "rouge", "river": "rivière", "old": "vieille", "city": "ville",
    "sees": "voit", "and": "et", "green": "verte", "door": "porte", "table": "table", "NULL": "nul",
}  # fmt: skip


def write(path: Path, *lines: str) -> str:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def pairs() -> list[tuple[str, str]]:
    """Word-by-word translations in random order of words, so that only the lexicon can align them."""
    generator = random.Random(1)
    found = []
    for _ in range(400):
        words = generator.sample(list(LEXICON), generator.randint(2, 6))
        found.append((" ".join(words), " ".join(LEXICON[word] for word in sorted(words))))
    found[7] = ("the house", "")
    found[50] = (" ", "")
    return found


@pytest.fixture
def bitext(pairs: list[tuple[str, str]], tmp_path: Path) -> run.Bitext:
    files = [write(tmp_path / f"in.{lang}", *(pair[side] for pair in pairs)) for side, lang in enumerate(("en", "fr"))]
    return run.Bitext(("en", "fr"), files, pretokenized=True)


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_lexicon_is_found_and_lines_never_shift(
    bitext: run.Bitext, pairs: list[tuple[str, str]], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = run.align_files(bitext, str(out / "x"), embedded.Embedded(), HEURISTICS)
    assert sorted(path.name for path in out.iterdir()) == sorted(
        f"x.{name}" for name in ("en", "fr", "forward", "reverse", *HEURISTICS)
    )
    assert (result.num_pairs, result.num_empty) == (400, 2)
    right = wrong = 0
    for (source, target), first, second, line in zip(
        pairs, *(lines_of(out / f"x.{name}") for name in ("en", "fr", "intersect")), strict=True
    ):
        assert (first, second) == (source.strip(), target)
        for i, j in parse_links(line, "x"):
            right += LEXICON[first.split()[i]] == second.split()[j]
            wrong += LEXICON[first.split()[i]] != second.split()[j]
    assert right > 1200
    assert wrong < 0.02 * right
    assert [number for number, line in enumerate(lines_of(out / "x.union")) if not line] == [7, 50]
    assert result.num_links[str(out / "x.intersect")] == right + wrong


def test_directions_are_written_source_first(tmp_path: Path) -> None:
    # two source words, one target word: forward links it once, reverse links both to it
    files = [
        write(tmp_path / "a.en", *["of course"] * 20, *["yes"] * 5),
        write(tmp_path / "a.fr", *["bien"] * 20, *["oui"] * 5),
    ]
    run.align_files(run.Bitext(("en", "fr"), files), str(tmp_path / "x"), embedded.Embedded())
    assert len(lines_of(tmp_path / "x.forward")[0].split()) == 1
    assert lines_of(tmp_path / "x.reverse")[0] == "0-0 1-0"


def test_the_number_of_processes_does_not_matter(
    bitext: run.Bitext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "SHARD_PAIRS", 37)
    for workers in (1, 2):
        run.align_files(bitext, str(tmp_path / str(workers) / "x"), embedded.Embedded(), workers=workers)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


class Dying(embedded.Embedded):
    """Fails at a point of the work that is set from outside, in the process that does it."""

    def __init__(self, train: str = "", shard: str = "", log: Path | None = None) -> None:
        super().__init__()
        self.death, self.log = (train, shard), log

    def train(self, shards: Sequence[Path], model: Path, direction: str) -> None:
        self._note(f"train {direction}")
        if direction == self.death[0]:
            raise KeyboardInterrupt
        super().train(shards, model, direction)

    def align(self, shard: Path, model: Path, direction: str) -> list[str]:
        self._note(f"align {direction} {shard.name}")
        if f"{direction} {shard.name}" == self.death[1]:
            raise KeyboardInterrupt
        return super().align(shard, model, direction)

    def _note(self, text: str) -> None:
        if self.log:
            with self.log.open("a") as stream:
                stream.write(text + "\n")


def test_an_interrupted_run_goes_on_and_gives_the_same(
    bitext: run.Bitext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "SHARD_PAIRS", 100)
    out, log = tmp_path / "out", tmp_path / "log"
    with pytest.raises(KeyboardInterrupt):
        run.align_files(bitext, str(out / "x"), Dying(train="reverse"))
    with pytest.raises(KeyboardInterrupt):
        run.align_files(bitext, str(out / "x"), Dying(shard="forward 000002"))
    assert [path.name for path in out.iterdir()] == ["x.work"]
    monkeypatch.setattr(run, "write_shard", None)  # the words are there: none are written
    run.align_files(bitext, str(out / "x"), Dying(log=log))
    noted = log.read_text().split("\n")
    assert not any(line.startswith("train") for line in noted)
    assert noted[0] == "align forward 000002"
    assert len([line for line in noted if "reverse" in line]) == 4
    monkeypatch.undo()
    run.align_files(bitext, str(tmp_path / "whole" / "x"), Dying())
    assert contents(out) == contents(tmp_path / "whole")


@pytest.mark.slow
def test_a_killed_command_goes_on_and_gives_the_same(
    pairs: list[tuple[str, str]], tmp_path: Path, omp: dict[str, str]
) -> None:
    files = [
        write(tmp_path / f"in.{lang}", *(pair[side] for pair in pairs * 40)) for side, lang in enumerate(("en", "fr"))
    ]
    words = [sys.executable, "-m", "fairseq_xling_preprocess.cli", "align", "--pair", "en-fr", "--workers", "1"]
    words += ["--input", files[0], "--input", files[1], "--output"]
    killed = subprocess.Popen([*words, str(tmp_path / "killed" / "x")], env=omp, start_new_session=True)
    model = tmp_path / "killed" / "x.work" / "forward.model"
    deadline = time.monotonic() + 120
    while not model.exists() and time.monotonic() < deadline:
        assert killed.poll() is None
        time.sleep(0.02)
    os.killpg(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert [path.name for path in model.parents[1].iterdir()] == ["x.work"]
    for name in ("killed", "whole"):
        going_on = subprocess.Popen([*words, str(tmp_path / name / "x")], env=omp)
        assert going_on.wait() == 0
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_changed_input_or_options_start_anew(bitext: run.Bitext, tmp_path: Path) -> None:
    out = str(tmp_path / "out" / "x")
    with pytest.raises(KeyboardInterrupt):
        run.align_files(bitext, out, Dying(train="forward"))
    lines = lines_of(Path(bitext.inputs[0]))
    write(Path(bitext.inputs[0]), *lines[:-1], "city city")
    run.align_files(bitext, out, Dying())
    assert lines_of(Path(f"{out}.en"))[-1] == "city city"


def test_a_folder_in_the_way_is_not_removed(bitext: run.Bitext, tmp_path: Path) -> None:
    (tmp_path / "x.work").mkdir()
    precious = tmp_path / "x.work" / "precious"
    precious.touch()
    with pytest.raises(UserError, match=r"x\.work: in the way"):
        run.align_files(bitext, str(tmp_path / "x"), embedded.Embedded())
    assert precious.exists()
    write(tmp_path / "y.work", "a file")
    with pytest.raises(UserError, match=r"y\.work: in the way"):
        run.align_files(bitext, str(tmp_path / "y"), embedded.Embedded())


def test_what_others_put_into_the_work_folder_stays(bitext: run.Bitext, tmp_path: Path) -> None:
    """It is cleared when the input has changed, and at the end."""
    work = tmp_path / "x.work"
    with pytest.raises(KeyboardInterrupt):
        run.align_files(bitext, str(tmp_path / "x"), Dying(train="reverse"))
    (work / ".reverse.model.killed").mkdir()
    (work / "precious").mkdir()
    (work / "words.txt").symlink_to(write(tmp_path / "mine", "mine"))
    write(Path(bitext.inputs[0]), *lines_of(Path(bitext.inputs[0])))
    run.align_files(bitext, str(tmp_path / "x"), embedded.Embedded())
    assert sorted(path.name for path in work.iterdir()) == ["precious", "words.txt"]
    assert (tmp_path / "mine").exists()


def test_words_that_mean_something_to_the_library(tmp_path: Path) -> None:
    # thot calls its null word NULL: links to it would be lost, or shift
    files = [write(tmp_path / f"a.{lang}", *["NULL a", "b a", "NULL b"] * 9, "NULL") for lang in ("en", "fr")]
    run.align_files(run.Bitext(("en", "fr"), files, pretokenized=True), str(tmp_path / "x"), embedded.Embedded())
    assert set(lines_of(tmp_path / "x.forward")[:3]) == {"0-0 1-1"}


def test_text_without_a_pair(tmp_path: Path) -> None:
    files = [write(tmp_path / "a.en", "yes", ""), write(tmp_path / "a.fr", "", "oui")]
    with pytest.raises(UserError, match="no pair has words on both sides"):
        run.align_files(run.Bitext(("en", "fr"), files), str(tmp_path / "x"), embedded.Embedded())
    assert not (tmp_path / "x.work").exists()


@pytest.fixture
def small(tmp_path: Path) -> run.Bitext:
    files = [
        write(tmp_path / "a.en", "the red house", "", "yes"),
        write(tmp_path / "a.fr", "la maison rouge", "x", "oui"),
    ]
    return run.Bitext(("en", "fr"), files, pretokenized=True)


def test_finished_alignments_are_symmetrised(small: run.Bitext, tmp_path: Path) -> None:
    forward = write(tmp_path / "f", "0-0 2-1 0-2", "", "0-0")
    reverse = write(tmp_path / "r", "1-2 0-0  2-1 2-1", "", "")
    run.align_files(small, str(tmp_path / "x"), aligners.Precomputed([forward, reverse]), ("intersect", "union"))
    assert lines_of(tmp_path / "x.intersect") == ["0-0 2-1", "", ""]
    assert lines_of(tmp_path / "x.union") == ["0-0 0-2 1-2 2-1", "", "0-0"]
    assert lines_of(tmp_path / "x.reverse") == ["0-0 1-2 2-1", "", ""]


def test_one_file_is_final(small: run.Bitext, tmp_path: Path) -> None:
    run.align_files(small, str(tmp_path / "x"), aligners.Precomputed([write(tmp_path / "f", "2-1 0-0", "", "0-0")]))
    assert lines_of(tmp_path / "x.align") == ["0-0 2-1", "", "0-0"]
    assert not (tmp_path / "x.forward").exists()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["0-0", ""], r"f: has 2 lines, the bitext 3 pairs"),
        (["0-0", "", "0-0", ""], r"f: has 4 lines, the bitext 3 pairs"),
        (["0-0 3-3", "", "0-0"], r"f:1: link 3-3 is out of range: 3 source and 3 target words.*1-based"),
        (["0-0", "0-0", "0-0"], r"f:2: link 0-0 is out of range: 0 source and 1 target words"),
        (["0-0 1:1", "", "0-0"], r"f:1: '1:1' is not a link"),
    ],
)
def test_wrong_finished_alignments(small: run.Bitext, tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        run.align_files(small, str(tmp_path / "x"), aligners.Precomputed([write(tmp_path / "f", *lines)]))
    assert not list(tmp_path.glob("x.*"))


def test_finished_alignments_are_not_overwritten(small: run.Bitext, tmp_path: Path) -> None:
    files = [write(tmp_path / f"x.{name}", "0-0", "", "0-0") for name in ("forward", "reverse")]
    with pytest.raises(UserError, match=r"--output would overwrite the input \S+x\.forward"):
        run.align_files(small, str(tmp_path / "x"), aligners.Precomputed(files))
    assert lines_of(tmp_path / "x.forward") == ["0-0", "", "0-0"]


def test_command(small: run.Bitext, tmp_path: Path, xling: Callable[..., tuple[int, str]]) -> None:
    inputs = [word for path in small.inputs for word in ("--input", path)]
    code, output = xling(
        "align", "--pair", "en-fr", *inputs, "--output", tmp_path / "x", "--symmetrize", "union", "--workers", 1
    )
    assert (code, output.split("\n")[0]) == (0, "3 pairs, 1 with an empty side")
    assert f"{tmp_path / 'x.union'}: " in output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--alignments", "{f}", "--aligner", "embedded"], "leave --aligner and --fast-align-bin out"),
        (["--alignments", "{f}", "--symmetrize", "union"], "one file of --alignments is final"),
        (["--alignments", "{f}", "--alignments", "{f}", "--alignments", "{f}"], "--alignments given 3 times"),
        (["--alignments", "nowhere"], "--alignments nowhere: no such file"),
        (["--fast-align-bin", "{f}"], "give --aligner fast_align"),
        (["--columns", "1,2"], "--format lines has no columns"),
        (["--aligner", "fast_align", "--fast-align-bin", "nowhere"], "--fast-align-bin nowhere: no such program"),
    ],
)
def test_wrong_options(
    options: list[str], message: str, small: run.Bitext, tmp_path: Path, xling: Callable[..., tuple[int, str]]
) -> None:
    file = write(tmp_path / "f", "0-0", "", "0-0")
    inputs = [word for path in small.inputs for word in ("--input", path)]
    options = [option.format(f=file) for option in options]
    code, output = xling("align", "--pair", "en-fr", *inputs, "--output", tmp_path / "x", *options)
    assert code == 2
    assert message in output
    assert not (tmp_path / "x.work").exists()


def children(pid: int) -> set[int]:
    return {int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def runs(pid: int) -> bool:
    """A process that has ended but was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_workers_end_with_the_command(
    number: int, code: int, pairs: list[tuple[str, str]], tmp_path: Path, omp: dict[str, str]
) -> None:
    files = [
        write(tmp_path / f"in.{lang}", *(pair[side] for pair in pairs * 25)) for side, lang in enumerate(("en", "fr"))
    ]
    words = [sys.executable, "-m", "fairseq_xling_preprocess.cli", "align", "--pair", "en-fr", "--pretokenized"]
    words += ["--workers", "2", "--input", files[0], "--input", files[1], "--output"]
    killed = subprocess.Popen(
        [*words, str(tmp_path / "killed" / "x")],
        env=omp,
        # a shell without job control has its background jobs, tests among them, ignore it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    work = tmp_path / "killed" / "x.work"
    deadline = time.monotonic() + 60
    while not (work / "shards.json").exists() and time.monotonic() < deadline:
        assert killed.poll() is None
        time.sleep(0.02)
    time.sleep(0.2)  # training is under way
    workers = children(killed.pid)
    assert len(workers) == 2
    assert not list(work.glob("*.model"))
    started = time.monotonic()
    killed.send_signal(number)
    assert killed.wait(timeout=10) == code
    while any(map(runs, workers)):
        assert time.monotonic() < started + 2
        time.sleep(0.01)
    for name in ("killed", "whole"):
        subprocess.run([*words, str(tmp_path / name / "x")], env=omp, check=True)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_a_folder_that_another_run_finished_stays(tmp_path: Path) -> None:
    with shards.new_folder(tmp_path / "model") as folder:
        write(folder / "file", "second")
        (tmp_path / "model").mkdir()
        write(tmp_path / "model" / "file", "first")
    assert lines_of(tmp_path / "model" / "file") == ["first"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
