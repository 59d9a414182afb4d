"""``xling plot``: pictures of training logs and of word embeddings."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ..errors import UserError
from .figures import figure, save

Curves = dict[str, list[tuple[float, float]]]

_LINE = re.compile(r"\| INFO \| (train_inner|valid|[\w.-]*valid[\w.-]*) \| (.*)")
_NUMBER = re.compile(r"([A-Za-z][\w.\->]*)[= ](-?(?:\d+\.?\d*(?:e[+-]?\d+)?|inf|nan))(?=[,|\s]|$)")


def read_log(path: Path) -> tuple[Curves, Curves]:
    """Read the numbers of a ``fairseq-train`` log (``--log-format json`` or ``simple``) over the updates.

    A log to which a resumed run was appended may hold an update twice; the later number counts.

    Returns:
        Curves of the training and of the validation lines: name -> [(update, value)], sorted.

    Raises:
        UserError: the file is missing, or holds no such line.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    found: tuple[dict[str, dict[float, float]], dict[str, dict[float, float]]] = ({}, {})
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            match = _LINE.search(line)
            if match is None:
                continue
            kind, text = match.groups()
            values = _numbers(text)
            if kind != "train_inner":
                values = {name.removeprefix(f"{kind}_"): value for name, value in values.items()}
            update = values.pop("num_updates", None)
            if update is not None:
                for name, value in values.items():
                    found[kind != "train_inner"].setdefault(name, {})[update] = value
    if not found[0] and not found[1]:
        raise UserError(f"{path}: no training log of fairseq-train with --log-format json or simple")
    train, valid = ({name: sorted(points.items()) for name, points in curves.items()} for curves in found)
    return train, valid


def _numbers(text: str) -> dict[str, float]:
    if text.startswith("{"):
        try:
            items = json.loads(text)
        except ValueError:
            return {}
        return {name: float(value) for name, value in items.items() if _is_number(value)}
    return {name: float(value) for name, value in _NUMBER.findall(text)}


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def draw_curves(logs: Sequence[Path], out: Path) -> None:
    """Draw the loss of every objective over the updates; points are validation results.

    With several logs each curve's label starts with its log's name. Without objectives the total loss is drawn.

    Raises:
        UserError: a log cannot be read, or the picture cannot be written.
    """
    axes = figure("Training loss", "update", "loss")
    validated = False
    for log in logs:
        train, valid = read_log(log)
        prefix = f"{log.stem}: " if len(logs) > 1 else ""
        names = [name for name in train if name.startswith("loss_")] or ["loss"]
        for name in names:
            line = axes.plot(*_columns(train.get(name, [])), label=prefix + name.removeprefix("loss_"))[0]
            if name in valid:
                validated = True
                axes.plot(*_columns(valid[name]), "o", color=line.get_color(), markersize=4)
    axes.legend(title="points: validation" if validated else None)
    save(axes, out)


def _columns(points: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    finite = [point for point in points if math.isfinite(point[1])]
    return [update for update, _ in finite], [value for _, value in finite]


@click.group()
def plot() -> None:
    """Draw training curves and word embeddings."""


@plot.command()
@click.argument("logs", nargs=-1, required=True, metavar="LOG...")
@click.option("--out", required=True, metavar="PNG", help="The picture to write.")
def curves(logs: tuple[str, ...], out: str) -> None:
    """Draw the loss of every objective from the logs of fairseq-train.

    A LOG is what fairseq-train printed (--log-format json or simple), or its --log-file.

    \b
    Example:
      fairseq-train data-bin ... --log-format json --log-file out/train.log
      xling plot curves out/train.log --out out/curves.png
    """
    draw_curves([Path(log) for log in logs], Path(out))
    click.echo(f"wrote {out}")


@plot.command()
@click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    required=True,
    metavar="NAME=PATH",
    help="A panel: its name, and a .pt file or a model's folder (fairseq or transformers); repeatable.",
)
@click.option("--words", required=True, metavar="PREFIX", help="Tokenised text PREFIX.A and PREFIX.B, line by line.")
@click.option("--pair", required=True, metavar="A-B", help="The languages; links point from A to B.")
@click.option("--alignment", required=True, metavar="FILE", help="Links i-j of each line (Pharaoh format, 0-based).")
@click.option("--out", required=True, metavar="PNG", help="The picture to write; the numbers go to a .csv beside it.")
@click.option(
    "--pairs", "num_pairs", type=click.IntRange(2, 1000), default=20, show_default=True, help="Word pairs to draw."
)
@click.option(
    "--stopwords",
    multiple=True,
    metavar="LANG=FILE",
    help="Stop words, one a line, instead of those of stopwordsiso; repeatable.",
)
@click.option(
    "--perplexity",
    type=click.FloatRange(min=0, min_open=True),
    help="Of t-SNE [default: 30, or a third of the other words if that is less]",
)
def embeddings(**flags: Any) -> None:
    """Draw the word embeddings of frequent aligned word pairs, a panel for each checkpoint.

    \b
    Example:
      xling plot embeddings --checkpoint before=mbert --checkpoint after=out/checkpoint_best.pt \\
        --pair en-de --words align/train --alignment align/train.intersect --out out/embeddings.png
    """
    from .embeddings.run import run

    run(**flags)
