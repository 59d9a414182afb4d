"""Titles and their items from MediaWiki's tables."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fairseq_xling_preprocess.errors import UserError
from fairseq_xling_preprocess.wiki.wikidata.run import convert

COLUMNS = {
    "page": "page_id page_namespace page_title",
    "page_props": "pp_page pp_propname pp_value",
    "langlinks": "ll_from ll_lang ll_title",
    "redirect": "rd_from rd_namespace rd_title rd_interwiki",
}


def table(folder: Path, wiki: str, name: str, rows: str) -> tuple[str, str]:
    columns = ",\n".join(f"`{column}` varbinary(255)" for column in COLUMNS[name].split())
    path = folder / f"{wiki}-{name}.sql"
    path.write_text(f"CREATE TABLE `{name}` (\n{columns}\n);\nINSERT INTO `{name}` VALUES {rows};\n", encoding="utf-8")
    return wiki, str(path)


def rows(folder: Path) -> set[tuple[str, ...]]:
    columns = pq.read_table(folder).columns
    return set(zip(*[column.to_pylist() for column in columns], strict=True))


def test_pages_properties_and_links(tmp_path: Path) -> None:
    tables = [
        table(tmp_path, "en", "page", "(1,0,'A_(x)'),(2,0,'B'),(3,4,'Help'),(4,0,'Old'),(5,0,'C')"),
        table(
            tmp_path, "en", "page_props",
            "(1,'wikibase_item','Q1'),(1,'page_image','Q9'),(2,'wikibase_item','Q2'),(3,'wikibase_item','Q3'),(5,'wikibase_item','x')",
        ),
        table(
            tmp_path, "en", "langlinks",
            "(1,'de','A (y)'),(1,'be-x-old','Ж'),(2,'de','Falsch'),(2,'fr','B#C'),(2,'xx-unknown-2','B'),(5,'de','Ohne')",
        ),
        table(tmp_path, "en", "redirect", "(4,0,'A_(x)',''),(5,4,'Help',''),(2,0,'Z','fr')"),
        table(tmp_path, "de", "page", "(1,0,'Richtig'),(7,0,'Falsch')"),
        table(tmp_path, "de", "page_props", "(1,'wikibase_item','Q2'),(7,'wikibase_item','Q7')"),
    ]  # fmt: skip
    merged = tmp_path / "merged.tsv"
    merged.write_text("Q1\tQ10\n")
    (part,) = (part for part in convert([], tmp_path / "out", tables, [str(merged)]) if part.name == "sql")
    assert rows(tmp_path / "out/sitelinks") == {
        ("en", "A (x)", "Q10"),
        ("en", "B", "Q2"),
        ("de", "A (y)", "Q10"),
        ("be-tarask", "Ж", "Q10"),
        ("de", "Richtig", "Q2"),
        # not Q2, as the link from en says
        ("de", "Falsch", "Q7"),
    }
    assert rows(tmp_path / "out/redirects") == {("en", "Old", "A (x)")}
    assert part.counts["left out"] == {
        "page_props: wikibase_item without a Q-id": 1,
        "langlinks: to no language of a Wikipedia": 1,
        "langlinks: to a part of a page, or to none": 1,
        "redirects: to no article": 2,
        "sitelinks: of a title that has one": 1,
        "page_props: of pages that are no articles": 1,
    }
    assert part.counts["sitelinks"] == {"en": 2, "de": 3, "be-tarask": 1}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["merged", "parts", "redirects", "sitelinks"]


def test_the_json_dump_goes_first_and_knows_pages(tmp_path: Path) -> None:
    dump = tmp_path / "dump.json"
    dump.write_text('{"id":"Q1","sitelinks":{"enwiki":{"title":"A"},"frwiki":{"title":"A fr"}}}\n')
    tables = [
        table(tmp_path, "en", "page", "(1,0,'A'),(2,0,'B')"),
        table(tmp_path, "en", "page_props", "(1,'wikibase_item','Q9'),(2,'wikibase_item','Q1')"),
        table(tmp_path, "en", "langlinks", "(1,'de','A_de'),(1,'fr','Anders')"),
    ]
    *_, part = convert([str(dump)], tmp_path / "out", tables)
    # B is no second page of Q1 in English, and Anders none in French
    assert rows(tmp_path / "out/sitelinks") == {("en", "A", "Q1"), ("fr", "A fr", "Q1"), ("de", "A de", "Q1")}
    assert part.counts["left out"] == {
        "page_props: another item than in the dumps": 1,
        "sitelinks: of an item that has one in the language": 2,
    }


def test_a_dump_that_comes_later_goes_first_too(tmp_path: Path) -> None:
    tables = [
        table(tmp_path, "en", "page", "(1,0,'A')"),
        table(tmp_path, "en", "page_props", "(1,'wikibase_item','Q9')"),
    ]
    convert([], tmp_path / "out", tables)
    dump = tmp_path / "dump.json"
    dump.write_text('{"id":"Q1","sitelinks":{"enwiki":{"title":"A"}}}\n')
    with pytest.raises(UserError, match="give these with --sql, too"):
        convert([str(dump)], tmp_path / "out", resume=True)
    convert([str(dump)], tmp_path / "out", tables, resume=True)
    assert rows(tmp_path / "out/sitelinks") == {("en", "A", "Q1")}


def test_pages_are_needed(tmp_path: Path) -> None:
    tables = [table(tmp_path, "en", "page_props", "(1,'wikibase_item','Q1')")]
    with pytest.raises(UserError, match="needs the table page of the Wikipedia in en, too"):
        convert([], tmp_path / "out", tables)
    assert not (tmp_path / "out").exists()


def test_rows_before_the_damage(tmp_path: Path) -> None:
    tables = [
        table(tmp_path, "en", "page", "(1,0,'A'),(2,0,'B'"),
        table(tmp_path, "en", "page_props", "(1,'wikibase_item','Q1')"),
    ]
    (part,) = convert([], tmp_path / "out", tables)
    assert rows(tmp_path / "out/sitelinks") == {("en", "A", "Q1")}
    assert "cut off" in part.damage[0]


def test_real_tables(shared_data: Path, tmp_path: Path) -> None:
    pattern = str(shared_data / "wikidata/qrank_sql/rmwiki-20240301-{}.sql.gz")
    convert([], tmp_path, [("rm", pattern.format(name)) for name in ("page", "page_props", "redirect")])
    assert rows(tmp_path / "sitelinks") == {("rm", "Turitg", "Q72"), ("rm", "Obergesteln", "Q662541")}
    assert rows(tmp_path / "redirects") == {("rm", "Zürich", "Turitg")}
