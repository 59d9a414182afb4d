"""NumPy 2: a removed alias, and 32-bit arithmetic that silently overflows."""

from __future__ import annotations

import shutil
import types
from collections.abc import Callable
from typing import Any

import numpy as np
from fairseq.data import indexed_dataset, language_pair_dataset, token_block_dataset

from ._replace import replace


class _NumpyView(types.ModuleType):
    """NumPy, with the ``np.compat.long`` that NumPy 2 removed."""

    compat = types.SimpleNamespace(long=int)

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


def compat_long() -> None:
    """Two data sets of fairseq use ``np.compat.long``; only these two modules see the view, NumPy is untouched."""
    if hasattr(np, "compat"):
        return
    for module in (token_block_dataset, language_pair_dataset):
        if not isinstance(module.np, _NumpyView):
            module.np = _NumpyView("numpy")


def merge_without_overflow() -> None:
    """``fairseq-preprocess --workers N`` merges the workers' sizes as ``np.int32`` scalars.

    NumPy 2 keeps their sum in 32 bits, so the pointers in the ``.idx`` wrap around past 2 GiB of ``.bin``. Python
    integers do not. The result is the same on NumPy 1.
    """

    def build(_: Callable[..., Any]) -> Callable[..., Any]:
        def merge_file_(self: Any, another_file: str) -> None:
            index = indexed_dataset.MMapIndexedDataset.Index(indexed_dataset.index_file_path(another_file))
            assert index.dtype == self._dtype
            self._sizes.extend(index.sizes.tolist())
            with open(indexed_dataset.data_file_path(another_file), "rb") as source:
                shutil.copyfileobj(source, self._data_file)

        return merge_file_

    replace(indexed_dataset.MMapIndexedDatasetBuilder, "merge_file_", build)


SHIMS = (compat_long, merge_without_overflow)
