"""Report of recipes/mini/ernie_m.sh: the rows of ERNIE-M's Table 8 by retrieval and by the transfer of a task."""

from __future__ import annotations

from pathlib import Path
from statistics import mean

import click

from recipes.ladder import CENTRED_RETRIEVAL, RETRIEVAL, Ladder, read_results

TITLES = {
    "mmlm": "MMLM (XLM-R)",
    "tlm": "+ TLM",
    "camlm": "+ CAMLM",
    "camlm_btmlm": "+ CAMLM + BTMLM",
    "tlm_camlm": "+ TLM + CAMLM",  # not in the paper's table: what the last row adds is BTMLM
    "ernie_m": "+ TLM + CAMLM + BTMLM (ERNIE-M)",
}
# CoNLL F1 and XNLI accuracy of the paper's small model
TABLE_8 = {
    "mmlm": "63.2 / 55.7",
    "tlm": "65.6 / 67.3",
    "camlm": "66.4 / 66.9",
    "camlm_btmlm": "69.5 / 68.9",
    "ernie_m": "69.8 / 70.1",
}


@click.command()
@click.option("--out", required=True, type=click.Path(exists=True, path_type=Path), help="The recipe's folder.")
@click.option("--rows", required=True, help="Rows of the ladder, separated by spaces.")
@click.option("--seeds", required=True, help="Seeds, separated by spaces.")
@click.option("--transfer-seeds", default="", help="Seeds of the transfer's fine-tuning, separated by spaces.")
@click.option("--note", required=True, help="A sentence about the settings.")
def main(out: Path, rows: str, seeds: str, transfer_seeds: str, note: str) -> None:
    """Write report.md, results.json and the pictures of the ladder."""
    ladder = Ladder()
    names, numbers, tuning_seeds = (
        rows.split(),
        *([int(seed) for seed in text.split()] for text in (seeds, transfer_seeds)),
    )
    for row in names:
        for seed in numbers:
            ladder.add_retrieval(row, out / f"{row}-{seed}" / "eval", seed=seed)
    first = read_results(out / f"{names[0]}-{numbers[0]}" / "eval")
    layer, num_layers = first["settings"]["layer"], first["settings"]["num_layers"]
    for row in names:
        for seed in numbers:
            for tuning_seed in tuning_seeds:
                add_transfer(ladder, row, seed, tuning_seed, out, num_layers)

    lines = {TITLES[row]: {"row": row} for row in names}
    columns = {title: {"metric": metric} for metric, title in (RETRIEVAL | CENTRED_RETRIEVAL).items()}
    for item in first["test_sets"]:
        for x, y in ((item["a"], item["b"]), (item["b"], item["a"])):
            columns[f"{x} → {y}"] = {"metric": f"retrieval_acc_{x}_{y}"}
    layers = {str(number): {"layer": number} for number in range(num_layers + 1)}
    sizes = sorted({item["sentences"] for item in first["test_sets"]})
    paper = {"paper: CoNLL / XNLI": [TABLE_8.get(row, "–") for row in names]}
    parts = [
        "# The ladder of objectives (ERNIE-M, Table 8) on Multi30k",
        f"Retrieval accuracy@1 in per cent among {', '.join(map(str, sizes))} held-out sentences, at layer {layer} of {num_layers} "
        f"(mean-pooled, cosine; centred: each language's mean is subtracted first); {ladder.spread()}; guessing gives {100 / sizes[0]:.1f}. Every row has the same encoder, number of "
        f"updates and seeds. {note}",
        ladder.table("objectives", lines, columns, texts=paper, layer=layer),
        "The last column is what the paper reports for its small model (6 layers, 96 languages); only the order of the rows can be "
        "compared.",
    ]
    if tuning_seeds:
        metrics = dict.fromkeys(entry["metric"] for entry in ladder.entries if "tuning_seed" in entry)
        languages = {metric.removeprefix("pos_f1_"): {"metric": metric} for metric in metrics}
        languages["average but en"] = languages.pop("xx")
        parts += [
            "## Cross-lingual transfer",
            "F1 of parts of speech (Universal Dependencies, as XTREME counts it) in per cent; each row's model is fine-tuned on English "
            f"alone; mean ± standard deviation of {len(numbers) * len(tuning_seeds)} runs, {len(tuning_seeds)} fine-tuning seeds "
            "of each model.",
            ladder.table("objectives", lines, languages),
        ]
    parts.append("## Every layer")
    for metric, title in (RETRIEVAL | CENTRED_RETRIEVAL).items():
        parts += [f"{title}:", ladder.table("objectives", lines, layers, metric=metric)]
    title = "Sentence retrieval, both directions"
    parts.append(ladder.picture(out / "ladder.png", title, lines, metric=tuple(RETRIEVAL)))
    parts.append(
        ladder.picture(out / "ladder-centred.png", f"{title}, centred", lines, metric=tuple(CENTRED_RETRIEVAL))
    )
    ladder.write(out, "mini/ernie_m", parts)


def add_transfer(ladder: Ladder, row: str, seed: int, tuning_seed: int, out: Path, layer: int) -> None:
    """Add the F1 of each language, and the mean of those but English as ``pos_f1_xx``."""
    evaluation = read_results(out / f"{row}-{seed}" / f"transfer-{tuning_seed}" / "eval")
    scores = {entry["language"]: entry["value"] / 100 for entry in evaluation["rows"] if entry["metric"] == "f1"}
    scores["xx"] = mean(value for language, value in scores.items() if language != "en")
    for language, value in scores.items():
        ladder.add(row, f"pos_f1_{language}", value, layer=layer, seed=seed, tuning_seed=tuning_seed)


if __name__ == "__main__":
    main()
