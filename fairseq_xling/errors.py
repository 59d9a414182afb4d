"""The error a user caused and can mend; one class for both halves of the project."""

import os
import re

from fairseq_xling_preprocess.errors import UserError

__all__ = ["UserError", "unreadable_checkpoint"]


def unreadable_checkpoint(path: str | os.PathLike[str], error: Exception) -> UserError:
    """The error for a file that cannot be read as a model."""
    text = str(error)
    # torch's message advises to give up safe loading; its reason comes later
    refused = re.search(r"WeightsUnpickler error:\s*(.+)", text)
    reason = refused[1] if refused else text.split("\n")[0]
    return UserError(
        f"{path}: not a readable checkpoint ({type(error).__name__}: {reason}); is the file complete? Copy or download it again"
    )
