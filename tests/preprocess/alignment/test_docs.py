"""docs/aligning-text.md: its example runs, its table has every option."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from fairseq.data.indexed_dataset import MMapIndexedDataset

from fairseq_xling_preprocess.alignment import cli
from tests.conftest import ROOT, Run

PAGE = (ROOT / "docs" / "aligning-text.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_worked_example(tmp_path: Path, run_block: Callable[[str], Run]) -> None:
    example = re.search(r"## Try it\n.*?```bash\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    run_block(example[1])
    data = tmp_path / "out" / "docs" / "align" / "para" / "en-fr"
    sides = [MMapIndexedDataset(str(data / f"train.en-fr.{lang}")) for lang in ("en", "fr")]
    links = MMapIndexedDataset(str(data / "train.align.en-fr"))
    assert len(links) == len(sides[0]) == len(sides[1])
    for number in range(len(links)):
        pairs = links[number].reshape(-1, 2)
        assert all((pairs[:, side] < len(sides[side][number]) - 1).all() for side in (0, 1))  # </s> is never linked
    assert sum(map(len, links)) > 2 * len(links)


def test_every_option_is_in_its_table() -> None:
    section = PAGE.split("\n## xling align\n")[1].split("\n## ")[0]
    for option in cli.align.params:
        assert f"| `{option.opts[0]}" in section, option.opts[0]
