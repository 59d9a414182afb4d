"""A task with all four objectives and a three-layer model on a tiny data-bin."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from fairseq_xling.models import XlingModel
from fairseq_xling.objectives import Objective
from fairseq_xling.tasks import XlingTask
from tests.helpers import make_model, make_task, small_data_bin, states_of
from tests.knowledge import write_knowledge


@pytest.fixture(scope="session")
def data_bin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_knowledge(small_data_bin(tmp_path_factory.mktemp("objectives")))


@pytest.fixture(scope="session")
def task(data_bin: Path) -> XlingTask:
    return make_task(data_bin)


@pytest.fixture
def model(task: XlingTask) -> XlingModel:
    return make_model(task, layers=3)


@pytest.fixture
def final_states() -> Callable[..., Tensor]:
    """``final_states(objective, model, batch)``: what the LM head is given of an objective's batch, (M, D)."""

    def compute(objective: Objective, model: XlingModel, batch: dict[str, Any]) -> Tensor:
        (states,) = states_of(objective, model, batch)
        return states

    return compute


@pytest.fixture(scope="session")
def initial(data_bin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What word_alignment holds the model to: a checkpoint of mmlm's model, with a head that word_alignment has not."""
    file = tmp_path_factory.mktemp("initial") / "model.pt"
    torch.save({"model": make_model(make_task(data_bin, "mmlm")).state_dict()}, file)
    return file
