"""A task with all four objectives and a three-layer model on a tiny data-bin."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from fairseq_xling.models import XlingModel
from fairseq_xling.objectives import Objective
from fairseq_xling.tasks import XlingTask
from tests.helpers import make_model, make_task, small_data_bin


@pytest.fixture(scope="session")
def data_bin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_data_bin(tmp_path_factory.mktemp("objectives"))


@pytest.fixture(scope="session")
def task(data_bin: Path) -> XlingTask:
    return make_task(data_bin)


@pytest.fixture
def model(task: XlingTask) -> XlingModel:
    return make_model(task, layers=3)


@pytest.fixture
def final_states(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Tensor]:
    """``final_states(objective, model, batch)``: what the objective's own loss hands to the LM head, (M, D)."""

    def compute(objective: Objective, model: XlingModel, batch: dict[str, Any]) -> Tensor:
        found = []
        with monkeypatch.context() as patch:
            module = sys.modules[type(objective).loss.__module__]
            patch.setattr(module, "masked_lm_loss", lambda model, states, *rest: found.append(states))
            objective.loss(model, batch)
        return found[0]

    return compute
