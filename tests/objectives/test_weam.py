"""WEAM: the sparse exchange equals AᵀH (Eq. 5), both predictions and their gradients, λ, truncation, wrong alignments."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from fairseq_xling.data.pairs import join_pair
from fairseq_xling.errors import UserError
from fairseq_xling.objectives.loss import Part, mixture_loss
from fairseq_xling.objectives.weam import exchange, positions_of_links
from tests.helpers import (
    EOS,
    MASK,
    SYMBOLS,
    build_examples,
    gradients,
    make_model,
    make_task,
    mixture_of,
    random_links,
    random_sentences,
    write_alignment,
    write_data_bin,
)
from tests.objectives import reference

Links = list[tuple[int, int]]


@pytest.fixture(scope="module")
def weam(data_bin: Path) -> Any:
    return make_task(data_bin, "weam").objectives["weam"]


@pytest.fixture
def weam_model(data_bin: Path) -> Any:
    return make_model(make_task(data_bin, "weam"), layers=2)


def example(x: list[int], y: list[int], links: Links, predict: list[int]) -> dict[str, Any]:
    """x comes first; ``predict`` are positions in ``<s> x </s> y </s>``."""
    clean, segment = join_pair(np.array(x), np.array(y), SYMBOLS, separators=1)
    tokens = clean.copy()
    tokens[predict] = MASK
    ends = positions_of_links(np.array(links, dtype=int).reshape(-1, 2), len(x), False, 1)
    both = np.concatenate([ends, ends[:, ::-1]])
    both = both[np.isin(both[:, 0], predict)]
    return {
        "tokens": tokens,
        "segment": segment,
        "predict": np.array(predict, dtype=int),
        "target": clean[predict],
        "languages": [1, 2],
        "exchange_to": both[:, 0],
        "exchange_from": both[:, 1],
        "group": 0,
        "id": 0,
    }


# <s> 11 12 13 </s> 14 15 16 17 </s>: 12 - 15, 16; 13 - 17; 11 has no partner
PLAIN = example([11, 12, 13], [14, 15, 16, 17], [(1, 1), (1, 2), (2, 3)], [1, 2, 8])


def test_the_pair_has_one_separator():
    tokens, segment = join_pair(np.array([11, 12]), np.array([14]), SYMBOLS, separators=1)
    assert tokens.tolist() == [0, 11, 12, EOS, 14, EOS]
    assert segment.tolist() == [0, 0, 0, 0, 1, 1]


@pytest.mark.parametrize(("swap", "separators", "expected"), [
    (False, 1, [[1, 5], [3, 7]]),  # <s> x0 x1 x2 </s> y0 y1 y2 y3 </s>
    (False, 2, [[1, 6], [3, 8]]),
    (True, 1, [[1, 6], [3, 8]]),  # <s> y0 y1 y2 y3 </s> x0 x1 x2 </s>
])  # fmt: skip
def test_positions_of_links(swap, separators, expected):
    links = np.array([(0, 0), (2, 2)])
    assert positions_of_links(links, 4 if swap else 3, swap, separators).tolist() == expected


def test_the_exchange_by_hand():
    """Eq. 5: position 0 gets the sum of its two partners, position 1 of its one, position 2 has none."""
    states = torch.tensor([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]])
    found = exchange(states, torch.tensor([1, 2, 0]), torch.tensor([0, 0, 1]), 3)
    assert found.tolist() == [[6.0, 60.0], [1.0, 10.0], [0.0, 0.0]]


def test_what_a_batch_exchanges(weam):
    """Of PLAIN, 12 at 2 gets the states of 15 and 16, 17 at 8 that of 13; 11 at 1 has no partner."""
    batch = weam.collate([copy.deepcopy(PLAIN)])
    select = batch["select"].tolist()
    assert select == [1, 2, 3, 6, 7, 8]
    assert [select[row] for row in batch["predict_rows"]] == [1, 2, 8]
    given = [(int(to), select[row]) for to, row in zip(batch["exchange_to"], batch["exchange_rows"], strict=True)]
    assert sorted(given) == [(0, 6), (0, 7), (1, 3)]
    assert (batch["cross_target"].tolist(), batch["num_crossed"], batch["num_predictions"]) == ([12, 17], 2, 3)


def dense(model: Any, objective: Any, examples: list[dict[str, Any]], all_links: list[Links]) -> Any:
    """The loss by a slow encoder and a dense A (Eq. 3 to 11), position by position."""
    head, lm_head = model.heads["exchange"], model.heads["lm"]
    own, cross, num_own = 0.0, 0.0, 0
    for one, links in zip(examples, all_links, strict=True):
        tokens = one["tokens"].tolist()
        size = len(tokens)
        states = torch.stack(reference.encode(model, tokens, {i: range(size) for i in range(size)}))
        matrix = torch.zeros(size, size, dtype=states.dtype)
        start = 1 + one["segment"].tolist().index(1)
        for i, j in links:
            matrix[1 + i, start - 1 + j] = matrix[start - 1 + j, 1 + i] = 1
        exchanged = matrix.T @ states
        for position, target in zip(one["predict"].tolist(), one["target"].tolist(), strict=True):
            own = own - reference.log_probabilities(model, states[position])[target]
            num_own += 1
            if matrix[position].any():
                hidden = head.exchange.weight @ exchanged[position] + head.exchange.bias
                hidden = head.layer_norm(F.gelu(head.dense.weight @ hidden + head.dense.bias))
                cross = cross - torch.log_softmax(lm_head.weight @ hidden + lm_head.bias, 0)[target]
    # both sums over the same masked tokens (Eq. 9 to 11); one without partners adds nothing to the second
    return (own + objective.cfg.weam_lambda * cross) / num_own


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.sampled_from([1.0, 0.3]), st.booleans())
def test_values_and_gradients_of_a_dense_matrix(data_bin, seed, weight, training):
    """Alignments empty, many-to-many, one-to-one; tokens masked with and without partners."""
    rng = np.random.default_rng(seed)
    task = make_task(data_bin, "weam", weam_lambda=weight)
    objective, model = task.objectives["weam"], make_model(task, layers=2, dim=8).double().train(training)
    left, right = (random_sentences(3, 1, 6, seed=int(rng.integers(10**6))) for _ in range(2))
    all_links = random_links(left, right, seed)
    all_links[0] = all_links[0] if seed % 3 else []
    examples = []
    for x, y, links in zip(left, right, all_links, strict=True):
        content = [*range(1, len(x) + 1), *range(len(x) + 2, len(x) + 2 + len(y))]
        predict = sorted(rng.choice(content, rng.integers(1, len(content) + 1), replace=False).tolist())
        examples.append(example(x, y, links, predict))
    expected = dense(model, objective, examples, all_links)
    expected.backward()
    slow = gradients(model)
    found = mixture_of(objective, model, objective.collate(copy.deepcopy(examples))).total
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)
    if not training:
        return
    found.backward()
    fast = gradients(model)
    for name in fast:
        torch.testing.assert_close(fast[name], slow.get(name, torch.zeros_like(fast[name])), rtol=1e-6, atol=1e-6)


def test_only_partners_reach_the_cross_lingual_prediction(weam, weam_model):
    """Leak test: the prediction of 12 depends on the states of 15 and 16 and on no other, its own least of all."""
    batch = weam.collate([copy.deepcopy(PLAIN)])
    states = torch.randn(len(batch["select"]), 16, requires_grad=True)
    _, crossed = weam.losses(weam_model, [states], batch)
    influence = torch.autograd.grad(crossed.hidden[0].sum(), states)[0].abs().sum(1) > 0
    assert [batch["select"][row].item() for row in influence.nonzero().squeeze(1)] == [6, 7]


def test_lambda_0_is_tlm_with_the_same_masks(data_bin):
    task = make_task(data_bin, "weam", weam_lambda=0.0)
    tlm = make_task(data_bin, "weam", objectives="tlm")
    model = make_model(task).train()
    assert model.state_dict().keys() == make_model(tlm).state_dict().keys()
    results = []
    for one, name in ((task, "weam"), (tlm, "tlm")):
        objective = one.objectives[name]
        batch = objective.collate(build_examples(one, name))
        loss = mixture_of(objective, model, batch)
        loss.total.backward()
        results.append((batch, loss.total, gradients(model), loss.terms[name].total))
    (batch, loss, grads, total), (other, expected, expected_grads, expected_total) = results
    assert torch.equal(batch["tokens"], other["tokens"])
    assert torch.equal(batch["target"], other["target"])
    assert (batch["tokens"] == MASK).any()
    torch.testing.assert_close((loss, total), (expected, expected_total), rtol=1e-6, atol=1e-6)
    for name, grad in grads.items():
        torch.testing.assert_close(grad, expected_grads[name], rtol=1e-5, atol=1e-7)


def test_the_tasks_defaults_are_the_papers(data_bin):
    cfg = make_task(data_bin, "weam").cfg
    assert (cfg.mask_prob, cfg.weam_lambda, cfg.pair_separators) == (0.3, 1.0, 1)
    assert (cfg.reset_positions, str(cfg.lang_embedding)) == (False, "none")
    others = make_task(data_bin, "tlm").cfg
    assert (others.mask_prob, others.pair_separators, str(others.lang_embedding)) == (0.15, 2, "mask")


@pytest.mark.parametrize("separators", [1, 2])
def test_built_examples_exchange_what_the_links_say(data_bin, separators):
    """Whichever side comes first: the tokens at both ends of a link are those the alignment names."""
    task = make_task(data_bin, "weam", pair_separators=separators, leave_unmasked_prob=1.0, random_token_prob=0.0)
    objective = task.objectives["weam"]
    source = objective.source("train", 1)
    orders = set()
    for index, built in enumerate(build_examples(task, "weam", count=24)):
        x, y, _, links = source[index]
        wanted = {(int(x[i]), int(y[j])) for i, j in links}
        both = wanted | {pair[::-1] for pair in wanted}
        tokens = built["tokens"]
        ends = list(zip(built["exchange_to"], built["exchange_from"], strict=True))
        assert {(int(tokens[i]), int(tokens[j])) for i, j in ends} <= both
        masked_ends = sum(
            bool(np.isin(positions, built["predict"]).sum())
            for positions in positions_of_links(
                links,
                len(y) if built["languages"][0] > built["languages"][1] else len(x),
                built["languages"][0] > built["languages"][1],
                separators,
            )
        )
        assert (len(ends) > 0) == (masked_ends > 0)
        orders.add(built["languages"][0] > built["languages"][1])
    assert orders == {True, False}


def test_truncation_drops_links_and_may_drop_all(tmp_path):
    """Links of what is cut are gone; a pair that has none left still trains the multilingual prediction."""
    sides = [list(range(5, 25))] * 4, [list(range(10, 30))] * 4
    links = [[(0, 0), (1, 19)], [(19, 19)], [(19, 0)], [(0, 0), (0, 0)]]
    data = write_data_bin(tmp_path, para={"de-en": sides}, links={"de-en": links})
    task = make_task(data, "weam", max_positions=13, mask_prob=1.0)
    objective = task.objectives["weam"]
    source = objective.source("train", 1)
    assert [source[i][3].tolist() for i in range(4)] == [[[0, 0]], [], [], [[0, 0]]]  # a link given twice counts once
    examples = build_examples(task, "weam", count=4)
    assert [len(built["exchange_to"]) for built in examples] == [2, 0, 0, 2]
    model = make_model(task).train()
    found = mixture_of(objective, model, objective.collate(examples[1:3]))
    loss, figures = found.total, found.terms
    loss.backward()
    assert (figures["weam"].count, figures["weam_cross"].count, figures["weam_cross"].total) == (20, 0, 0)
    grads = gradients(model)
    assert grads.keys() == dict(model.named_parameters()).keys(), "every process runs the same graph"
    assert not any(grad.any() for name, grad in grads.items() if "heads.exchange" in name)
    assert grads["heads.lm.dense.weight"].any()


def test_a_batch_without_predictions_does_no_harm(weam, weam_model):
    empty = example([11], [12], [(0, 0)], [])
    found = mixture_of(weam, weam_model.train(), weam.collate([empty]))
    loss, figures = found.total, found.terms
    loss.backward()
    assert loss.item() == 0
    assert [term.count for term in figures.values()] == [0, 0]
    assert all(torch.isfinite(grad).all() and not grad.any() for grad in gradients(weam_model).values())


class Shapes(TorchDispatchMode):
    """Records the shape of everything that is computed."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[tuple[int, ...]] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self.found |= {tuple(t.shape) for t in (out if isinstance(out, tuple | list) else [out]) if torch.is_tensor(t)}
        return out


def test_no_tensor_is_as_large_as_the_matrix(data_bin):
    """Neither A nor an attention mask: no tensor outside the attention kernel has T x T entries, forward or backward."""
    task = make_task(data_bin, "weam", max_positions=256)
    objective, model = task.objectives["weam"], make_model(task).train()
    (x,), (y,) = (random_sentences(1, 90, 90, seed=seed) for seed in (1, 2))
    one = example(x, y, [(i, i) for i in range(90)], [5, 20, 150])
    size = len(one["tokens"])
    with Shapes() as shapes:
        mixture_of(objective, model, objective.collate([one])).total.backward()
    assert size == 183
    assert not [shape for shape in shapes.found if sum(part >= size for part in shape) > 1]
    with Shapes() as control:
        torch.eye(size)
    assert (size, size) in control.found


def test_validation_counts_both_predictions_by_pair(data_bin):
    task = make_task(data_bin, "weam")
    objective, model = task.objectives["weam"], make_model(task)
    batch = objective.collate(build_examples(task, "weam", "valid", count=30))
    figures = mixture_of(objective, model, batch).terms
    counts = {name: term.by_group[:, 2].tolist() for name, term in figures.items()}
    assert list(counts) == [term.name for term in objective.terms] == ["weam", "weam_cross"]
    assert sum(counts["weam"]) == batch["num_predictions"] > sum(counts["weam_cross"]) == batch["num_crossed"] > 0
    assert min(counts["weam_cross"]) > 0, "both pairs"


def test_in_a_mix_each_objective_has_its_own_loss(data_bin):
    """One pass of encoder and output layer for all; the figures are those of each by itself."""
    task = make_task(data_bin, "weam", objectives="mmlm,weam,tlm")
    model = make_model(task).train()
    parts = [
        Part(objective, objective.collate(build_examples(task, name, count=6)), weight)
        for (name, objective), weight in zip(task.objectives.items(), (1.0, 0.5, 2.0), strict=True)
    ]
    together = mixture_loss(model, parts)
    total, figures = together.total, together.terms
    assert set(figures) == {"mmlm", "weam", "weam_cross", "tlm"}
    expected = 0.0
    for part in parts:
        alone = mixture_loss(model, [part])
        expected = expected + alone.total
        for name, own in alone.terms.items():
            torch.testing.assert_close(figures[name].total, own.total, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(total, expected, rtol=1e-5, atol=1e-5)


# ---- wrong alignments -----------------------------------------------------------------------------------------------

LEFT, RIGHT = [[5, 6], [7]], [[8], [9, 10, 11]]


def refusal(folder: Path, links: list[Any] | None) -> str:
    data = write_data_bin(folder, para={"de-en": (LEFT, RIGHT)})
    if links is not None:
        write_alignment(folder / "para" / "de-en" / "train.align.de-en", links)
    with pytest.raises(UserError) as error:
        make_task(data, "weam").load_dataset("train")
    return str(error.value)


def test_a_missing_alignment(tmp_path):
    message = refusal(tmp_path, None)
    assert f"{tmp_path}/para/de-en/train.align.de-en.idx: not found" in message
    assert "`xling align`" in message


def test_another_number_of_lines(tmp_path):
    assert "train.align.de-en: 3 lines of alignment for 2 sentence pairs; line i" in refusal(tmp_path, [[(0, 0)]] * 3)


@pytest.mark.parametrize("link", [(0, 1), (2, 0), (-1, 0)])
def test_a_link_beyond_the_sentence(tmp_path, link):
    """Words instead of pieces, or the alignment of other sentences."""
    i, j = link
    assert (
        f"para/de-en/train.align.de-en: sentence pair 1 has the link {i}-{j}, its sides have 2 and 1 pieces, counted from 0; encode"
        in (refusal(tmp_path, [[(0, 0), link], [(0, 0)]]))
    )


def test_half_a_link(tmp_path):
    message = "para/de-en/train.align.de-en: the alignment of sentence pair 2 holds 3 numbers, links are two each"
    assert message in refusal(tmp_path, [[(0, 0)], [(0, 0), (0,)]])


def test_an_alignment_without_links(tmp_path):
    assert "train.align.de-en.bin: holds no link" in refusal(tmp_path, [[], []])


def test_few_links_are_warned_of(tmp_path, caplog):
    data = write_data_bin(tmp_path, para={"de-en": (LEFT * 2, RIGHT * 2)}, links={"de-en": [[(0, 0)], [], [], []]})
    make_task(data, "weam").load_dataset("train")
    assert "train.align.de-en: 75% of 4 sentence pairs looked at have no link" in caplog.text


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_a_wrong_lambda(data_bin, value):
    with pytest.raises(UserError, match=r"--weam-lambda \S+ must be a finite number, 0 or above"):
        make_task(data_bin, "weam", weam_lambda=value)


@pytest.mark.parametrize("value", [-2, 0, 3])
def test_a_wrong_number_of_separators(data_bin, value):
    with pytest.raises(UserError, match=rf"--pair-separators {value}: expected 2 \(XLM-R\) or 1 \(BERT\)"):
        make_task(data_bin, "weam", pair_separators=value)


def test_the_second_head_has_the_models_epsilon(data_bin):
    model = make_model(make_task(data_bin, "weam"), layer_norm_eps=1e-3)
    norms = [module for module in model.modules() if isinstance(module, torch.nn.LayerNorm)]
    assert model.heads["exchange"].layer_norm in norms
    assert {norm.eps for norm in norms} == {1e-3}
