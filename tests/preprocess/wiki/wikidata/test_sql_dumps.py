"""Dumps of tables: columns by name, strings of every kind, damage, linear time."""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import pytest

from fairseq_xling_preprocess.errors import UserError
from fairseq_xling_preprocess.wiki.wikidata import line_batches
from fairseq_xling_preprocess.wiki.wikidata.sql_dumps import SqlDump

CREATE = b"""-- a comment; with 'signs
DROP TABLE IF EXISTS `t`;
/*!40101 SET character_set_client = utf8 */;
CREATE TABLE `t` (
  `number` int(10) unsigned NOT NULL DEFAULT 0,
  `text` varbinary(255) NOT NULL DEFAULT ';',
  `more` double DEFAULT NULL,
  PRIMARY KEY (`number`,`text`),
  KEY `by_more` (`more`)
) ENGINE=InnoDB DEFAULT CHARSET=binary COMMENT='a; (b)';

"""


def rows(path: Path, content: bytes, *names: str) -> tuple[list[tuple[str | None, ...]], SqlDump]:
    path.write_bytes(content)
    dump = SqlDump(str(path))
    return list(dump.rows(*names)), dump


def test_columns_by_name_whatever_the_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = [
        (b"'plain'", "plain"),
        (b"'a,b),(c'", "a,b),(c"),
        (rb"'it\'s \"so\" \\'", 'it\'s "so" \\'),
        (rb"'\n\0\Z\%'", "\n\0\x1a%"),
        (b"'it''s'", "it's"),
        (b"''", ""),
        (b"NULL", None),
        (b"'NULL'", "NULL"),
        (b"_binary 'x'", "x"),
        ("'Zürich_東京'".encode(), "Zürich_東京"),
        (b"'; INSERT INTO `t` VALUES (9,9,9)'", "; INSERT INTO `t` VALUES (9,9,9)"),
    ]
    lines = [b"(%d,%s,-1.5e-05)" % (number, value) for number, (value, _) in enumerate(values)]
    one_line = b"INSERT INTO `t` VALUES " + b",".join(lines) + b";\n"
    row_a_line = b"INSERT INTO `t` VALUES\n  " + b",\n  ".join(lines) + b";\n-- done\n"
    named = b"INSERT INTO `t` (`text`, `number`) VALUES ('x',7);\n"
    expected = [(text, str(number)) for number, (_, text) in enumerate(values)]
    for size in (1, 7, 1 << 20):
        monkeypatch.setattr(line_batches, "BATCH_BYTES", size)
        found, dump = rows(tmp_path / "t.sql", CREATE + one_line + row_a_line + named, "text", "number")
        assert found == [*expected, *expected, ("x", "7")]
        assert (dump.table, dump.columns, dump.damage) == ("t", ["number", "text", "more"], None)


def test_a_table_without_rows(tmp_path: Path) -> None:
    assert rows(tmp_path / "t.sql", CREATE, "more")[0] == []


def test_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    found, dump = rows(tmp_path / "t.sql", CREATE + b"INSERT INTO `t` VALUES (1,'Z\xfcrich',2);", "text")
    assert (found, dump.num_invalid) == ([("Z\ufffdrich",)], 1)


@pytest.mark.parametrize(
    "tail", [b"(2,'b", b"(2,'b',3)", b"(2,'b');\n", b"(2,'b',3,4);\n", b"(2,b c,3);\n", b"(2,'b'c',3);\n"]
)
def test_rows_before_the_damage_stay(tail: bytes, tmp_path: Path) -> None:
    found, dump = rows(tmp_path / "t.sql", CREATE + b"INSERT INTO `t` VALUES (1,'a',3)," + tail, "number")
    assert found[0] == ("1",)
    assert dump.damage is not None
    assert "at byte" in dump.damage


def test_a_truncated_gzip_file(tmp_path: Path) -> None:
    content = (
        CREATE + b"INSERT INTO `t` VALUES " + b",".join(b"(%d,'a%d',3)" % (i, i * i) for i in range(50_000)) + b";\n"
    )
    packed = gzip.compress(content)
    found, dump = rows(tmp_path / "t.sql.gz", packed[: len(packed) // 2], "number")
    assert 10_000 < len(found) < 40_000
    assert found == [(str(number),) for number in range(len(found))]
    assert dump.damage is not None
    assert "after byte" in dump.damage


@pytest.mark.parametrize("text", [b"", b"<html>", b"INSERT INTO `t` VALUES (1);"])
def test_no_table(text: bytes, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"t.sql: no CREATE TABLE"):
        rows(tmp_path / "t.sql", text, "number")


def test_a_column_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the table t has no column title; it has number, text, more"):
        rows(tmp_path / "t.sql", CREATE, "title")


@pytest.mark.parametrize("part", [b"(1,'", b"(1,0,", b"(", b"(1,'\\", b" ", b"'"])
def test_time_is_linear_in_what_is_no_row(part: bytes, tmp_path: Path) -> None:
    started = time.process_time()
    rows(tmp_path / "t.sql", CREATE + b"INSERT INTO `t` VALUES " + part * (2_000_000 // len(part)), "text")
    assert time.process_time() - started < 2
