"""Ladders: the results of a recipe's rows over metrics, layers and seeds, as tables and pictures with their spread.

A report file of a recipe fills a `Ladder` from the evaluations in the recipe's folder and says which of its values make
up the lines and columns of a table or the curves of a picture. An *axis* is any key of an entry: ``row``, ``metric``,
``layer``, ``seed`` and what the recipe adds, such as the number of pairs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from fairseq_xling.evaluation.figures import figure, save
from fairseq_xling.evaluation.results import markdown_provenance, markdown_table, provenance, write_report
from fairseq_xling.evaluation.tatoeba.evaluate import CENTRED, kinds

ROOT = Path(__file__).resolve().parents[1]
RETRIEVAL = {"retrieval_acc_xx_en": "xx → en", "retrieval_acc_en_xx": "en → xx"}
CENTRED_RETRIEVAL = {f"{metric}{CENTRED}": f"{title}, centred" for metric, title in RETRIEVAL.items()}
Where = Mapping[str, Any]  # axis -> its value, or a tuple of values whose mean is taken


class Ladder:
    """Results, in ``entries`` as results.json has them: ``{"row", "metric", "layer", "seed", …, "value" (0 to 1)}``."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def add(self, row: str, metric: str, value: float, *, layer: int | None, seed: int | None, **axes: Any) -> None:
        """Add a result; ``layer`` and ``seed`` are None for what has none."""
        self.entries.append({"row": row, "metric": metric, "layer": layer, "seed": seed, **axes, "value": value})

    def add_retrieval(self, row: str, folder: Path, *, seed: int | None, **axes: Any) -> None:
        """Add what ``xling eval tatoeba`` left in a folder, at every layer.

        The metrics are ``retrieval_acc_<a>_<b>`` for each direction of a pair, and ``retrieval_acc_xx_en`` and
        ``retrieval_acc_en_xx``, averages over the pairs with English; and all of them with ``_centred``, if it was measured.
        """
        evaluation = read_results(folder)
        for entry in evaluation["rows"]:
            if entry["pair"] == "average" and entry["metric"] in RETRIEVAL | CENTRED_RETRIEVAL:
                self.add(row, entry["metric"], entry["value"], layer=entry["layer"], seed=seed, **axes)
        for test_set in evaluation["test_sets"]:
            for kind in kinds(test_set):
                for direction, values in test_set[f"accuracy{kind}"].items():
                    metric = f"retrieval_acc_{direction.replace('->', '_')}{kind}"
                    for layer, value in enumerate(values):
                        self.add(row, metric, value, layer=layer, seed=seed, **axes)

    @property
    def seeds(self) -> list[int]:
        """Seeds of the entries, in order."""
        return sorted({entry["seed"] for entry in self.entries} - {None})

    def values(self, **where: Any) -> list[float]:
        """Values of the entries with these axes, one for each run (seed, and ``tuning_seed`` of a fine-tuning).

        ``values(row="tlm", layer=3, metric=("retrieval_acc_xx_en", "retrieval_acc_en_xx"))`` are the means over both
        directions.

        Raises:
            ValueError: the axes fit several values of a run, for instance those of all layers.
        """
        wanted = {axis: value if isinstance(value, tuple) else (value,) for axis, value in where.items()}
        runs: dict[Any, list[float]] = {}
        for entry in self.entries:
            if all(entry.get(axis) in values for axis, values in wanted.items()):
                runs.setdefault((entry["seed"], entry.get("tuning_seed")), []).append(entry["value"])
        if any(len(found) > math.prod(map(len, wanted.values())) for found in runs.values()):
            raise ValueError(f"{where} fits several values of a run; give more axes")
        return [mean(found) for found in runs.values()]

    def cell(self, **where: Any) -> str:
        """Mean of the runs in per cent, with the standard deviation if there are several; a dash if there is none."""
        values = [100 * value for value in self.values(**where)]
        if not values:
            return "–"
        return f"{mean(values):.1f}" + (f" ± {stdev(values):.1f}" if len(values) > 1 else "")

    def spread(self) -> str:
        """Words for what the cells are: ``mean ± standard deviation of 3 seeds (1, 2, 3)`` or ``one seed (1)``."""
        names = ", ".join(map(str, self.seeds))
        return (
            f"mean ± standard deviation of {len(self.seeds)} seeds ({names})"
            if self._several
            else f"one seed ({names})"
        )

    @property
    def _several(self) -> bool:
        return len(self.seeds) > 1

    def table(
        self,
        corner: str,
        lines: Mapping[str, Where],
        columns: Mapping[str, Where],
        *,
        texts: Mapping[str, Sequence[str]] | None = None,
        **where: Any,
    ) -> str:
        """A Markdown table in per cent.

        Args:
            corner: heading of the first column.
            lines: title of each line, and its axes.
            columns: heading of each column, and its axes.
            texts: heading of each further column, and its cells.
            where: axes of all cells.
        """
        texts = texts or {}
        body = [
            [title, *(self.cell(**where, **line, **column) for column in columns.values()), *further]
            for (title, line), *further in zip(lines.items(), *texts.values(), strict=True)
        ]
        return markdown_table([corner, *columns, *texts], body)

    def picture(
        self,
        path: Path,
        title: str,
        curves: Mapping[str, Where],
        *,
        axis: str = "layer",
        label: str = "layer (0: embeddings)",
        logarithmic: bool = False,
        **where: Any,
    ) -> str:
        """Draw means in per cent over an axis; bars are standard deviations over the runs.

        Args:
            path: PNG file beside the report.
            title: heading of the picture.
            curves: name of each curve, and its axes.
            axis: axis of numbers to draw over.
            label: what stands below the picture.
            logarithmic: whether this axis is logarithmic; its numbers are positive then.
            where: axes of all points.

        Returns:
            Markdown that shows it.
        """
        axes = figure(title, label, "per cent")
        ticks: set[float] = set()
        for name, curve in curves.items():
            points = {
                point: [100 * value for value in values]
                for point in sorted({entry[axis] for entry in self.entries if entry.get(axis) is not None})
                if (values := self.values(**where, **curve, **{axis: point}))
            }
            bars = [stdev(values) if len(values) > 1 else 0 for values in points.values()]
            means = [mean(values) for values in points.values()]
            axes.errorbar(list(points), means, yerr=bars if any(bars) else None, marker="o", capsize=3, label=name)
            ticks |= points.keys()
        if logarithmic:
            axes.set_xscale("log")
            axes.minorticks_off()
        axes.set_xticks(sorted(ticks), [f"{tick:,}" for tick in sorted(ticks)])
        axes.legend()
        save(axes, path)
        note = "\n\nBars: one standard deviation over the seeds, up and down." if self._several else ""
        return f"![{title}]({path.name}){note}"

    def write(self, out: Path, recipe: str, parts: Sequence[str], *, data: Iterable[Path] = (), **more: Any) -> None:
        """Write results.json and report.md of a recipe, with what they were made with.

        Args:
            out: the recipe's folder, with its commands.sh.
            recipe: its name.
            parts: Markdown of the report; versions and commands are put after them.
            data: files the numbers depend on.
            more: further keys of results.json.

        Raises:
            UserError: the folder cannot be written.
        """
        seed = None if self._several else self.seeds[0]
        about = provenance(data=data, seed=seed)
        results = {"recipe": recipe, **about, **more, "seeds": self.seeds, "rows": self.entries}
        commands = f"<details><summary>Commands</summary>\n\n```bash\n{_commands(out)}\n```\n\n</details>"
        write_report(out, results, "\n\n".join([*parts, "## Made with", markdown_provenance(results), commands]))


def read_results(folder: Path) -> dict[str, Any]:
    """The results.json of an evaluation."""
    results: dict[str, Any] = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return results


def _commands(out: Path) -> str:
    """Commands that the recipe ran, each once; paths from the repository, the output folder as $OUT."""
    text = (out / "commands.sh").read_text(encoding="utf-8").replace(str(out), "$OUT").replace(f"{ROOT}/", "")
    return "\n".join(dict.fromkeys(text.splitlines()))
