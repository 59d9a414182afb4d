"""``xling user-dir`` and ``xling doctor``.

They live in this half so that they also answer when the training side cannot be imported; what they say about
it is imported when needed, and a failure is part of the answer.
"""

from __future__ import annotations

import importlib
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import click

from .errors import UserError

PACKAGES = ("torch", "fairseq-fixed", "numpy", "sentencepiece", "hydra-core", "transformers", "sil-thot")
OPTIONAL_MODULES = {
    "apex": "apex",
    "flash-attn": "flash_attn",
    "faiss": "faiss",
    "tokenizers": "tokenizers",
    "subword-nmt": "subword_nmt",
}
OPTIONAL_PROGRAMS = ("fast_align",)


def plugin_folder() -> Path:
    """The absolute folder of the package fairseq_xling, found without importing it."""
    spec = find_spec("fairseq_xling")
    if spec is None or not spec.submodule_search_locations:
        raise UserError("the package fairseq_xling is not installed: run pip install . in its checkout")
    return Path(next(iter(spec.submodule_search_locations))).resolve()


@click.command(
    "user-dir",
    epilog="""\b
Example:
  fairseq-train data-bin --user-dir $(xling user-dir) --task btmlm --arch xling_small ...
""",
)
def user_dir() -> None:
    """Print the folder for fairseq's --user-dir."""
    click.echo(plugin_folder())


@click.command(
    epilog="""\b
Examples:
  xling doctor
  xling doctor --data data-bin --checkpoint checkpoints/checkpoint_best.pt

Exit code 2 if a check of --data or --checkpoint fails.
"""
)
@click.option(
    "--data", metavar="DIR", help="A data-bin to check: dictionary, tokeniser, every corpus and word alignment."
)
@click.option("--checkpoint", metavar="FILE", help="A checkpoint to check, alone or against --data.")
def doctor(data: str | None, checkpoint: str | None) -> None:
    """Print versions, devices and optional parts; check a data-bin and a checkpoint."""
    _row("fairseq_xling", _version("fairseq_xling"))
    _row("python", platform.python_version())
    for package in PACKAGES:
        _row(package, _version(package))
    _row("devices", _devices())
    for name, module in OPTIONAL_MODULES.items():
        _row(name, "found" if find_spec(module) else "not found (optional)")
    for program in OPTIONAL_PROGRAMS:
        _row(program, shutil.which(program) or "not found (optional)")
    _row("user-dir", str(plugin_folder()))
    _row("plugin", _plugin_state())
    if data or checkpoint:
        checks = importlib.import_module("fairseq_xling.interop.doctor")
        messages = checks.check_data_bin(data) if data else []
        if checkpoint:
            messages += checks.check_checkpoint(checkpoint, data)
        for message in messages:
            click.echo(message)


def _row(name: str, value: str) -> None:
    click.echo(f"{name:<15}{value}")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _devices() -> str:
    try:
        import torch
    except Exception as error:
        return f"unknown, torch cannot be imported: {error}"
    if not torch.cuda.is_available():
        return f"CPU, {torch.get_num_threads()} threads"
    return ", ".join(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))


def _plugin_state() -> str:
    try:
        importlib.import_module("fairseq_xling")
    except Exception as error:
        return f"cannot be imported: {type(error).__name__}: {error}"
    return "imports and registers" if find_spec("fairseq") else "fairseq is not installed"
