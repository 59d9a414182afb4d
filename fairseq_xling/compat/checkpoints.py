"""Checkpoints: loaded without arbitrary unpickling, written so that a crash or a full disk never costs the last one."""

from __future__ import annotations

import argparse
import collections
import contextlib
import os
import shutil
import typing
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import omegaconf
import omegaconf.base
import torch
from fairseq import checkpoint_utils
from fairseq.distributed import utils as distributed_utils
from fairseq.file_io import PathManager
from fairseq.logging import meters
from fairseq.optim import FairseqOptimizer

from ..errors import UserError, unreadable_checkpoint
from ._replace import replace
from .user_errors import OTHER_PARAMETERS

# Plain data of fairseq's own checkpoints: options of the command line, options as omegaconf (rank 0 broadcasts them to
# the others with torch.save/torch.load when a distributed run resumes), meters of old published models under both
# names their module has had.
_METERS = (meters.AverageMeter, meters.TimeMeter, meters.StopwatchMeter)
_SAFE: tuple[Any, ...] = (
    argparse.Namespace,
    omegaconf.DictConfig,
    omegaconf.ListConfig,
    omegaconf.nodes.AnyNode,
    omegaconf.base.ContainerMetadata,
    omegaconf.base.Metadata,
    typing.Any,
    collections.defaultdict,
    dict,
    list,
    int,
    distributed_utils._TensorPlaceholder,
    *_METERS,
    *((meter, f"fairseq.meters.{meter.__name__}") for meter in _METERS),
)


def safe_loading() -> None:
    """torch >= 2.6 loads tensors and an allow-list only; extend the list, and leave ``weights_only`` on."""
    torch.serialization.add_safe_globals(list(_SAFE))


@contextlib.contextmanager
def _replacing(path: str) -> Iterator[BinaryIO]:
    """Open ``path + ".tmp"``; flush it to the disk and rename it to ``path`` at the end, delete it on any error."""
    temporary = f"{path}.tmp"
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(temporary)
        raise


def _disk_error(error: BaseException) -> OSError | None:
    """The OSError behind ``error``: torch's writer reports a failed write as a RuntimeError of its own."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, OSError):
        seen = seen.__cause__ or seen.__context__
    return seen


def atomic_save() -> None:
    """A checkpoint that cannot be written must not be retried into the same, partly written file.

    fairseq calls ``torch.save`` up to three times on one open file without going back to its start, and leaves the
    ``.tmp`` file behind when the disk is full. Here the file is written once, complete on the disk before it gets its
    name; a failure leaves the previous checkpoint alone and raises the OSError with the name of the file.
    """

    def build(original: Callable[..., Any]) -> Callable[..., Any]:
        def torch_persistent_save(obj: Any, filename: str, async_write: bool = False) -> None:
            if async_write or not PathManager.supports_rename(filename):
                return original(obj, filename, async_write)
            try:
                with _replacing(filename) as file:
                    torch.save(obj, file)
            except (OSError, RuntimeError) as error:
                cause = _disk_error(error)
                if cause is None:
                    raise
                raise OSError(cause.errno, cause.strerror, filename) from error

        return torch_persistent_save

    replace(checkpoint_utils, "torch_persistent_save", build)


def atomic_copy() -> None:
    """fairseq writes one checkpoint and copies it over ``checkpoint_last.pt`` and ``checkpoint_best.pt`` in place.

    A run killed in the middle of such a copy has lost its last checkpoint. Copy to a temporary name, then rename.
    """

    def build(original: Callable[..., Any]) -> Callable[..., Any]:
        def copy(src_path: str, dst_path: str, overwrite: bool = False) -> Any:
            if any(PathManager.path_requires_pathmanager(path) for path in (src_path, dst_path)):
                return original(src_path, dst_path, overwrite)
            try:
                with open(src_path, "rb") as source, _replacing(dst_path) as target:
                    shutil.copyfileobj(source, target, 1 << 20)
            except OSError as error:
                raise OSError(error.errno, error.strerror, error.filename or dst_path) from error
            return dst_path

        return copy

    replace(PathManager, "copy", build)


def _start(cfg: Any, suffix: str) -> tuple[str, str | None]:
    """The flag that names the checkpoint which a run starts from, and its path, None for none."""
    if cfg.restore_file != "checkpoint_last.pt":
        return "--restore-file", cfg.restore_file.replace(".pt", f"{suffix}.pt")
    last = os.path.join(cfg.save_dir, f"checkpoint_last{suffix}.pt")  # the default: resumes a run, if there is one
    if PathManager.exists(last):
        return "--save-dir", last
    if cfg.continue_once is not None:
        return "--continue-once", cfg.continue_once
    return "--finetune-from-model", cfg.finetune_from_model


def named_checkpoint() -> None:
    """fairseq trains from scratch, and only logs it, where the checkpoint a user names is not a file."""

    def build(original: Callable[..., Any]) -> Callable[..., Any]:
        def load_checkpoint(cfg: Any, trainer: Any, **kwargs: Any) -> Any:
            flag, path = _start(cfg, trainer.checkpoint_suffix)
            if path and not PathManager.isfile(path):
                raise UserError(f"{flag} {path}: no such checkpoint; name a .pt file")
            return original(cfg, trainer, **kwargs)

        return load_checkpoint

    replace(checkpoint_utils, "load_checkpoint", build)


def checkpoint_of_the_task() -> None:
    """fairseq loads any weights of the right sizes, and writes into any folder; only the task knows which are its own.

    It is asked before anything is loaded or written, if it has a method ``before_loading(flag, checkpoint, model, saves)``.
    """

    def build(original: Callable[..., Any]) -> Callable[..., Any]:
        def load_checkpoint(cfg: Any, trainer: Any, **kwargs: Any) -> Any:
            if hasattr(trainer.task, "before_loading"):
                flag, path = _start(cfg, trainer.checkpoint_suffix)
                trainer.task.before_loading(flag, path or None, trainer.get_model(), not cfg.no_save)
            return original(cfg, trainer, **kwargs)

        return load_checkpoint

    replace(checkpoint_utils, "load_checkpoint", build)


def readable_checkpoint() -> None:
    """A damaged checkpoint leads the unpickler into errors of any class; name the file."""

    def build(original: Callable[..., Any]) -> Callable[..., Any]:
        def load_checkpoint_to_cpu(path: str, *args: Any, **kwargs: Any) -> Any:
            try:
                return original(path, *args, **kwargs)
            except (UserError, MemoryError):
                raise
            except Exception as error:
                raise unreadable_checkpoint(path, error) from error

        return load_checkpoint_to_cpu

    replace(checkpoint_utils, "load_checkpoint_to_cpu", build)


# named_checkpoint comes after checkpoint_of_the_task, and so around it
def optimizer_of_these_parameters() -> None:
    """The optimizer's state is known by the parameters' order, and only their number is compared.

    Moments of another parameter's shape end in a crash, or in numbers without meaning.
    """

    def build(original: Callable[..., Any]) -> Callable[..., Any]:
        def load_state_dict(self: Any, state_dict: dict[str, Any], optimizer_overrides: Any = None) -> None:
            original(self, state_dict, optimizer_overrides)
            for parameter, state in self.optimizer.state.items():
                for name in ("exp_avg", "exp_avg_sq", "momentum_buffer"):
                    moments = state.get(name)
                    if moments is not None and moments.shape != parameter.shape:
                        raise UserError(OTHER_PARAMETERS)

        return load_state_dict

    replace(FairseqOptimizer, "load_state_dict", build)


SHIMS = (
    safe_loading,
    atomic_save,
    atomic_copy,
    checkpoint_of_the_task,
    named_checkpoint,
    readable_checkpoint,
    optimizer_of_these_parameters,
)
