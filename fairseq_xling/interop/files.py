"""The files of a model in a folder: which they are, and how another model takes their place."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ..errors import UserError

_WEIGHTS = (
    *("model.pt", "model.safetensors", "model-*-of-*.safetensors", "pytorch_model.bin", "pytorch_model-*-of-*.bin"),
    *("tf_model.h5", "flax_model.msgpack"),
)
# fairseq's layout, then that of transformers; some names are in both
_OTHERS = (
    *("dict.txt", "languages.txt", "labels.txt", "encoder.json", "vocab.bpe"),
    *("config.json", "generation_config.json", "model.safetensors.index.json", "pytorch_model.bin.index.json"),
    *("sentencepiece.bpe.model", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"),
    *("added_tokens.json", "vocab.txt", "vocab.json", "merges.txt"),
)


def check_replaceable(folder: Path) -> None:
    """Require that what is named as a model's files in ``folder`` is a model, and no part of something else.

    Raises:
        UserError: there are checkpoints of a training, or files of a model without weights, such as those of a data-bin.
    """
    for checkpoint in sorted(folder.glob("checkpoint*.pt")):
        raise UserError(
            f"{folder}: holds {checkpoint.name} of a training, which needs the dictionary beside it; choose another folder"
        )
    others = _present(folder, _OTHERS)
    if others and not _present(folder, _WEIGHTS):
        raise UserError(
            f"{folder}: holds {others[0].name} but no model it could belong to; choose another folder, or move that file away"
        )


def replace_model(new: Path, folder: Path) -> None:
    """Move all files from ``new`` into ``folder``, in the place of the model there; whatever else is there stays.

    If it fails the old model is back. If it is killed, the old model's files are all there, some in a hidden folder, and
    what is half-way is not taken for a model: what shows a model's kind comes last.

    Args:
        new: on the same file system.

    Raises:
        OSError: a file cannot be moved.
    """
    backup = Path(tempfile.mkdtemp(prefix=".replaced-", dir=folder))
    arrivals = [(path, folder / path.name) for path in sorted(new.iterdir())]
    arrivals.sort(key=_is_recognised_by)
    names = dict.fromkeys([*_OTHERS, *_WEIGHTS, *(path.name for path, _ in arrivals)])
    moves = [(path, backup / path.name) for path in _present(folder, names)]
    moves.sort(key=_is_recognised_by, reverse=True)
    done: list[tuple[Path, Path]] = []
    try:
        for source, target in (*moves, *arrivals):
            source.rename(target)
            done.append((source, target))
    except BaseException:
        for source, target in reversed(done):
            target.rename(source)
        backup.rmdir()
        raise
    shutil.rmtree(backup)


def _is_recognised_by(move: tuple[Path, Path]) -> bool:
    return move[0].name in ("config.json", "model.pt")


def _present(folder: Path, patterns: Iterable[str]) -> list[Path]:
    """Files, and links, which stand for themselves; a folder of such a name is none of a model's."""
    found = (path for pattern in patterns for path in sorted(folder.glob(pattern)))
    return [path for path in found if path.is_symlink() or path.is_file()]
