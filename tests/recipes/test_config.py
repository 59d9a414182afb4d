"""The configurations for fairseq-hydra-train say what the shell recipes say, and train."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fairseq.dataclass.initialize import add_defaults, hydra_init
from hydra import compose, initialize_config_dir
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from tests.conftest import PLUGIN, ROOT, Run
from tests.helpers import small_data_bin
from tests.recipes.test_scripts import parse, training_commands

CONFIG = ROOT / "recipes" / "config"


class _Models(SearchPathPlugin):
    """The plugin's own entry works in fairseq's programs only."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        search_path.append(provider="tests", path="pkg://fairseq_xling.config")


@pytest.fixture
def compose_config() -> Iterator[Callable[..., Any]]:
    """``compose_config(name, *overrides)`` composes as fairseq-hydra-train does."""
    Plugins.instance().register(_Models)
    GlobalHydra.instance().clear()

    def run(name: str, *overrides: str) -> Any:
        hydra_init(name)
        with initialize_config_dir(config_dir=str(CONFIG), version_base="1.1"):
            cfg = compose(config_name=name, overrides=list(overrides))
        add_defaults(cfg)
        return cfg

    yield run
    GlobalHydra.instance().clear()


@pytest.mark.parametrize(
    ("name", "script", "arguments"),
    [
        ("ernie_m_small", "ernie_m/small.sh", []),
        ("ernie_m_base", "ernie_m/base.sh", []),
        ("ernie_m_large", "ernie_m/large.sh", []),
        ("ernie_m_retrieval", "ernie_m/retrieval.sh", ["large"]),
        ("weam", "weam/en-de.sh", []),
    ],
)
def test_same_settings_as_the_script(
    compose_config: Callable[..., Any],
    recipe: Callable[..., Run],
    name: str,
    script: str,
    arguments: list[str],
) -> None:
    initial = [] if name == "ernie_m_small" else ["checkpoint.finetune_from_model=/x/model.pt"]
    cfg = compose_config(name, "task.data=/x", *initial)
    words = training_commands(recipe(script, *arguments, DRY_RUN=1, GPUS=64, DATA_BIN="/x").stdout)[0]
    expected = parse(words)
    own = {
        "data",
        "user_dir",
        "save_dir",
        "finetune_from_model",
        "_name",
    }  # paths; the model's name holds its size in one of them
    for group in ("common", "dataset", "optimization", "checkpoint", "task", "model", "optimizer", "lr_scheduler"):
        left, right = (OmegaConf.to_container(config[group], resolve=True) for config in (cfg, expected))
        shared = (left.keys() & right.keys()) - own
        assert {key: left[key] for key in shared} == {key: right[key] for key in shared}, group


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ernie_m_small", "ernie_m_retrieval", "weam"])
def test_two_updates(command: Callable[..., Run], tmp_path: Path, name: str) -> None:
    small_data_bin(tmp_path / "bin", splits=("train", "valid"))
    run = command(
        "fairseq-hydra-train",
        "--config-dir",
        CONFIG,
        "--config-name",
        name,
        f"hydra.run.dir={tmp_path / 'run'}",
        f"common.user_dir={PLUGIN}",
        f"task.data={tmp_path / 'bin'}",
        "task.max_positions=64",
        "common.cpu=true",
        "common.fp16=false",
        "model.encoder_layers=1",
        "model.encoder_embed_dim=16",
        "model.encoder_ffn_embed_dim=32",
        "model.encoder_attention_heads=2",
        "dataset.num_workers=0",
        "dataset.max_tokens=1024",
        "optimization.max_update=2",
        *(["lr_scheduler.warmup_updates=1"] if name != "weam" else []),
        *(["checkpoint.finetune_from_model=null"] if name != "ernie_m_small" else []),
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.log[-3000:]
    assert (tmp_path / "run" / "checkpoints" / "checkpoint_last.pt").is_file()
