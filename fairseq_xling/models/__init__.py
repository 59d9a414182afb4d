"""The XLM-R encoder as a registered fairseq model."""

from .config import XlingModelConfig
from .xling import XlingModel

__all__ = ["XlingModel", "XlingModelConfig"]
