"""Shims that fairseq 0.12.3 needs on current PyTorch and NumPy, on the CPU, in bf16, and to keep a long run safe.

One small shim per cause. Each states its cause, touches only what the cause needs, does nothing where the cause is
absent, can be applied twice, and has a test in ``tests/compat`` that fails without it. fairseq itself stays unmodified.
"""

from __future__ import annotations

from .quiet import keep_root_logger, quiet


def apply() -> None:
    """Apply every shim; called once, when the plugin is imported."""
    quiet()
    with keep_root_logger():
        from . import adam, checkpoints, distributed, numpy2, precision, training, user_errors

        for theme in (numpy2, checkpoints, distributed, precision, training, adam, user_errors):
            for shim in theme.SHIMS:
                shim()
