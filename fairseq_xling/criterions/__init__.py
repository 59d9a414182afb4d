"""fairseq criterions: the same weighted sum of objectives under every mix's name."""

from __future__ import annotations

from fairseq.criterions import register_criterion
from fairseq.dataclass import FairseqDataclass

from ..objectives import MIXES
from .xling import XlingCriterion

for _name in MIXES:
    register_criterion(_name, dataclass=FairseqDataclass)(type(f"{_name.capitalize()}Criterion", (XlingCriterion,), {}))

__all__ = ["XlingCriterion"]
