"""The ``xling eval`` group. Everything heavy is imported when a sub-command runs."""

from __future__ import annotations

from typing import Any

import click

from ..benchmarks import BENCHMARKS
from .options import checkpoint_option, device_option, fp16_option, layer_option, max_tokens_option, out_option


@click.group(name="eval")
def evaluate() -> None:
    """Evaluate a checkpoint; each evaluation writes results.json and report.md into --out."""


@evaluate.command()
@checkpoint_option
@click.option("--data", metavar="DIR", help="Folder with PREFIX.A-B.A and PREFIX.A-B.B for every pair A-B.")
@click.option("--pair", "pairs", multiple=True, metavar="A-B=FILE_A,FILE_B", help="Two line-aligned files; repeatable.")
@click.option(
    "--xtreme", is_flag=True, help="Evaluate XTREME's 36 languages of --data, tabled as in ERNIE-M's Table 16."
)
@out_option("layers.png")
@layer_option("that of retrieval fine-tuning, else 2/3 up")
@click.option("--score", type=click.Choice(["cosine", "margin"]), default="cosine", show_default=True)
@click.option("--neighbours", type=click.IntRange(min=1), default=4, show_default=True, help="k of --score margin.")
@click.option(
    "--centre",
    is_flag=True,
    help="Report accuracy after subtracting each language's mean embedding; the plain one stays beside it.",
)
@max_tokens_option()
@device_option
@fp16_option
def tatoeba(**flags: Any) -> None:
    """Retrieve translations by sentence embeddings: accuracy@1 in both directions, at every layer.

    \b
    Examples:
      xling eval tatoeba --checkpoint out/checkpoint_best.pt --data tatoeba/v1 --out out/tatoeba
      xling eval tatoeba --checkpoint out/checkpoint_best.pt --data tatoeba/v1 --xtreme --out out/xtreme
      xling eval tatoeba --checkpoint xlmr.base --pair de-en=val.de.gz,val.en.gz --out out/retrieval
    """
    from fairseq_xling.evaluation.tatoeba.run import run

    run(**flags)


@evaluate.command()
@checkpoint_option
@click.option("--data", required=True, metavar="DIR", help="Folder with the facts and their templates.")
@out_option("predictions.jsonl")
@click.option(
    "--format",
    "data_format",
    type=click.Choice(["lama", "pararel", "mpararel", "mlama"]),
    help="Layout of --data [default: by what it holds]",
)
@click.option("--common-vocabulary", metavar="FILE", help="Words, one a line, that can be objects and predictions.")
@click.option(
    "--all-patterns", is_flag=True, help="Average over all patterns of a relation instead of using the first."
)
@click.option("--languages", metavar="LANG,LANG", help="Languages of mpararel and mlama [default: all]")
@max_tokens_option()
@device_option
def lama(**flags: Any) -> None:
    """Probe for facts: fill the mask of cloze sentences, precision at one for every relation.

    \b
    Examples:
      xling eval lama --checkpoint out/checkpoint_best.pt --data LAMA/data --out out/lama
      xling eval lama --checkpoint xlmr.base --data mpararel_reviewed --languages de,en --out out/mpararel
    """
    from fairseq_xling.evaluation.lama.run import run

    run(**flags)


@evaluate.command()
@checkpoint_option
@click.option(
    "--set",
    "sets",
    multiple=True,
    required=True,
    metavar="NAME=FILES",
    help="A test set: NAME=SOURCE,TARGET,GOLD (wpt, pharaoh, alibi) or NAME=FILE (tsv, jsonl); repeatable.",
)
@click.option(
    "--format",
    "formats",
    type=click.Choice(["wpt", "pharaoh", "alibi", "tsv", "jsonl"]),
    multiple=True,
    required=True,
    help="Format of the gold links: once for all sets, or once for each --set in their order.",
)
@click.option("--index-base", type=click.IntRange(0, 1), help="What --format pharaoh counts words from [default: 0]")
@out_option("layers.png")
@layer_option("2/3 up")
@click.option(
    "--method",
    "methods",
    type=click.Choice(["argmax", "itermax", "softmax", "ot"]),
    multiple=True,
    default=["ot"],
    show_default=True,
    help="How links follow from states; repeatable.",
)
@click.option("--softmax-threshold", type=click.FloatRange(0, 1), default=1e-3, show_default=True)
@click.option("--itermax-iterations", type=click.IntRange(min=1), default=2, show_default=True)
@click.option("--itermax-discount", type=click.FloatRange(0, 1), default=0.9, show_default=True)
@click.option("--ot-iterations", type=click.IntRange(min=1), default=2, show_default=True, help="Of Sinkhorn.")
@click.option(
    "--ot-entropy",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Weight of the entropy.",
)
@max_tokens_option()
@device_option
@fp16_option
def alignment(
    softmax_threshold: float,
    itermax_iterations: int,
    itermax_discount: float,
    ot_iterations: int,
    ot_entropy: float,
    **flags: Any,
) -> None:
    """Align the words of sentence pairs and score the links: AER, precision, recall and F1 at every layer.

    \b
    Examples:
      xling eval alignment --checkpoint out --format wpt --set en-fr=trial.e,trial.f,trial.wa --out out/alignment
      xling eval alignment --checkpoint out --format tsv --set en-it=dev.en-it.tsv --set en-es=dev.en-es.tsv \\
        --method argmax --method ot --out out/alignment
    """
    from fairseq_xling.evaluation.alignment.aligners import AlignerOptions
    from fairseq_xling.evaluation.alignment.run import run

    options = AlignerOptions(itermax_iterations, itermax_discount, softmax_threshold, ot_iterations, ot_entropy)
    run(options=options, **flags)


@evaluate.command()
@checkpoint_option
@click.option("--data", required=True, metavar="DIR", help="Data-bin with the pairs in para/, training pairs too.")
@out_option()
@click.option("--split", default="valid", show_default=True, help="Part of the pairs to predict.")
@click.option(
    "--frequencies",
    default="1,4",
    show_default=True,
    metavar="N,N",
    help="Where classes of frequency in the training pairs begin.",
)
@click.option("--passes", type=click.IntRange(min=1), default=5, show_default=True, help="How often a pair is masked.")
@click.option(
    "--mask-prob",
    type=click.FloatRange(0, 1, min_open=True),
    help="Share of the tokens that are masked [default: that of the training, else 0.15]",
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the masks.")
@max_tokens_option()
@device_option
@fp16_option
def restoration(**flags: Any) -> None:
    """Restore masked tokens of held-out pairs, as TLM and as CAMLM, by how often the training pairs hold them.

    \b
    Examples:
      xling eval restoration --checkpoint out/checkpoint_last.pt --data data-bin --out out/restoration
      xling eval restoration --checkpoint out --data data-bin --frequencies 1,10,100 --passes 1 --out out/restoration
    """
    from fairseq_xling.evaluation.restoration.run import run

    run(**flags)


def _add_benchmark(name: str, summary: str) -> None:
    """Make the command of one benchmark."""

    @evaluate.command(name=name, short_help=f"{summary.split(':')[0]} with a fine-tuned model.")
    @checkpoint_option
    @click.option("--data", metavar="DIR", help="Folder with the benchmark's files, which are found by their names.")
    @click.option("--split", type=click.Choice(["dev", "test"]), default="test", show_default=True, help="Of --data.")
    @click.option("--files", metavar="LANG=FILE,…", help="Files instead of --data's, or a path with {lang} in it.")
    @click.option(
        "--languages", metavar="LANG,LANG", help="Which, or 'all' [default: the benchmark's that have a file]"
    )
    @out_option("predictions/")
    @click.option("--skip-bad", is_flag=True, help="Leave out questions whose answer is not in the context.")
    @max_tokens_option(8192)
    @device_option
    @fp16_option
    def command(**flags: Any) -> None:
        from fairseq_xling.evaluation.finetuned.run import run

        run(name=name, **flags)

    command.help = f"""{summary}

    Evaluates a model that fairseq-train has fine-tuned for the benchmark, in each language.

    \b
    Example:
      xling eval {name} --checkpoint out/{name}/checkpoint_best.pt --data {name} --out out/{name}/eval
    """


for _name, _benchmark in BENCHMARKS.items():
    _add_benchmark(_name, _benchmark.summary)
