"""The places of articles in the tables."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from fairseq_xling_preprocess.wiki.entities.places import table_files, write_places
from fairseq_xling_preprocess.wiki.schemas import ARTICLES
from tests.preprocess.wiki.entities.world import write_world


def test_texts_of_a_language_in_order(tmp_path: Path) -> None:
    write_world(tmp_path)
    files = table_files(tmp_path / "wiki", "articles", ARTICLES)
    places = write_places(files, tmp_path / "places.parquet", lambda count: None)
    assert list(places.texts("de")) == [(5, "Der Fluss fließt durch die alte Stadt."), (6, "Zwei Hunde.")]
    blank = pq.read_table(tmp_path / "places.parquet")["blank"].to_pylist()
    assert blank == [False] * 4 + [True] + [False] * 4
