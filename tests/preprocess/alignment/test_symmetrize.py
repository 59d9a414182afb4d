"""Symmetrisation: by hand, and against atools."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from fairseq_xling_preprocess.alignment.pharaoh import Link, format_links, parse_links
from fairseq_xling_preprocess.alignment.symmetrize import HEURISTICS, symmetrize

# Rows are source words, columns target words; F forward only, R reverse only, B both.
#     0 1 2 3 4
#   0 B . . . .      0-0 begins; (1,1) touches it and both its words are free: grown
#   1 . F . R .      (1,3) touches nothing there is when it is tried; word 3 is free: final
#   2 . . . . .
#   3 . . . . F      3 and 4 are both free: final-and
#   4 R . . . .      4 is free, 0 is taken: final, not final-and
FORWARD = [(0, 0), (1, 1), (3, 4)]
REVERSE = [(0, 0), (1, 3), (4, 0)]
GROWN = {(0, 0), (1, 1)}


@pytest.mark.parametrize(
    ("heuristic", "expected"),
    [
        ("intersect", {(0, 0)}),
        ("union", {(0, 0), (1, 1), (1, 3), (3, 4), (4, 0)}),
        ("grow-diag", GROWN),
        ("grow-diag-final", GROWN | {(3, 4), (1, 3), (4, 0)}),
        ("grow-diag-final-and", GROWN | {(3, 4)}),
    ],
)
def test_by_hand(heuristic: str, expected: set[Link]) -> None:
    assert set(symmetrize(FORWARD, REVERSE, 5, 5, heuristic)) == expected


def test_growing_goes_on_from_what_has_grown() -> None:
    # 0-0 in both; 1-1 is beside it, 2-2 only beside 1-1, 2-3 has the free word 3
    forward, reverse = [(0, 0), (2, 2), (2, 3)], [(0, 0), (1, 1)]
    assert set(symmetrize(forward, reverse, 3, 4, "grow-diag")) == {(0, 0), (1, 1), (2, 2), (2, 3)}


def test_growing_needs_a_free_word() -> None:
    # 0-1 is beside both links, but its two words are taken
    both = [(0, 0), (1, 1)]
    assert set(symmetrize([*both, (0, 1)], both, 2, 2, "grow-diag")) == set(both)
    assert set(symmetrize([*both, (0, 1)], both, 2, 2, "grow-diag-final")) == set(both)


def test_final_takes_forward_before_reverse() -> None:
    # without an intersection nothing grows; 0-1 uses up word 0 before reverse is asked
    assert symmetrize([(0, 1)], [(0, 0)], 1, 2, "grow-diag") == []
    assert symmetrize([(0, 1)], [(0, 0)], 1, 2, "grow-diag-final-and") == [(0, 1)]
    assert set(symmetrize([(0, 1)], [(0, 0)], 1, 2, "grow-diag-final")) == {(0, 0), (0, 1)}


@pytest.mark.parametrize("heuristic", HEURISTICS)
def test_nothing_from_nothing(heuristic: str) -> None:
    assert symmetrize([], [], 3, 0, heuristic) == []
    assert symmetrize([], [], 3, 2, heuristic) == []


def random_pairs(count: int) -> list[tuple[int, int, list[Link], list[Link]]]:
    """Directional alignments as aligners make them: at most one link for each generated word."""
    generator = random.Random(3)
    pairs = []
    for _ in range(count):
        rows, columns = generator.randint(1, 12), generator.randint(1, 12)
        forward = [(generator.randrange(rows), j) for j in range(columns) if generator.random() < 0.9]
        reverse = [(i, generator.randrange(columns)) for i in range(rows) if generator.random() < 0.9]
        pairs.append((rows, columns, forward, reverse))
    return pairs


@pytest.mark.parametrize("heuristic", HEURISTICS)
def test_as_atools(heuristic: str, tmp_path: Path) -> None:
    if shutil.which("atools") is None:
        pytest.skip("needs fast_align's atools on PATH (github.com/clab/fast_align)")
    pairs = random_pairs(1000)
    for name, column in (("forward", 2), ("reverse", 3)):
        (tmp_path / name).write_text("".join(format_links(pair[column]) + "\n" for pair in pairs))  # type: ignore[arg-type]
    command = ["atools", "-c", heuristic, "-i", tmp_path / "forward", "-j", tmp_path / "reverse"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\n")[:-1]
    for (rows, columns, forward, reverse), line in zip(pairs, lines, strict=True):
        assert set(symmetrize(forward, reverse, rows, columns, heuristic)) == set(parse_links(line, "atools"))
