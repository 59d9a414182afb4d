"""The error a user caused and can mend; one class for both halves of the project."""

from __future__ import annotations

from fairseq_xling_preprocess.errors import UserError

__all__ = ["UserError"]
