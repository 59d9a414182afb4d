"""Optimizers; importing the package registers them with fairseq."""

from .layerwise_adam import LayerwiseAdam, LayerwiseAdamConfig

__all__ = ["LayerwiseAdam", "LayerwiseAdamConfig"]
