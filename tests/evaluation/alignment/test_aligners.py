"""Alignment methods against slow references and an exact linear programme; the metrics by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from fairseq_xling.evaluation.alignment.aligners import METHODS, AlignerOptions, align, itermax, mutual_argmax, sinkhorn
from fairseq_xling.evaluation.alignment.metrics import LinkCounts

OPTIONS = AlignerOptions()


def everywhere(scores: torch.Tensor) -> torch.Tensor:
    return torch.ones_like(scores, dtype=torch.bool)


def links(table: torch.Tensor) -> set[tuple[int, ...]]:
    return {tuple(where) for where in table.nonzero().tolist()}


def test_mutual_argmax_by_hand():
    scores = torch.tensor([[[0.9, 0.8, 0.1], [0.7, 0.2, 0.3], [0.1, 0.6, 0.5]]])
    # rows choose 0, 0, 1; columns choose 0, 0, 2
    assert links(mutual_argmax(scores, everywhere(scores))[0]) == {(0, 0)}


def test_itermax_by_hand():
    """Round 1 links (0, 0). In round 2 column 1 chooses between 0.9 * 0.80 of the linked row 0 and 0.68 of the free row 1,
    in round 3 column 0 between 0 of row 0 and 0.9 * 0.70 of row 1."""
    similarity = torch.tensor([[[0.95, 0.80, 0.10], [0.70, 0.68, 0.30], [0.10, 0.20, 0.15]]])
    cosine = 2 * similarity - 1
    every = everywhere(cosine)
    assert links(itermax(cosine, every, 1, 0.9)[0]) == {(0, 0)}
    assert links(itermax(cosine, every, 2, 0.9)[0]) == {(0, 0), (0, 1)}
    assert links(itermax(cosine, every, 3, 0.9)[0]) == {(0, 0), (0, 1), (1, 0)}
    assert links(itermax(cosine, every, 2, 0.8)[0]) == {(0, 0), (1, 1)}


def slow_itermax(cosine: np.ndarray, rounds: int, discount: float) -> set[tuple[int, ...]]:
    """SimAlign's procedure with loops over the words."""
    rows, columns = cosine.shape
    similarity = (cosine + 1) / 2
    found = {(i, j) for i in range(rows) for j in range(columns) if _is_best(similarity, i, j)}
    if min(rows, columns) <= 2:
        return found
    for _ in range(rounds - 1):
        used_rows, used_columns = {i for i, _ in found}, {j for _, j in found}
        if len(used_rows) == rows or len(used_columns) == columns:
            break
        lowered = similarity.copy()
        for i in range(rows):
            for j in range(columns):
                taken = (i in used_rows) + (j in used_columns)
                lowered[i, j] *= (1.0, discount, 0.0)[taken]
        found |= {
            (i, j)
            for i in range(rows)
            for j in range(columns)
            if _is_best(lowered, i, j) and not (i in used_rows and j in used_columns)
        }
    return found


def _is_best(table: np.ndarray, i: int, j: int) -> bool:
    return table[i].argmax() == j and table[:, j].argmax() == i


def slow_softmax(x: np.ndarray, y: np.ndarray, threshold: float) -> set[tuple[int, ...]]:
    products = x @ y.T
    weights = np.exp(products - products.max())
    return {
        (i, j)
        for i in range(len(x))
        for j in range(len(y))
        if weights[i, j] / weights[i].sum() > threshold and weights[i, j] / weights[:, j].sum() > threshold
    }


def slow_ot(x: np.ndarray, y: np.ndarray, rounds: int, entropy: float) -> set[tuple[int, ...]]:
    """Columns scaled, then rows, on the kernel itself."""
    cosine = (x / np.linalg.norm(x, axis=1, keepdims=True)) @ (y / np.linalg.norm(y, axis=1, keepdims=True)).T
    plan = np.maximum(cosine, 1e-6) ** (1 / entropy)
    for _ in range(rounds):
        plan = plan / plan.sum(0) / len(y)
        plan = plan / plan.sum(1, keepdims=True) / len(x)
    return {(i, j) for i in range(len(x)) for j in range(len(y)) if _is_best(plan, i, j)}


@pytest.mark.parametrize("method", METHODS)
def test_batches_with_padding_equal_slow_references(method):
    """Pairs of different sizes in one batch, with padding that would win every argmax."""
    rng = np.random.default_rng(3)
    sizes = [(5, 7), (1, 1), (2, 6), (9, 4), (8, 8), (3, 3)] * 8
    x = torch.full((len(sizes), 10, 6), 50.0, dtype=torch.float64)
    y = x.clone()
    x_words = torch.zeros(x.shape[:2], dtype=torch.bool)
    y_words = x_words.clone()
    options = AlignerOptions(iterations=3, threshold=0.02, sinkhorn_iterations=4, entropy=0.5)
    expected = []
    for number, (i, j) in enumerate(sizes):
        left, right = rng.normal(size=(i, 6)), rng.normal(size=(j, 6))
        x[number, :i], y[number, :j] = torch.from_numpy(left), torch.from_numpy(right)
        x_words[number, :i] = y_words[number, :j] = True
        unit = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in (left, right)]
        cosine = unit[0] @ unit[1].T
        found = {
            "argmax": lambda c=cosine: slow_itermax(c, 1, 1.0),
            "itermax": lambda c=cosine: slow_itermax(c, 3, 0.9),
            "softmax": lambda a=left, b=right: slow_softmax(a, b, 0.02),
            "ot": lambda a=left, b=right: slow_ot(a, b, 4, 0.5),
        }[method]()
        expected.append(found)
    found = align(method, x, y, x_words, y_words, options)
    assert [links(table) for table in found] == expected
    assert sum(map(len, expected)) > 100


@pytest.mark.parametrize("method", METHODS)
def test_equal_sentences_are_aligned_word_by_word(method):
    x = 4 * torch.randn(3, 8, 32, generator=torch.Generator().manual_seed(0))
    words = torch.ones(3, 8, dtype=torch.bool)
    assert torch.equal(align(method, x, x, words, words, OPTIONS), torch.eye(8, dtype=torch.bool).expand(3, 8, 8))


@pytest.mark.parametrize("method", METHODS)
def test_a_sentence_without_words_has_no_link(method):
    x = torch.randn(2, 3, 4)
    words = torch.tensor([[True] * 3, [False] * 3])
    found = align(method, x, x, words, words, OPTIONS)
    assert found[0].any()
    assert not found[1].any()


@pytest.mark.parametrize("shape", [(4, 4), (3, 6), (5, 2)])
def test_sinkhorn_approaches_the_exact_transport_plan(shape):
    """With little entropy the plan's value is that of the linear programme, and its margins are uniform."""
    rows, columns = shape
    score = torch.rand(1, rows, columns, generator=torch.Generator().manual_seed(rows), dtype=torch.float64)
    plan = sinkhorn(score / 0.005, everywhere(score), 3000)[0].exp()
    margins = np.zeros((rows + columns, rows * columns))
    for i in range(rows):
        margins[i, i * columns : (i + 1) * columns] = 1
    for j in range(columns):
        margins[rows + j, j::columns] = 1
    masses = [1 / rows] * rows + [1 / columns] * columns
    exact = linprog(-score.flatten().numpy(), A_eq=margins, b_eq=masses, bounds=(0, None))
    assert exact.success
    assert float((plan * score[0]).sum()) == pytest.approx(-exact.fun, abs=5e-3)
    np.testing.assert_allclose(plan.sum(1), 1 / rows, atol=1e-9)
    np.testing.assert_allclose(plan.sum(0), 1 / columns, atol=1e-4)


def test_sinkhorn_in_half_of_a_padded_batch_is_the_same():
    score = torch.rand(2, 5, 6, generator=torch.Generator().manual_seed(1))
    pairs = everywhere(score)
    pairs[1, 3:], pairs[1, :, 4:] = False, False
    plan = sinkhorn(score, pairs, 50).exp()
    alone = sinkhorn(score[1:, :3, :4], everywhere(score[1:, :3, :4]), 50).exp()
    torch.testing.assert_close(plan[1, :3, :4], alone[0])
    assert plan[1, 3:].sum() == 0
    assert torch.isfinite(plan).all()


def test_scores_by_hand():
    """S = {a, b, c}, P = S and {d, e}, A = {a, b, d, x}: A and S = 2, A and P = 3."""
    scores = LinkCounts(predicted=4, in_sure=2, in_possible=3, sure=3).scores()
    assert scores["aer"] == pytest.approx(1 - (2 + 3) / (4 + 3))
    assert scores["precision"] == pytest.approx(3 / 4)
    assert scores["recall"] == pytest.approx(2 / 3)
    assert scores["f1"] == pytest.approx(2 * 0.75 * (2 / 3) / (0.75 + 2 / 3))


def test_scores_at_the_ends():
    assert LinkCounts(3, 3, 3, 3).scores() == {"aer": 0.0, "precision": 1.0, "recall": 1.0, "f1": 1.0}
    assert LinkCounts(0, 0, 0, 3).scores() == {"aer": 1.0, "precision": 0.0, "recall": 0.0, "f1": 0.0}
    # with sure links only, AER is 1 - F1
    scores = LinkCounts(5, 2, 2, 6).scores()
    assert math.isclose(scores["aer"], 1 - scores["f1"])
