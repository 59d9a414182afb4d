"""The command ``xling entities``: what it prints and reports, and wrong options."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from fairseq_xling_preprocess import vocab
from fairseq_xling_preprocess.errors import UserError
from fairseq_xling_preprocess.wiki.entities.cli import entities
from fairseq_xling_preprocess.wiki.entities.dictionary import read_dictionary
from fairseq_xling_preprocess.wiki.entities.shards import open_shards
from tests.preprocess.wiki.entities.world import write_world
from tests.wordpieces import write_wordpieces


def run(*words: str | Path) -> str:
    result = CliRunner().invoke(entities, [*map(str, words)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_report(tmp_path: Path, vocabulary: Path) -> None:
    wiki, wikidata = write_world(tmp_path)
    out = tmp_path / "out"
    places = ("--wiki", wiki, "--wikidata", wikidata, "--data", vocabulary, "--out", out)
    printed = run(*places, "--top-languages", "3", "--workers", "1", "--max-tokens", "64", "--valid-share", "0")
    assert "3 languages, 7 articles" in printed
    assert "5 mentions, 3 entities, 3 triples" in printed
    assert "left out of statements: " in printed
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert results["totals"]["languages_per_entity"] == 5 / 3
    assert results["totals"]["recurring_share"] == 1 / 5
    assert results["totals"]["anchors"] == 9  # those of a page without text or of another language are not on a page
    assert results["entities_by_number_of_languages"] == {"1": 2, "3": 1}
    assert results["left_out"]["statements"]["repeated"] == 1
    assert results["left_out"]["mentions"] == {"surface not in its place": 1}
    report = (out / "report.md").read_text(encoding="utf-8")
    assert "| relations | 2 | 1,304 |" in report
    assert (out / "entities.png").read_bytes().startswith(b"\x89PNG")


def test_wordpieces(tmp_path: Path) -> None:
    wiki, wikidata = write_world(tmp_path)
    vocab.take_wordpiece(str(write_wordpieces(tmp_path / "bert")), tmp_path / "data")
    files = ("--data", tmp_path / "data", "--wordpiece", tmp_path / "bert" / "vocab.txt")
    run("--wiki", wiki, "--wikidata", wikidata, *files, "--workers", "1", "--valid-share", "0", "--languages", "en")
    shards = open_shards(tmp_path / "data" / "wiki", tmp_path / "data" / "dict.txt")
    symbols = [line.split(" ")[0] for line in (tmp_path / "data" / "dict.txt").read_text(encoding="utf-8").splitlines()]
    row = shards.splits["en", "train"].mentions[1]
    window = shards.splits["en", "train"].window(1)
    assert [symbols[token - 4] for token in window[:4]] == ["The", "river", "flows", "through"]
    assert [symbols[token - 4] for token in window[row["begin"] : row["end"]]] == ["old"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--memory-limit", "4"), "--memory-limit 4: expected a whole number and a unit"),
        (("--languages", "en,../de"), r"--languages en,\.\./de: '\.\./de' is no code"),
        (("--master", "local"), "--master local: give --engine spark"),
        (("--valid-share", "nan"), "--valid-share nan: expected a number from 0 to below 1"),
        (("--lowercase",), "--lowercase is of --wordpiece"),
    ],
)
def test_wrong_options(options: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        run("--wiki", "w", "--wikidata", "d", "--data", "b", *options)


def test_missing_vocabulary(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"dict\.txt: no such file or directory; xling vocab makes it"):
        run("--wiki", "w", "--wikidata", "d", "--data", tmp_path)


@pytest.mark.parametrize("line", ["a 1", "<pad> 1"])
def test_a_symbol_that_is_there_twice(tmp_path: Path, line: str) -> None:
    (tmp_path / "dict.txt").write_text(f"a 3\nb 2\n{line}\n")
    with pytest.raises(UserError, match=rf"dict\.txt:3: the symbol '{line[:-2]}' is there twice"):
        read_dictionary(tmp_path / "dict.txt")
    (tmp_path / "dict.txt").write_text(f"a 3\nb 2\n{line} #fairseq:overwrite\n")
    assert read_dictionary(tmp_path / "dict.txt")[line[:-2]] == 6
