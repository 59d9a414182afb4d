"""Report of recipes/demo.sh: retrieval before and after fine-tuning, curves of the losses, accuracy of every layer."""

from __future__ import annotations

from pathlib import Path
from statistics import mean

import click

from fairseq_xling.evaluation.results import markdown_table
from recipes.ladder import Ladder, read_results


@click.command()
@click.option("--out", required=True, type=click.Path(exists=True, path_type=Path), help="The recipe's folder.")
@click.option("--seed", required=True, type=int)
def main(out: Path, seed: int) -> None:
    """Write report.md and results.json of the demo."""
    ladder = Ladder()
    stages = {name: read_results(out / name) for name in ("before", "after")}
    for name in stages:
        ladder.add_retrieval(name, out / name, seed=seed)
    layers = {name: stage["settings"]["layer"] for name, stage in stages.items()}
    test_sets = stages["before"]["test_sets"]
    pairs = [(item["a"], item["b"]) for item in test_sets]

    def cells(*pairs: tuple[str, str]) -> list[str]:
        """Mean accuracy over these pairs: before a → b, b → a, after a → b, b → a."""
        return [
            ladder.cell(row=name, layer=layer, metric=tuple(f"retrieval_acc_{x}_{y}" for x, y in directed))
            for name, layer in layers.items()
            for directed in (pairs, [(b, a) for a, b in pairs])
        ]

    table = [[f"{a} – {b}", item["sentences"], *cells((a, b))] for item, (a, b) in zip(test_sets, pairs, strict=True)]
    table.append(["**average**", "", *(f"**{cell}**" for cell in cells(*pairs))])
    header = ["pair a – b", "sentences", "before: a → b", "before: b → a", "after: a → b", "after: b → a"]
    chance = mean(1 / item["sentences"] for item in test_sets)
    parts = [
        "# Demo: from raw text to sentence retrieval",
        "A tiny encoder is pre-trained with MMLM, TLM, CAMLM and BTMLM, then fine-tuned for retrieval: first with the softmax over "
        "the batch, then with the hardest negative. Accuracy@1 on held-out sentences, in per cent; guessing gives "
        f"{100 * chance:.1f}. Layer {layers['before']} before, layer {layers['after']} after fine-tuning.",
        markdown_table(header, table),
        "## Losses",
        "Pre-training, an objective a curve:\n\n![Losses of pre-training](curves-pretrain.png)",
        "Fine-tuning (the loss changes with the end of the warm-up):\n\n![Loss of fine-tuning](curves-tune.png)",
        "## Every layer",
        "| before | after |\n| --- | --- |\n| ![before](before/layers.png) | ![after](after/layers.png) |",
    ]
    ladder.write(out, "demo", parts, data=sorted((out / "text").glob("*/*")), layer=layers)


if __name__ == "__main__":
    main()
