"""Replace a function of fairseq by one that wraps it, once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

_ORIGINAL = "fairseq_xling_original"
_APPLIED = "fairseq_xling_shims"


def replace(owner: Any, name: str, build: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Set ``owner.name`` to ``build(original)``; a second call with the same shim changes nothing.

    Args:
        owner: the module or class that holds the function.
        name: the attribute.
        build: defined within the shim; takes the function found there and returns its replacement, which is given the
            name and documentation of that function.
    """
    found = getattr(owner, name)
    applied = getattr(found, _APPLIED, ())
    if build.__qualname__ in applied:
        return
    shim = functools.wraps(found)(build(found))
    setattr(shim, _ORIGINAL, found)
    setattr(shim, _APPLIED, (*applied, build.__qualname__))
    is_static = isinstance(owner, type) and isinstance(owner.__dict__.get(name), staticmethod)
    setattr(owner, name, staticmethod(shim) if is_static else shim)


def original(function: Callable[..., Any]) -> Callable[..., Any]:
    """fairseq's own function under all shims of ``function``."""
    while hasattr(function, _ORIGINAL):
        function = getattr(function, _ORIGINAL)
    return function
