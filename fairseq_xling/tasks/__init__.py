"""fairseq tasks: one for every mix of objectives."""

from __future__ import annotations

from ..objectives import DEFAULTS, MIXES
from .register import register_mix, register_objective
from .xling import MixConfig, XlingTask

for _name, _objectives in MIXES.items():
    register_mix(_name, _objectives, DEFAULTS.get(_name, {}))

__all__ = ["MixConfig", "XlingTask", "register_objective"]
