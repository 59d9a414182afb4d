"""``xling convert``."""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path

import click

from ..errors import UserError


@click.command(
    epilog="""\b
Examples:
  xling convert xlmr.base/ xlmr-base-hf/               # published fairseq model -> transformers
  xling convert checkpoints/checkpoint_best.pt hf/     # own checkpoint -> transformers
  xling convert xlm-roberta-base/ xlmr/                # transformers -> fairseq
  xling convert bert-base-multilingual-cased/ mbert/   # likewise: mBERT
  xling convert finetuned/ finetuned-hf/               # a fine-tuned model with its head and labels
  fairseq-train … --restore-file xlmr/model.pt --reset-optimizer --reset-dataloader --reset-meters
"""
)
@click.argument("source", metavar="SRC", type=click.Path(path_type=Path))
@click.argument("target", metavar="DST", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "kind",
    type=click.Choice(["hf", "fairseq"]),
    help="Kind of model to write. Default: the other kind than SRC.",
)
@click.option("--force", is_flag=True, help="Replace DST if it is not empty.")
def convert(source: Path, target: Path, kind: str | None, force: bool) -> None:
    """Convert a model between fairseq and transformers (XLM-R, BERT, RoBERTa).

    SRC is a folder with config.json (transformers), a folder with model.pt or checkpoint_best.pt, dict.txt and
    sentencepiece.bpe.model or vocab.txt (fairseq), or a fairseq checkpoint file. DST is a new folder. Weights are written in fp32;
    a fine-tuned model keeps its head and the names of its labels.
    """
    from .huggingface import write_fairseq, write_transformers
    from .load import load_model

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if target.exists() and not target.is_dir():
        raise UserError(
            f"{target}: exists and is not a folder; choose another name"
        )  # --force replaces models, no other files
    if target.exists() and any(target.iterdir()) and not force:
        raise UserError(f"{target}: exists and is not empty; choose another folder, or replace it with --force")
    if source.resolve().is_relative_to(target.resolve()):
        raise UserError(f"{target}: holds the source {source}; choose another folder")
    if kind is None:
        kind = "fairseq" if (source / "config.json").is_file() else "hf"
    loaded = load_model(source)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise UserError(f"{target}: cannot be written: {error.strerror}") from error
    try:
        temporary.chmod(0o755)  # mkdtemp makes it private
        (write_transformers if kind == "hf" else write_fairseq)(loaded, temporary)
        _replace(temporary, target)
    except OSError as error:
        raise UserError(f"{target}: cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    click.echo(f"{target}: {', '.join(sorted(path.name for path in target.iterdir()))}")


def _replace(folder: Path, target: Path) -> None:
    """Rename ``folder`` to ``target``; what is there goes away only when the new folder has its place."""
    old = folder.with_name(f"{folder.name}.old")
    if target.exists():
        target.rename(old)
    folder.rename(target)
    if old.is_symlink():
        old.unlink()
    elif old.exists():
        shutil.rmtree(old)
