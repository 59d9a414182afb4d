"""The pre-training objectives and the mixes that are registered as fairseq tasks and criterions."""

from __future__ import annotations

from .base import Objective
from .btmlm import Btmlm
from .camlm import Camlm
from .mmlm import Mmlm
from .tlm import Tlm

OBJECTIVES: dict[str, type[Objective]] = {cls.name: cls for cls in (Mmlm, Tlm, Camlm, Btmlm)}

# task and criterion name -> the objectives it mixes by default
MIXES: dict[str, tuple[str, ...]] = {
    "mmlm": ("mmlm",),
    "tlm": ("mmlm", "tlm"),
    "camlm": ("mmlm", "tlm", "camlm"),
    "btmlm": ("mmlm", "tlm", "camlm", "btmlm"),
}
