"""Checks of a data-bin and a checkpoint by ``xling doctor``."""

from __future__ import annotations

from ..data.checks import first_difference
from ..data.databin import DataBin
from ..data.links import has_links, open_links
from ..errors import UserError
from .load import load_model
from .loaded import LoadedModel


def check_data_bin(data: str) -> list[str]:
    """Open everything in a data-bin, word alignments too where there are any, and describe it, a line per corpus.

    Raises:
        UserError: on the first thing that is wrong.
    """
    data_bin = DataBin(data)
    lines = [
        f"{data_bin.root / 'dict.txt'}: {data_bin.symbols.size} symbols with <mask>; "
        f"languages: {' '.join(data_bin.languages)}"
    ]
    for epoch, shard in enumerate(data_bin.shards, start=1):
        for split in ("train", "valid"):
            lines += [
                f"{shard}/mono/{language}/{split}: {len(corpus)} sentences"
                for language, corpus in data_bin.open_mono(split, epoch).items()
            ]
            pairs = data_bin.open_pairs(split, epoch)
            aligned = {pair: sides for pair, sides in pairs.items() if has_links(shard, pair, split)}
            for links in open_links(data_bin, split, epoch, aligned).values():
                links.check()
            lines += [
                f"{shard}/para/{pair}/{split}: {len(left)} pairs{', aligned' if pair in aligned else ''}"
                for pair, (left, _) in pairs.items()
            ]
    return lines


def check_checkpoint(checkpoint: str, data: str | None) -> list[str]:
    """Load a checkpoint and describe it; with a data-bin, require that the two belong together.

    Raises:
        UserError: the checkpoint cannot be used, or its dictionary or languages differ from the data-bin's.
    """
    loaded = load_model(checkpoint)
    cfg = loaded.model.cfg
    heads = [f"the head {name}" for name in loaded.model.heads]
    heads += ["mask languages"] if loaded.model.encoder.sentence_encoder.embed_languages is not None else []
    if data is not None:
        check_together(loaded, DataBin(data))
    return [
        f"{loaded.path}: {cfg.encoder_layers} layers x {cfg.encoder_embed_dim}, {loaded.symbols.size} symbols, "
        f"{loaded.model.max_positions()} positions, {' and '.join(heads) or 'no head'}"
    ]


def check_together(loaded: LoadedModel, data_bin: DataBin) -> None:
    """Require that a model and a data-bin have the same symbols and languages.

    Raises:
        UserError: its dictionary or languages differ from the data-bin's.
    """
    difference = first_difference(loaded.dictionary.symbols, data_bin.dictionary.symbols)
    if difference:
        raise UserError(
            f"{loaded.path} has another dictionary ({loaded.symbols.size} symbols) than {data_bin.root / 'dict.txt'} "
            f"({data_bin.symbols.size}): {difference}; binarise the data with the checkpoint's dict.txt"
        )
    if loaded.languages is not None and loaded.languages != data_bin.languages:
        raise UserError(
            f"{loaded.path.parent / 'languages.txt'} and {data_bin.root / 'languages.txt'} differ: "
            f"{first_difference(loaded.languages, data_bin.languages)}; keep the checkpoint's order and names"
        )
