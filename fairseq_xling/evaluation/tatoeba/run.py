"""The body of ``xling eval tatoeba``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

from ...errors import UserError
from ...interop.loaded import LoadedModel
from ..session import ModelFlags, Session
from .bitext import Bitext, find_bitexts, parse_bitext
from .evaluate import evaluate, result_rows
from .report import PLOT, draw_layers, render_report
from .xtreme import select


def run(
    *,
    data: str | None,
    pairs: Sequence[str],
    xtreme: bool,
    layer: int | None,
    score: str,
    neighbours: int,
    centre: bool,
    max_tokens: int,
    **model: Unpack[ModelFlags],
) -> None:
    """Evaluate and write results.json, report.md and layers.png; the arguments are the flags.

    Raises:
        UserError: a flag, a test set or the checkpoint is wrong.
    """
    bitexts = _bitexts(data, pairs, xtreme)
    session = Session.open(**model)
    layers = session.choose_layer(layer, _trained_layer(session.loaded))
    folder = session.make_folder()
    test_sets = evaluate(
        session.loaded,
        bitexts,
        score=score,
        neighbours=neighbours,
        centre=centre,
        max_tokens=max_tokens,
        scratch=folder,
    )
    results = session.results(
        "tatoeba",
        data=[file for bitext in bitexts for file in (bitext.file_a, bitext.file_b)],
        settings={
            **layers,
            "xtreme": xtreme,
            "pooling": "mean",
            "score": score,
            "neighbours": neighbours if score == "margin" else None,
            "centre": centre,
        },
        rows=result_rows(test_sets),
        test_sets=test_sets,
    )
    draw_layers(results, folder / PLOT)
    session.finish(results, render_report(results), PLOT)


def _bitexts(data: str | None, pairs: Sequence[str], xtreme: bool) -> list[Bitext]:
    """The test sets, read once: wrong input ends before the model is loaded and --out is made."""
    if not data and not pairs:
        raise UserError("no test set: give --data DIR, or --pair A-B=FILE_A,FILE_B")
    if xtreme and (pairs or not data):
        raise UserError("--xtreme evaluates the test sets of --data DIR; leave --pair out")
    bitexts = [*(find_bitexts(Path(data)) if data else []), *map(parse_bitext, pairs)]
    if xtreme:
        bitexts = select(bitexts)
    for bitext in bitexts:
        if sum(bitext.name == other.name for other in bitexts) > 1:
            raise UserError(
                f"the pair {bitext.name} is given more than once; evaluate its test sets one after the other"
            )
    for bitext in bitexts:
        bitext.read()
    return bitexts


def _trained_layer(loaded: LoadedModel) -> int | None:
    """The layer that retrieval fine-tuning has trained; None for other models."""
    if "retrieval_layer" not in loaded.options:
        return None
    return loaded.options["retrieval_layer"] or loaded.model.cfg.encoder_layers
