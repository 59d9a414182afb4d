"""Optimizers and schedules; importing the package registers them with fairseq."""

from .layerwise_adam import LayerwiseAdam, LayerwiseAdamConfig
from .warmup_linear import EpochLength, WarmupLinear, WarmupLinearConfig

__all__ = ["EpochLength", "LayerwiseAdam", "LayerwiseAdamConfig", "WarmupLinear", "WarmupLinearConfig"]
