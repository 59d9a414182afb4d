"""The error of a line that is not of its format."""

from __future__ import annotations

from ...errors import UserError

_LONGEST = 80


def shorten(text: str) -> str:
    """The text in quotation marks, white space visible as ``\\t``, cut to 80 characters."""
    return repr(text if len(text) <= _LONGEST else text[:_LONGEST] + "…")


def malformed(path: str, number: int, line: str, problem: str) -> UserError:
    """Say what is wrong with line ``number`` (counted from 1) and quote its beginning."""
    return UserError(f"{path}:{number}: {problem}; the line is {shorten(line)}")
