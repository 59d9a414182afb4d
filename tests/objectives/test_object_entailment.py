"""Object entailment: subject, relation and object; known objects; relations by name; relation classification."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from fairseq_xling.errors import UserError
from tests.helpers import build_examples, gradients, make_model, make_task, mixture_of, small_data_bin, states_of
from tests.knowledge import words, write_knowledge

NAME = "object_entailment"


def task_of(data_bin: Path, **options):
    return make_task(data_bin, NAME, objectives=NAME, **({"queue_size": 8} | options))


def test_an_example_by_hand(data_bin):
    """Triple 0: entity 0 has by the first relation the objects 1 and 2."""
    task = task_of(data_bin)
    objective = task.objectives[NAME]
    example = build_examples(task, NAME, count=1)[0]
    assert objective.relations == (31, 361)
    assert example["query"][0] == words(0)[0]
    assert example["key"][0] == words(1)[0]
    assert (example["relation"], example["entity"], example["known"].tolist()) == (0, 20, [20, 30])
    assert example["language"] != example["group"]


def test_languages_of_subject_and_object(tmp_path):
    """Where the object has one language only, the subject is described in another."""
    data_bin = write_knowledge(small_data_bin(tmp_path), only={1: "de", 3: "en"})
    for is_same in (False, True):
        task = task_of(data_bin, same_language_descriptions=is_same)
        task.load_dataset("train")
        part = task.datasets["train"].parts[NAME]
        for epoch in range(1, 6):
            for index in range(len(part.source.sizes)):
                item = part.source[index]
                if {item.subject, item.object} == {1, 3}:
                    continue
                example = part.example(index, epoch)
                assert (example["language"] == example["group"]) is is_same or {item.subject, item.object} & {1, 3}
                if item.object in (1, 3) and item.subject not in (1, 3):
                    assert (example["language"] == example["group"]) is is_same


def test_known_objects_are_no_wrong_answers(data_bin):
    task = task_of(data_bin, queue_start="empty")
    objective, model = task.objectives[NAME], make_model(task).train()
    batch = objective.collate(build_examples(task, NAME, count=1))
    states = states_of(objective, model, batch)
    (alone,) = objective.losses(model, states, batch)
    assert alone.values.item() == 0  # no other candidate
    queue = model.heads[NAME].queue
    queue.enqueue(torch.randn(2, 16), torch.tensor([30, 20]), torch.zeros(2, dtype=torch.int64))
    (known,) = objective.losses(model, states, batch)
    assert known.values.item() == 0
    queue.enqueue(objective.latest[0], torch.tensor([70]), torch.zeros(1, dtype=torch.int64))
    (wrong,) = objective.losses(model, states, batch)
    assert wrong.values.item() == pytest.approx(math.log(2))  # the same key, as that of another entity


def test_the_loss_is_that_of_a_naive_implementation(data_bin):
    task = task_of(data_bin, queue_size=0)
    objective, model = task.objectives[NAME], make_model(task)
    batch = objective.collate(build_examples(task, NAME, count=6))
    subject, object_ = states_of(objective, model, batch)
    (found,) = objective.losses(model, [subject, object_], batch)
    w = {key: value.double() for key, value in model.heads[NAME].state_dict().items() if "weight" in key}
    joint = subject.double() + w["relations.weight"][batch["relation"]]
    queries = torch.relu(joint @ w["query.0.weight"].T) @ w["query.2.weight"].T
    keys = torch.relu(object_.double() @ w["key.0.weight"].T) @ w["key.2.weight"].T
    for i in range(6):
        known = set(batch["known"][i].tolist())
        scores = [queries[i] @ keys[i]]
        scores += [queries[i] @ keys[j] for j in range(6) if int(batch["entity"][j]) not in known]
        expected = torch.logsumexp(torch.stack(scores), 0) - scores[0]
        torch.testing.assert_close(found.values[i].double(), expected, rtol=1e-4, atol=1e-4)


def test_relation_classification(data_bin):
    task = task_of(data_bin, relation_classification=True)
    objective, model = task.objectives[NAME], make_model(task).train()
    assert list(model.heads) == ["relation_classification"]
    batch = objective.collate(build_examples(task, NAME))
    loss = mixture_of(objective, model, batch)
    loss.total.backward()
    assert gradients(model)["heads.relation_classification.relations.weight"].shape == (2, 32)
    objective.remember(model)


def test_relations_of_a_checkpoint_are_matched_by_name(tmp_path, caplog):
    """Another set of triples numbers its relations anew."""
    first = make_model(task_of(write_knowledge(small_data_bin(tmp_path / "a"))))
    other = make_model(task_of(write_knowledge(small_data_bin(tmp_path / "b"), relations=("P17", "P31"))))
    before = other.heads[NAME].relations.weight.detach().clone()
    other.load_state_dict(first.state_dict())
    after = other.heads[NAME].relations.weight
    assert torch.equal(after[1], first.heads[NAME].relations.weight[0])  # P31
    assert torch.equal(after[0], before[0])  # P17 is new
    assert "1 of 2 relations are taken from the checkpoint's 2" in caplog.text
    assert other.heads[NAME].relations.relations.tolist() == [17, 31]


def test_a_queue_of_another_size_starts_anew(data_bin, caplog):
    first, other = (make_model(task_of(data_bin, queue_size=size)) for size in (8, 4))
    first.heads[NAME].queue.entities[:] = 7
    other.load_state_dict(first.state_dict())
    assert not (other.heads[NAME].queue.entities == 7).any()
    assert f"heads.{NAME}.queue: starting anew" in caplog.text


def test_shards_without_relations(tmp_path):
    data_bin = write_knowledge(small_data_bin(tmp_path), relations=())
    with pytest.raises(UserError, match=r"no relation in it; object_entailment needs triples"):
        task_of(data_bin)
