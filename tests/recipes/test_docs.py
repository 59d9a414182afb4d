"""The pages of the methods, of retrieval and of fine-tuning name every option with its default."""

from __future__ import annotations

import dataclasses
import re

import pytest
from fairseq.tasks import TASK_DATACLASS_REGISTRY

from fairseq_xling.finetuning.retrieval import RetrievalTaskConfig
from fairseq_xling.finetuning.task import QuestionAnsweringConfig
from fairseq_xling.models import XlingModelConfig
from fairseq_xling.optim import LayerwiseAdamConfig, WarmupLinearConfig
from tests.conftest import ROOT

PretrainingConfig = TASK_DATACLASS_REGISTRY["mmlm"]
PRETRAINING = ("ernie-m.md", "weam.md")
BY_ARCHITECTURE = {
    "layer_norm_eps",
    "encoder_layers",
    "encoder_embed_dim",
    "encoder_ffn_embed_dim",
    "encoder_attention_heads",
}
NOT_OURS = {"_name", "data", "seed", "save_dir"}  # fairseq's own; data is the positional argument


def options(*configs: type) -> dict[str, object]:
    fields = [field for config in configs for field in dataclasses.fields(config)]
    return {
        field.name: field.default
        for field in fields
        if field.name not in NOT_OURS and not str(field.default).startswith("${")
    }


def documented(*pages: str) -> dict[str, str]:
    """Option -> default, of the tables of some pages."""
    text = "\n".join((ROOT / "docs" / page).read_text(encoding="utf-8") for page in pages)
    return dict(re.findall(r"^\| `--([\w-]+)(?: \w+)?` \| ([^|]*?) \|", text, flags=re.MULTILINE))


@pytest.mark.parametrize(
    ("pages", "configs"),
    [
        (PRETRAINING, (PretrainingConfig, XlingModelConfig)),
        (("retrieval.md",), (RetrievalTaskConfig,)),
        (("finetuning.md",), (QuestionAnsweringConfig, WarmupLinearConfig, LayerwiseAdamConfig)),
    ],
)
def test_every_option_is_documented(pages: tuple[str, ...], configs: tuple[type, ...]) -> None:
    found = documented(*pages)
    for name, default in options(*configs).items():
        shown = found[name.replace("_", "-")].strip("`")
        if default is None or name in BY_ARCHITECTURE:
            continue
        if isinstance(default, bool):
            assert (shown == "off") is (not default), name
        elif isinstance(default, int | float):
            assert float(shown) == default, name
        else:
            assert shown == str(default), name


def test_no_option_is_documented_that_does_not_exist() -> None:
    known = {name.replace("_", "-") for name in options(PretrainingConfig, XlingModelConfig)}
    assert set(documented(*PRETRAINING)) <= known
