"""Retrieval with each language's mean embedding subtracted first: by hand, against a slow reference, through the command."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fairseq_xling.evaluation.encoding import embed
from fairseq_xling.evaluation.tatoeba.bitext import parse_bitext
from fairseq_xling.evaluation.tatoeba.evaluate import CENTRED, PLAIN, evaluate, result_rows, search
from tests.evaluation.tatoeba.test_tatoeba import LEFT, RIGHT, run, write


def both(x: np.ndarray, y: np.ndarray, score: str = "cosine", neighbours: int = 4) -> dict:
    return search(x.astype(np.float32), y.astype(np.float32), score, neighbours, True, "cpu", "test")


def reference(x: np.ndarray, y: np.ndarray, score: str, neighbours: int) -> tuple[float, float]:
    """Accuracies of centred (N, D) embeddings, sentence by sentence in double precision."""
    x, y = (side.astype(np.float64) - np.mean(side, axis=0, dtype=np.float64) for side in (x, y))

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))

    def nearest(a: np.ndarray, others: np.ndarray) -> float:
        return float(np.mean(sorted(cosine(a, b) for b in others)[-neighbours:]))

    table = np.array([[cosine(a, b) for b in y] for a in x])
    if score == "margin":
        table /= np.array([[(nearest(a, y) + nearest(b, x)) / 2 for b in y] for a in x])
    return (
        float(np.mean(table.argmax(1) == np.arange(len(x)))),
        float(np.mean(table.argmax(0) == np.arange(len(y)))),
    )


def test_by_hand():
    """The same three vectors with an offset of each language: x = (11, 0), (9, 1), (10, -1); y = (1, 10), (-1, 11), (0, 9).

    Plain: x0 finds y0 (cosines .10 -.09 0), but so do x1 (.21 .02 .11) and x2 (0 -.19 -.10); y0, y1 and y2 all find x1
    (.10 .21 0; -.09 .02 -.19; 0 .11 -.10). In the second layer the lines y1 and y2 are exchanged.
    """
    vectors = np.array([[1, 0], [-1, 1], [0, -1]])
    x, y = vectors + np.array([10, 0]), vectors + np.array([0, 10])
    found = both(np.stack([x, x]), np.stack([y, y[[0, 2, 1]]]))
    third = pytest.approx([1 / 3, 1 / 3])
    assert found == {PLAIN: (third, third), CENTRED: (pytest.approx([1, 1 / 3]), pytest.approx([1, 1 / 3]))}


@pytest.mark.parametrize("score", ["cosine", "margin"])
def test_a_slow_reference(score):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 40, 6))
    y = x + rng.normal(scale=0.7, size=x.shape)
    offsets = rng.normal(scale=5, size=(2, 3, 1, 6))
    found = both(x + offsets[0], y + offsets[1], score, neighbours=3)[CENTRED]
    for layer in range(3):
        expected = reference(x[layer] + offsets[0, layer], y[layer] + offsets[1, layer], score, 3)
        assert (found[0][layer], found[1][layer]) == expected
        assert 0.2 < expected[0] < 1


@pytest.mark.parametrize("score", ["cosine", "margin"])
def test_an_offset_of_a_language_changes_nothing(score):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, 50, 8))
    y = x + rng.normal(scale=0.7, size=x.shape)
    found, moved = both(x, y, score), both(x, y + 3 * rng.normal(size=(2, 1, 8)), score)
    assert found[CENTRED] == moved[CENTRED]
    assert found[PLAIN] != moved[PLAIN]


def test_embeddings_stay_as_they_are():
    x = np.random.default_rng(2).normal(size=(2, 5, 3)).astype(np.float32)
    before = x.copy()
    plain = search(x, x + 1, "cosine", 4, False, "cpu", "test")
    assert list(plain) == [PLAIN]
    assert search(x, x + 1, "cosine", 4, True, "cpu", "test")[PLAIN] == plain[PLAIN]
    assert np.array_equal(x, before)


def test_states_of_a_model(loaded, tmp_path):
    lines = [f"{text} {number}" for number in range(5) for text in (*LEFT, *RIGHT)]
    left, right = write(tmp_path / "l", lines), write(tmp_path / "r", [f"the {line}" for line in lines])
    bitext = parse_bitext(f"de-en={left},{right}")
    (result,) = evaluate(loaded, [bitext], centre=True, scratch=tmp_path)
    sides = []
    for texts in bitext.read():
        out = np.zeros((4, len(lines), 32), dtype=np.float32)
        embed(loaded.model, loaded.encode_text(texts), loaded.symbols, out)
        sides.append(out)
    expected = [reference(x, y, "cosine", 4) for x, y in zip(*sides, strict=True)]
    assert list(zip(*result["accuracy_centred"].values(), strict=True)) == expected
    assert result["accuracy"] == evaluate(loaded, [bitext], scratch=tmp_path)[0]["accuracy"]


def test_rows_have_names_of_their_own():
    plain, centred = {"de->en": [0.1], "en->de": [0.2]}, {"de->en": [0.3], "en->de": [0.4]}
    result = {"pair": "de-en", "a": "de", "b": "en", "sentences": 9, "accuracy": plain, "accuracy_centred": centred}
    for pair in ("de-en", "average"):
        assert {row["metric"]: row["value"] for row in result_rows([result]) if row["pair"] == pair} == {
            "retrieval_acc_xx_en": 0.1,
            "retrieval_acc_en_xx": 0.2,
            "retrieval_acc_xx_en_centred": 0.3,
            "retrieval_acc_en_xx_centred": 0.4,
        }


def test_command(model_folder, tmp_path, capsys):
    left, right = write(tmp_path / "l", LEFT), write(tmp_path / "r", RIGHT)
    common = ("--checkpoint", model_folder, "--pair", f"de-en={left},{right}", "--layer", 1)
    contents = {}
    for out, flags in (("plain", ()), ("both", ("--centre",))):
        assert run(*common, *flags, "--out", tmp_path / out) == 0
        contents[out] = json.loads((tmp_path / out / "results.json").read_text())
    capsys.readouterr()
    assert not any("centred" in row["metric"] for row in contents["plain"]["rows"])
    assert [row for row in contents["both"]["rows"] if "centred" not in row["metric"]] == contents["plain"]["rows"]
    assert len(contents["both"]["rows"]) == 2 * len(contents["plain"]["rows"])
    assert [content["settings"]["centre"] for content in contents.values()] == [False, True]
    report, plain = ((tmp_path / out / "report.md").read_text() for out in ("both", "plain"))
    assert "entred" not in plain
    assert "| pair a-b | sentences | centred a → b | centred b → a | plain a → b | plain b → a |" in report
    (test_set,) = contents["both"]["test_sets"]
    cells = [100 * values[1] for kind in ("_centred", "") for values in test_set[f"accuracy{kind}"].values()]
    assert f"| de-en | 4 | {' | '.join(f'{cell:.1f}' for cell in cells)} |" in report
    assert f"| 1 | {' | '.join(f'{cell:.1f}' for cell in cells)} |" in report
    assert (tmp_path / "both" / "layers.png").read_bytes() != (tmp_path / "plain" / "layers.png").read_bytes()
