"""What every objective owes the rest, whatever it is: checked for each entry of OBJECTIVES, with its own collate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from fairseq_xling.criterions import XlingCriterion
from fairseq_xling.objectives import OBJECTIVES
from fairseq_xling.objectives.contrastive import ContrastiveObjective
from fairseq_xling.objectives.loss import Part, mixture_loss
from fairseq_xling.objectives.terms import LMPredictions, Losses, Term
from fairseq_xling.tasks import XlingTask
from tests.helpers import build_examples, gradients, make_model, make_task, mixture_of, states_of

MakeTask = Callable[..., XlingTask]
# whose losses do not depend on the others of the batch
SEPARATE = [name for name, cls in OBJECTIVES.items() if not issubclass(cls, ContrastiveObjective)]
# of which a batch may hold nothing; every pair of word_alignment has an anchored sentence (its own tests leave out the links)
MASKED = [name for name in SEPARATE if name != "word_alignment"]


@pytest.fixture(params=list(OBJECTIVES))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def alone(data_bin: Path, initial: Path) -> MakeTask:
    """``alone(name, **options)``: the objective in a task of its own."""

    def make(name: str, **options: Any) -> XlingTask:
        return make_task(data_bin, name, objectives=name, initial_model=str(initial), **options)

    return make


def test_names_and_terms(alone, name):
    objective = alone(name).objectives[name]
    assert objective.name == name
    terms = [term.name for term in objective.terms]
    assert terms[0].startswith(name)
    assert len(set(terms)) == len(terms)


def test_views_say_what_they_hold(alone, name):
    """Tokens, cells and example ids of the log come from the inputs, not from names of the batch's entries."""
    task = alone(name)
    objective, examples = task.objectives[name], build_examples(task, name)
    batch = objective.collate(examples)
    model = make_model(task)
    views = objective.inputs(model, {**batch, **objective.precompute(model, batch)})
    assert views
    for view in views:
        assert view.num_tokens == int(view.tokens.ne(task.data.symbols.pad).sum())
        assert set(view.ids.tolist()) <= {example["id"] for example in examples}
        assert view.padded or view.num_tokens == view.tokens.numel()
    assert {number for view in views for number in view.ids.tolist()} == {example["id"] for example in examples}


def test_losses_yield_the_declared_terms(alone, name):
    task = alone(name, mask_prob=0.5)
    objective, model = task.objectives[name], make_model(task)
    batch = objective.collate(build_examples(task, name))
    batch |= objective.precompute(model, batch)
    found = list(objective.losses(model, states_of(objective, model, batch), batch))
    assert (
        [term.name for term in found] == [term.name for term in objective.terms] == list(objective.normalisers(batch))
    )
    for term in found:
        size = len(term.target if isinstance(term, LMPredictions) else term.values)
        assert isinstance(term, LMPredictions | Losses)
        assert len(term.group) == size == term.count > 0
        assert 0 <= int(term.group.min()) <= int(term.group.max()) < len(objective.groups)


def test_a_gradient_for_every_parameter_and_no_other_state(alone, name):
    """Distributed training waits for all gradients; buffers change in `remember` only."""
    task = alone(name, mask_prob=0.5)
    objective, model = task.objectives[name], make_model(task).train()
    buffers = {key: buffer.clone() for key, buffer in model.named_buffers()}
    loss = mixture_of(objective, model, objective.collate(build_examples(task, name)))
    loss.total.backward()
    grads = gradients(model)
    assert grads.keys() == dict(model.named_parameters()).keys()
    assert all(grad.any() for key, grad in grads.items() if not key.endswith(("k_proj.bias", "embed_languages.weight")))
    assert all(torch.equal(buffer, buffers[key]) for key, buffer in model.named_buffers())


@pytest.mark.parametrize("name", SEPARATE)
def test_a_batch_of_many_is_many_batches_of_one(alone, name):
    task = alone(name, mask_prob=0.5)
    objective, model = task.objectives[name], make_model(task)
    examples = build_examples(task, name)
    together = mixture_of(objective, model, objective.collate(examples)).terms
    single = [mixture_of(objective, model, objective.collate([example])).terms for example in examples]
    for term, found in together.items():
        own = [one[term] for one in single]
        torch.testing.assert_close(found.total, torch.stack([one.total for one in own]).sum(), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(
            found.by_group, torch.stack([one.by_group for one in own]).sum(0), rtol=1e-5, atol=1e-5, equal_nan=True
        )
        assert found.count == sum(one.count for one in own)
        assert found.normaliser == sum(one.normaliser for one in own)


@pytest.mark.parametrize("name", SEPARATE)
def test_an_update_is_the_same_however_it_is_cut(alone, name):
    """Micro-batches count by what they hold: values and gradients of two uneven ones are those of both at once."""
    task = alone(name, mask_prob=0.5)
    objective, model, criterion = task.objectives[name], make_model(task).double().train(), XlingCriterion(task)
    examples = build_examples(task, name, count=9)
    whole = [{name: objective.collate(examples)}]
    parts = [{name: objective.collate(examples[:7])}, {name: objective.collate(examples[7:])}, {}]
    results = []
    for samples in (whole, parts):
        with criterion.update(samples):
            outputs = [criterion(model, sample) for sample in samples]
        total = sum(loss for loss, *_ in outputs) / sum(size for _, size, _ in outputs)
        total.backward()
        results.append((total.detach(), gradients(model)))
    (expected, grads), (found, cut) = results
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)
    for key in grads:
        torch.testing.assert_close(cut[key], grads[key], rtol=1e-6, atol=1e-7, msg=key)


def test_an_update_without_anything_is_0(alone, name):
    task = alone(name)
    criterion, model = XlingCriterion(task), make_model(task).train()
    with criterion.update([{}, None]):
        assert criterion(model, {})[0] == 0


@pytest.mark.parametrize("name", MASKED)
@pytest.mark.parametrize("training", [True, False])
def test_a_batch_with_nothing_to_learn_does_no_harm(alone, name, training):
    task = alone(name, mask_prob=1e-9)
    objective, model = task.objectives[name], make_model(task).train(training)
    batch = objective.collate(build_examples(task, name))
    loss = mixture_of(objective, model, batch)
    assert loss.total.item() == 0
    assert {(one.count, one.normaliser, one.total.item()) for one in loss.terms.values()} == {(0, 0, 0.0)}
    if training:
        loss.total.backward()
        grads = gradients(model)
        assert grads.keys() == dict(model.named_parameters()).keys()  # every process runs the same graph
        assert all(torch.isfinite(grad).all() and not grad.any() for grad in grads.values())


def test_examples_are_functions_of_the_generator(alone, name):
    """What makes a run repeatable, and resumable at any example."""
    task = alone(name)
    first, again = (build_examples(task, name, count=3) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        assert a.keys() == b.keys()
        for key in a:
            np.testing.assert_equal(a[key], b[key])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(alone, name, dtype):
    task = alone(name, mask_prob=0.5)
    objective, model = task.objectives[name], make_model(task).to(dtype).train()
    loss = mixture_of(objective, model, objective.collate(build_examples(task, name)))
    assert loss.total.dtype == torch.float32
    loss.total.backward()
    assert all(torch.isfinite(grad).all() for grad in gradients(model).values())


def broken(
    values: int = 3, group: int = 3, count: int = 3, correct: int = 3, normaliser: int = 3, name: str = "mine"
) -> Any:
    """An objective of one term and no model, with these sizes."""
    losses = Losses(name, torch.ones(values), torch.zeros(group, dtype=torch.int64), count, torch.ones(correct).bool())
    return SimpleNamespace(
        name="mine",
        groups=["all"],
        terms=(Term("mine"),),
        precompute=lambda model, batch: {},
        inputs=lambda model, batch: [],
        normalisers=lambda batch: {"mine": normaliser},
        losses=lambda model, states, batch: [losses],
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"values": 1, "correct": 1}, "1 losses, 3 groups, count 3"),
        ({"group": 2}, "3 losses, 2 groups"),
        ({"count": 2}, "count 2; expected as many of each"),
        ({"correct": 2}, "3 losses, 2 that are correct or not"),
        ({"normaliser": 0}, "3 losses and a normaliser of 0"),
        ({"name": "other"}, "not declared in its terms"),
    ],
)
def test_what_an_objective_must_not_do(wrong, message):
    """Each of these would train on something else without a word, or end in an error far away."""
    model: Any = torch.nn.Module()
    model.forward = lambda views: []
    assert mixture_loss(model, [Part(broken(), {})]).total == 1
    with pytest.raises(ValueError, match=f"mine.*{message}"):
        mixture_loss(model, [Part(broken(**wrong), {})])


def test_terms_without_losses_or_normalisers():
    model: Any = torch.nn.Module()
    model.forward = lambda views: []
    objective = broken()
    objective.losses = lambda model, states, batch: []
    with pytest.raises(ValueError, match="mine: losses are missing for the terms mine"):
        mixture_loss(model, [Part(objective, {})])
    objective.normalisers = lambda batch: {}
    with pytest.raises(ValueError, match=r"mine: terms are \['mine'\], normalisers are given for \[\]"):
        mixture_loss(model, [Part(objective, {})])
