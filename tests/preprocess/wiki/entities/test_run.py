"""Pages, links and statements joined: a tiny world worked out by hand."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fairseq_xling_preprocess.errors import UserError
from fairseq_xling_preprocess.wiki.entities.run import Options, Result, build
from fairseq_xling_preprocess.wiki.entities.shards import Shards, open_shards
from tests.preprocess.wiki.entities.world import TABLES, TEXTS, write_table, write_world

Build = Callable[..., tuple[Result, Shards]]


@pytest.fixture
def rebuild(tmp_path: Path, vocabulary: Path) -> Build:
    """Builds what the tables in ``tmp_path`` hold, with options, and opens the result."""

    def run(**options: Any) -> tuple[Result, Shards]:
        dictionary, model = vocabulary / "dict.txt", str(vocabulary / "sentencepiece.bpe.model")
        given = {"out": tmp_path / "out", "top_languages": 3, "valid_share": 0.0, "max_tokens": 64, **options}
        result = build(
            Options(tmp_path / "wiki", tmp_path / "wikidata", dictionary=dictionary, tokeniser=model, **given)
        )
        return result, open_shards(given["out"], dictionary)

    return run


@pytest.fixture
def make(tmp_path: Path, rebuild: Build) -> Build:
    """Builds the tiny world, some tables changed."""

    def run(tables: dict[str, list[tuple[Any, ...]]] | None = None, **options: Any) -> tuple[Result, Shards]:
        write_world(tmp_path, **(tables or {}))
        return rebuild(**options)

    return run


def surfaces(shards: Shards, vocabulary: Path, language: str) -> list[tuple[str, int]]:
    """Pieces of each mention, joined, and the number of its item."""
    symbols = [line.split(" ")[0] for line in (vocabulary / "dict.txt").read_text(encoding="utf-8").splitlines()]
    split = shards.splits[language, "train"]
    found = []
    for number, row in enumerate(split.mentions):
        tokens = split.window(number)[row["begin"] : row["end"]]
        found.append(("".join(symbols[token - 4] for token in tokens).strip("▁"), int(shards.entities[row["entity"]])))
    return found


def test_the_tiny_world(make: Build, vocabulary: Path) -> None:
    result, shards = make()
    assert shards.languages == ["de", "en", "zh"]
    assert shards.entities.tolist() == [1, 2, 3]
    assert surfaces(shards, vocabulary, "en") == [("river", 3), ("old", 1), ("book", 2)]
    assert surfaces(shards, vocabulary, "de") == [("Stadt", 1)]
    assert surfaces(shards, vocabulary, "zh") == [("老城", 1)]
    assert shards.splits["en", "train"].entities.tolist() == [0, 1, 2, -1]
    assert shards.splits["de", "train"].entities.tolist() == [0, -1]
    assert [len(shards.descriptions_of(entity)) for entity in range(3)] == [3, 1, 1]
    assert shards.relations == [("P31", "instance of"), ("P361", "Teil von")]
    assert shards.triples.tolist() == [[1, 1, 0], [1, 1, 2], [2, 0, 1]]
    assert [shards.objects(triple).tolist() for triple in range(3)] == [[0, 2], [0, 2], [1]]
    assert result.num_languages == {1: 2, 3: 1}


def test_everything_left_out_is_counted(make: Build) -> None:
    counts = make()[0].counts
    assert {key: number for key, number in counts.items() if key[2] not in ("kept", "train")} == {
        ("articles", "zu", "other language"): 1,
        ("articles", "en", "no text"): 1,
        ("sitelinks", "de", "no item, or merged in a loop"): 1,
        ("descriptions", "en", "disambiguation"): 1,
        ("descriptions", "de", "no entity"): 1,
        ("anchors", "zu", "other language"): 1,
        ("anchors", "en", "page left out"): 1,
        ("anchors", "en", "no entity"): 1,
        ("anchors", "en", "disambiguation"): 1,
        ("anchors", "en", "no description"): 1,
        ("statements", "", "neither end described"): 1,
        ("statements", "", "object not described"): 1,
        ("statements", "", "no item, or merged in a loop"): 1,
    }
    assert counts["statements", "", "kept"] == 4  # one of them twice
    assert sum(counts[key] for key in counts if key[0] == "anchors") == len(TABLES["anchors"][1])


def test_an_anchor_that_is_not_in_its_place_is_counted(make: Build) -> None:
    assert make()[0].contexts["en"]["surface not in its place"] == 1


def test_descriptions_are_the_beginnings_of_pages(make: Build) -> None:
    _, shards = make(max_tokens=7)
    for row, language in zip(shards.descriptions_of(0), shards.languages, strict=True):
        split = shards.splits[language, "train"]
        assert shards.description(row).tolist() == split.tokens[:5].tolist()


def test_windows_stay_in_their_article_and_fit(make: Build) -> None:
    result, shards = make(max_tokens=6)
    assert result.contexts["en"]["longer than a window"] == 0
    for split in shards.splits.values():
        for row in split.mentions:
            begin, end = split.offsets[row["article"] : row["article"] + 2]
            assert begin <= row["window"]
            assert row["window"] + row["length"] <= end
            assert 0 <= row["begin"] < row["end"] <= row["length"] == min(4, end - begin)


def test_a_mention_that_fills_no_window_is_counted(make: Build) -> None:
    whole = ("en", 1, 0, 37, TEXTS["en", 1, "Town"], "Book", "Book", "")
    result, shards = make({"anchors": [whole, TABLES["anchors"][1][3]]}, max_tokens=6)
    assert result.contexts["en"]["longer than a window"] == 1
    assert len(shards.splits["en", "train"].mentions) == 1


def test_the_surface_recurs_in_the_window(make: Build) -> None:
    _, shards = make()
    split = shards.splits["en", "train"]
    assert [len(split.spans(mention)) for mention in range(3)] == [0, 0, 1]
    row, ((begin, end),) = split.mentions[2], split.spans(2)
    window = split.window(2)
    assert window[begin:end].tolist() == window[row["begin"] : row["end"]].tolist()
    assert begin > row["end"]


def test_largest_languages_and_named_languages(make: Build, tmp_path: Path) -> None:
    assert make(top_languages=1)[1].languages == ["en"]
    assert make(languages=["zu", "zh", "de"], top_languages=2, out=tmp_path / "other")[1].languages == ["de", "zh"]
    with pytest.raises(UserError, match=r"--languages fr: no article .* there are de,en,zh,zu"):
        make(languages=["fr"], out=tmp_path / "third")


def test_an_entity_of_one_language_stays(make: Build) -> None:
    _, shards = make(languages=["zh"])
    assert shards.entities.tolist() == [1]
    assert len(shards.splits["zh", "train"].mentions) == 1
    assert len(shards.triples) == 0
    assert shards.relations == []


def test_a_page_given_twice_counts_once(make: Build, vocabulary: Path) -> None:
    articles = [*TABLES["articles"][1], ("en", 1, "Town", "Another revision.")]
    anchors = [*TABLES["anchors"][1], ("en", 1, 0, 7, "Another", "Dog", "Dog", "")]
    result, shards = make({"articles": articles, "anchors": anchors})
    assert result.counts["articles", "en", "repeated page"] == 1
    assert result.contexts["en"]["surface not in its place"] == 2
    assert surfaces(shards, vocabulary, "en") == [("river", 3), ("old", 1), ("book", 2)]


def test_articles_are_set_aside_by_the_digest_of_their_id(make: Build) -> None:
    _, shards = make(valid_share=0.5)
    for language in shards.languages:
        pages = [number for name, number, title in TEXTS if name == language and title != "Nothing"]
        valid = [page for page in pages if hashlib.md5(f"{language}:{page}".encode()).hexdigest() < "8"]
        assert shards.splits[language, "valid"].page_ids.tolist() == valid
        assert shards.splits[language, "train"].page_ids.tolist() == [page for page in pages if page not in valid]
    for row in shards.descriptions_of(0):
        assert len(shards.description(row)) > 0
    assert sorted([*shards.train_triples, *shards.valid_triples]) == [0, 1, 2]


def test_two_workers_give_the_bytes_of_one(make: Build, tmp_path: Path) -> None:
    make(out=tmp_path / "one", valid_share=0.3)
    make(out=tmp_path / "two", valid_share=0.3, workers=2)
    files = [file.relative_to(tmp_path / "one") for file in (tmp_path / "one").rglob("*") if file.is_file()]
    assert len(files) == 9 + 3 * 2 * 7
    assert all((tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes() for file in files)


def test_tables_in_several_files(make: Build, rebuild: Build, tmp_path: Path) -> None:
    schema, rows = TABLES["articles"]
    make({"articles": rows[:3]})
    write_table(tmp_path / "wiki" / "articles" / "second.parquet", schema, rows[3:])
    rebuild(out=tmp_path / "parts")
    make(out=tmp_path / "whole")
    tokens = [tmp_path / name / "en" / "train" / "tokens.npy" for name in ("parts", "whole")]
    assert tokens[0].read_bytes() == tokens[1].read_bytes()


def test_optional_tables_may_be_absent(make: Build, rebuild: Build, tmp_path: Path) -> None:
    make()
    for name in ("merged", "triples", "properties"):
        shutil.rmtree(tmp_path / "wikidata" / name)
    result, shards = rebuild(out=tmp_path / "other")
    assert result.absent == ["triples", "properties", "merged"]
    assert shards.entities.tolist() == [1, 2, 3, 4, 11, 20]  # nothing says that Q4 is a disambiguation


def test_a_result_is_replaced_only_when_told(make: Build, tmp_path: Path) -> None:
    _, before = make()
    other = tmp_path / "out" / "en" / "notes.txt"
    other.write_text("mine")
    with pytest.raises(UserError, match="holds a result; give --overwrite"):
        make()
    _, after = make(overwrite=True, languages=["zh"])
    assert (before.languages, after.languages) == (["de", "en", "zh"], ["zh"])
    assert other.read_text() == "mine"
    assert not (tmp_path / "out" / "de").exists()
    assert not list((tmp_path / "out").glob(".entities*"))


@pytest.mark.parametrize("name", ["zh", "report.md/x", "triples.npy/x"])
def test_what_is_in_the_way_leaves_the_old_result(make: Build, tmp_path: Path, vocabulary: Path, name: str) -> None:
    make(languages=["en"])
    out = tmp_path / "out"
    in_the_way = out / name
    if in_the_way.parent.is_file():
        in_the_way.parent.unlink()
    in_the_way.parent.mkdir(exist_ok=True)
    in_the_way.write_text("mine")
    before = {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}
    with pytest.raises(UserError, match=rf"{name.split('/')[0]}: in the way: a f"):
        make(languages=["en", "zh"], overwrite=True)
    assert {file: file.read_bytes() for file in out.rglob("*") if file.is_file()} == before


def test_a_result_with_a_damaged_meta_json_is_replaced(make: Build, tmp_path: Path) -> None:
    make(languages=["de", "en"])
    out = tmp_path / "out"
    (out / "meta.json").write_text("{")
    mine = out / "de" / "mine.txt"
    mine.write_text("mine")
    with pytest.raises(
        UserError, match=r"meta.json: .*damaged .*/de/mine.txt is not of xling .* or delete .*meta.json"
    ):
        make(languages=["en"], overwrite=True)
    assert len(list(out.iterdir())) == 11
    mine.unlink()
    make(languages=["en"], overwrite=True)
    assert not (out / "de").exists()


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (
            {"sitelinks": [("no", "By", "Q1"), ("zu", "Town", "Q1")]},
            "in de,en,zh, the sitelinks in no,zu; no language is in",
        ),
        ({"sitelinks": [("en", "Elsewhere", "Q1")]}, "^no page of .*both have en;"),
        ({"anchors": []}, "^no link of .*both have de,en,zh;"),
        ({"anchors": [("en", 3, 0, 3, "Owt", "Book", "Book", "")]}, "^no link of .*both have de,en,zh;"),
    ],
)
def test_nothing_that_fits(make: Build, tmp_path: Path, tables: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make(tables)
    assert not (tmp_path / "out").exists()


def test_a_file_damaged_in_its_middle_is_named(make: Build, rebuild: Build, tmp_path: Path) -> None:
    make()
    file = tmp_path / "wiki" / "anchors" / "part.parquet"
    content = bytearray(file.read_bytes())
    content[4:300] = bytes(296)
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"anchors/part\.parquet: damaged in row group 0"):
        rebuild(out=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_what_others_put_there_is_in_the_way(make: Build, tmp_path: Path) -> None:
    report = tmp_path / "out" / "report.md"
    report.parent.mkdir()
    report.write_text("of xling wiki")
    with pytest.raises(UserError, match=r"report\.md: in the way"):
        make()
    assert report.read_text() == "of xling wiki"


@pytest.mark.parametrize(
    ("raised", "seen"),
    [(KeyboardInterrupt(), KeyboardInterrupt), (OSError(errno.ENOSPC, "No space left on device"), UserError)],
)
def test_nothing_is_left_of_what_was_not_finished(
    make: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: BaseException, seen: type[BaseException]
) -> None:
    def fail(*_: object) -> None:
        raise raised

    monkeypatch.setattr("fairseq_xling_preprocess.wiki.entities.contexts.SplitWriter.append", fail)
    with pytest.raises(seen, match="cannot write .*: no space left" if seen is UserError else None):
        make()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"articles": [("../x", 1, "Town", "old town")]}, "'../x' is no code"),
        ({"articles": [("en", 1, "Town", " ")]}, "no article with text"),
    ],
)
def test_articles_that_cannot_be_used(make: Build, tmp_path: Path, tables: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make(tables)
    assert not (tmp_path / "out").exists()


def test_damaged_tables_are_named(make: Build, rebuild: Build, tmp_path: Path) -> None:
    make()
    file = tmp_path / "wiki" / "anchors" / "part.parquet"
    write_table(file, *TABLES["merged"])
    with pytest.raises(UserError, match=r"part\.parquet: the column language is missing, expected string"):
        rebuild(out=tmp_path / "new")
    file.write_bytes(b"no")
    with pytest.raises(UserError, match=r"part\.parquet: not a Parquet file"):
        rebuild(out=tmp_path / "new")
    file.unlink()
    with pytest.raises(UserError, match="anchors: no Parquet files; give the folder that xling wiki wrote"):
        rebuild(out=tmp_path / "new")


def test_the_folder_is_checked_when_opened(make: Build, tmp_path: Path, vocabulary: Path) -> None:
    make()
    out, dictionary = tmp_path / "out", tmp_path / "dict.txt"
    dictionary.write_text("a 1\n")
    with pytest.raises(UserError, match=r"was made with another .*dict\.txt"):
        open_shards(out, dictionary)
    file = out / "en" / "train" / "tokens.npy"
    file.write_bytes(file.read_bytes()[:-2])
    with pytest.raises(UserError, match=r"tokens\.npy: missing or damaged"):
        open_shards(out, vocabulary / "dict.txt")
    meta = json.loads((out / "meta.json").read_text())
    (out / "meta.json").write_text(json.dumps({**meta, "format": 99}))
    with pytest.raises(UserError, match=r"meta\.json: format 99"):
        open_shards(out, vocabulary / "dict.txt")
    (out / "meta.json").unlink()
    with pytest.raises(UserError, match="no finished result"):
        open_shards(out, vocabulary / "dict.txt")
