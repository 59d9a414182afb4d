"""``xling eval alignment``: words and pieces, scores of a model, cut sentences, output files, wrong input."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from fairseq_xling.evaluation.alignment.aligners import METHODS, AlignerOptions
from fairseq_xling.evaluation.alignment.evaluate import evaluate
from fairseq_xling.evaluation.alignment.gold import TestSet, parse_test_set
from fairseq_xling.evaluation.alignment.links import GoldPair
from fairseq_xling.evaluation.alignment.word_pieces import encode_words, word_index, word_states
from fairseq_xling_preprocess.cli import main

OPTIONS = AlignerOptions()
ANY = TestSet("x", "tsv", (Path("x.tsv"),))
SENTENCES = ["the old town", "Two dogs run ;", "deux chiens courent", "Brücke aus Stein", "She river through town ."]


def pair(
    source: str, target: str, sure: set[tuple[int, int]], possible: set[tuple[int, int]] = frozenset()
) -> GoldPair:
    return GoldPair(source.split(), target.split(), frozenset(sure), frozenset(sure | possible))


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as error:
        main(["eval", "alignment", *map(str, words)])
    return int(error.value.code or 0)


def test_words_are_encoded_one_by_one(loaded):
    words = ["the", "old", ",", "bridge"]
    sentence = encode_words(loaded, [words], room=100)[0]
    for number, word in enumerate(words):
        assert sentence.ids[sentence.words == number].tolist() == loaded.encode_text([word])[0].tolist()
    assert (sentence.num_words, sentence.cut, sentence.without_pieces) == (4, 0, 0)
    # where SentencePiece splits no word differently in its sentence, the pieces are those of the sentence
    assert sentence.ids.tolist() == loaded.encode_text(["the old , bridge"])[0].tolist()


def test_a_word_that_does_not_fit_is_cut_with_all_after_it(loaded):
    words = ["the", "bridge", "old", "a"]
    lengths = [len(ids) for ids in loaded.encode_text(words)]
    room = sum(lengths[:2]) - 1
    sentence = encode_words(loaded, [words], room)[0]
    assert (sentence.num_words, sentence.cut, len(sentence.ids)) == (4, 3, lengths[0])
    nothing = encode_words(loaded, [["bridge" * 10]], room=4)[0]
    assert (nothing.num_words, nothing.cut, len(nothing.ids)) == (1, 1, 0)


def test_a_word_without_pieces_is_counted(loaded):
    """U+0085 is white space, which the pieces drop."""
    sentence = encode_words(loaded, [["the", "\u0085", "old"]], room=100)[0]
    assert (sentence.num_words, sentence.cut, sentence.without_pieces) == (3, 0, 1)
    assert set(sentence.words.tolist()) == {0, 2}


def test_word_states_are_means_of_their_pieces(loaded):
    sentences = encode_words(loaded, [["the", "\u0085", "bridge"], ["old"]], room=100)
    width = 2 + max(len(sentence.ids) for sentence in sentences) + 1
    states = torch.randn(2, width, 5)
    found, is_word = word_states(states, word_index(sentences, width), num_words=3)
    assert is_word.tolist() == [[True, False, True], [True, False, False]]
    for row, sentence in enumerate(sentences):
        for word in set(sentence.words.tolist()):
            pieces = [1 + position for position in np.flatnonzero(sentence.words == word)]
            torch.testing.assert_close(found[row, word], states[row, pieces].mean(0))
    assert not found[~is_word].any()


@pytest.mark.parametrize("method", ["argmax", "itermax"])
def test_a_sentence_aligns_with_itself_at_every_layer(loaded, method):
    pairs = [pair(text, text, {(i, i) for i in range(len(text.split()))}) for text in SENTENCES]
    result = evaluate(loaded, ANY, pairs, [method], OPTIONS)
    assert result["scores"][method]["aer"] == [0.0] * 4
    assert result["predicted"][method] == [18] * 4


def test_scores_equal_a_pair_by_pair_computation(loaded):
    """Argmax at every layer, one pair and one word at a time, and scores from sets of links."""
    rng = np.random.default_rng(0)
    pairs = []
    for source in SENTENCES:
        for target in SENTENCES[::-1]:
            every = [(i, j) for i in range(len(source.split())) for j in range(len(target.split()))]
            chosen = {every[k] for k in rng.choice(len(every), 5, replace=False)}
            pairs.append(pair(source, target, set(list(chosen)[:2]), chosen))
    result = evaluate(loaded, ANY, pairs, METHODS, OPTIONS, max_tokens=80)
    counts = np.zeros((4, 3), dtype=int)
    for gold in pairs:
        sides = [_words_of_every_layer(loaded, words) for words in (gold.source, gold.target)]
        for layer in range(4):
            x, y = (side[layer] / np.linalg.norm(side[layer], axis=1, keepdims=True) for side in sides)
            cosine = x @ y.T
            found = {
                (i, j)
                for i in range(len(x))
                for j in range(len(y))
                if cosine[i].argmax() == j and cosine[:, j].argmax() == i
            }
            counts[layer] += [len(found), len(found & gold.sure), len(found & gold.possible)]
    sure = sum(len(gold.sure) for gold in pairs)
    predicted, in_sure, in_possible = counts.T
    assert result["predicted"]["argmax"] == predicted.tolist()
    scores = result["scores"]["argmax"]
    assert scores["aer"] == pytest.approx(1 - (in_sure + in_possible) / (predicted + sure))
    assert scores["precision"] == pytest.approx(in_possible / predicted)
    assert scores["recall"] == pytest.approx(in_sure / sure)
    assert (result["pairs"], result["sure"], result["possible"]) == (25, 50, 75)


def _words_of_every_layer(loaded, words: list[str]) -> list[np.ndarray]:
    """(W, D) for each layer, from a sentence by itself."""
    pieces = [ids.tolist() for ids in loaded.encode_text(words)]
    tokens = torch.tensor([[loaded.symbols.bos, *(i for part in pieces for i in part), loaded.symbols.eos]])
    with torch.inference_mode():
        layers = loaded.model(tokens, all_layers=True)
    starts = 1 + np.cumsum([0, *map(len, pieces)])
    return [np.stack([layer[0, a:b].mean(0).numpy() for a, b in pairwise(starts)]) for layer in layers]


def test_gold_links_of_cut_words_count_as_missed(loaded, caplog):
    """The model has 24 positions; a repeated sentence is cut after 22 pieces and its other links are lost."""
    text = "the old town " * 12
    gold = {(i, i) for i in range(36)}
    kept = encode_words(loaded, [text.split()], room=22)[0]
    words = kept.num_words - kept.cut
    assert 0 < words < 36
    result = evaluate(
        loaded, ANY, [pair(text, text, gold), pair("a " + "bridge" * 20, "a", {(0, 0), (1, 0)})], ["ot"], OPTIONS
    )
    assert (result["cut_sentences"], result["cut_words"]) == (3, 2 * (36 - words) + 1)
    assert result["cut_sure"] == 36 - words + 1
    # at every layer all words that are left find themselves, and "a" finds "a"
    assert result["predicted"]["ot"] == [words + 1] * 4
    assert result["scores"]["ot"]["recall"] == pytest.approx([(words + 1) / 38] * 4)
    assert result["scores"]["ot"]["precision"] == [1.0] * 4
    assert f"3 of 4 sentences are cut to the model's 24 positions; the {36 - words + 1} sure links" in caplog.text


def test_a_sentence_of_which_nothing_is_left(loaded):
    pairs = [pair("bridge" * 30, "the town", {(0, 0)}), pair("\u0085x", "old", {(0, 0)})]
    result = evaluate(loaded, ANY, pairs, METHODS, OPTIONS)
    assert result["cut_words"] == 1
    assert all(found[0] <= 1 for found in result["predicted"].values())


def write_tsv(path: Path) -> Path:
    rows = ["the old town\tthe old town\t0-0 1-1 2-2", "Two dogs run\tdeux chiens courent\t0-0 1-1 2p2"]
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def test_command_writes_results_report_and_plot(model_folder, tmp_path, capsys):
    tsv = write_tsv(tmp_path / "gold.tsv")
    sides = [tmp_path / name for name in "stg"]
    for path, line in zip(sides, ["a bridge", "a bridge", "1-1 2-2"], strict=True):
        path.write_text(f"{line}\n")
    out = tmp_path / "out"
    flags = ["--checkpoint", model_folder, "--out", out, "--method", "ot", "--method", "argmax", "--device", "cpu"]
    sets = [
        "--format",
        "tsv",
        "--set",
        f"en-fr={tsv}",
        "--format",
        "pharaoh",
        "--set",
        f"en={','.join(map(str, sides))}",
    ]
    assert run(*flags, *sets, "--index-base", 1, "--ot-entropy", 0.5) == 0
    assert sorted(path.name for path in out.iterdir()) == ["layers.png", "report.md", "results.json"]
    assert (out / "layers.png").read_bytes().startswith(b"\x89PNG")
    results = json.loads((out / "results.json").read_text())
    assert results["settings"]["methods"] == {"argmax": {}, "ot": {"ot_iterations": 2, "ot_entropy": 0.5}}
    assert (results["settings"]["layer"], results["settings"]["layer_rule"]) == (2, "default: two thirds up")
    assert [entry["path"] for entry in results["data"]] == [str(tsv), *map(str, sides)]
    first, second = results["test_sets"]
    assert (first["sure"], first["possible"], second["sure"]) == (5, 1, 2)
    assert second["scores"]["argmax"]["aer"] == [0.0] * 4
    report = (out / "report.md").read_text()
    assert "**layer 2** of 3 (default: two thirds up)" in report
    aer = first["scores"]["ot"]["aer"][2]
    assert f"| en-fr | 2 | 5 + 1 | ot | {100 * aer:.1f} |" in report
    mean = (aer + second["scores"]["ot"]["aer"][2]) / 2
    assert f"| **average** | 3 |  | ot | **{100 * mean:.1f}** |" in report
    assert "### argmax" in report
    assert "| en-fr | 2 |" in capsys.readouterr().out


def test_command_reports_wrong_input_with_exit_code_2(model_folder, tmp_path, capsys):
    tsv = write_tsv(tmp_path / "gold.tsv")
    bad = tmp_path / "bad.tsv"
    bad.write_text("a b\tc\t1-1\n")
    common = ("--checkpoint", model_folder, "--out", tmp_path / "out")
    for words, message in [
        (("--format", "tsv", "--set", f"x={bad}"), "bad.tsv:1: link 1-1 is out of range: 2 source and 1 target words"),
        (("--format", "wpt", "--set", f"x={tsv}"), "--format wpt is NAME=SOURCE,TARGET,GOLD"),
        (("--format", "tsv", "--set", f"x={tsv}", "--index-base", 1), "--index-base 1: only --format pharaoh"),
        (("--format", "tsv", "--set", f"x={tsv}", "--set", f"x={tsv}"), "the name x is given more than once"),
        (("--format", "tsv", "--format", "tsv", "--set", f"x={tsv}"), "--format is given 2 times for 1 --set"),
        (
            ("--format", "tsv", "--set", f"x={tsv}", "--layer", 4),
            "--layer 4: the model has the layers 0 (embeddings) to 3",
        ),
        (("--format", "tsv", "--set", f"x={tsv}", "--fp16", "--device", "cpu"), "--fp16 needs CUDA"),
        (("--format", "tsv", "--set", f"x={tsv}", "--ot-entropy", 0), "--ot-entropy"),
        (
            ("--format", "tsv", "--set", f"x={tsv}", "--softmax-threshold", 0.1),
            "--softmax-threshold has no effect without --method softmax",
        ),
        (("--format", "tsv"), "--set"),
    ]:
        assert run(*common, *words) == 2
        error = capsys.readouterr().err
        assert message in error
        assert "Traceback" not in error
        assert not (tmp_path / "out").exists()


def test_real_sentences_longer_than_the_model(loaded, shared_data):
    """Hansards' trial set through a model of 24 positions: nothing crashes, and what was lost is counted."""
    files = ",".join(str(shared_data / f"align/hansards/trial.{side}.gz") for side in ("e", "f", "wa"))
    test_set = parse_test_set(f"en-fr={files}", "wpt")
    result = evaluate(loaded, test_set, test_set.read(), METHODS, OPTIONS)
    assert (result["pairs"], result["sure"], result["possible"]) == (37, 338, 1446)
    assert 0 < result["cut_sure"] < 338
    for method in METHODS:
        found = [round(338 * recall) for recall in result["scores"][method]["recall"]]
        assert 0 <= min(found) <= max(found) <= 338 - result["cut_sure"]
