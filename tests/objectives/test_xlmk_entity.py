"""Masked entity prediction: what is masked, which description, which candidates, what is remembered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from fairseq_xling.errors import UserError
from fairseq_xling.modules.key_queue import EMPTY
from tests.helpers import (
    MASK,
    build_examples,
    gradients,
    make_model,
    make_task,
    mixture_of,
    small_data_bin,
    states_of,
    write_dict,
)
from tests.knowledge import MAX_TOKENS, NUM_ENTITIES, words, write_knowledge

NAME = "xlmk_entity"


def task_of(data_bin: Path, **options):
    return make_task(data_bin, NAME, objectives=NAME, **({"queue_size": 8} | options))


def test_an_example_by_hand(data_bin):
    """The first German article is of entity 0; it mentions 1 twice, of which the first is the link, and 3."""
    task = task_of(data_bin)
    example = build_examples(task, NAME, count=1)[0]
    surface = words(1)[2]
    assert example["query"][5:7].tolist() == [MASK, MASK]
    assert example["query"][14:16].tolist() == [MASK, MASK]
    assert not set(surface[:1]) & set(example["query"].tolist())
    assert (example["query"] == MASK).sum() == 4
    assert example["first"] == 5
    assert (example["entity"], example["known"]) == (20, [20])
    assert example["key"][0] == words(1)[0]
    groups = task.objectives[NAME].groups
    assert groups == ["de", "en"]
    assert (groups[example["group"]], groups[example["language"]]) == ("de", "en")


def test_one_mask_for_a_mention(data_bin):
    many, one = (build_examples(task_of(data_bin, single_mask=flag), NAME, count=4) for flag in (False, True))
    for long, short in zip(many, one, strict=True):
        assert (short["query"] == MASK).sum() == (long["query"] == MASK).sum() // 2
        assert short["query"][short["first"]] == MASK
        assert [t for t in short["query"] if t != MASK] == [t for t in long["query"] if t != MASK]


@pytest.mark.parametrize("is_same", [False, True])
def test_the_language_of_a_description(data_bin, is_same):
    task = task_of(data_bin, same_language_descriptions=is_same)
    examples = build_examples(task, NAME, count=20)
    assert {example["language"] == example["group"] for example in examples} == {is_same}


def test_an_entity_of_one_language(tmp_path):
    data_bin = write_knowledge(small_data_bin(tmp_path), only={1: "de"})
    examples = build_examples(task_of(data_bin), NAME, count=6)
    own = [example for example in examples if example["entity"] == 20]
    assert own
    assert all(example["language"] == example["group"] for example in own)


def test_languages_are_drawn_evenly(tmp_path):
    data_bin = write_knowledge(small_data_bin(tmp_path), languages=("de", "en", "fr"))
    task = task_of(data_bin)
    task.load_dataset("train")
    part = task.datasets["train"].parts[NAME]
    drawn = [part.example(0, epoch)["language"] for epoch in range(300)]
    counts = np.bincount(drawn, minlength=3)
    assert counts[0] == 0
    assert abs(counts[1] - 150) < 40


def test_candidates_of_the_same_entity_are_no_wrong_answers(data_bin):
    """The loss with another description of an entity in batch and queue is that without."""
    task = task_of(data_bin, queue_start="empty")
    objective, model = task.objectives[NAME], make_model(task).train()
    examples = build_examples(task, NAME, count=3)
    batch = objective.collate(examples)
    states = states_of(objective, model, batch)
    (alone,) = objective.losses(model, states, batch)
    queue = model.heads[NAME].queue
    queue.entities[:], queue.keys[:] = int(batch["entity"][0]), objective.latest[0][0]
    (again,) = objective.losses(model, states, batch)
    torch.testing.assert_close(again.values[0], alone.values[0])
    assert (again.values[1:] > alone.values[1:]).all()  # for the others it is a wrong answer


def test_the_query_cannot_see_the_surface(data_bin):
    """Whatever stands where the surface recurs, or in the mention, the query's state is the same."""
    task = task_of(data_bin)
    objective, model = task.objectives[NAME], make_model(task)
    task.load_dataset("train")
    item = task.datasets["train"].parts[NAME].source[0]
    states = []
    for filler in (5, 9):
        tokens = item.tokens.copy()
        for begin, end in (item.span, *map(tuple, item.others)):
            tokens[begin:end] = filler
        example = objective.build(item._replace(tokens=tokens), np.random.default_rng(0)) | {"id": 0}
        states.append(states_of(objective, model, objective.collate([example]))[0])
    assert torch.equal(*states)


def test_the_loss_is_that_of_a_naive_implementation(data_bin):
    task = task_of(data_bin)
    objective, model = task.objectives[NAME], make_model(task)
    batch = objective.collate(build_examples(task, NAME, count=5))
    context, description = states_of(objective, model, batch)
    (found,) = objective.losses(model, [context, description], batch)
    head = model.heads[NAME]
    w = {key: value.double() for key, value in head.state_dict().items() if "weight" in key}
    queries = torch.relu(context.double() @ w["query.0.weight"].T) @ w["query.2.weight"].T
    keys = torch.relu(description.double() @ w["key.0.weight"].T) @ w["key.2.weight"].T
    for i in range(5):
        scores = [queries[i] @ keys[i]]
        scores += [queries[i] @ keys[j] for j in range(5) if batch["entity"][j] != batch["entity"][i]]
        scores += [queries[i] @ head.queue.keys[j].double() for j in range(5, 8)]  # five of the eight leave
        expected = torch.logsumexp(torch.stack(scores), 0) - scores[0]
        torch.testing.assert_close(found.values[i].double(), expected, rtol=1e-4, atol=1e-4)


def test_keys_without_gradient(data_bin):
    task = task_of(data_bin, no_key_gradient=True)
    objective, model = task.objectives[NAME], make_model(task).train()
    batch = objective.collate(build_examples(task, NAME))
    assert len(objective.inputs(model, batch)) == 1
    mixture_of(objective, model, batch).total.backward()
    grads = gradients(model)
    assert grads["heads.xlmk_entity.key.0.weight"].any()  # the projections are trained all the same
    plain = make_task(data_bin, NAME, objectives=NAME, queue_size=8)
    other = make_model(plain).train()
    mixture_of(plain.objectives[NAME], other, batch).total.backward()
    assert not torch.equal(
        gradients(other)["encoder.sentence_encoder.embed_tokens.weight"],
        grads["encoder.sentence_encoder.embed_tokens.weight"],
    )


def test_masked_tokens_of_contexts(data_bin):
    task = task_of(data_bin, mlm_on_contexts=True, mask_prob=0.5)
    objective = task.objectives[NAME]
    assert [term.name for term in objective.terms] == [NAME, f"{NAME}_mlm"]
    examples = build_examples(task, NAME)
    batch = objective.collate(examples)
    flat = batch["query"].flatten()
    assert (flat[batch["select"][: len(examples)]] == MASK).all()
    assert batch["num_predictions"] == len(batch["target"]) == len(batch["select"]) - len(examples)
    assert MASK not in batch["target"].tolist()
    loss = mixture_of(objective, make_model(task).train(), batch)
    assert loss.terms[f"{NAME}_mlm"].count == batch["num_predictions"]


def test_batches_mix_lengths_and_languages(data_bin):
    task = task_of(data_bin)
    task.load_dataset("train")
    part = task.datasets["train"].parts[NAME]
    (first, *_) = part.batches(1, (None, 16, 1))
    assert {part.example(int(item), 1)["group"] for item in first} == {0, 1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"queue_size": -1}, "--queue-size -1 must be 0 or more"),
        ({"contrastive_temperature": 0.0}, "--contrastive-temperature 0.0 must be above 0"),
        ({"max_positions": 16}, f"--max-positions 16: windows and descriptions have up to {MAX_TOKENS} tokens"),
    ],
)
def test_wrong_options(data_bin, options, message):
    with pytest.raises(UserError, match=message):
        task_of(data_bin, **options)


def test_no_shards_and_shards_of_another_dictionary(tmp_path):
    data_bin = small_data_bin(tmp_path)
    with pytest.raises(UserError, match=r"wiki: no such folder; make it with `xling entities"):
        task_of(data_bin)
    write_knowledge(data_bin)
    write_dict(data_bin / "dict.txt", [f"v{i}" for i in range(40)])
    with pytest.raises(UserError, match=r"was made with another .*dict\.txt"):
        task_of(data_bin)


def test_all_entities_are_there(data_bin):
    task = task_of(data_bin)
    task.load_dataset("train")
    source = task.datasets["train"].parts[NAME].source
    assert {int(source[index].entity) for index in range(len(source.sizes))} == set(range(NUM_ENTITIES))


def test_a_validation_leaves_nothing_to_remember(data_bin):
    """Also where the next micro-batch of this process holds nothing."""
    task = task_of(data_bin, queue_start="empty")
    objective, model = task.objectives[NAME], make_model(task)
    batch = objective.collate(build_examples(task, NAME, count=3))
    mixture_of(objective, model.eval(), batch)
    objective.remember(model)
    queue = model.heads[NAME].queue
    assert (queue.entities == EMPTY).all()
    mixture_of(objective, model.train(), batch)
    objective.remember(model)
    assert (queue.entities != EMPTY).sum() == 3
    objective.remember(model)
    assert (queue.entities != EMPTY).sum() == 3
