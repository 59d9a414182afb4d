"""Compressed files, whole, cut off and corrupt."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from backports import zstd

from fairseq_xling_preprocess.wiki.dumps.decompress import Damage, DamagedError, compression, decompress

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress, "bz2": bz2.compress, "xz": partial(lzma.compress, preset=0), "zst": zstd.compress, "": bytes,
}  # fmt: skip
DATA = b"".join(b"%d " % number for number in random.Random(1).choices(range(10**6), k=300_000))


def read(path: Path) -> tuple[bytes, Damage | None, int]:
    """What is decompressed, the damage, and the bytes that progress was told of."""
    output, told = bytearray(), []
    try:
        for block in decompress(str(path), compression(str(path)), told.append, 2):
            output += block
    except DamagedError as error:
        return bytes(output), error.damage, sum(told)
    return bytes(output), None, sum(told)


@pytest.fixture(params=["with indexed_bzip2", "without it"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "without it":
        monkeypatch.setitem(sys.modules, "indexed_bzip2", None)
    else:
        pytest.importorskip("indexed_bzip2")


@pytest.mark.parametrize("kind", COMPRESS)
@pytest.mark.usefixtures("library")
def test_files_are_known_by_content(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "misleading.txt"
    packed = COMPRESS[kind](DATA[:5000]) + COMPRESS[kind](DATA[5000:])  # two members, or frames
    path.write_bytes(packed)
    assert compression(str(path)) == kind
    assert read(path) == (DATA, None, len(packed))


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zst"])
@pytest.mark.usefixtures("library")
def test_a_file_that_is_cut_off_gives_what_is_there(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    packed = COMPRESS[kind](DATA)
    cut = len(packed) * 2 // 3
    path.write_bytes(packed[:cut])
    output, damage, _ = read(path)
    assert damage == Damage(cut, len(output), "the file ends before its compressed data do")
    assert DATA.startswith(output)
    assert (
        len(output) > len(DATA) // 3 or kind == "xz"
    )  # one block of bz2 holds 900 kB; xz gives little before its check


@pytest.mark.parametrize("kind", ["gz", "bz2", "zst"])
@pytest.mark.usefixtures("library")
def test_a_corrupt_member_costs_nothing_before_it(kind: str, tmp_path: Path) -> None:
    first, second = COMPRESS[kind](DATA[:1_500_000]), bytearray(COMPRESS[kind](DATA[1_500_000:]))
    second[:4] = b"\xff\xff\xff\xff"
    path = tmp_path / "x"
    path.write_bytes(first + bytes(second))
    output, damage, _ = read(path)
    assert output == DATA[:1_500_000]
    assert damage
    assert damage.offset == 1_500_000
    assert len(first) <= damage.position <= len(first) + 8


@pytest.mark.usefixtures("library")
def test_a_corrupt_block_of_bz2_costs_nothing_before_it(tmp_path: Path) -> None:
    packed = bytearray(bz2.compress(DATA, 1))  # blocks of 100 kB; the libraries are given more in a call
    packed[len(packed) // 2] ^= 255
    path = tmp_path / "x"
    path.write_bytes(bytes(packed))
    output, damage, _ = read(path)
    assert damage
    assert output[: len(DATA) // 2 - 100_000] == DATA[: len(DATA) // 2 - 100_000]
    assert (
        len(output) < len(DATA) // 2 + 100_000
    )  # of the block itself some may come before its checksum is found wrong
    assert damage.offset == len(output)
    assert len(packed) // 2 < damage.position < len(packed) // 2 + 50_000


@pytest.mark.parametrize("kind", ["gz", "xz"])
def test_zeros_behind_a_member_are_no_damage(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    packed = COMPRESS[kind](DATA[:5000]) + bytes(200_000) + COMPRESS[kind](DATA[5000:]) + bytes(4)
    path.write_bytes(packed)
    assert read(path) == (DATA, None, len(packed))


@pytest.mark.usefixtures("library")
def test_bytes_behind_bz2_are_damage_and_no_library_prints(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x"
    packed = bz2.compress(DATA)
    path.write_bytes(packed + b"garbage")
    output, damage, _ = read(path)
    assert output == DATA
    assert damage
    assert damage.offset == len(DATA)
    assert capfd.readouterr() == ("", "")
