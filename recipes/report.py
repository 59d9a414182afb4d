"""Writes report.md and results.json of a recipe from the evaluations and logs in its output folder."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import click

from fairseq_xling.evaluation.alignment.gold import parse_test_set
from fairseq_xling.evaluation.alignment.metrics import LinkCounts
from fairseq_xling.evaluation.figures import figure, save
from fairseq_xling.evaluation.results import markdown_provenance, markdown_table, provenance, write_report
from fairseq_xling_preprocess.alignment.pharaoh import parse_links

ROOT = Path(__file__).resolve().parents[1]

# ERNIE-M, Table 8: the model, and CoNLL F1 and XNLI accuracy of the small model there
LADDER = {
    "mmlm": ("MMLM (XLM-R)", "63.2 / 55.7"),
    "tlm": ("+ TLM", "65.6 / 67.3"),
    "camlm": ("+ CAMLM", "66.4 / 66.9"),
    "camlm_btmlm": ("+ CAMLM + BTMLM", "69.5 / 68.9"),
    "tlm_camlm": ("+ TLM + CAMLM", "-"),  # not in the paper's table: what the last row adds is BTMLM
    "ernie_m": ("+ TLM + CAMLM + BTMLM (ERNIE-M)", "69.8 / 70.1"),
}

WEAM_ROWS = {
    "initial": "initial model (MMLM)",
    "tlm": "+ TLM",
    "weam": "+ WEAM",
    "word_alignment": "+ word-aligned similarity (Cao et al., 2020)",
}
WEAM_METRICS = {
    "retrieval_acc_xx_en": "Retrieval, French to English",
    "retrieval_acc_en_xx": "Retrieval, English to French",
    "aer": "Alignment error rate",
}


def read_results(folder: Path) -> dict[str, Any]:
    """The results.json of an evaluation."""
    results: dict[str, Any] = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return results


def percent(values: Iterable[float]) -> str:
    """Mean, and with several values the standard deviation, in per cent."""
    values = [100 * value for value in values]
    return f"{mean(values):.1f}" + (f" ± {stdev(values):.1f}" if len(values) > 1 else "")


def commands(out: Path) -> str:
    """What the recipe ran, each command once; paths from the repository, the output folder as $OUT."""
    text = (out / "commands.sh").read_text(encoding="utf-8").replace(str(out), "$OUT").replace(f"{ROOT}/", "")
    return "\n".join(dict.fromkeys(text.splitlines()))


def ending(out: Path, results: dict[str, Any]) -> list[str]:
    """The last sections of every report."""
    return [
        "## Made with",
        markdown_provenance(results),
        f"<details><summary>Commands</summary>\n\n```bash\n{commands(out)}\n```\n\n</details>",
    ]


@click.group()
def main() -> None:
    """Write the report of a recipe."""


@main.command()
@click.option("--out", required=True, type=click.Path(exists=True, path_type=Path), help="The recipe's folder.")
@click.option("--seed", required=True, type=int)
def demo(out: Path, seed: int) -> None:
    """Retrieval before and after fine-tuning, loss curves, accuracy of every layer."""
    stages = {name: read_results(out / name) for name in ("before", "after")}
    results = {
        "recipe": "demo",
        **provenance(data=sorted((out / "text").glob("*/*")), seed=seed),
        "layer": {name: stage["settings"]["layer"] for name, stage in stages.items()},
        "rows": [
            {"row": name, "seed": seed, **{key: row[key] for key in ("pair", "metric", "layer", "value")}}
            for name, stage in stages.items()
            for row in stage["rows"]
        ],
    }
    table, totals = [], []
    for old, new in zip(stages["before"]["test_sets"], stages["after"]["test_sets"], strict=True):
        cells = [
            values[stage["settings"]["layer"]]
            for stage, item in zip(stages.values(), (old, new), strict=True)
            for values in item["accuracy"].values()
        ]
        totals.append(cells)
        table.append([f"{old['a']} – {old['b']}", old["sentences"], *(percent([cell]) for cell in cells)])
    table.append(["**average**", "", *(f"**{percent(column)}**" for column in averages(totals))])
    chance = mean(1 / item["sentences"] for item in stages["before"]["test_sets"])
    layers = results["layer"]
    parts = [
        "# Demo: from raw text to sentence retrieval",
        "A tiny encoder is pre-trained with MMLM, TLM, CAMLM and BTMLM, then fine-tuned for retrieval: first with the softmax over "
        "the batch, then with the hardest negative. Accuracy@1 on held-out sentences, in per cent; guessing gives "
        f"{100 * chance:.1f}. Layer {layers['before']} before, layer {layers['after']} after fine-tuning.",
        markdown_table(
            ["pair a – b", "sentences", "before: a → b", "before: b → a", "after: a → b", "after: b → a"], table
        ),
        "## Losses",
        "Pre-training, an objective a curve:\n\n![Losses of pre-training](curves-pretrain.png)",
        "Fine-tuning (the loss changes with the end of the warm-up):\n\n![Loss of fine-tuning](curves-tune.png)",
        "## Every layer",
        "| before | after |\n| --- | --- |\n| ![before](before/layers.png) | ![after](after/layers.png) |",
        *ending(out, results),
    ]
    write_report(out, results, "\n\n".join(parts))


def averages(rows: list[list[float]]) -> list[list[float]]:
    """The mean of every column, each as a list of one."""
    return [[mean(column)] for column in zip(*rows, strict=True)]


@main.command()
@click.option("--out", required=True, type=click.Path(exists=True, path_type=Path), help="The recipe's folder.")
@click.option("--rows", required=True, help="Rows of the ladder, separated by spaces.")
@click.option("--seeds", required=True, help="Seeds, separated by spaces.")
@click.option("--transfer-seeds", default="", help="Seeds of the transfer's fine-tuning, separated by spaces.")
@click.option("--note", "notes", multiple=True, help="A sentence about the settings.")
def ladder(out: Path, rows: str, seeds: str, transfer_seeds: str, notes: tuple[str, ...]) -> None:
    """The ladder of objectives of ERNIE-M's Table 8, measured by retrieval and by the transfer of a task."""
    names, numbers = rows.split(), [int(seed) for seed in seeds.split()]
    found = {(row, seed): read_results(out / f"{row}-{seed}" / "eval") for row in names for seed in numbers}
    entries = [
        {"row": row, "metric": metric, "layer": layer, "seed": seed, "value": value}
        for (row, seed), evaluation in found.items()
        for metric, layer, value in metrics_of(evaluation)
    ]
    first = next(iter(found.values()))
    chosen, num_layers = first["settings"]["layer"], first["settings"]["num_layers"]
    transfers = {
        row: transfer(out, row, numbers, transfer_seeds.split(), num_layers) for row in names if transfer_seeds.split()
    }
    entries += [entry for row_entries in transfers.values() for entry in row_entries]
    results = {"recipe": "mini/ernie_m", **provenance(seed=None), "seeds": numbers, "rows": entries}

    def cell(row: str, metric: str, layer: int) -> str:
        return percent(
            entry["value"]
            for entry in entries
            if (entry["row"], entry["metric"], entry["layer"]) == (row, metric, layer)
        )

    both = ("retrieval_acc_xx_en", "retrieval_acc_en_xx")
    single = [
        f"retrieval_acc_{direction.replace('->', '_')}" for item in first["test_sets"] for direction in item["accuracy"]
    ]
    header = [
        "objectives",
        "xx → en",
        "en → xx",
        *(name.removeprefix("retrieval_acc_").replace("_", " → ") for name in single),
    ]
    table = [
        [LADDER[row][0], *(cell(row, metric, chosen) for metric in (*both, *single)), LADDER[row][1]] for row in names
    ]
    per_layer = [
        [LADDER[row][0], *(" / ".join(cell(row, metric, layer) for metric in both) for layer in range(num_layers + 1))]
        for row in names
    ]
    sizes = sorted({item["sentences"] for item in first["test_sets"]})
    axes = figure("Sentence retrieval, both directions", "layer (0: embeddings)", "accuracy@1, per cent")
    for row in names:
        values = [
            100 * mean(e["value"] for e in entries if (e["row"], e["layer"]) == (row, layer) and e["metric"] in both)
            for layer in range(num_layers + 1)
        ]
        axes.plot(range(num_layers + 1), values, marker="o", label=LADDER[row][0])
    axes.set_xticks(range(num_layers + 1))
    axes.legend()
    save(axes, out / "ladder.png")
    parts = [
        "# The ladder of objectives (ERNIE-M, Table 8) on Multi30k",
        f"Retrieval accuracy@1 in per cent among {', '.join(map(str, sizes))} held-out sentences, at layer {chosen} of {num_layers} "
        f"(mean-pooled, cosine); {'mean ± standard deviation of' if len(numbers) > 1 else ''} {len(numbers)} "
        f"seed{'s' * (len(numbers) > 1)}; guessing gives {100 / sizes[0]:.1f}. Every row has the same encoder, number of updates and seeds. "
        + " ".join(notes),
        markdown_table([*header, "paper: CoNLL / XNLI"], table),
        "The last column is what the paper reports for its small model (6 layers, 96 languages); only the order of the rows can be compared.",
        *(transfer_table(transfers) if transfers else []),
        "## Every layer (xx → en / en → xx)",
        markdown_table(["objectives", *map(str, range(num_layers + 1))], per_layer),
        "![Accuracy of every row and layer](ladder.png)",
        *ending(out, results),
    ]
    write_report(out, results, "\n\n".join(parts))


def transfer(out: Path, row: str, seeds: list[int], tuning_seeds: list[str], layer: int) -> list[dict[str, Any]]:
    """Results of a row's models fine-tuned on English parts of speech: F1 of each language and of those but English."""
    entries = []
    for seed in seeds:
        for tuning in tuning_seeds:
            evaluation = read_results(out / f"{row}-{seed}" / f"transfer-{tuning}" / "eval")
            scores = {r["language"]: r["value"] / 100 for r in evaluation["rows"] if r["metric"] == "f1"}
            scores["xx"] = mean(value for language, value in scores.items() if language != "en")
            entries += [
                {"row": row, "metric": f"pos_f1_{name}", "layer": layer, "seed": seed, "tuning_seed": int(tuning)}
                | {"value": value}
                for name, value in scores.items()
            ]
    return entries


def transfer_table(transfers: dict[str, list[dict[str, Any]]]) -> list[str]:
    """The section about the transfer."""
    metrics = list(dict.fromkeys(entry["metric"] for entry in next(iter(transfers.values()))))
    number = len({entry["tuning_seed"] for entry in next(iter(transfers.values()))})
    table = [
        [LADDER[row][0], *(percent(e["value"] for e in entries if e["metric"] == metric) for metric in metrics)]
        for row, entries in transfers.items()
    ]
    languages = [metric.removeprefix("pos_f1_") for metric in metrics]
    names = ["average but en" if language == "xx" else language for language in languages]
    return [
        "## Cross-lingual transfer",
        "F1 of parts of speech (Universal Dependencies, as XTREME counts it) in per cent; each row's model is fine-tuned on English "
        f"alone; mean ± standard deviation of {number} fine-tuning seeds.",
        markdown_table(["objectives", *names], table),
    ]


@main.command()
@click.option("--out", required=True, type=click.Path(exists=True, path_type=Path), help="The recipe's folder.")
@click.option("--rows", required=True, help="Objectives, separated by spaces.")
@click.option("--seeds", required=True, help="Seeds, separated by spaces.")
@click.option("--aligner", required=True, help="The statistical aligner and how its directions were combined.")
@click.option("--note", "notes", multiple=True, help="A sentence about the settings.")
def weam(out: Path, rows: str, seeds: str, aligner: str, notes: tuple[str, ...]) -> None:
    """WEAM against its baselines: retrieval and the alignment error rate of the states, before and after."""
    numbers = [int(seed) for seed in seeds.split()]
    folders = [("initial", 1, out / "initial")]
    folders += [(row, seed, out / f"{row}-{seed}") for row in rows.split() for seed in numbers]
    entries = [
        {"row": row, "metric": metric, "layer": layer, "seed": seed, "value": value}
        for row, seed, folder in folders
        for metric, layer, value in weam_metrics(folder)
    ]
    entries.append({"row": "aligner", "metric": "aer", "layer": None, "seed": None, "value": aligner_aer(out)})
    retrieval = read_results(out / "initial" / "retrieval")
    layers = range(retrieval["settings"]["num_layers"] + 1)
    data = [*sorted((out / "text").iterdir()), *sorted((out / "gold").iterdir())]
    results = {"recipe": "mini/weam", **provenance(data=data, seed=None), "seeds": numbers, "rows": entries}

    def values(row: str, metric: str, layer: int | None) -> list[float]:
        return [e["value"] for e in entries if (e["row"], e["metric"], e["layer"]) == (row, metric, layer)]

    names = {row: WEAM_ROWS[row] for row in ("initial", *rows.split())}
    parts = [
        "# WEAM against TLM on the Hansards",
        f"Retrieval accuracy@1 among {retrieval['test_sets'][0]['sentences']} held-out French-English pairs, and alignment error rate (AER, "
        "lower is better) of the states on the trial set of WPT-2003, mutual argmax of word states, all in per cent; "
        f"{'mean ± standard deviation of ' if len(numbers) > 1 else ''}{len(numbers)} seed{'s' * (len(numbers) > 1)} "
        f"({', '.join(map(str, numbers))}) of what follows the initial model, which is one. Layer 0 are the embeddings. "
        + " ".join(notes),
    ]
    for metric, title in WEAM_METRICS.items():
        table = [[name, *(percent(values(row, metric, layer)) for layer in layers)] for row, name in names.items()]
        parts += [f"## {title}", markdown_table(["model", *(f"layer {layer}" for layer in layers)], table)]
        axes = figure(title, "layer (0: embeddings)", "per cent")
        for row, name in names.items():
            axes.plot(layers, [100 * mean(values(row, metric, layer)) for layer in layers], marker="o", label=name)
        axes.set_xticks(layers)
        axes.legend()
        save(axes, out / f"{metric}.png")
        parts.append(f"![{title}]({metric}.png)")
    parts += [
        f"The statistical aligner ({aligner}) has an AER of {percent(values('aligner', 'aer', None))} on the same pairs.",
        "## Embeddings of frequent word pairs (WEAM, Figure 2)",
        "![Word embeddings before and after](embeddings.png)",
        *ending(out, results),
    ]
    write_report(out, results, "\n\n".join(parts))


def weam_metrics(folder: Path) -> list[tuple[str, int, float]]:
    """(metric, layer, value) of a model's two evaluations."""
    (test_set,) = read_results(folder / "alignment")["test_sets"]
    (scores,) = test_set["scores"].values()
    averages = [entry for entry in metrics_of(read_results(folder / "retrieval")) if entry[0] in WEAM_METRICS]
    return averages + [("aer", layer, value) for layer, value in enumerate(scores["aer"])]


def aligner_aer(out: Path) -> float:
    """AER of the statistical aligner's links on the trial set."""
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


def metrics_of(evaluation: dict[str, Any]) -> list[tuple[str, int, float]]:
    """(metric, layer, value): the averages over the languages, then every language's own."""
    averaged = [(row["metric"], row["layer"], row["value"]) for row in evaluation["rows"] if row["pair"] == "average"]
    single = [
        (f"retrieval_acc_{direction.replace('->', '_')}", layer, value)
        for item in evaluation["test_sets"]
        for direction, values in item["accuracy"].items()
        for layer, value in enumerate(values)
    ]
    return averaged + single


if __name__ == "__main__":
    main()
