"""Figures without a display, and how they are saved."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import UserError


def figure(title: str, x_label: str, y_label: str) -> Any:
    """Axes of a new figure that needs no display."""
    axes = _new_figure(7, 4.5).subplots()
    axes.set(title=title, xlabel=x_label, ylabel=y_label)
    axes.grid(alpha=0.3)
    return axes


def panels(titles: Sequence[str]) -> list[Any]:
    """Square axes side by side in a new figure that needs no display; `save` any of them to save all."""
    axes = _new_figure(6 * len(titles), 6).subplots(1, len(titles), squeeze=False)[0]
    for place, title in zip(axes, titles, strict=True):
        place.set_title(title)
    return list(axes)


def _new_figure(width: float, height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    new = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(new)
    return new


def save(axes: Any, path: Path) -> None:
    """Write the figure as PNG, complete or not at all.

    Raises:
        UserError: the file cannot be written.
    """
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        axes.figure.savefig(temporary, format="png", dpi=120)
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from error
    finally:
        temporary.unlink(missing_ok=True)
