"""Databases to languages, against the tables of all Wikimedia sites."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairseq_xling_preprocess.wiki.wikidata.sql_dumps import SqlDump
from fairseq_xling_preprocess.wiki.wikipedias import language_of


@pytest.mark.parametrize(
    ("dbname", "language"),
    [
        ("enwiki", "en"),
        ("zh_min_nanwiki", "zh-min-nan"),
        ("be_x_oldwiki", "be-tarask"),
        ("nowiki", "no"),
        ("simplewiki", "simple"),
        ("commonswiki", None),
        ("specieswiki", None),
        ("wikidatawiki", None),
        ("metawiki", None),
        ("tenwiki", None),
        ("enwikivoyage", None),
        ("../enwiki", None),
        ("wiki", None),
    ],
)
def test_language_of(dbname: str, language: str | None) -> None:
    assert language_of(dbname) == language


@pytest.mark.parametrize("name", ["wikidatawiki-20140420-sites.sql.gz", "qrank_sql/metawiki-20240401-sites.sql.gz"])
def test_all_sites(name: str, shared_data: Path) -> None:
    sites = list(SqlDump(str(shared_data / "wikidata" / name)).rows("site_global_key", "site_group"))
    assert len(sites) > 800
    for dbname, group in sites:
        assert (language_of(dbname or "") is not None) == (group == "wikipedia"), dbname
