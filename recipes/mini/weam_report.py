"""Report of recipes/mini/weam.sh: WEAM and its baselines by retrieval and by the alignment error rate of the states."""

from __future__ import annotations

from pathlib import Path

import click

from fairseq_xling.evaluation.alignment.gold import parse_test_set
from fairseq_xling.evaluation.alignment.metrics import LinkCounts
from fairseq_xling_preprocess.alignment.pharaoh import parse_links
from recipes.ladder import Ladder, read_results

TITLES = {
    "initial": "initial model (MMLM)",
    "tlm": "+ TLM",
    "weam": "+ WEAM",
    "word_alignment": "+ word-aligned similarity (Cao et al., 2020)",
}
METRICS = {
    "retrieval_acc_xx_en": "Retrieval, French to English",
    "retrieval_acc_en_xx": "Retrieval, English to French",
    "retrieval_acc_xx_en_centred": "Retrieval, French to English, centred",
    "retrieval_acc_en_xx_centred": "Retrieval, English to French, centred",
    "aer": "Alignment error rate",
}


@click.command()
@click.option("--out", required=True, type=click.Path(exists=True, path_type=Path), help="The recipe's folder.")
@click.option("--rows", required=True, help="Objectives, separated by spaces.")
@click.option("--seeds", required=True, help="Seeds, separated by spaces.")
@click.option("--aligner", required=True, help="The statistical aligner and how its directions were combined.")
@click.option("--note", required=True, help="A sentence about the settings.")
def main(out: Path, rows: str, seeds: str, aligner: str, note: str) -> None:
    """Write report.md, results.json and a picture of each metric."""
    ladder = Ladder()
    add_model(ladder, "initial", 1, out / "initial")
    for row in rows.split():
        for seed in seeds.split():
            add_model(ladder, row, int(seed), out / f"{row}-{seed}")
    ladder.add("aligner", "aer", aligner_aer(out), layer=None, seed=None)

    retrieval = read_results(out / "initial" / "retrieval")
    lines = {TITLES[row]: {"row": row} for row in ("initial", *rows.split())}
    layers = {f"layer {layer}": {"layer": layer} for layer in range(retrieval["settings"]["num_layers"] + 1)}
    parts = [
        "# WEAM against TLM on the Hansards",
        f"Retrieval accuracy@1 among {retrieval['test_sets'][0]['sentences']} held-out French-English pairs, and alignment error rate (AER, "
        "lower is better) of the states on the trial set of WPT-2003, mutual argmax of word states, all in per cent; "
        f"{ladder.spread()} of what follows the initial model, which is one. Layer 0 are the embeddings. Centred: each language's mean embedding "
        f"is subtracted first. {note}",
    ]
    for metric, title in METRICS.items():
        parts += [f"## {title}", ladder.table("model", lines, layers, metric=metric)]
        parts.append(ladder.picture(out / f"{metric}.png", title, lines, metric=metric))
    parts += [
        f"The statistical aligner ({aligner}) has an AER of {ladder.cell(row='aligner')} on the same pairs.",
        "## Embeddings of frequent word pairs (WEAM, Figure 2)",
        "![Word embeddings before and after](embeddings.png)",
    ]
    data = [*sorted((out / "text").rglob("*.*")), *sorted((out / "gold").iterdir())]
    ladder.write(out, "mini/weam", parts, data=data)


def add_model(ladder: Ladder, row: str, seed: int, folder: Path) -> None:
    """Add both evaluations of a model."""
    ladder.add_retrieval(row, folder / "retrieval", seed=seed)
    (test_set,) = read_results(folder / "alignment")["test_sets"]
    (scores,) = test_set["scores"].values()
    for layer, value in enumerate(scores["aer"]):
        ladder.add(row, "aer", value, layer=layer, seed=seed)


def aligner_aer(out: Path) -> float:
    """Alignment error rate of the statistical aligner's links on the trial set."""
    gold = parse_test_set(
        f"trial={','.join(str(out / 'gold' / f'trial.{side}') for side in ('e', 'f', 'wa'))}", "wpt"
    ).read()
    lines = (out / "align" / "trial").read_text(encoding="utf-8").splitlines()
    found = [set(parse_links(line, f"trial:{number}")) for number, line in enumerate(lines, start=1)]
    counts = LinkCounts(
        sum(map(len, found)),
        sum(len(links & pair.sure) for links, pair in zip(found, gold, strict=True)),
        sum(len(links & pair.possible) for links, pair in zip(found, gold, strict=True)),
        sum(len(pair.sure) for pair in gold),
    )
    return counts.scores()["aer"]


if __name__ == "__main__":
    main()
