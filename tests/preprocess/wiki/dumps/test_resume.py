"""xling wiki in a folder that is not empty: resumption, files of others, damaged and missing work, full disks, kills."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fairseq_xling_preprocess.errors import UserError
from fairseq_xling_preprocess.wiki import tables
from fairseq_xling_preprocess.wiki.dumps import extract, run
from fairseq_xling_preprocess.wiki.dumps.run import extract_dumps
from fairseq_xling_preprocess.wiki.lock import hold
from tests.preprocess.wiki.dumps.exports import contents, links, page, rows, write


def never(*args: object) -> None:
    raise AssertionError("read again")


def test_resume_reads_no_dump_twice(
    many: list[str], tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract_dumps(many, str(tmp_path / "whole"))
    original = extract.read_parts

    def interrupted(path: str, *args: Any) -> Any:
        if path == many[2]:
            raise KeyboardInterrupt
        return original(path, *args)

    monkeypatch.setattr(extract, "read_parts", interrupted)
    with pytest.raises(KeyboardInterrupt):
        extract_dumps(many, str(out))
    assert json.loads((out / "results.json").read_text(encoding="utf-8"))["languages"].keys() == {"en"}
    with pytest.raises(UserError, match="holds the tables of an earlier run; give --resume"):
        extract_dumps(many, str(out))
    monkeypatch.setattr(
        extract, "read_parts", lambda path, *args: never() if path == many[0] else original(path, *args)
    )
    extract_dumps(many, str(out), resume=True)
    assert contents(out) == contents(tmp_path / "whole")
    monkeypatch.setattr(extract, "read_parts", never)
    extract_dumps(many, str(out), resume=True)
    assert contents(out) == contents(tmp_path / "whole")


def test_resume_after_an_interruption_while_tables_are_moved(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dumps = [write(tmp_path / f"enwiki-{n}.xml", [page(n, f"T{n}", f"[[T{3 - n}]] {n}")]) for n in (1, 2)]
    extract_dumps(dumps, str(tmp_path / "whole"))
    with monkeypatch.context() as patch:
        patch.setattr(run, "write_results", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            extract_dumps(dumps, str(out))
    assert not (out / "results.json").exists()
    monkeypatch.setattr(extract, "read_parts", never)
    extract_dumps(dumps, str(out), resume=True)
    assert contents(out) == contents(tmp_path / "whole")


def test_resume_with_other_dumps(tmp_path: Path, out: Path) -> None:
    one, two = (write(tmp_path / f"enwiki-{n}.xml", [page(n, f"T{n}", f"[[T{3 - n}]] {n}")]) for n in (1, 2))
    german = write(tmp_path / "de.xml", [page(1, "A", "a")])
    extract_dumps([german, one, two], str(out))
    mine = out / "articles" / "mine.parquet"
    mine.write_bytes(b"mine")
    write(Path(one), [page(1, "T1", "changed [[T2]]")])
    assert list(extract_dumps([one], str(out), resume=True)) == ["en"]
    assert [row["text"] for row in rows(out, "articles", "en-*")] == ["changed T2"]
    assert len(rows(out, "articles", "de-*")) == 1
    assert list(json.loads((out / "results.json").read_text(encoding="utf-8"))["languages"]) == ["de", "en"]
    assert mine.read_bytes() == b"mine"


def test_what_is_in_the_way_stays(tmp_path: Path, out: Path) -> None:
    dump = write(tmp_path / "en.xml", [page(1, "A", "a")])
    theirs = out / "articles" / "en-000.parquet"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"theirs")
    with pytest.raises(UserError, match=r"articles/en-000\.parquet: in the way, and not of xling wiki"):
        extract_dumps([dump], str(out))
    assert list(contents(out).values()) == [b"theirs"]
    assert not (out / "work").exists()
    theirs.unlink()
    (out / "results.json").write_text("{}")
    with pytest.raises(UserError, match=r"results\.json: in the way, and not of xling wiki"):
        extract_dumps([dump], str(out), resume=True)


def test_a_full_disk_is_one_message(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dump = write(tmp_path / "en.xml", [page(1, "A", "a [[b]]")])

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(tables.TableWriter, "_flush", full)
        with pytest.raises(UserError, match=r"cannot write \S+parquet: no space left on device"):
            extract_dumps([dump], str(out))
    assert not list(out.rglob("*.parquet"))
    extract_dumps([dump], str(out), resume=True)
    assert links(out) == [("b", "B")]


def test_a_full_disk_that_pyarrow_tells_of(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dump = write(tmp_path / "en.xml", [page(1, "A", "a [[b]]")])

    def full(*args: object) -> None:
        raise OSError(f"[Errno {errno.ENOSPC}] Error writing bytes to file. Detail: [errno {errno.ENOSPC}] full")

    monkeypatch.setattr(tables.TableWriter, "_flush", full)
    with pytest.raises(
        UserError, match=r"^cannot write \S+parquet: no space left on device; make room, then give --resume"
    ):
        extract_dumps([dump], str(out))


@pytest.mark.parametrize("name", ["report.md", "articles", "work"])
def test_files_of_others_stay(name: str, tmp_path: Path, out: Path) -> None:
    dump = write(tmp_path / "en.xml", [page(1, "A", "a")])
    out.mkdir()
    (out / name).write_text("mine")
    with pytest.raises(UserError, match=f"{name}: in the way"):
        extract_dumps([dump], str(out))
    assert contents(out) == {name: b"mine"}


def test_work_of_others_stays(tmp_path: Path, out: Path) -> None:
    (out / "work" / "redirects-of-mine").mkdir(parents=True)
    (out / "work" / "redirects-of-mine" / "list").write_text("mine")
    killed = out / "work" / "redirects-abcd1234"
    killed.mkdir()
    (killed / "database").touch()
    extract_dumps([write(tmp_path / "en.xml", [page(1, "A", "a")])], str(out))
    assert not killed.exists()
    assert (out / "work" / "redirects-of-mine" / "list").read_text() == "mine"


def test_resume_with_other_languages_keeps_what_is_unfinished(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch, xling: Callable[..., tuple[int, str]]
) -> None:
    english, german = (write(tmp_path / f"{language}.xml", [page(1, "A", "a")]) for language in ("en", "de"))
    with monkeypatch.context() as patch:
        patch.setattr(run, "write_results", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            extract_dumps([english], str(out))
    code, output = xling("wiki", german, "--out", out, "--resume", "--workers", 1)
    assert (code, output.splitlines()[-1]) == (0, "unfinished: en; give their dumps with --resume to go on")
    monkeypatch.setattr(extract, "read_parts", never)
    extract_dumps([english], str(out), resume=True)
    assert len(rows(out, "articles")) == 2
    assert not (out / "work").exists()


def test_a_missing_table_is_made_anew(tmp_path: Path, out: Path) -> None:
    dump = write(tmp_path / "en.xml", [page(1, "A", "a [[b]]")])
    extract_dumps([dump], str(out))
    (out / "anchors" / "en-000.parquet").unlink()
    extract_dumps([dump], str(out), resume=True)
    assert links(out) == [("b", "B")]
    assert "`en.xml` (en): anchors/en-000.parquet: was missing" in (out / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("damage", ["record", "table"])
def test_damaged_work_is_made_anew(damage: str, many: list[str], out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(run, "resolve", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            extract_dumps(many[:1], str(out))
    work = out / "work" / "en-000"
    if damage == "record":
        (work / "dump.json").write_bytes((work / "dump.json").read_bytes()[:50])
    else:
        (work / "anchors.parquet").unlink()
    extract_dumps(many[:1], str(out), resume=True)
    assert len(rows(out, "articles")) == 119


def test_one_run_at_a_time(tmp_path: Path, out: Path, omp: dict[str, str]) -> None:
    dump = write(tmp_path / "en.xml", [page(1, "A", "a")])
    words = [sys.executable, "-m", "fairseq_xling_preprocess.cli", "wiki", dump, "--out", str(out)]
    out.mkdir()
    with hold(out):
        second = subprocess.run(words, env=omp, capture_output=True, text=True)
        assert second.returncode == 2
        assert second.stderr == (
            f"xling: error: --out {out}: another run is writing there; wait for its end, or take another folder\n"
        )
    assert contents(out) == {}
    extract_dumps([dump], str(out))


def test_a_dump_replaced_while_it_is_read_is_read_again(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dump = write(tmp_path / "en.xml", [page(1, "A", "old")])
    original = extract.read_parts

    def replaced(*args: Any) -> Any:
        parts = list(original(*args))
        write(Path(dump), [page(1, "A", "another")])
        return iter(parts)

    monkeypatch.setattr(extract, "read_parts", replaced)
    extract_dumps([dump], str(out))
    monkeypatch.setattr(extract, "read_parts", original)
    extract_dumps([dump], str(out), resume=True)
    assert [row["text"] for row in rows(out, "articles")] == ["another"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_killed_command_goes_on_and_gives_the_same(tmp_path: Path, omp: dict[str, str]) -> None:
    pages = [page(number, f"T{number}", f"[[T{number + 1}]] " + "some words " * 300) for number in range(1, 2500)]
    dumps = [write(tmp_path / f"{language}.xml", pages) for language in ("en", "de")]
    words = [
        sys.executable,
        "-m",
        "fairseq_xling_preprocess.cli",
        "wiki",
        *dumps,
        "--workers",
        "2",
        "--resume",
        "--out",
    ]
    killed = subprocess.Popen([*words, str(tmp_path / "killed")], env=omp, start_new_session=True)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "killed").glob("work/de-000/.*.parquet")):
        assert killed.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    for name in ("killed", "whole"):
        subprocess.run([*words, str(tmp_path / name)], env=omp, check=True)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
