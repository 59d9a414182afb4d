"""``xling doctor --data``: the word alignments of a data-bin."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fairseq_xling.errors import UserError
from fairseq_xling.interop.doctor import check_data_bin
from tests.helpers import small_data_bin, write_alignment, write_data_bin

PARA = {"de-en": ([[5, 6]] * 3, [[7, 8]] * 3)}


def test_alignments_are_named(tmp_path: Path) -> None:
    lines = check_data_bin(str(small_data_bin(tmp_path)))
    assert f"{tmp_path}/para/de-en/train: 24 pairs, aligned" in lines
    assert f"{tmp_path}/para/en-fr/valid: 16 pairs, aligned" in lines


def test_without_alignments(tmp_path: Path) -> None:
    """One split of one pair may have them."""
    write_data_bin(tmp_path, para=PARA, splits=("train", "valid"))
    write_alignment(tmp_path / "para" / "de-en" / "train.align.de-en", [[(0, 1)]] * 3)
    lines = check_data_bin(str(tmp_path))
    assert lines[1:] == [f"{tmp_path}/para/de-en/train: 3 pairs, aligned", f"{tmp_path}/para/de-en/valid: 3 pairs"]


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("links", "edit", "message"),
    [
        ([[(0, 1)]] * 2, lambda _: None, "train.align.de-en: 2 lines of alignment for 3 sentence pairs"),
        ([[(0, 1)], [], [(2, 0)]], lambda _: None, "de-en: sentence pair 3 has the link 2-0"),
        ([[], [], []], lambda _: None, "train.align.de-en.bin: holds no link"),
        ([[(0, 1)]] * 3, lambda prefix: cut(Path(f"{prefix}.bin")), "align.de-en.bin: truncated"),
        ([[(0, 1)]] * 3, lambda prefix: Path(f"{prefix}.bin").unlink(), "align.de-en.bin: file is missing"),
        ([[(0, 1)]] * 3, lambda prefix: Path(f"{prefix}.idx").unlink(), "align.de-en.idx: not found"),
    ],
)
def test_bad_alignments(
    tmp_path: Path, links: list[list[tuple[int, int]]], edit: Callable[[Path], None], message: str
) -> None:
    data = write_data_bin(tmp_path, para=PARA, links={"de-en": links})
    edit(tmp_path / "para" / "de-en" / "train.align.de-en")
    with pytest.raises(UserError) as caught:
        check_data_bin(str(data))
    assert message in str(caught.value)
