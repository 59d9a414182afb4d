"""The ``--device`` of an evaluation."""

from __future__ import annotations

import torch

from ..errors import UserError


def choose_device(device: str, fp16: bool = False) -> str:
    """``cpu`` or ``cuda`` for ``auto``, ``cpu`` or ``cuda``.

    Raises:
        UserError: there is no CUDA device, or ``--fp16`` is to run without one.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: no CUDA device is visible; use --device cpu")
    if fp16 and device == "cpu":
        raise UserError("--fp16 needs CUDA; leave it out on the CPU")
    return device
