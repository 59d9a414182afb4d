"""What holds for the objectives of masked language modelling: an example's loss does not depend on its batch or padding, and empty batches do no harm."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch

from fairseq_xling.objectives import MIXES
from tests.helpers import EOS, MASK, PAD, batch_of, build_examples, gradients, loss_of, make_model, make_task, states_of

NAMES = MIXES["btmlm"]  # those with predictions of the LM head alone; the others have tests of their own


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def with_predictions(task: Any, name: str, count: int = 6) -> list[dict[str, Any]]:
    """Examples of different lengths that predict something."""
    found = {len(b["tokens"]): b for b in build_examples(task, name, count=24) if len(b["target"])}
    return list(found.values())[:count]


@pytest.mark.parametrize("left_pad", [False, True])
def test_a_batch_of_many_is_many_batches_of_one(task, model, final_states, name, left_pad):
    objective, examples = task.objectives[name], with_predictions(task, name)
    assert len({len(built["tokens"]) for built in examples}) >= 5
    together = final_states(objective, model, batch_of(*examples, left_pad=left_pad))
    alone = torch.cat([final_states(objective, model, batch_of(built)) for built in examples])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)
    losses = [loss_of(objective, model, batch_of(built)).total for built in examples]
    total = loss_of(objective, model, batch_of(*examples, left_pad=left_pad)).total
    torch.testing.assert_close(total, torch.stack(losses).sum(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("reset", [False, True])
def test_padding_makes_no_difference(data_bin, final_states, name, reset):
    """On either side, and any amount of it."""
    task = make_task(data_bin, reset_positions=reset)
    objective, model = task.objectives[name], make_model(task, layers=3)
    examples = with_predictions(task, name, 3)
    longest = max(len(built["tokens"]) for built in examples)
    # 50 positions longer, without predictions, last so that the others' states come first
    stretched = copy.deepcopy(max(examples, key=lambda built: len(built["tokens"])))
    for key in ("tokens", "clean", "segment"):
        if key in stretched:
            stretched[key] = np.concatenate([stretched[key][:1].repeat(64 - longest), stretched[key]])
    for key in ("predict", "placeholders", "target"):
        if key in stretched:
            stretched[key] = stretched[key][:0]
    expected = final_states(objective, model, batch_of(*examples))
    for left_pad in (False, True):
        padded = batch_of(*examples, stretched, left_pad=left_pad)
        assert padded["tokens"].size(1) > longest + 20
        torch.testing.assert_close(final_states(objective, model, padded), expected, rtol=1e-5, atol=1e-5)


def empty_example(tokens: list[int]) -> dict[str, Any]:
    """An example in which nothing can be predicted, with the fields of every objective."""
    nothing = np.zeros(0, dtype=int)
    segment = np.where(np.array(tokens) == PAD, -1, 0)
    segment[-2:] = np.where(segment[-2:] == 0, 1, -1)
    return {
        "tokens": np.array(tokens),
        "clean": np.array(tokens),
        "segment": segment,
        "predict": nothing,
        "placeholders": nothing,
        "target": nothing,
        "languages": [1, 2],
    }


@pytest.mark.parametrize(
    "rows", [[[0, EOS, EOS, EOS]], [[PAD] * 5], [[PAD] * 5, [PAD] * 3]], ids=["specials", "padding", "paddings"]
)
def test_a_batch_without_predictions_does_no_harm(task, name, rows):
    objective, model = task.objectives[name], make_model(task)
    batch = batch_of(*map(empty_example, rows))
    evaluated = loss_of(objective, model, batch)
    assert evaluated.by_group.sum() == 0
    trained = loss_of(objective, model.train(), batch)
    assert trained.mean.item() == trained.total.item() == evaluated.mean.item() == 0
    assert trained.count == evaluated.count == 0
    trained.mean.backward()
    grads = gradients(model)
    assert grads  # every process runs the same graph
    assert all(torch.isfinite(grad).all() and not grad.any() for grad in grads.values())


def test_padding_rows_among_real_ones_do_no_harm(task, name):
    objective, model = task.objectives[name], make_model(task).train()
    real = with_predictions(task, name, 2)
    fields = real[0].keys() | {"predict"}
    padding = {key: value for key, value in empty_example([PAD] * 4).items() if key in fields}
    out = loss_of(objective, model, batch_of(*real, padding))
    torch.testing.assert_close(out.total, loss_of(objective, model, batch_of(*real)).total, rtol=1e-5, atol=1e-5)
    out.mean.backward()
    assert all(torch.isfinite(grad).all() for grad in gradients(model).values())


def test_training_and_evaluation_agree(task, name):
    """The fused loss of training is the plain one of evaluation."""
    objective, model = task.objectives[name], make_model(task)
    batch = batch_of(*with_predictions(task, name))
    evaluated, trained = loss_of(objective, model.eval(), batch), loss_of(objective, model.train(), batch)
    torch.testing.assert_close(trained.mean, evaluated.mean, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(trained.total, evaluated.total, rtol=1e-5, atol=1e-6)
    assert trained.count == evaluated.count == len(batch["target"])
    assert trained.mean.requires_grad
    assert not trained.total.requires_grad


def test_every_parameter_of_the_default_mix_gets_a_gradient(data_bin):
    """A model holds only what its objectives use; an unused parameter would stop distributed training."""
    for task_name in ("mmlm", "tlm", "camlm", "btmlm"):
        task = make_task(data_bin, task_name)
        model = make_model(task).train()
        for objective in MIXES[task_name]:
            loss_of(task.objectives[objective], model, batch_of(*with_predictions(task, objective))).mean.backward()
        assert gradients(model).keys() == dict(model.named_parameters()).keys(), task_name
        assert ("embed_languages" in str(list(model.state_dict()))) == (task_name != "mmlm")


def test_an_objective_that_waits_leaves_no_parameter_without_a_gradient(data_bin):
    """btmlm alone may have brought the language table; until it starts, the others' passes go through it."""
    task = make_task(data_bin, objectives="mmlm,btmlm", btmlm_start_update=4)
    model = make_model(task).train()
    loss_of(task.objectives["mmlm"], model, batch_of(*with_predictions(task, "mmlm"))).mean.backward()
    assert gradients(model).keys() == dict(model.named_parameters()).keys()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_validation_counts_losses_and_correct_predictions(task, name, dtype):
    objective, model = task.objectives[name], make_model(task).to(dtype)
    examples = with_predictions(task, name)
    for number, example in enumerate(examples):
        example["group"] = number % len(objective.groups)
    batch = batch_of(*examples)
    with torch.no_grad():
        (states,) = states_of(objective, model, batch)
        logits = model.heads["lm"](states).float()
    batch["target"][::2] = logits.argmax(1)[::2]
    batch["target"][1::2] = logits.argmin(1)[1::2]
    found = loss_of(objective, model, batch).by_group
    assert found.dtype == torch.float32
    losses = -logits.log_softmax(1)[range(len(logits)), batch["target"]]
    for group, row in enumerate(found):
        mine = batch["target_group"] == group
        assert row[1:].tolist() == [int(mine[::2].sum()), int(mine.sum())]
        torch.testing.assert_close(row[0], losses[mine].sum(), rtol=1e-5, atol=1e-5)


def test_loss_of_an_untrained_model_is_near_uniform(data_bin, name):
    from fairseq_xling.models import XlingModel, XlingModelConfig

    task = make_task(data_bin)
    cfg = XlingModelConfig(encoder_layers=2, encoder_embed_dim=32, encoder_attention_heads=2, max_positions=64)
    model = XlingModel.build_model(cfg, task).eval()
    out = loss_of(task.objectives[name], model, batch_of(*with_predictions(task, name)))
    assert out.mean.item() == pytest.approx(math.log(MASK + 1), rel=0.1)
