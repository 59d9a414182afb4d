"""CAMLM: who sees whom (ERNIE-M, Figures 1c and 2), nothing leaks, and the loss is that of a slow per-position model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from fairseq_xling.data.pairs import join_pair
from fairseq_xling.modules.visibility import cross_sentence_visibility
from fairseq_xling.objectives.pairs import mask_at
from tests.helpers import EOS, FIRST, MASK, SYMBOLS, batch_of, build_examples, gradients, loss_of, make_model, make_task
from tests.objectives import reference

# <s> x1 M2 x3 </s> | </s> y4 M5 M6 y7 </s>: the paper's example with XLM-R's special symbols
FIGURE_2 = """
    <s> x1 M2 x3 /s  /s y4 M5 M6 y7 /s
<s>  1  1  0  1  1   0  0  0  0  0  0
x1   1  1  0  1  1   0  0  0  0  0  0
M2   0  0  1  0  0   1  1  0  0  1  1
x3   1  1  0  1  1   0  0  0  0  0  0
/s   1  1  0  1  1   0  0  0  0  0  0
/s   0  0  0  0  0   1  1  0  0  1  1
y4   0  0  0  0  0   1  1  0  0  1  1
M5   1  1  0  1  1   0  0  1  0  0  0
M6   1  1  0  1  1   0  0  0  1  0  0
y7   0  0  0  0  0   1  1  0  0  1  1
/s   0  0  0  0  0   1  1  0  0  1  1
"""
X, Y = np.array([11, 12, 13]), np.array([14, 15, 16, 17])
MASKED = np.array([2, 7, 8])


def table(text: str) -> torch.Tensor:
    """Read a 0/1 table with a header line and a name before each row."""
    return torch.tensor([[int(cell) for cell in line.split()[1:]] for line in text.strip().splitlines()[1:]]).bool()


def example(objective: Any, x: np.ndarray = X, y: np.ndarray = Y, predict: np.ndarray = MASKED) -> dict[str, Any]:
    clean, segment = join_pair(np.asarray(x), np.asarray(y), SYMBOLS)
    return {
        "tokens": objective.corrupt(clean, predict, np.random.default_rng(0)),
        "segment": segment,
        "predict": predict,
        "target": clean[predict],
        "languages": [1, 2],
    }


def test_figure_2_cell_by_cell(task):
    batch = batch_of(example(task.objectives["camlm"]))
    visible = cross_sentence_visibility(batch["segment"], mask_at(batch["tokens"], batch["predict"]))
    assert torch.equal(visible[0], table(FIGURE_2))


def test_each_sample_of_a_batch_keeps_its_own_matrix(task):
    objective = task.objectives["camlm"]
    others = [
        example(objective, X[:1], Y[:2], np.array([1])),
        example(objective, np.arange(5, 15), Y, np.array([3, 14])),
    ]
    batch = batch_of(others[0], example(objective), others[1])
    visible = cross_sentence_visibility(batch["segment"], mask_at(batch["tokens"], batch["predict"]))
    width = 11
    assert torch.equal(visible[1, :width, :width], table(FIGURE_2))
    assert not visible[1, :width, width:].any()  # nobody sees the padding
    assert visible.diagonal(dim1=1, dim2=2).all()  # and no row is empty


def test_the_encoder_is_given_the_matrix(task, model):
    objective = task.objectives["camlm"]
    (given,) = objective.inputs(model, batch_of(example(objective)))
    assert torch.equal(given.visible[0], table(FIGURE_2))


def test_every_chosen_position_becomes_mask(task):
    for built in build_examples(task, "camlm"):
        assert (built["tokens"][built["predict"]] == MASK).all()
        assert (built["tokens"] == MASK).sum() == len(built["predict"])
        assert (built["target"] >= FIRST).all()


@pytest.mark.parametrize("lang_embedding", ["mask", "all", "none"])
def test_no_bit_leaks(data_bin, final_states, lang_embedding):
    task = make_task(data_bin, lang_embedding=lang_embedding)
    objective, model = task.objectives["camlm"], make_model(task, layers=3)

    def logits(x: Any, y: Any) -> torch.Tensor:
        return model.heads["lm"](final_states(objective, model, batch_of(example(objective, x, y))))

    m2, m5, m6 = logits(X, Y)
    for position in range(3):  # any token of x, the label of M2 among them
        changed = X.copy()
        changed[position] = 30
        other = logits(changed, Y)
        assert torch.equal(other[0], m2), position
        is_label = position == 1
        assert torch.equal(other[1], m5) == is_label, position
        assert torch.equal(other[2], m6) == is_label, position
    for position in range(4):  # any token of y, the labels of M5 and M6 among them
        changed = Y.copy()
        changed[position] = 30
        other = logits(X, changed)
        assert torch.equal(other[1], m5), position
        assert torch.equal(other[2], m6), position
        assert torch.equal(other[0], m2) == (position in (1, 2)), position


def test_whether_another_token_is_masked_does_not_leak_within_its_sentence(task, model, final_states):
    objective = task.objectives["camlm"]
    both = final_states(objective, model, batch_of(example(objective)))
    alone = final_states(objective, model, batch_of(example(objective, predict=np.array([2, 7]))))
    assert torch.equal(both[1], alone[1])  # M5 with M6 masked or not: same sentence
    assert not torch.equal(both[0], alone[0])  # M2 reads y6 if it is not masked


def test_specials_are_seen_with_their_own_sentence(task, model, final_states):
    objective = task.objectives["camlm"]
    batch = batch_of(example(objective))
    before = final_states(objective, model, batch)
    batch["tokens"][0, 10] = 20  # y's </s>
    after = final_states(objective, model, batch)
    assert torch.equal(before[1:], after[1:])
    assert not torch.equal(before[0], after[0])


def permitted(example: dict[str, Any]) -> dict[int, list[int]]:
    """The rule in words, per position: the paper's p(x_m | M_m, unmasked y)."""
    masked, end_of_x = set(example["predict"].tolist()), example["tokens"].tolist().index(EOS) + 1
    sides = [[i for i in range(len(example["tokens"])) if (i >= end_of_x) == side] for side in (False, True)]
    sees = {}
    for own, other in (sides, sides[::-1]):
        for i in own:
            sees[i] = (
                [i, *(j for j in other if j not in masked)] if i in masked else [j for j in own if j not in masked]
            )
    return sees


def test_loss_and_gradients_of_the_slow_reference(task):
    objective = task.objectives["camlm"]
    model = make_model(task, layers=3).double().train()
    examples = [
        example(objective),
        example(objective, np.arange(20, 29), np.arange(5, 7), np.array([1, 4, 9, 13])),
        example(objective, X[:1], Y[:2], np.array([1])),
    ]
    loss = loss_of(objective, model, batch_of(*examples)).mean
    loss.backward()
    fast = gradients(model)

    expected = 0.0
    for one in examples:
        tokens = one["tokens"].tolist()
        languages = [(1 + one["segment"][i]) if token == MASK else 0 for i, token in enumerate(tokens)]
        states = reference.encode(model, tokens, permitted(one), languages)
        expected = expected + reference.nll(model, states, dict(zip(one["predict"], one["target"], strict=True)))
    expected = expected / sum(len(one["predict"]) for one in examples)
    expected.backward()
    slow = gradients(model)

    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert fast.keys() == slow.keys()
    for name in slow:
        torch.testing.assert_close(
            fast[name], slow[name], rtol=1e-5, atol=1e-7, msg=lambda text, n=name: f"{n}: {text}"
        )


def test_both_sides_and_both_orders_are_trained(task):
    examples = build_examples(task, "camlm", count=24)
    sides = np.concatenate([built["segment"][built["predict"]] for built in examples])
    assert {0, 1} <= set(sides.tolist())
    assert {tuple(built["languages"]) for built in examples} == {(1, 2), (2, 1)}
