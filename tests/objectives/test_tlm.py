"""TLM: both sentences help (ERNIE-M, Figures 1b and 2), 80/10/10, languages of <mask>s, positions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from fairseq_xling.data.pairs import join_pair
from tests.helpers import (
    EOS,
    FIRST,
    MASK,
    PAD,
    SYMBOLS,
    batch_of,
    build_examples,
    gradients,
    loss_of,
    make_model,
    make_task,
)
from tests.objectives import reference

# <s> x1 M2 x3 </s> | </s> y4 M5 M6 y7 </s>
X, Y = np.array([11, 12, 13]), np.array([14, 15, 16, 17])
MASKED = np.array([2, 7, 8])


def example(x: np.ndarray = X, y: np.ndarray = Y, predict: np.ndarray = MASKED) -> dict[str, Any]:
    clean, segment = join_pair(np.asarray(x), np.asarray(y), SYMBOLS)
    tokens = clean.copy()
    tokens[predict] = MASK
    return {"tokens": tokens, "segment": segment, "predict": predict, "target": clean[predict], "languages": [1, 2]}


def test_the_pair_format_is_xlm_rs():
    tokens, segment = join_pair(X, Y, SYMBOLS)
    assert tokens.tolist() == [0, 11, 12, 13, EOS, EOS, 14, 15, 16, 17, EOS]
    assert segment.tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]


def test_figure_2_every_position_sees_every_position(task, model):
    """No mask is given to the encoder: the matrix is all ones, read off by the gradient of each state by each token."""
    encoder = model.encoder.sentence_encoder
    (given,) = task.objectives["tlm"].inputs(model, batch_of(example()))
    embedded = encoder.embed_tokens(given.tokens[0]).detach().requires_grad_()
    handle = encoder.embed_tokens.register_forward_hook(lambda *args: embedded)
    (states,) = model([replace(given, select=None)])
    handle.remove()
    influence = torch.stack(
        [torch.autograd.grad(states[0, i].sum(), embedded, retain_graph=True)[0].abs().sum(1) for i in range(11)]
    )
    assert (influence > 0).all()


@pytest.mark.parametrize("position", range(1, 4))
def test_a_masked_token_reads_its_own_sentence_and_the_other(task, model, final_states, position):
    objective = task.objectives["tlm"]
    states = final_states(objective, model, batch_of(example()))
    changed = X.copy()
    changed[position - 1] = 30
    after = final_states(objective, model, batch_of(example(changed)))
    is_label = position == 2  # which is nowhere in the input
    for before, now in zip(states, after, strict=True):
        assert torch.equal(before, now) == is_label


@pytest.mark.parametrize(("lang_embedding", "reset"), [("mask", False), ("all", False), ("none", True)])
def test_loss_and_gradients_of_the_slow_reference(data_bin, lang_embedding, reset):
    task = make_task(data_bin, lang_embedding=lang_embedding, reset_positions=reset)
    model = make_model(task, layers=2).double().train()
    examples = [
        example(),
        example(np.arange(20, 27), np.arange(5, 7), np.array([1, 4, 11])),
        example(X[:1], Y[:2], [1]),
    ]
    examples[2]["predict"] = np.array([1])
    loss = loss_of(task.objectives["tlm"], model, batch_of(*examples)).mean
    loss.backward()
    fast = gradients(model)
    expected = 0.0
    for one in examples:
        tokens, segment = one["tokens"].tolist(), one["segment"].tolist()
        everybody = {i: range(len(tokens)) for i in range(len(tokens))}
        languages = {
            "mask": [1 + side if token == MASK else 0 for token, side in zip(tokens, segment, strict=True)],
            "all": [1 + side for side in segment],
            "none": None,
        }[lang_embedding]
        first = segment.count(0)
        positions = [i + 1 - (first if reset and i >= first else 0) for i in range(len(tokens))]
        states = reference.encode(model, tokens, everybody, languages, positions)
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


def test_the_language_of_a_mask_follows_its_sentence(task, model):
    """Also when the pair is turned round, and only at <mask>."""
    batch = batch_of(example(), {**example(), "languages": [2, 1]})
    languages = task.objectives["tlm"].marks(model, batch["tokens"], batch)["languages"]
    assert languages[0].tolist() == [0, 0, 1, 0, 0, 0, 0, 2, 2, 0, 0]
    assert languages[1].tolist() == [0, 0, 2, 0, 0, 0, 0, 1, 1, 0, 0]


def test_language_embedding_at_all_tokens_leaves_padding_out(data_bin):
    task = make_task(data_bin, lang_embedding="all")
    batch = batch_of(example(), example(X[:1], Y[:1], np.array([1])))
    languages = task.objectives["tlm"].marks(make_model(task), batch["tokens"], batch)["languages"]
    assert languages[0].tolist() == [1] * 5 + [2] * 6
    assert languages[1].tolist() == [1] * 3 + [2] * 3 + [0] * 5


def test_zero_initialised_languages_change_nothing(data_bin, final_states):
    with_table, without = (make_task(data_bin, lang_embedding=mode) for mode in ("mask", "none"))
    model, plain = make_model(with_table), make_model(without)
    model.encoder.sentence_encoder.embed_languages.weight.data.zero_()
    plain.load_state_dict({k: v for k, v in model.state_dict().items() if "embed_languages" not in k})
    states = final_states(with_table.objectives["tlm"], model, batch_of(example()))
    assert torch.equal(states, final_states(without.objectives["tlm"], plain, batch_of(example())))
    assert plain.encoder.sentence_encoder.embed_languages is None


def test_a_new_language_table_is_zero(data_bin):
    from fairseq_xling.models import XlingModel, XlingModelConfig

    task = make_task(data_bin)
    cfg = XlingModelConfig(encoder_layers=1, encoder_embed_dim=8, encoder_attention_heads=2, max_positions=64)
    table = XlingModel.build_model(cfg, task).encoder.sentence_encoder.embed_languages
    assert table.weight.shape == (4, 8)  # de, en, fr and "none"
    assert not table.weight.any()


def test_reset_positions_counts_the_second_sentence_anew(data_bin):
    task = make_task(data_bin, reset_positions=True)
    batch = batch_of(example(), example(X[:1], Y[:1], np.array([1])), left_pad=True)
    positions = task.objectives["tlm"].marks(make_model(task), batch["tokens"], batch)["positions"] - PAD
    assert positions[0].tolist() == [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 6]
    assert positions[1].tolist() == [0] * 5 + [1, 2, 3, 1, 2, 3]


def test_80_10_10(task):
    """Over many draws of the examples; four standard deviations."""
    counts = {"mask": 0, "same": 0, "random": 0}
    ordinary = 0
    task.load_dataset("train")
    part = task.datasets["train"].parts["tlm"]
    for epoch in range(1, 120):
        for index in range(0, 40, 2):
            built = part.example(index, epoch)
            shown = built["tokens"][built["predict"]]
            counts["mask"] += int((shown == MASK).sum())
            counts["same"] += int((shown == built["target"]).sum())
            counts["random"] += int(((shown != built["target"]) & (shown != MASK)).sum())
            ordinary += len(built["tokens"]) - 4
            assert ((shown >= FIRST) & (shown <= MASK)).all()
    total = sum(counts.values())
    assert abs(total / ordinary - 0.15) < 4 * (0.15 * 0.85 / ordinary) ** 0.5
    # a random symbol is the right one by chance 1 in 40 times
    for name, share in (("mask", 0.8), ("same", 0.1 + 0.1 / 40), ("random", 0.1 - 0.1 / 40)):
        assert abs(counts[name] / total - share) < 4 * (share * (1 - share) / total) ** 0.5, (name, counts)


def test_special_symbols_are_never_predicted(task):
    for built in build_examples(task, "tlm", count=24):
        assert (built["target"] >= FIRST).all()
        assert built["tokens"][0] == 0
        assert (np.flatnonzero(built["tokens"] == EOS)).size == 3
