"""One symmetric alignment from the two directional ones (Och and Ney, 2003; Koehn, Och and Marcu, 2003).

The rules are sil-thot's, which give the same links as fast_align's ``atools``; a rule that tries links in another order,
as Moses does, gives slightly different ones.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

from ..errors import UserError
from .pharaoh import Link

HEURISTICS = ("intersect", "union", "grow-diag", "grow-diag-final", "grow-diag-final-and")


def symmetrize(
    forward: Iterable[Link], reverse: Iterable[Link], num_source: int, num_target: int, heuristic: str
) -> list[Link]:
    """Combine two directions, both given as (source, target) and within the sentences, by one of ``HEURISTICS``.

    ``grow-diag`` begins with the intersection and adds links of the union beside a link there is, also diagonally, if one
    of their words has none yet; ``final`` then adds links of forward, then of reverse, with an unaligned word,
    ``final-and`` those with both words unaligned.
    """
    if not num_source or not num_target:
        return []
    matrix_class = thot("common").WordAlignmentMatrix
    matrices = []
    for links in (forward, reverse):
        matrix = matrix_class(num_source, num_target)
        for i, j in links:
            matrix.set(i, j)
        matrices.append(matrix)
    result, other = matrices
    getattr(result, heuristic.replace("-", "_"))(other)
    rows, columns = result.to_numpy().nonzero()
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def thot(module: str) -> Any:
    """The module ``thot.<module>``. Raises UserError if the package sil-thot is not installed."""
    try:
        return importlib.import_module(f"thot.{module}")
    except ImportError as error:
        raise UserError("word alignment needs sil-thot: pip install 'fairseq_xling[align]'") from error
