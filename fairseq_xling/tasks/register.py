"""Registration of a mix of objectives as a fairseq task and criterion with the objectives' options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, fields, is_dataclass, make_dataclass
from typing import Any

from fairseq.criterions import CRITERION_REGISTRY
from fairseq.dataclass.configs import FairseqConfig
from fairseq.tasks import TASK_REGISTRY, register_task

from ..criterions import register_mix_criterion
from ..models import XlingModelConfig
from ..objectives import OBJECTIVES, Objective
from .xling import MixConfig, XlingTask

# options that are fairseq's, of the model or of every task; on the command line all are in one namespace
_SECTIONS: tuple[Any, ...] = (
    *(section.default for section in fields(FairseqConfig)),
    XlingModelConfig,
    MixConfig,
)
_RESERVED: dict[str, type] = {
    option.name: section
    for section in _SECTIONS
    if isinstance(section, type) and is_dataclass(section)
    for option in fields(section)
    if option.name != "_name"
}


def register_objective(
    cls: type[Objective], mix: Sequence[str] | None = None, defaults: Mapping[str, Any] | None = None
) -> type[Objective]:
    """Make an objective known: ``--task <name>`` trains it, and ``--objectives`` may name it there.

    Args:
        cls: the objective; what it needs of others' options it has through its ``config``.
        mix: objectives that the task trains by default (default: this one alone).
        defaults: option -> default in this task, where it is not that of the others.

    Returns:
        the class, so that this can be a decorator.

    Raises:
        ValueError: the name is taken, or an option is another's.
    """
    if not getattr(cls, "name", None):
        raise ValueError(f"{cls.__qualname__} has no name")
    if cls.name in OBJECTIVES:
        raise ValueError(f"there is an objective {cls.name!r} already: {OBJECTIVES[cls.name].__qualname__}")
    if cls.name in TASK_REGISTRY or cls.name in CRITERION_REGISTRY:
        raise ValueError(f"{cls.__qualname__}: fairseq has a task or criterion {cls.name!r}; choose another name")
    OBJECTIVES[cls.name] = cls
    try:
        register_mix(cls.name, tuple(mix or (cls.name,)), defaults or {})
    except ValueError:
        del OBJECTIVES[cls.name]
        raise
    return cls


def register_mix(name: str, objectives: Sequence[str], defaults: Mapping[str, Any]) -> None:
    """Register the task and the criterion ``name``; the task has the options of all objectives that are known by now."""
    config = _config(name, defaults)
    task = type(
        f"{name.title().replace('_', '')}Task",
        (XlingTask,),
        {"default_objectives": tuple(objectives), "__doc__": f"Trains {', '.join(objectives)}."},
    )
    register_task(name, dataclass=config)(task)
    register_mix_criterion(name)


def _config(name: str, defaults: Mapping[str, Any]) -> type[MixConfig]:
    """The options of a task: its own, and those of every objective, each once."""
    owners: dict[str, type] = dict(_RESERVED)
    configs = list(dict.fromkeys(objective.config for objective in OBJECTIVES.values()))
    for config in configs:
        for option in fields(config):
            owner = next(cls for cls in reversed(config.__mro__) if option.name in getattr(cls, "__annotations__", {}))
            if owners.setdefault(option.name, owner) is not owner:
                raise ValueError(
                    f"the option {option.name} is of both {owners[option.name].__name__} and {owner.__name__}: name one of them otherwise"
                )
    # a class may not come before one that is derived from it
    bases = [one for one in configs if not any(other is not one and issubclass(other, one) for other in configs)]
    own = [
        (option.name, option.type, field(default=defaults[option.name], metadata=option.metadata))
        for config in (*bases, MixConfig)
        for option in fields(config)
        if option.name in defaults
    ]
    changed = list({entry[0]: entry for entry in own}.values())
    return make_dataclass(f"{name.title().replace('_', '')}TaskConfig", changed, bases=(*bases, MixConfig))
