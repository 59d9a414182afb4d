"""fairseq tasks: one for every mix of objectives."""

from __future__ import annotations

from dataclasses import field, fields, make_dataclass

from fairseq.tasks import register_task

from ..objectives import DEFAULTS, MIXES
from .xling import XlingTask, XlingTaskConfig


def _config(name: str) -> type[XlingTaskConfig]:
    """The options of a task, with its own defaults."""
    own = DEFAULTS.get(name, {})
    changed = [
        (option.name, option.type, field(default=own[option.name], metadata=option.metadata))
        for option in fields(XlingTaskConfig)
        if option.name in own
    ]
    return (
        make_dataclass(f"{name.capitalize()}TaskConfig", changed, bases=(XlingTaskConfig,)) if own else XlingTaskConfig
    )


for _name, _objectives in MIXES.items():
    _cls = type(
        f"{_name.capitalize()}Task",
        (XlingTask,),
        {"default_objectives": _objectives, "__doc__": f"Trains {', '.join(_objectives)}."},
    )
    register_task(_name, dataclass=_config(_name))(_cls)

__all__ = ["XlingTask", "XlingTaskConfig"]
