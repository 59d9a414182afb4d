"""How objectives become tasks: names and options, each once."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, make_dataclass
from typing import Any

import pytest
from fairseq.dataclass import FairseqDataclass
from fairseq.tasks import TASK_DATACLASS_REGISTRY, TASK_REGISTRY

from fairseq_xling import register_objective
from fairseq_xling.errors import UserError
from fairseq_xling.objectives import DEFAULTS, MIXES, OBJECTIVES
from fairseq_xling.objectives.mmlm import Mmlm, MmlmConfig
from fairseq_xling.objectives.terms import Term
from fairseq_xling.tasks import XlingTask
from tests.helpers import make_task, random_sentences, write_data_bin


@dataclass
class OwnConfig(MmlmConfig):
    own_option: float = field(default=0.5, metadata={"help": "an option of its own"})


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The objectives and tasks are as they were after the test."""
    for registry in (OBJECTIVES, TASK_REGISTRY, TASK_DATACLASS_REGISTRY):
        for name in registry:
            monkeypatch.setitem(registry, name, registry[name])
    before = set(OBJECTIVES)
    yield
    for name in set(OBJECTIVES) - before:
        del OBJECTIVES[name]


def objective(name: str, config: type[Any]) -> type[Mmlm]:
    return type(name.title(), (Mmlm,), {"name": name, "config": config})


def test_every_task_has_the_options_of_all_objectives():
    options = {option.name for cls in OBJECTIVES.values() for option in fields(cls.config)}
    for name in MIXES:
        assert options <= {option.name for option in fields(TASK_DATACLASS_REGISTRY[name])}
        assert issubclass(TASK_REGISTRY[name], XlingTask)


@pytest.mark.parametrize("name", list(DEFAULTS))
def test_a_task_has_its_own_defaults(name):
    own = TASK_DATACLASS_REGISTRY[name]()
    others = TASK_DATACLASS_REGISTRY["mmlm"]()
    for option, value in DEFAULTS[name].items():
        assert str(getattr(own, option)) == str(value) != str(getattr(others, option))


def test_a_new_objective(known, tmp_path):
    register_objective(objective("fresh_one", OwnConfig), mix=("mmlm", "fresh_one"), defaults={"own_option": 0.25})
    data = write_data_bin(tmp_path, {"en": random_sentences(4)})
    task = make_task(data, "fresh_one")
    assert list(task.objectives) == ["mmlm", "fresh_one"]
    assert task.cfg.own_option == 0.25
    with pytest.raises(
        UserError, match=r"--objectives: 'fresh_one' has options \(own_option\) that this task does not know"
    ):
        make_task(data, "mmlm", objectives="fresh_one")


def test_a_name_is_given_once(known):
    with pytest.raises(ValueError, match="there is an objective 'mmlm' already: Mmlm"):
        register_objective(objective("mmlm", MmlmConfig))


@pytest.mark.parametrize("option", ["seed", "lr", "dropout", "max_positions", "objectives"])
def test_an_option_is_not_one_of_fairseq_the_model_or_the_task(known, option):
    """On the command line all options are in one namespace: one would set the other."""
    config = make_dataclass("Other", [(option, float, field(default=0.5))], bases=(FairseqDataclass,))
    with pytest.raises(ValueError, match=rf"the option {option} is of both \w+ and Other"):
        register_objective(objective("third_one", config))


@pytest.mark.parametrize(("name", "message"), [("masked_lm", "fairseq has a task or criterion"), ("", "has no name")])
def test_a_name_that_cannot_be(known, name, message):
    with pytest.raises(ValueError, match=message):
        register_objective(objective(name, MmlmConfig))


def test_terms_have_names_of_their_own(known, tmp_path):
    """The figures of one would overwrite the other's."""
    cls = objective("fourth_one", OwnConfig)
    cls.terms = property(lambda self: (Term("mmlm_en"),))
    register_objective(cls)
    data = write_data_bin(tmp_path, {"en": random_sentences(4)})
    with pytest.raises(ValueError, match="the objectives mmlm and fourth_one both have a term 'mmlm_en': rename one"):
        make_task(data, "fourth_one", objectives="mmlm,fourth_one")


def test_an_option_is_of_one_objective(known):
    """Options that objectives share come from one class; two of the same name could have two defaults."""
    other = make_dataclass("Other", [("mask_prob", float, field(default=0.5))], bases=(FairseqDataclass,))
    with pytest.raises(ValueError, match="the option mask_prob is of both MaskingConfig and Other"):
        register_objective(objective("second_one", other))
    assert "second_one" not in OBJECTIVES
