"""The learning rate of each layer, with fairseq's schedulers, in half precision and after a restart."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from fairseq_xling.errors import UserError
from fairseq_xling.optim import LayerwiseAdam, LayerwiseAdamConfig
from tests.helpers import make_model, make_task, small_data_bin

ADAM = {"adam_betas": [0.9, 0.999], "lr": [0.1], "tpu": False}


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return make_task(small_data_bin(tmp_path_factory.mktemp("optim")))


def optimizer(model: torch.nn.Module, **options: Any) -> LayerwiseAdam:
    cfg = OmegaConf.structured(LayerwiseAdamConfig(**options))
    return LayerwiseAdam(OmegaConf.merge(cfg, ADAM), model.parameters())


def test_layers_of_the_parameters(task):
    model = make_model(task, layers=2, encoder_normalize_before=False)
    marks = {name: parameter.param_group for name, parameter in model.named_parameters()}
    stem = "encoder.sentence_encoder."
    for name in ("embed_tokens", "embed_positions", "embed_languages", "layernorm_embedding"):
        assert marks[f"{stem}{name}.weight"] == 0
    assert marks[f"{stem}layers.0.fc1.weight"] == 1
    assert marks[f"{stem}layers.1.self_attn.q_proj.bias"] == 2
    assert marks["heads.lm.dense.weight"] == marks["heads.lm.bias"] == 3
    assert (
        make_model(task, layers=2, encoder_normalize_before=True).encoder.sentence_encoder.layer_norm.weight.param_group
        == 3
    )


def test_each_layer_moves_at_its_own_rate(task):
    """Adam's first step is lr · sign(gradient)."""
    model = make_model(task, layers=2)
    adam = optimizer(model, layer_lr_decay=0.5)
    adam.set_lr(0.08)
    assert adam.get_lr() == pytest.approx(0.08)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    adam.step()
    for name, parameter in model.named_parameters():
        expected = 0.08 * 0.5 ** (3 - parameter.param_group)
        torch.testing.assert_close(before[name] - parameter, torch.full_like(parameter, expected), rtol=1e-3, atol=1e-6)


def test_no_decay_is_adam(task):
    model = make_model(task)
    adam = optimizer(model, layer_lr_decay=1.0)
    adam.set_lr(0.03)
    assert {group["lr"] for group in adam.param_groups} == {0.03}


@pytest.mark.parametrize("decay", [0.0, -1.0, 1.1])
def test_decay_out_of_range(task, decay):
    with pytest.raises(UserError, match=rf"--layer-lr-decay {decay} must be above 0 and at most 1"):
        optimizer(make_model(task), layer_lr_decay=decay)


def test_parameters_laid_end_to_end_have_no_layers(task):
    """As fairseq does on a GPU for ``--fp16``."""
    flat = torch.cat([parameter.detach().flatten() for parameter in make_model(task).parameters()])
    cfg = OmegaConf.merge(OmegaConf.structured(LayerwiseAdamConfig()), ADAM)
    with pytest.raises(UserError, match="with --fp16, which lays them end to end, add --fp16-no-flatten-grads"):
        LayerwiseAdam(cfg, [torch.nn.Parameter(flat)])
