"""Looks for the files of a fine-tuning recipe before it begins, and prints the languages to train on, one a line."""

from __future__ import annotations

import sys

import click

from fairseq_xling.errors import UserError
from fairseq_xling.finetuning.benchmarks import BENCHMARKS
from fairseq_xling.finetuning.files import Option, locate


@click.command()
@click.argument("benchmark", type=click.Choice(list(BENCHMARKS)))
@click.option("--data", help="DATA of the recipe; the options below are its variables too.")
@click.option("--train-files")
@click.option("--valid-files")
@click.option("--test-files")
@click.option("--test-split", required=True)
@click.option("--train-languages", help="[default: the benchmark's first; with --each all that have a file]")
@click.option("--no-valid", is_flag=True, help="There is no validation.")
@click.option("--each", is_flag=True, help="Every language is trained, chosen and tested by itself.")
@click.option("--dry-run", is_flag=True, help="Look for nothing; the languages are the benchmark's.")
def main(
    benchmark: str,
    data: str | None,
    train_files: str | None,
    valid_files: str | None,
    test_files: str | None,
    test_split: str,
    train_languages: str | None,
    no_valid: bool,
    each: bool,
    dry_run: bool,
) -> None:
    """Check the files of BENCHMARK."""
    bench = BENCHMARKS[benchmark]
    if dry_run:
        click.echo("\n".join(train_languages.split(",") if train_languages else bench.languages))
        return

    def languages(variable: str, part: str, files: str | None, wanted: str | None) -> list[str]:
        named = Option(f"{variable if files else 'DATA'} ({part} part)", wanted)
        return list(locate(benchmark, part, Option("DATA", data), Option(variable, files), named))

    try:
        default = None if each else "all" if train_files else bench.languages[0]
        chosen = languages("TRAIN_FILES", "train", train_files, train_languages or default)
        wanted = ",".join(chosen) if each else None
        if not no_valid:
            languages("VALID_FILES", "dev", valid_files, wanted)
        languages("TEST_FILES", test_split, test_files, wanted)
    except UserError as error:
        click.echo(f"{benchmark}.sh: error: {error}", err=True)
        sys.exit(2)
    click.echo("\n".join(chosen))


if __name__ == "__main__":
    main()
