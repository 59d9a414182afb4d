"""One symmetric alignment from the two directional ones (Och and Ney, 2003; Koehn, Och and Marcu, 2003).

The rules and the order in which links are tried are those of fast_align's ``atools``: a different order gives slightly
different links.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .pharaoh import Link

_NEIGHBOURS = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]


class _Growing:
    """Links that are added one by one, with the words they touch."""

    def __init__(self, links: Iterable[Link]) -> None:
        self.links: set[Link] = set()
        self.sources: set[int] = set()
        self.targets: set[int] = set()
        for link in links:
            self.add(link)

    def add(self, link: Link) -> None:
        self.links.add(link)
        self.sources.add(link[0])
        self.targets.add(link[1])

    def grow_diag(self, union: Iterable[Link]) -> None:
        """Add links of the union beside (also diagonally) a link there is, if one of their words has none yet."""
        candidates = sorted(set(union) - self.links)
        growing = True
        while growing:
            growing = False
            for i, j in candidates:
                if (i not in self.sources or j not in self.targets) and any(
                    (i + di, j + dj) in self.links for di, dj in _NEIGHBOURS
                ):
                    self.add((i, j))
                    growing = True
            candidates = [link for link in candidates if link not in self.links]

    def final(self, links: Iterable[Link], both: bool) -> None:
        """Add links of one direction with an unaligned word, or with ``both`` words unaligned."""
        for i, j in sorted(set(links) - self.links):
            free = (i not in self.sources) + (j not in self.targets)
            if free == 2 or (free and not both):
                self.add((i, j))


def _intersect(forward: set[Link], reverse: set[Link]) -> set[Link]:
    return forward & reverse


def _union(forward: set[Link], reverse: set[Link]) -> set[Link]:
    return forward | reverse


def _grow_diag(forward: set[Link], reverse: set[Link]) -> set[Link]:
    growing = _Growing(forward & reverse)
    growing.grow_diag(forward | reverse)
    return growing.links


def _grow_diag_final(forward: set[Link], reverse: set[Link], both: bool = False) -> set[Link]:
    growing = _Growing(forward & reverse)
    growing.grow_diag(forward | reverse)
    growing.final(forward, both)
    growing.final(reverse, both)
    return growing.links


def _grow_diag_final_and(forward: set[Link], reverse: set[Link]) -> set[Link]:
    return _grow_diag_final(forward, reverse, both=True)


HEURISTICS: dict[str, Callable[[set[Link], set[Link]], set[Link]]] = {
    "intersect": _intersect,
    "union": _union,
    "grow-diag": _grow_diag,
    "grow-diag-final": _grow_diag_final,
    "grow-diag-final-and": _grow_diag_final_and,
}


def symmetrize(forward: Iterable[Link], reverse: Iterable[Link], heuristic: str) -> set[Link]:
    """Combine two directions, both given as (source, target), by one of ``HEURISTICS``."""
    return HEURISTICS[heuristic](set(forward), set(reverse))
