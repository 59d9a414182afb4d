"""The body of ``xling eval restoration``."""

from __future__ import annotations

from typing import Unpack

from ...data.databin import DataBin
from ...errors import UserError
from ...interop.doctor import check_together
from ..session import ModelFlags, Session, require_lm_head
from .evaluate import evaluate, pair_options, require_pairs, result_rows
from .report import render_report


def run(
    *,
    data: str,
    split: str,
    frequencies: str,
    passes: int,
    mask_prob: float | None,
    seed: int,
    max_tokens: int,
    **model: Unpack[ModelFlags],
) -> None:
    """Evaluate and write results.json and report.md; the arguments are the flags.

    Raises:
        UserError: a flag, the data-bin or the checkpoint is wrong.
    """
    limits = parse_limits(frequencies)
    data_bin = DataBin(data)
    require_pairs(data_bin, split)
    session = Session.open(**model)
    require_lm_head(session.loaded)
    check_together(session.loaded, data_bin)
    session.make_folder()
    options = pair_options(session.loaded, mask_prob)
    found = evaluate(
        session.loaded,
        data_bin,
        options,
        split=split,
        limits=limits,
        passes=passes,
        seed=seed,
        max_tokens=max_tokens,
    )
    results = session.results(
        "restoration",
        data=_files(data_bin, split),
        settings={
            "split": split,
            "frequencies": limits,
            "passes": passes,
            "mask_prob": options.mask_prob,
            "reset_positions": options.reset_positions,
            "lang_embedding": str(options.lang_embedding),
        },
        seed=seed,
        rows=result_rows(found, limits),
        unknown=found[0].unknown,
    )
    session.finish(results, render_report(results))


def parse_limits(text: str) -> list[int]:
    """The numbers of ``--frequencies``.

    Raises:
        UserError: they are not increasing numbers from 1 on.
    """
    parts = text.split(",")
    limits = [int(part) for part in parts if part.isascii() and part.isdecimal()]
    if len(limits) < len(parts) or limits[0] < 1 or limits != sorted(set(limits)):
        raise UserError(f"--frequencies {text}: expected increasing numbers from 1 on, as 1,4")
    return limits


def _files(data: DataBin, split: str) -> list[str]:
    """The pairs that were predicted, and those that were counted."""
    parts = [(data.root, split), *((shard, "train") for shard in data.shards)]
    paths = (
        shard / "para" / str(pair) / f"{part}.{pair}.{side}.bin"
        for shard, part in parts
        for pair in data.pairs
        for side in (pair.a, pair.b)
    )
    return [str(path) for path in paths if path.is_file()]
