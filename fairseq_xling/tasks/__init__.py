"""fairseq tasks: one for every mix of objectives."""

from __future__ import annotations

from fairseq.tasks import register_task

from ..objectives import MIXES
from .xling import XlingTask, XlingTaskConfig

for _name, _objectives in MIXES.items():
    _cls = type(
        f"{_name.capitalize()}Task",
        (XlingTask,),
        {"default_objectives": _objectives, "__doc__": f"Trains {', '.join(_objectives)}."},
    )
    register_task(_name, dataclass=XlingTaskConfig)(_cls)

__all__ = ["XlingTask", "XlingTaskConfig"]
