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
@click.option("--force", is_flag=True, help="Replace the model in DST if there is one; other files stay.")
def convert(source: Path, target: Path, kind: str | None, force: bool) -> None:
    """Convert a model between fairseq and transformers (XLM-R, BERT, RoBERTa).

    SRC is a folder with config.json (transformers), a folder with model.pt or checkpoint_best.pt, dict.txt and
    sentencepiece.bpe.model or vocab.txt (fairseq), or a fairseq checkpoint file. DST is a new folder, or with --force one
    whose model is replaced. Weights are written in fp32; a fine-tuned model keeps its head and the names of its labels.
    """
    from .files import check_replaceable, replace_model
    from .huggingface import write_fairseq, write_transformers
    from .load import load_model

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if target.is_symlink():
        raise UserError(f"{target}: is a link; name the folder it leads to")
    if target.exists() and not target.is_dir():
        raise UserError(f"{target}: exists and is not a folder; choose another name")
    if source.resolve().is_relative_to(target.resolve()):
        raise UserError(f"{target}: holds the source {source}; choose another folder")
    if target.exists() and any(target.iterdir()):
        if not force:
            raise UserError(
                f"{target}: exists and is not empty; choose another folder, or replace the model in it with --force"
            )
        check_replaceable(target)
    if kind is None:
        kind = "fairseq" if (source / "config.json").is_file() else "hf"
    loaded = load_model(source)
    exists = target.exists()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target if exists else target.parent))
    except OSError as error:
        raise UserError(f"{target}: cannot be written: {error.strerror}") from error
    try:
        (write_transformers if kind == "hf" else write_fairseq)(loaded, temporary)
        names = sorted(path.name for path in temporary.iterdir())
        if exists:
            replace_model(temporary, target)
        else:
            temporary.chmod(0o755)  # mkdtemp makes it private
            temporary.rename(target)
    except OSError as error:
        raise UserError(f"{target}: cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    click.echo(f"{target}: {', '.join(names)}")
