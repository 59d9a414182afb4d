"""The forked training runs of tests/training, for fine-tuning."""

from tests.training.conftest import data_bin, ranks, start, train

__all__ = ["data_bin", "ranks", "start", "train"]
