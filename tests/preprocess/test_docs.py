"""The worked example of docs/data.md runs as it stands."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fairseq_xling_preprocess import commands
from tests.conftest import ROOT, Run

PAGE = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_worked_example(tmp_path: Path, run_block: Callable[[str], Run]) -> None:
    example = re.search(r"## Try it\n.*?```bash\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    run_block(example[1])
    data = tmp_path / "out" / "docs" / "data-bin"
    for name in ("mono/en/train", "mono/de/valid", "para/en-de/train.en-de.de", "para/en-de/valid.en-de.en"):
        assert (data / f"{name}.bin").stat().st_size > 0, name
    assert (data / "languages.txt").read_text() == "de\nen\n"


@pytest.mark.parametrize("command", [commands.vocab, commands.encode], ids=["vocab", "encode"])
def test_every_option_is_in_its_table(command) -> None:
    section = PAGE.split(f"\n## xling {command.name}\n")[1].split("\n## ")[0]
    for option in command.params:
        assert f"| `{option.opts[0]}" in section, option.opts[0]
