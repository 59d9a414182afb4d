"""Readers of raw text and the all-or-nothing writer."""

from __future__ import annotations

import errno
import os
import tracemalloc
from pathlib import Path

import pytest
from xopen import xopen

from fairseq_xling_preprocess import text
from fairseq_xling_preprocess.errors import UserError

TMX = """<?xml version="1.0" encoding="{encoding}"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4"><header creationtool="t" srclang="en"/><body>
<tu><tuv xml:lang="EN-us"><seg>A &lt;b&gt; <bpt i="1">&lt;i&gt;</bpt>red<ept i="1">x</ept> house</seg></tuv>
    <tuv xml:lang="de"><seg>Ein <hi>rotes</hi> Haus</seg></tuv></tu>
<tu><tuv xml:lang="fr"><seg>Oui</seg></tuv><tuv xml:lang="de"><seg>Ja</seg></tuv></tu>
<tu><tuv lang="de_AT"><seg>Nein</seg></tuv><tuv lang="en"><seg>No</seg></tuv><tuv lang="en"><seg>Nope</seg></tuv></tu>
</body></tmx>
"""


def write(path: Path, content: str | bytes) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


@pytest.mark.parametrize("suffix", ["", ".gz", ".bz2", ".xz", ".zst"])
def test_lines_of_plain_and_compressed_files(tmp_path: Path, suffix: str) -> None:
    path = str(tmp_path / f"x.en{suffix}")
    with xopen(path, "wb", threads=0) as stream:
        stream.write("one\n\ntwo ü\nthree".encode())
    read = []
    assert list(text.read_lines(path, read.append)) == ["one", "", "two ü", "three"]
    assert sum(read) == os.path.getsize(path)


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
def test_truncated_compressed_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    with xopen(path, "wb", threads=0) as stream:
        stream.write(os.urandom(50_000).hex().encode() + b"\n")
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(UserError, match="damaged or truncated"):
        list(text.read_lines(str(path)))


def test_only_newline_ends_a_line(tmp_path: Path) -> None:
    odd = "a\x85b\x1cc\u2028d\u2029e\x0bf\rg"
    path = write(tmp_path / "x", f"\ufeff{odd}\nwindows\r\n")
    assert list(text.read_lines(path)) == [odd, "windows"]


def test_squeeze_makes_every_white_space_a_plain_one() -> None:
    assert text.squeeze(" a\x85b\x1cc\u2028d\t\u3000e\xa0\r") == "a b c d e"


def test_invalid_utf8_names_file_line_and_byte(tmp_path: Path) -> None:
    path = write(tmp_path / "x", b"fine\nalso fine\ncaf\xe9\n")
    with pytest.raises(UserError, match=r"x:3: not UTF-8 \(byte 0xe9 at column 4\)"):
        list(text.read_lines(path))


@pytest.mark.parametrize("content", ["", "\n", " \n\n\t\n"])
def test_file_without_text(tmp_path: Path, content: str) -> None:
    with pytest.raises(UserError, match="empty"):
        list(text.read_lines(write(tmp_path / "x", content)))


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        list(text.read_lines(str(tmp_path / "none")))
    with pytest.raises(UserError, match="is a directory"):
        list(text.read_lines(str(tmp_path)))
    with pytest.raises(UserError, match="no such file"):
        text.expand(str(tmp_path / "*.txt"))


def test_cc100_keeps_one_break_between_documents(tmp_path: Path) -> None:
    path = write(tmp_path / "x", "\n\na\nb\n\n \n\nc\n\n")
    assert list(text.read_documents(path)) == ["a", "b", "", "c"]


def test_pairs_of_unequal_length_name_both_counts(tmp_path: Path) -> None:
    short, long = write(tmp_path / "short", "1\n2\n"), write(tmp_path / "long", "1\n2\n3\n4\n5\n")
    with pytest.raises(UserError, match=r"short has 2 lines and \S*long has 5"):
        list(text.read_pairs(short, long))
    with pytest.raises(UserError, match=r"long has 5 lines and \S*short has 2"):
        list(text.read_pairs(long, short))


def test_tsv_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "x", 'a\t"b\tc\nd\te\tf\n')
    assert list(text.read_tsv(path, (3, 1))) == [("c", "a"), ("f", "d")]
    with pytest.raises(UserError, match=r"x:1: column 4 asked for, the line has 3"):
        list(text.read_tsv(path, (1, 4)))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_tmx(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path / "x.tmx", TMX.format(encoding=encoding).encode(encoding))
    assert list(text.read_tmx(path, ("en", "de"))) == [("A <b> red house", "Ein rotes Haus"), ("No", "Nein")]
    assert list(text.read_tmx(path, ("de_AT",))) == [("Nein",)]
    with pytest.raises(UserError, match=r"in each of en, ru; its languages are de, de-at, en, en-us, fr"):
        list(text.read_tmx(path, ("en", "ru")))


def test_tmx_does_not_keep_the_tree(tmp_path: Path) -> None:
    unit = "<tu><tuv xml:lang='en'><seg>a</seg></tuv><tuv xml:lang='de'><seg>b</seg></tuv></tu>\n"
    path = write(tmp_path / "x.tmx", f"<tmx><body>{unit * 50_000}</body></tmx>")
    tracemalloc.start()
    assert sum(1 for _ in text.read_tmx(path, ("en", "de"))) == 50_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20  # the whole tree takes some 60 MB


def test_damaged_tmx_names_the_line(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tmx", "<tmx>\n<body>\n<tu></body></tmx>")
    with pytest.raises(UserError, match=r"x\.tmx:3: not well-formed"):
        list(text.read_tmx(path, ("en", "de")))


@pytest.mark.parametrize("suffix", ["", ".gz", ".bz2", ".xz", ".zst"])
def test_outputs_appear_complete_or_not_at_all(tmp_path: Path, suffix: str) -> None:
    paths = [tmp_path / "new" / f"{name}{suffix}" for name in "ab"]

    def fill(fail: bool) -> None:
        with text.open_outputs(paths) as streams:
            for stream in streams:
                stream.write(b"text\n")
            assert not any(path.exists() for path in paths)
            if fail:
                raise UserError("no")

    with pytest.raises(UserError, match="no"):
        fill(fail=True)
    assert list((tmp_path / "new").iterdir()) == []
    fill(fail=False)
    assert sorted((tmp_path / "new").iterdir()) == paths
    assert list(text.read_lines(str(paths[1]))) == ["text"]


def test_unwritable_output(tmp_path: Path) -> None:
    write(tmp_path / "file", "x")
    with pytest.raises(UserError, match="cannot write"), text.open_outputs([tmp_path / "file" / "out"]):
        pass
    with pytest.raises(UserError, match="it is a folder"), text.open_outputs([tmp_path]):
        pass


def test_a_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def mkdir(path: str, mode: int) -> None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)  # as below /proc

    monkeypatch.setattr(os, "mkdir", mkdir)
    with (
        pytest.raises(UserError, match=r"x/y: its folder cannot be made \(no such"),
        text.open_outputs([tmp_path / "x/y"]),
    ):
        pass


@pytest.mark.parametrize("pair", ["en", "en-", "en-en", "en-de-fr", "e n-de"])
def test_malformed_pair(pair: str) -> None:
    with pytest.raises(UserError, match="--pair"):
        text.parse_pair(pair)


def test_real_text_with_unicode_line_separators(shared_data: Path) -> None:
    folder = shared_data / "parallel"
    pairs = list(text.read_pairs(*(str(folder / f"newstest2009.{lang}.gz") for lang in ("de", "en"))))
    assert len(pairs) == 2525
    assert sum("\x85" in german for german, _ in pairs) > 0
