"""Merged items: chains, loops, and the files they come from."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from fairseq_xling_preprocess.errors import UserError
from fairseq_xling_preprocess.wiki.wikidata.merged import Merged, read_merged

PAGE = "CREATE TABLE `page` (\n `page_id` int,\n `page_namespace` int,\n `page_title` varbinary(255),\n `page_is_redirect` int\n);\n"
REDIRECT = "CREATE TABLE `redirect` (\n `rd_from` int,\n `rd_namespace` int,\n `rd_title` varbinary(255)\n);\n"


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_chains_end_and_loops_are_left_out() -> None:
    # 1 -> 2 -> 3 -> 4; 5 <-> 6; 7 -> 5; 8 -> 8; the second target of 1 does not count
    merged = Merged([1, 2, 3, 5, 6, 7, 8, 1], [2, 3, 4, 6, 5, 5, 8, 9])
    assert dict(zip(merged.sources.tolist(), merged.targets.tolist(), strict=True)) == {1: 4, 2: 4, 3: 4}
    assert merged.num_loops == 4
    names, replaced = merged.replace(pa.array(["Q1", "Q9", "Q3", "Q1000", "Q7"]))
    assert (names.to_pylist(), replaced) == (["Q4", "Q9", "Q4", "Q1000", "Q7"], 2)


def test_a_long_chain() -> None:
    merged = Merged(range(1, 100), range(2, 101))
    assert set(merged.targets.tolist()) == {100}


def test_none() -> None:
    names = pa.array(["Q1"])
    assert Merged([], []).replace(names) == (names, 0)
    assert Merged([2], [3]).replace(pa.array([], pa.string()))[1] == 0


def test_a_line_each(tmp_path: Path) -> None:
    merged = read_merged([write(tmp_path / "x.tsv", "Q20\tQ21\nQ21\tQ22\n")])
    assert merged.replace(pa.array(["Q20"]))[0].to_pylist() == ["Q22"]
    with pytest.raises(UserError, match=r"y.tsv:2: 'x' is no Q-id"):
        read_merged([write(tmp_path / "y.tsv", "Q20\tQ21\nQ1\tx\n")])
    for line in ("Q1", "Q1\tQ2\tQ3"):
        with pytest.raises(UserError, match=r"z.tsv:1: a line has a merged item, a tab and its target, not 'Q1"):
            read_merged([write(tmp_path / "z.tsv", f"{line}\n")])


def test_the_tables_of_wikidata(tmp_path: Path) -> None:
    page = write(tmp_path / "page.sql", PAGE + "INSERT INTO `page` VALUES (1,0,'Q20',1),(2,0,'Q21',0),(3,4,'Q5',1);\n")
    redirect = write(
        tmp_path / "redirect.sql", REDIRECT + "INSERT INTO `redirect` VALUES (1,0,'Q21'),(3,4,'Q6'),(9,0,'Q7');\n"
    )
    merged = read_merged([redirect, page])
    assert (merged.sources.tolist(), merged.targets.tolist()) == ([20], [21])
    with pytest.raises(UserError, match="needs Wikidata's table page, too"):
        read_merged([redirect])
    cut = write(tmp_path / "cut.sql", PAGE + "INSERT INTO `page` VALUES (1,0,'Q20',1),(2,0")
    with pytest.raises(UserError, match="cut off"):
        read_merged([redirect, cut])
