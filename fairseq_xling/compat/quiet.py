"""Silence only what fairseq itself provokes and a user cannot act on."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator

_PROVOKED: tuple[tuple[str, type[Warning]], ...] = (
    (r"hydra\.experimental\.", UserWarning),
    (r"\s*The version_base parameter is not specified", UserWarning),
    (r"In '.*': Usage of deprecated keyword in package header", UserWarning),
    (r"\s*'.*' is validated against ConfigStore schema with the same name", UserWarning),
    (r"\s*The strict flag in the compose API is deprecated", UserWarning),
    (r"\s*Future Hydra versions will no longer change working directory", UserWarning),
    (r"'pin_memory' argument is set as true but no accelerator", UserWarning),
    (r"`broadcast_buffers` is deprecated", FutureWarning),
    (r"`torch\.cuda\.amp\.(autocast|GradScaler)\(args\.\.\.\)` is deprecated", FutureWarning),
)


def quiet() -> None:
    """Ignore the warnings listed above, each by its own text; all others stay visible."""
    for message, category in _PROVOKED:
        warnings.filterwarnings("ignore", message=message, category=category)


@contextlib.contextmanager
def keep_root_logger() -> Iterator[None]:
    """``import fairseq`` sets the root logger to DEBUG in a program that has not configured it; undo that.

    In fairseq's own commands, which configure logging before they import plugins, nothing changes.
    """
    # says on import that tensorboardX is missing, which only its own speech task would use
    logging.getLogger("fairseq.tasks.text_to_speech").setLevel(logging.WARNING)
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    try:
        yield
    finally:
        root.setLevel(level)
        for handler in [handler for handler in root.handlers if handler not in handlers]:
            root.removeHandler(handler)
