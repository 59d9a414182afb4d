"""The pre-training objectives and the mixes that are registered as fairseq tasks and criterions."""

from __future__ import annotations

from .base import Objective
from .btmlm import Btmlm
from .camlm import Camlm
from .mmlm import Mmlm
from .object_entailment import ObjectEntailment
from .tlm import Tlm
from .weam import Weam
from .word_alignment import WordAlignment
from .xlmk_entity import XlmkEntity

OBJECTIVES: dict[str, type[Objective]] = {
    cls.name: cls for cls in (Mmlm, Tlm, Camlm, Btmlm, Weam, WordAlignment, XlmkEntity, ObjectEntailment)
}

# task and criterion name -> the objectives it mixes by default
MIXES: dict[str, tuple[str, ...]] = {
    "mmlm": ("mmlm",),
    "tlm": ("mmlm", "tlm"),
    "camlm": ("mmlm", "tlm", "camlm"),
    "btmlm": ("mmlm", "tlm", "camlm", "btmlm"),
    "weam": ("weam",),
    "word_alignment": ("word_alignment",),
    "xlmk_entity": ("mmlm", "xlmk_entity"),
    "object_entailment": ("mmlm", "object_entailment"),
    "xlmk": ("mmlm", "xlmk_entity", "object_entailment"),
}

# task -> options whose default is not that of the others (WEAM, sections 2.2 and 3.1; XLM-K, section 4.1)
DEFAULTS: dict[str, dict[str, object]] = {
    "weam": {"mask_prob": 0.3, "lang_embedding": "none", "pair_separators": 1},
    **{name: {"sampling_alpha": 0.3} for name in ("xlmk_entity", "object_entailment", "xlmk")},
}
