"""MMLM: RoBERTa's masked language modelling per sentence (ERNIE-M, Figure 1a), on single sentences and packed blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.helpers import (
    EOS,
    FIRST,
    MASK,
    batch_of,
    build_examples,
    gradients,
    loss_of,
    make_model,
    make_task,
    write_data_bin,
)
from tests.objectives import reference


def example(tokens: list[int], predict: list[int], target: list[int]) -> dict[str, Any]:
    return {"tokens": np.array(tokens), "predict": np.array(predict), "target": np.array(target)}


# <s> x1 M2 x3 M4 </s>
FIGURE_1 = example([0, 11, MASK, 13, MASK, EOS], [2, 4], [12, 14])


def test_loss_and_gradients_of_the_slow_reference(task):
    model = make_model(task, layers=2).double().train()
    examples = [
        FIGURE_1,
        example([0, 5, 6, MASK, 8, 9, 10, 11, EOS], [3, 5], [7, 30]),
        example([0, MASK, EOS], [1], [9]),
    ]
    loss = loss_of(task.objectives["mmlm"], model, batch_of(*examples)).mean
    loss.backward()
    fast = gradients(model)
    assert not fast.pop("encoder.sentence_encoder.embed_languages.weight").any()  # of the task's other objectives
    expected = 0.0
    for one in examples:
        tokens = one["tokens"].tolist()
        states = reference.encode(model, tokens, {i: range(len(tokens)) for i in range(len(tokens))})
        expected = expected + reference.nll(model, states, dict(zip(one["predict"], one["target"], strict=True)))
    expected = expected / 5
    expected.backward()
    slow = gradients(model)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert fast.keys() == slow.keys()
    for name in slow:
        torch.testing.assert_close(
            fast[name], slow[name], rtol=1e-5, atol=1e-7, msg=lambda text, n=name: f"{n}: {text}"
        )


def test_a_label_is_nowhere_in_the_input(task, model, final_states):
    """The encoder is stateless: states depend on the visible tokens only."""
    objective = task.objectives["mmlm"]
    states = final_states(objective, model, batch_of(FIGURE_1))
    relabelled = {**FIGURE_1, "target": np.array([30, 31])}
    assert torch.equal(states, final_states(objective, model, batch_of(relabelled)))
    changed = {**FIGURE_1, "tokens": np.array([0, 30, MASK, 13, MASK, EOS])}
    assert not torch.equal(states, final_states(objective, model, batch_of(changed)))


def test_no_language_is_added_to_its_masks(task, model, final_states):
    """Only cross-lingual objectives tell the language, so that the encoder stays language-agnostic."""
    before = final_states(task.objectives["mmlm"], model, batch_of(FIGURE_1))
    model.encoder.sentence_encoder.embed_languages.weight.data.zero_()
    assert torch.equal(before, final_states(task.objectives["mmlm"], model, batch_of(FIGURE_1)))


def test_15_percent_and_80_10_10(data_bin):
    task = make_task(data_bin, "mmlm")
    task.load_dataset("train")
    part = task.datasets["train"].parts["mmlm"]
    counts = np.zeros(3, dtype=int)
    ordinary = 0
    chosen_at = np.zeros(20)
    for epoch in range(1, 60):
        for index in range(90):
            built = part.example(index, epoch)
            shown, same = built["tokens"][built["predict"]], built["tokens"][built["predict"]] == built["target"]
            counts += [(shown == MASK).sum(), same.sum(), ((shown != MASK) & ~same).sum()]
            ordinary += len(built["tokens"]) - 2
            chosen_at[built["predict"]] += 1
    total = counts.sum()
    assert abs(total / ordinary - 0.15) < 4 * (0.15 * 0.85 / ordinary) ** 0.5
    for count, share in zip(counts, (0.8, 0.1 + 0.1 / 40, 0.1 - 0.1 / 40), strict=True):
        assert abs(count / total - share) < 4 * (share * (1 - share) / total) ** 0.5, counts
    assert chosen_at[0] == 0  # <s>
    # the first three positions exist in every sentence: each is chosen equally often
    assert np.ptp(chosen_at[1:4]) < 5 * chosen_at[1:4].mean() ** 0.5


@pytest.mark.parametrize(("option", "value"), [("leave_unmasked_prob", 1.0), ("random_token_prob", 0.0)])
def test_corruption_options(data_bin, option, value):
    task = make_task(data_bin, "mmlm", **{"random_token_prob": 0.0, option: value, "mask_prob": 0.5})
    for built in build_examples(task, "mmlm"):
        shown = built["tokens"][built["predict"]]
        assert ((shown == MASK) | (shown == built["target"])).all()
        assert option != "leave_unmasked_prob" or (shown == built["target"]).all()


def test_mask_prob_bounds(data_bin):
    assert all(len(b["predict"]) == 0 for b in build_examples(make_task(data_bin, "mmlm", mask_prob=1e-9), "mmlm"))
    for built in build_examples(make_task(data_bin, "mmlm", mask_prob=1.0), "mmlm"):
        assert len(built["predict"]) == len(built["tokens"]) - 2


@pytest.mark.parametrize("mode", ["complete", "complete_doc", "none"])
def test_packed_blocks(tmp_path, mode):
    """Two documents of two sentences, a blank line between them; at most 8 tokens a block."""
    sentences = [[11, 12], [13, 14], [], [15, 16], [17]]
    data = write_data_bin(tmp_path, mono={"en": sentences})
    task = make_task(data, "mmlm", sample_break_mode=mode, max_positions=8, mask_prob=1e-9)
    task.load_dataset("train")
    part = task.datasets["train"].parts["mmlm"]
    blocks = [part.example(i, 1)["tokens"].tolist() for i in range(len(part.sizes)) if part.sizes[i]]
    expected = {
        "complete": [[0, 11, 12, 2, 13, 14, 2, 2], [0, 15, 16, 2, 17, 2]],
        "complete_doc": [[0, 11, 12, 2, 13, 14, 2], [0, 15, 16, 2, 17, 2]],
        # a </s> at the end of each, which "none" leaves room for wherever it cuts
        "none": [[0, 11, 12, 2, 13, 14, 2], [0, 2, 15, 16, 2, 17, 2]],
    }
    assert blocks == expected[mode]
    most = [len(block) + (mode == "none") for block in blocks]
    assert [size for size in part.sizes if size] == most


def test_separators_within_a_block_are_not_predicted(tmp_path):
    data = write_data_bin(tmp_path, mono={"en": [[11, 12], [13, 14], [15, 16], [17]]})
    task = make_task(data, "mmlm", sample_break_mode="complete", mask_prob=1.0)
    (built,) = build_examples(task, "mmlm", count=1)
    assert built["target"].tolist() == [11, 12, 13, 14, 15, 16, 17]
    assert (built["target"] >= FIRST).all()


def test_validation_by_language(task, model):
    examples = [{**FIGURE_1, "group": group} for group in (0, 2, 2)]
    out = loss_of(task.objectives["mmlm"], model, batch_of(*examples))
    assert task.objectives["mmlm"].groups == ["de", "en", "fr"]
    assert out.by_group[:, 2].tolist() == [2, 0, 4]
    assert out.by_group[2, 0].item() == pytest.approx(2 * out.by_group[0, 0].item(), rel=1e-5)
    assert out.by_group[:, 0].sum().item() == pytest.approx(out.total.item(), rel=1e-5)
    logits = model(torch.tensor(FIGURE_1["tokens"])[None])[0, [2, 4]]
    correct = (model.heads["lm"](logits).argmax(1) == torch.tensor([12, 14])).sum().item()
    assert out.by_group[:, 1].tolist() == [correct, 0, 2 * correct]
