"""Report of recipes/mini/btmlm.sh: what each row restores of held-out pairs, at one number of pairs and over several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from recipes.ladder import CENTRED_RETRIEVAL, RETRIEVAL, Ladder, read_results

TITLES = {
    "mmlm": "MMLM",
    "tlm": "+ TLM",
    "tlm_camlm": "+ TLM + CAMLM",
    "control": "+ TLM + CAMLM, a third more updates",
    "btmlm": "+ TLM + CAMLM + BTMLM",
}
OBJECTIVES = ("tlm", "camlm")


@click.command()
@click.option("--out", required=True, type=click.Path(exists=True, path_type=Path), help="The recipe's folder.")
@click.option("--rows", required=True, help="Rows at --pairs, separated by spaces.")
@click.option("--pairs", required=True, type=int, help="Number of pairs of the table.")
@click.option("--seeds", required=True, help="Seeds of the table, separated by spaces.")
@click.option("--curve-rows", required=True, help="Rows of the curve, separated by spaces.")
@click.option("--curve", required=True, help="Other numbers of pairs, separated by spaces.")
@click.option("--curve-seeds", required=True, help="Seeds of the curve, separated by spaces.")
@click.option("--note", required=True, help="A sentence about the settings.")
def main(
    out: Path, rows: str, pairs: int, seeds: str, curve_rows: str, curve: str, curve_seeds: str, note: str
) -> None:
    """Write report.md, results.json and a picture of each class of frequency."""
    names, others = rows.split(), [int(number) for number in curve.split()]
    ladder = Ladder()
    for seed in map(int, seeds.split()):
        for row in names:
            add_run(ladder, row, pairs, seed, out)
    for seed in map(int, curve_seeds.split()):
        for number in others:
            for row in curve_rows.split():
                add_run(ladder, row, number, seed, out)

    first = f"{names[0]}-{pairs}-{seeds.split()[0]}"
    asked = {
        entry["frequency"]: entry["tokens"]
        for entry in read_results(out / first / "restoration")["rows"]
        if (entry["pair"], entry["metric"]) == ("all", "restoration_acc_tlm")
    }
    retrieval = read_results(out / first / "retrieval")
    lines = {TITLES[row]: {"row": row} for row in names}
    columns = {
        f"{objective} {frequency}": {"metric": metric(objective, frequency)}
        for objective in OBJECTIVES
        for frequency in asked
    }
    layers = {str(layer): {"layer": layer} for layer in range(retrieval["settings"]["num_layers"] + 1)}
    parts = [
        "# What BTMLM adds to few pairs",
        "English captions of Multi30k, and as the other language, which is synthetic, the same English in another alphabet, letter for "
        f"letter: one translation for each word, in the same order. {note}",
        f"## Masked tokens restored, {pairs:,} pairs",
        "Accuracy in per cent of predicting masked tokens of the held-out pairs, from both sentences (tlm) and from the other one only "
        f"(camlm), by how often the training pairs hold the token; {spread(seeds)}. Masked tokens asked for: "
        + "; ".join(f"{frequency}: {number:,}" for frequency, number in asked.items())
        + ".",
        ladder.table("objectives", lines, columns, pairs=pairs),
    ]
    for other in ("tlm_camlm", "control"):
        if {"btmlm", other} <= set(names):
            parts.append(
                f"BTMLM minus {TITLES[other].removeprefix('+ ')}, seed by seed: {differences(ladder, other, pairs, asked)}."
            )
    if others:
        numbers = sorted({pairs, *others})
        parts += [
            "## Over the number of pairs",
            f"{pairs:,} pairs: {spread(seeds)}; the others: {spread(curve_seeds)}. With more pairs a class of frequency holds other tokens; "
            "`all` are always the same.",
        ]
        curves = {
            f"{TITLES[row]}: {objective}": {"row": row, "objective": objective}
            for objective in OBJECTIVES
            for row in curve_rows.split()
        }
        for frequency in ("1-3", "all"):
            cells = {
                title: {"row": line["row"], "metric": metric(line["objective"], frequency)}
                for title, line in curves.items()
            }
            what = "all tokens" if frequency == "all" else f"tokens {frequency} times in the pairs"
            parts.append(f"{what[0].upper()}{what[1:]}:")
            parts.append(ladder.table("objectives", cells, {f"{number:,}": {"pairs": number} for number in numbers}))
            parts.append(
                ladder.picture(
                    out / f"restoration-{frequency}.png",
                    f"Masked tokens restored: {what}",
                    cells,
                    axis="pairs",
                    label="pairs",
                    logarithmic=True,
                )
            )
    parts += [
        "## Retrieval",
        f"Accuracy@1 in per cent among {retrieval['test_sets'][0]['sentences']:,} held-out pairs, mean of both directions, at every layer "
        f"(0: embeddings), {pairs:,} pairs; {spread(seeds)}. Centred: each language's mean is subtracted first.",
        ladder.table("centred", lines, layers, metric=tuple(CENTRED_RETRIEVAL), pairs=pairs),
        ladder.table("plain", lines, layers, metric=tuple(RETRIEVAL), pairs=pairs),
    ]
    ladder.write(out, "mini/btmlm", parts, data=sorted(path for path in (out / "text").rglob("*") if path.is_file()))


def metric(objective: str, frequency: str) -> str:
    """Name of the accuracy of restoring tokens of a class of frequency."""
    return f"restoration_acc_{objective}_{frequency}"


def add_run(ladder: Ladder, row: str, pairs: int, seed: int, out: Path) -> None:
    """Add what a run restores, over both languages, and what it retrieves."""
    folder = out / f"{row}-{pairs}-{seed}"
    for entry in read_results(folder / "restoration")["rows"]:
        if entry["pair"] == "all" and entry["tokens"]:
            name = f"{entry['metric']}_{entry['frequency']}"
            ladder.add(row, name, entry["value"], layer=None, seed=seed, pairs=pairs)
    ladder.add_retrieval(row, folder / "retrieval", seed=seed, pairs=pairs)


def spread(seeds: str) -> str:
    """Words for what a cell of these seeds is."""
    numbers = seeds.split()
    names = ", ".join(numbers)
    return f"mean ± standard deviation of seeds {names}" if len(numbers) > 1 else f"seed {names}"


def differences(ladder: Ladder, other: str, pairs: int, frequencies: dict[str, Any]) -> str:
    """``tlm 1-3: +5.4, +5.0; …``: points that BTMLM is above another row."""
    parts = []
    for objective in OBJECTIVES:
        for frequency in frequencies:
            with_, without = (
                ladder.values(row=row, metric=metric(objective, frequency), pairs=pairs) for row in ("btmlm", other)
            )
            points = ", ".join(f"{100 * (a - b):+.1f}" for a, b in zip(with_, without, strict=True))
            parts.append(f"{objective} {frequency}: {points}")
    return "; ".join(parts)


if __name__ == "__main__":
    main()
