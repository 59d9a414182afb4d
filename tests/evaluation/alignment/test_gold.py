"""Readers of gold alignments: every format, index bases, wrong input."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from fairseq_xling.errors import UserError
from fairseq_xling.evaluation.alignment.gold import GoldPair, TestSet, parse_test_set

SOURCE = ["the old bridge", "she reads"]
TARGET = ["die alte Brücke", "sie liest gern"]
EXPECTED = [
    GoldPair(
        ["the", "old", "bridge"],
        ["die", "alte", "Brücke"],
        frozenset({(0, 0), (2, 2)}),
        frozenset({(0, 0), (2, 2), (1, 1)}),
    ),
    GoldPair(["she", "reads"], ["sie", "liest", "gern"], frozenset({(1, 1)}), frozenset({(1, 1), (1, 2)})),
]


def write(path: Path, lines: list[str]) -> Path:
    data = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def three(folder: Path, format: str, source: list[str], target: list[str], gold: list[str], base: int = 0) -> TestSet:
    files = (write(folder / "s", source), write(folder / "t", target), write(folder / "g", gold))
    return TestSet("x", format, files, base)


def numbered(lines: list[str], start: int = 7) -> list[str]:
    return [f"<s snum={number}> {line}  </s>" for number, line in enumerate(lines, start)]


def test_wpt_is_one_based_and_joined_by_number(tmp_path):
    """A link without S or P is sure; a confidence may follow; the files' order does not matter."""
    gold = ["0008 2 2 S 0.7", "7 1 1", "7 3 3 S", "7 2 2 P", "8 2 3 P"]
    read = three(tmp_path, "wpt", numbered(SOURCE), numbered(TARGET)[::-1], gold).read()
    assert read == EXPECTED


@pytest.mark.parametrize(("base", "gold"), [(0, ["0-0 1p1 2-2", "1-1 1?2"]), (1, ["1-1 2p2 3-3 ", "2-2 2?3"])])
def test_pharaoh_with_both_index_bases(tmp_path, base, gold):
    assert three(tmp_path, "pharaoh", SOURCE, TARGET, gold, base).read() == EXPECTED


def test_alibi_is_joined_by_id(tmp_path):
    source = [f"{key}\t{text}" for key, text in zip("ab", SOURCE, strict=True)]
    target = [f"{key}\t{text}" for key, text in zip("ab", TARGET, strict=True)]
    assert three(tmp_path, "alibi", source, target, ["b\t1-1 1p2 ", "a\t0-0 2-2 1p1"]).read() == EXPECTED[::-1]


def test_tsv_and_jsonl_have_sure_links_only(tmp_path):
    links = [[(0, 0), (1, 1), (1, 1)], [(1, 2)]]
    rows = zip(SOURCE, TARGET, links, strict=True)
    tsv = [f"{s}\t{t}\t{' '.join(f'{i}-{j}' for i, j in pairs)}" for s, t, pairs in rows]
    jsonl = [
        json.dumps({"src_words": s.split(), "tgt_words": t.split(), "alignment": pairs})
        for s, t, pairs in zip(SOURCE, TARGET, links, strict=True)
    ]
    first = parse_test_set(f"x={write(tmp_path / 'a.tsv.gz', tsv)}", "tsv").read()
    second = parse_test_set(f"x={write(tmp_path / 'a.jsonl', jsonl)}", "jsonl").read()
    assert first == second
    assert [pair.sure for pair in first] == [{(0, 0), (1, 1)}, {(1, 2)}]
    assert all(pair.sure == pair.possible for pair in first)


def test_a_link_both_sure_and_possible_is_sure(tmp_path):
    pair = three(tmp_path, "pharaoh", ["a b"], ["c"], ["0p0 0-0 1p0"]).read()[0]
    assert (pair.sure, pair.possible) == ({(0, 0)}, {(0, 0), (1, 0)})


def test_words_are_split_at_spaces_only(tmp_path):
    pair = three(tmp_path, "pharaoh", ["2\u00a0001  ans "], ["2,001 years"], ["0-0"]).read()[0]
    assert pair.source == ["2\u00a0001", "ans"]


@pytest.mark.parametrize(
    ("format", "gold", "base", "message"),
    [
        ("pharaoh", ["0-0", "1-1 2-3"], 0, r"g:2: link 2-3 is out of range: 2 source and 3 target words, counted from 0; "
         r"is the file 1-based \(pharaoh: --index-base 1\)"),
        ("pharaoh", ["1-1", "0-1"], 1, r"g:2: link 0-1 .* counted from 1; is the file 0-based"),
        ("pharaoh", ["0-0", "2-1"], 0, r"g:2: link 2-1 .* 1-based"),
        ("pharaoh", ["0-0", "2-0"], 0, r"g:2: link 2-0 .* are source and target swapped\?"),
        ("pharaoh", ["0-0", "9-0"], 0, r"g:2: link 9-0 .* do the gold links belong to these sentences"),
        ("pharaoh", ["0-0", "1x1"], 0, r"g:2: '1x1' is not a link"),
        ("pharaoh", ["0-0", "-1-1"], 0, r"g:2: '-1-1' is not a link"),
        ("pharaoh", ["0-0"], 0, r"has 2 lines and .*g has 1"),
        ("pharaoh", ["0p0", "1?1"], 0, r"g: holds no sure link"),
        ("pharaoh", ["", ""], 0, "empty"),
        ("wpt", ["7 0 1 S"], 0, r"g:1: link 0-1 .* null word"),
        ("wpt", ["7 4 1 S"], 0, r"g:1: link 4-1 is out of range: 3 source and 3 target words, counted from 1"),
        ("wpt", ["9 1 1 S"], 0, r"g:1: sentence 9 is not in .*s"),
        ("wpt", ["7 1 1 X"], 0, r"g:1: '7 1 1 X' is not"),
        ("wpt", ["7 1-1"], 0, r"is --format right"),
        ("alibi", ["a\t0-0"], 0, r"g: no line for segment 'b'"),
        ("alibi", ["a\t0-0", "a\t0-0"], 0, r"g:2: segment 'a' repeats"),
        ("alibi", ["c\t0-0"], 0, r"g:1: segment 'c' is not in"),
        ("alibi", ["a 0-0"], 0, r"g:1: 1 tab-separated columns, expected 2"),
    ],
)  # fmt: skip
def test_wrong_gold_files(tmp_path, format, gold, base, message):
    source, target = SOURCE, TARGET
    if format == "wpt":
        source, target = numbered(source), numbered(target)
    if format == "alibi":
        source, target = ([f"{key}\t{text}" for key, text in zip("ab", side, strict=True)] for side in (source, target))
    with pytest.raises(UserError, match=message):
        three(tmp_path, format, source, target, gold, base).read()


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (["a", "  "], ["c", "d"], r"s:2: a sentence without a word"),
        (["a"], ["c", "d"], r"has 1 lines and .* has 2"),
    ],
)
def test_wrong_sentences(tmp_path, source, target, message):
    with pytest.raises(UserError, match=message):
        three(tmp_path, "pharaoh", source, target, ["0-0", ""]).read()


def test_wrong_numbered_sentences(tmp_path):
    good = numbered(SOURCE)
    for source, target, message in [
        (SOURCE, good, r"s:1: expected '<s snum=N> words </s>'"),
        (good[:1], good, r"s: has no sentence 8, which .*t has"),
        ([good[0], good[0]], good, r"s:2: sentence 7 occurs twice"),
        (numbered(["", "b"]), good, r"s:1: a sentence without a word"),
    ]:
        with pytest.raises(UserError, match=message):
            three(tmp_path, "wpt", source, target, ["7 1 1 S"]).read()


@pytest.mark.parametrize(
    "line",
    [
        '{"src_words": ["a"], "tgt_words": ["b"]}',
        '{"src_words": ["a"], "tgt_words": ["b"], "alignment": [[0]]}',
        '{"src_words": ["a"], "tgt_words": ["b"], "alignment": [[0, 0.0]]}',
        '{"src_words": ["a"], "tgt_words": [], "alignment": []}',
        '{"src_words": "a", "tgt_words": ["b"], "alignment": []}',
        '{"src_words": ["a"], "tgt_words": ["b"], "alignment": [[0, 1]]}',
        '["a"]',
        "{",
    ],
)
def test_wrong_jsonl(tmp_path, line):
    good = '{"src_words": ["a"], "tgt_words": ["b"], "alignment": [[0, 0]]}'
    with pytest.raises(UserError, match="g:2: "):
        TestSet("x", "jsonl", (write(tmp_path / "g", [good, line]),)).read()


def test_a_probably_one_based_file_is_warned_of(tmp_path, caplog):
    """No link is out of range, but none touches a first word either."""
    three(tmp_path, "pharaoh", ["a b c"] * 20, ["d e f"] * 20, ["1-1 2-2"] * 20).read()
    assert "g: no link touches a first word; if the file is 1-based give --index-base 1" in caplog.text


def test_set_option(tmp_path):
    file = write(tmp_path / "f", ["x"])
    assert parse_test_set(f"en-de={file}", "tsv") == TestSet("en-de", "tsv", (file,))
    for text, format in [
        (f"{file}", "tsv"),
        (f"={file}", "tsv"),
        (f"a={file},{file}", "tsv"),
        (f"a={file}", "wpt"),
        (f"a={file},,{file}", "wpt"),
        (f"a={tmp_path / 'none'}", "tsv"),
    ]:
        with pytest.raises(UserError, match="--set "):
            parse_test_set(text, format)


def test_real_gold_sets_are_read_in_full(shared_data):
    """Sure and possible links as the sets' documentation counts them."""

    def count(text: str, format: str) -> tuple[int, int, int]:
        pairs = parse_test_set(text, format).read()
        return len(pairs), sum(len(p.sure) for p in pairs), sum(len(p.possible - p.sure) for p in pairs)

    align = shared_data / "align"
    hansards = ",".join(str(align / f"hansards/trial.{side}.gz") for side in ("e", "f", "wa"))
    assert count(f"en-fr={hansards}", "wpt") == (37, 338, 1446)
    assert count(f"en-cs={align}/czenali/valid.en-cs.jsonl.gz", "jsonl") == (250, 4238, 0)
    assert count(f"en-sv={align}/swedish/valid.en-sv.jsonl.gz", "jsonl") == (116, 2398, 0)
    assert [count(f"x={file}", "tsv")[0] for file in sorted(align.glob("xlwa/dev.*"))] == [105] * 5 + [
        103,
        105,
        105,
        90,
        105,
    ]
    tales = []
    for folder in align.glob("alibi/*"):
        french, english = folder.name.split("_")
        files = f"{french}_sents", f"{english}_sents", f"ali_w2w_{folder.name}"
        tales.append(count("tale=" + ",".join(str(folder / f"{file}.txt.gz") for file in files), "alibi"))
    assert [sum(column) for column in zip(*tales, strict=True)] == [522, 8452, 14147]
