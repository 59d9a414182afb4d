"""Sentences and packed blocks of several languages, cut to the longest example."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from fairseq_xling.data.databin import DataBin
from fairseq_xling.data.sentences import Monolingual
from tests.helpers import EOS, SYMBOLS, write_data_bin


def mono(folder: Path, corpora: dict[str, list[list[int]]], max_positions: int = 16, mode: str = "eos") -> Monolingual:
    data = DataBin(str(write_data_bin(folder, mono=corpora)))
    return Monolingual(data.open_mono("train", 1), SYMBOLS, max_positions, mode)


def test_sentences_of_several_languages(tmp_path):
    source = mono(tmp_path, {"de": [[5], [6, 7]], "en": [[8, 9, 10]]})
    assert source.groups == ["de", "en"]
    assert source.bounds.tolist() == [0, 2, 3]
    assert source.sizes.tolist() == [3, 4, 5]
    assert [(tokens.tolist(), language) for tokens, language in (source[i] for i in range(3))] == [
        ([5], "de"),
        ([6, 7], "de"),
        ([8, 9, 10], "en"),
    ]


def test_blank_lines_have_size_0(tmp_path):
    assert mono(tmp_path, {"en": [[5], [], [6]]}).sizes.tolist() == [3, 0, 3]


def test_long_sentences_are_cut_counted_and_logged(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        source = mono(tmp_path, {"en": [list(range(5, 11)), list(range(5, 12)), list(range(5, 30))]}, max_positions=8)
    assert source.sizes.tolist() == [8, 8, 8]
    assert source[0][0].tolist() == source[1][0].tolist() == source[2][0].tolist() == [5, 6, 7, 8, 9, 10]
    assert "en: 2 of 3 sentences are cut to 8 tokens; raise --max-positions" in caplog.text


def test_nothing_is_logged_when_nothing_is_cut(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        mono(tmp_path, {"en": [[5, 6]]})
    assert not caplog.records


def test_complete_blocks_do_not_split_sentences(tmp_path):
    sentences = [[5] * 3, [6] * 3, [7] * 6, [8]]
    source = mono(tmp_path, {"en": sentences}, max_positions=10, mode="complete")
    assert [source[i][0].tolist() for i in range(len(source.sizes))] == [
        [5, 5, 5, EOS, 6, 6, 6],
        [7, 7, 7, 7, 7, 7, EOS, 8],
    ]
    assert source.sizes.tolist() == [9, 10]


def test_complete_doc_blocks_do_not_cross_blank_lines(tmp_path):
    source = mono(tmp_path, {"en": [[5], [6], [], [7], [], [8], [9]]}, max_positions=10, mode="complete_doc")
    blocks = [source[i][0].tolist() for i in range(len(source.sizes)) if source.sizes[i]]
    assert blocks == [[5, EOS, 6], [7], [8, EOS, 9]]


def test_a_sentence_longer_than_a_block_is_cut(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        source = mono(tmp_path, {"en": [[5], list(range(6, 26)), [7]]}, max_positions=8, mode="complete")
    assert [source[i][0].tolist() for i in range(len(source.sizes))] == [
        [5],
        [6, 7, 8, 9, 10, 11],
        [7],
    ]
    assert source.sizes.tolist() == [3, 8, 3]
    assert "en: 1 of 3" in caplog.text


def test_sizes_are_small_arrays(tmp_path):
    """4 bytes a sentence; the text itself stays on disk."""
    source = mono(tmp_path, {"en": [[5]] * 100})
    assert source.sizes.dtype == np.int32
    assert source.sizes.nbytes == 400
