"""The picture and the CSV of word embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..figures import panels, save
from ..tables.csv_files import to_csv
from .pairs import WordPair
from .vectors import Array, Similarity

COLUMNS = ("checkpoint", "language", "word", "partner", "count", "x", "y", "cosine", "rank")


@dataclass(frozen=True)
class Panel:
    """A checkpoint's words.

    Attributes:
        name: of the checkpoint.
        positions: (2n, 2), all first words of the pairs, then all second ones.
    """

    name: str
    positions: Array
    similarity: Similarity

    @property
    def title(self) -> str:
        near = self.similarity
        return f"{self.name}: cosine of partners {near.cosine.mean():.2f}, of others {near.others:.2f}"


def draw_panels(
    content: Sequence[Panel], pairs: Sequence[WordPair], languages: tuple[str, str], path: Path
) -> list[str]:
    """Draw the panels side by side, a dotted line between partners (WEAM, Figure 2).

    Returns:
        The characters that no installed font has, sorted; they are drawn as boxes.

    Raises:
        UserError: the file cannot be written.
    """
    sides = [pair.first for pair in pairs], [pair.second for pair in pairs]
    fonts, missing = fonts_for({character for side in sides for word in side for character in word})
    axes = panels([panel.title for panel in content])
    for place, panel in zip(axes, content, strict=True):
        halves = panel.positions[: len(pairs)], panel.positions[len(pairs) :]
        for start, end in zip(*halves, strict=True):
            place.plot(*zip(start, end, strict=True), color="grey", linestyle=":", linewidth=1, zorder=1)
        for number, (code, points, words) in enumerate(zip(languages, halves, sides, strict=True)):
            place.scatter(points[:, 0], points[:, 1], s=12, color=f"C{number}", label=code, zorder=2)
            for word, point in zip(words, points, strict=True):
                place.annotate(
                    word,
                    point,
                    xytext=(3, 2),
                    textcoords="offset points",
                    fontsize=8,
                    color=f"C{number}",
                    family=fonts,
                    parse_math=False,
                )
        place.set(xticks=[], yticks=[])
        place.margins(0.1)
        place.legend(loc="upper right")
    save(axes[0], path)
    return missing


def fonts_for(characters: set[str]) -> tuple[list[str], list[str]]:
    """Names of installed fonts that together have the characters, the usual one first, and the characters left over."""
    from matplotlib import font_manager

    fonts = ["DejaVu Sans"]  # comes with matplotlib
    missing = characters - _characters(fonts[0])
    for name in sorted(set(font_manager.get_font_names()) - {*fonts}):
        if not missing:
            break
        # draws a box with a number for every character there is
        if not name.startswith("Last Resort") and (found := missing & _characters(name)):
            fonts.append(name)
            missing -= found
    return fonts, sorted(missing)


def _characters(font: str) -> set[str]:
    from matplotlib import font_manager

    charmap = font_manager.get_font(font_manager.findfont(font)).get_charmap()
    return {chr(code) for code in charmap}


def to_lines(panel: Panel, pairs: Sequence[WordPair], languages: tuple[str, str]) -> list[list[Any]]:
    """A line of the CSV for each word of a panel, in the order of `COLUMNS`."""
    words = [(languages[0], i, pair.first, pair.second) for i, pair in enumerate(pairs)]
    words += [(languages[1], i, pair.second, pair.first) for i, pair in enumerate(pairs)]
    return [
        [
            panel.name,
            code,
            word,
            partner,
            pairs[i].count,
            f"{x:.4f}",
            f"{y:.4f}",
            f"{panel.similarity.cosine[i]:.6f}",
            rank,
        ]
        for (code, i, word, partner), (x, y), rank in zip(words, panel.positions, panel.similarity.rank, strict=True)
    ]


def panels_csv(content: Sequence[Panel], pairs: Sequence[WordPair], languages: tuple[str, str]) -> str:
    """All panels as CSV."""
    return to_csv(COLUMNS, [line for panel in content for line in to_lines(panel, pairs, languages)])
