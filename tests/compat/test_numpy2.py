"""NumPy 2: ``np.compat.long`` is gone, and sizes merged as ``np.int32`` are added up in 32 bits."""

import types

import numpy as np
import pytest
import torch
from fairseq.data import indexed_dataset, language_pair_dataset, token_block_dataset

from fairseq_xling.compat import numpy2
from fairseq_xling.compat._replace import original


class NumpyWithoutCompat(types.ModuleType):
    """NumPy as version 2 has it, whatever version is installed."""

    def __getattr__(self, name):
        if name == "compat":
            raise AttributeError(name)
        return getattr(np, name)


def test_data_sets_work_without_np_compat(monkeypatch):
    def build():
        sizes = torch.tensor([3, 4])
        return token_block_dataset.TokenBlockDataset._build_slice_indices(sizes, "eos", 0, None)[1].tolist()

    bare = NumpyWithoutCompat("numpy")
    for module in (token_block_dataset, language_pair_dataset):
        monkeypatch.setattr(module, "np", bare)
    with pytest.raises(AttributeError, match="compat"):
        build()
    monkeypatch.setattr(numpy2, "np", bare)
    numpy2.compat_long()
    assert build() == [[0, 0, 0], [1, 0, 1]]
    assert language_pair_dataset.np.compat.long is int
    assert not hasattr(bare, "compat"), "only the view has the old name"


def merged_sizes(folder, merge):
    """The sizes a builder holds after it merged a part with one item of 2 ** 30 tokens (never written) three times."""
    part = folder / "part"
    part.with_suffix(".bin").touch()
    with indexed_dataset.MMapIndexedDataset.Index.writer(str(part.with_suffix(".idx")), np.uint16) as index:
        index.write([2**30])
    builder = indexed_dataset.MMapIndexedDatasetBuilder(str(folder / "all.bin"), dtype=np.uint16)
    for _ in range(3):
        merge(builder, str(part))
    return builder, builder._sizes


def test_merged_sizes_are_python_integers(tmp_path):
    shimmed = indexed_dataset.MMapIndexedDatasetBuilder.merge_file_
    _, sizes = merged_sizes(tmp_path, original(shimmed))
    assert all(isinstance(size, np.int32) for size in sizes)  # what overflows in NumPy 2

    builder, sizes = merged_sizes(tmp_path, shimmed)
    assert all(type(size) is int for size in sizes)
    builder.finalize(str(tmp_path / "all.idx"))
    index = indexed_dataset.MMapIndexedDataset.Index(str(tmp_path / "all.idx"))
    assert index._pointers.tolist() == [0, 2**31, 2**32]


def test_merging_copies_the_tokens(tmp_path):
    for name, tokens in (("a", [5, 6]), ("b", [7])):
        builder = indexed_dataset.MMapIndexedDatasetBuilder(str(tmp_path / f"{name}.bin"), dtype=np.uint16)
        builder.add_item(torch.tensor(tokens))
        builder.finalize(str(tmp_path / f"{name}.idx"))
    builder = indexed_dataset.MMapIndexedDatasetBuilder(str(tmp_path / "all.bin"), dtype=np.uint16)
    for name in "ab":
        builder.merge_file_(str(tmp_path / name))
    builder.finalize(str(tmp_path / "all.idx"))
    data = indexed_dataset.MMapIndexedDataset(str(tmp_path / "all"))
    assert [data[i].tolist() for i in range(2)] == [[5, 6], [7]]
