"""The stock ``fairseq-hydra-train`` finds tasks, criterions and model shapes by name."""

import sys
from dataclasses import fields

import pytest
import yaml
from hydra._internal.config_search_path_impl import ConfigSearchPathImpl

from fairseq_xling.models.config import EPSILONS, SHAPE_FIELDS, SHAPES, XlingModelConfig
from hydra_plugins.fairseq_xling_plugin import FairseqXlingSearchPath

from .conftest import PLUGIN
from .helpers import small_data_bin

JOB = """
    task=btmlm criterion=btmlm model=xling_tiny optimizer=adam lr_scheduler=inverse_sqrt optimization.lr=[0.001]
    model.encoder_embed_dim=16 model.encoder_ffn_embed_dim=32 model.encoder_attention_heads=2 task.max_positions=64
    dataset.batch_size=16 dataset.num_workers=0 dataset.disable_validation=true common.cpu=true common.bf16=true
    optimization.max_update=2
"""


@pytest.mark.slow
def test_a_job_by_names(command, tmp_path):
    data = small_data_bin(tmp_path / "data-bin")
    run = command("fairseq-hydra-train", *JOB.split(), f"task.data={data}", cwd=tmp_path)
    assert run.returncode == 0, run.log
    assert "done training" in run.stdout
    assert (tmp_path / "checkpoints" / "checkpoint_last.pt").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("override", "code", "message"),
    [
        ("task.objectives=mmlm", 2, "error: no-such-folder: no such data-bin folder"),
        ("model.droput=0.2", 1, "Key 'droput'"),
    ],
)
def test_mistakes_are_reported(command, tmp_path, override, code, message):
    run = command("fairseq-hydra-train", *JOB.split(), "task.data=no-such-folder", override, cwd=tmp_path)
    assert run.returncode == code, run.log
    assert message in run.stderr
    assert "Traceback" not in run.stderr


def test_other_hydra_programs_are_left_alone(monkeypatch):
    for name in ("fairseq_cli.hydra_train", "fairseq_cli.hydra_validate"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    search_path = ConfigSearchPathImpl()
    FairseqXlingSearchPath().manipulate_search_path(search_path)
    assert search_path.get_path() == []
    monkeypatch.setitem(sys.modules, "fairseq_cli.hydra_train", sys)
    FairseqXlingSearchPath().manipulate_search_path(search_path)
    assert [entry.path for entry in search_path.get_path()] == ["pkg://fairseq_xling.config"]


def test_shapes_are_those_of_the_architectures():
    files = {path.stem: yaml.safe_load(path.read_text()) for path in (PLUGIN / "config" / "model").glob("*.yaml")}
    shapes = {f"xling_{name}": shape for name, shape in SHAPES.items()} | {"weam_base": SHAPES["base"]}
    assert set(files) == set(shapes)
    for name, shape in shapes.items():
        options = files[name]
        assert tuple(options[field] for field in SHAPE_FIELDS) == shape
        assert options.get("layer_norm_eps") == EPSILONS.get(name)
        assert set(options) - {"defaults", "_name"} <= {field.name for field in fields(XlingModelConfig)}
