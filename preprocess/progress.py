"""Progress bars, silent unless stderr is a terminal."""

from __future__ import annotations

import os
from collections.abc import Sequence

from tqdm import tqdm


def bar(description: str, paths: Sequence[str], passes: int = 1) -> tqdm:
    """A bar whose total is the size on disk of ``paths``, read ``passes`` times; a missing file counts 0."""
    total = passes * sum(os.path.getsize(path) for path in paths if os.path.isfile(path))
    return tqdm(total=total, desc=description, unit="B", unit_scale=True, unit_divisor=1024, disable=None)


def steps(description: str, total: int) -> tqdm:
    """A bar over ``total`` parts of the work."""
    return tqdm(total=total, desc=description, disable=None)
