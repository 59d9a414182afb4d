"""The registry of heads: names, options from parameters, old names, buffers of another size."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from fairseq_xling.models import XlingModel, XlingModelConfig
from fairseq_xling.models import heads as registry
from fairseq_xling.models.heads import HEADS, Head, register_head
from tests.helpers import MASK, PAD, make_model, make_task, small_data_bin

CFG = XlingModelConfig(encoder_layers=1, encoder_embed_dim=8, encoder_attention_heads=2, max_positions=8)


@pytest.fixture(scope="module")
def data_bin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_data_bin(tmp_path_factory.mktemp("heads"))


@pytest.fixture
def queue_head(monkeypatch: pytest.MonkeyPatch) -> type[Head]:
    """A head with a queue of ``size`` keys in a module of its own, and a counter beside it."""
    monkeypatch.setattr(registry, "HEADS", dict(HEADS))
    monkeypatch.setattr("fairseq_xling.models.xling.HEADS", registry.HEADS)

    class Queue(torch.nn.Module):
        def __init__(self, size: int):
            super().__init__()
            self.register_buffer("keys", torch.full((size, 8), 0.5))
            self.register_buffer("pointer", torch.zeros((), dtype=torch.int64))

    @register_head("queue")
    class QueueHead(Head):
        def __init__(self, encoder: Any, cfg: Any, size: int):
            super().__init__()
            self.dense = torch.nn.Linear(8, 8)
            self.queue = Queue(size)
            self.register_buffer("count", torch.zeros((), dtype=torch.int64))

        def forward(self, states: Tensor) -> Tensor:
            return self.dense(states)

    return QueueHead


def model_with(name: str, **options: Any) -> XlingModel:
    model = XlingModel(CFG, MASK + 1, PAD)
    model.add_head(name, **options)
    return model


@pytest.mark.parametrize(
    ("name", "options"),
    [("lm", {}), ("exchange", {}), ("sequence", {"outputs": 3}), ("token", {"outputs": 5}), ("span", {"outputs": 2})],
)
def test_options_follow_from_the_parameters(name, options):
    state = model_with(name, **options).heads[name].state_dict()
    assert HEADS[name].options_of(state) == options


def test_a_head_is_added_once():
    model = model_with("lm")
    head = model.heads["lm"]
    model.add_head("lm")
    assert model.heads["lm"] is head
    assert head.weight is model.encoder.sentence_encoder.embed_tokens.weight


def test_the_order_of_parameters_is_that_of_the_registry(queue_head):
    """fairseq knows the optimiser's state by it, whatever the order of --objectives."""
    orders = []
    for names in (("lm", "exchange", "queue"), ("queue", "exchange", "lm")):
        model = XlingModel(CFG, MASK + 1, PAD)
        for name in names:
            model.add_head(name, **({"size": 4} if name == "queue" else {}))
        orders.append([name for name, _ in model.named_parameters()])
        assert list(model.heads) == ["lm", "exchange", "queue"]
    assert orders[0] == orders[1]


def test_a_head_with_other_options_is_refused(queue_head):
    model = model_with("queue", size=4)
    model.add_head("queue", size=4)
    with pytest.raises(ValueError, match=r"the head 'queue' is wanted with \{'size': 6\} and with \{'size': 4\}"):
        model.add_head("queue", size=6)


def test_a_name_is_given_once(queue_head):
    with pytest.raises(ValueError, match="the head 'queue' is registered twice"):
        register_head("queue")(type("Other", (Head,), {}))
    assert register_head("queue")(queue_head) is queue_head


def test_names_of_older_checkpoints(data_bin):
    """WEAM's model had its heads under encoder."""
    task = make_task(data_bin, "weam")
    model, other = make_model(task), make_model(task)
    old = {
        key.replace("heads.lm.", "encoder.lm_head.").replace("heads.exchange.", "encoder.exchange_head."): tensor + 1
        for key, tensor in model.state_dict().items()
    }
    assert sum("exchange_head" in key for key in old) == 6
    other.load_state_dict(old)
    for key, tensor in other.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[key] + 1), key


def test_buffers_are_saved_and_loaded(queue_head):
    model, other = (model_with("queue", size=4) for _ in range(2))
    model.heads["queue"].queue.keys.fill_(2.0)
    model.heads["queue"].queue.pointer += 3
    model.heads["queue"].count += 7
    other.load_state_dict(model.state_dict())
    assert other.heads["queue"].queue.pointer == 3
    assert (other.heads["queue"].queue.keys == 2).all()
    assert other.heads["queue"].count == 7


def test_buffers_of_another_size_start_anew_together_and_the_log_says_so(queue_head, caplog):
    model, other = model_with("queue", size=4), model_with("queue", size=6)
    model.heads["queue"].queue.keys.fill_(2.0)
    model.heads["queue"].queue.pointer += 3
    model.heads["queue"].count += 7
    with caplog.at_level(logging.WARNING):
        other.load_state_dict(model.state_dict())
    assert (other.heads["queue"].queue.keys == 0.5).all()
    assert other.heads["queue"].queue.pointer == 0  # it pointed into the other queue
    assert other.heads["queue"].count == 7  # of another module
    assert torch.equal(other.heads["queue"].dense.weight, model.heads["queue"].dense.weight)
    message = "heads.queue.queue: starting anew, as heads.queue.queue.keys has the shape (4, 8) in the checkpoint and (6, 8) here"
    assert caplog.messages == [message]


def test_integer_buffers_stay_integers_in_half_precision(queue_head):
    model = model_with("queue", size=4).half()
    assert model.heads["queue"].queue.pointer.dtype == torch.int64
    assert model.heads["queue"].queue.keys.dtype == torch.float16
