"""fairseq criterions: the same weighted sum of objectives under every mix's name."""

from __future__ import annotations

from fairseq.criterions import register_criterion
from fairseq.dataclass import FairseqDataclass

from .xling import XlingCriterion


def register_mix_criterion(name: str) -> None:
    """Register the criterion of the task ``name``; it follows from the task, so the name is all there is to it."""
    cls = type(f"{name.title().replace('_', '')}Criterion", (XlingCriterion,), {})
    register_criterion(name, dataclass=FairseqDataclass)(cls)


__all__ = ["XlingCriterion", "register_mix_criterion"]
