"""The XLM-R encoder as a registered fairseq model."""

from .config import XlingModelConfig
from .encoder import EncoderInput
from .xling import XlingModel

__all__ = ["EncoderInput", "XlingModel", "XlingModelConfig"]
