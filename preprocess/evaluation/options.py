"""Options that the commands of ``xling eval`` share; each command takes those it needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

checkpoint_option = click.option(
    "--checkpoint", required=True, metavar="PATH", help="A .pt file or a model's folder (fairseq or transformers)."
)
device_option = click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
fp16_option = click.option("--fp16", is_flag=True, help="Compute in half precision (CUDA only).")


def out_option(*others: str) -> Callable[[Command], Command]:
    """``--out``; ``others`` are what the command writes besides results.json and report.md."""
    *files, last = "results.json", "report.md", *others
    return click.option("--out", required=True, metavar="DIR", help=f"Folder for {', '.join(files)} and {last}.")


def layer_option(default: str) -> Callable[[Command], Command]:
    """``--layer``; ``default`` tells which one is reported without it."""
    return click.option("--layer", type=int, help=f"Layer to report, 0 = embeddings [default: {default}]")


def max_tokens_option(default: int = 4096) -> Callable[[Command], Command]:
    """``--max-tokens``: padded tokens in a batch."""
    return click.option(
        "--max-tokens", type=click.IntRange(min=1), default=default, show_default=True, help="Tokens in a batch."
    )
