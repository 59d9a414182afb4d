"""Errors a user can mend end a run with one line on stderr and exit code 2, without a traceback."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from fairseq.distributed import utils as distributed_utils
from torch.multiprocessing import ProcessExitedException

from ..errors import UserError
from ._replace import replace

EXIT_CODE = 2
_PLACE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST}
_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
OTHER_PARAMETERS = (
    "the checkpoint in --save-dir was trained with other parameters (--objectives, --weam-lambda, --lang-embedding, --arch or another option "
    "of the task), so its optimizer does not fit; give the former options, or start from its weights: --finetune-from-model FILE with a "
    "new --save-dir"
)


def _user_error(error: BaseException | None) -> UserError | None:
    """``error`` or what it hides: fairseq answers any error in a checkpoint with "Cannot load model parameters"."""
    while error is not None and not isinstance(error, UserError):
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return error


def _message(error: Exception, save_dir: str) -> str | None:
    """The message for the user, or None if ``error`` is not theirs."""
    user_error = _user_error(error)
    if user_error is not None:
        # torch raises an error of a loading process again, of the same type, with the whole traceback as its message
        return str(user_error).rpartition(f"{type(user_error).__name__}: ")[2].strip()
    if isinstance(error, AssertionError) and "--max-tokens or --batch-size" in str(error):
        return "the size of a batch is missing; give --max-tokens (for example 4096) or --batch-size"
    if isinstance(error, ValueError) and str(error).startswith("Seed must be between"):
        return "--seed: it must be a number from 0 to 4294967295"
    if isinstance(error, ValueError) and "doesn't match the size of optimizer's group" in str(error):
        return OTHER_PARAMETERS
    if not isinstance(error, OSError) or error.errno not in _PLACE | _SPACE:
        return None
    path = os.fspath(error.filename) if isinstance(error.filename, (str, os.PathLike)) else None
    in_save_dir = path is not None and f"{os.path.abspath(path)}/".startswith(f"{os.path.abspath(save_dir)}/")
    if error.errno in _SPACE:
        return f"cannot write {path or save_dir}: {error.strerror}; free some space or choose another --save-dir"
    if in_save_dir or (path is not None and os.path.abspath(save_dir).startswith(f"{os.path.abspath(path)}/")):
        return f"cannot write --save-dir {save_dir}: {error.strerror} ({path})"
    return None


@contextlib.contextmanager
def exit_on_user_error(save_dir: str) -> Iterator[None]:
    """Turn an error of the user's within the block into one line on stderr and ``SystemExit(2)``."""
    try:
        yield
    except ProcessExitedException as error:  # a process fairseq started has reported it already
        if error.exit_code != EXIT_CODE:
            raise
        raise SystemExit(EXIT_CODE) from None
    except Exception as error:
        message = _message(error, save_dir)
        if message is None:
            raise
        sys.stdout.flush()
        print(f"{os.path.basename(sys.argv[0]) or 'fairseq'}: error: {message}", file=sys.stderr, flush=True)
        raise SystemExit(EXIT_CODE) from None


def guarded_main(main: Callable[..., Any], cfg: Any, **kwargs: Any) -> Any:
    """Call ``main`` under ``exit_on_user_error``; at module level so that fairseq can hand it to its processes."""
    with exit_on_user_error(cfg.checkpoint.save_dir):
        return main(cfg, **kwargs)


def exit_code_2() -> None:
    """fairseq ends every error with a traceback and exit code 1."""

    def build(original: Callable[..., Any]) -> Callable[..., Any]:
        def call_main(cfg: Any, main: Callable[..., Any], **kwargs: Any) -> Any:
            with exit_on_user_error(cfg.checkpoint.save_dir):
                return original(cfg, functools.partial(guarded_main, main), **kwargs)

        return call_main

    replace(distributed_utils, "call_main", build)


SHIMS = (exit_code_2,)
