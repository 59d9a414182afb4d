"""The body of ``xling eval alignment``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import click

from ...errors import UserError
from ..session import ModelFlags, Session
from .aligners import METHODS, AlignerOptions
from .evaluate import evaluate
from .gold import TestSet, parse_test_set
from .report import PLOT, draw_layers, method_settings, render_report


def run(
    *,
    sets: Sequence[str],
    formats: Sequence[str],
    index_base: int | None,
    layer: int | None,
    methods: Sequence[str],
    options: AlignerOptions,
    max_tokens: int,
    **model: Unpack[ModelFlags],
) -> None:
    """Evaluate and write results.json, report.md and layers.png; the arguments are the flags.

    Raises:
        UserError: a flag, a test set or the checkpoint is wrong.
    """
    _refuse_unused(click.get_current_context(), methods)
    methods = [method for method in METHODS if method in methods]
    test_sets = _test_sets(sets, formats, index_base)
    gold = [(test_set, test_set.read()) for test_set in test_sets]
    session = Session.open(**model)
    layers = session.choose_layer(layer)
    folder = session.make_folder()
    results = session.results(
        "alignment",
        data=[file for test_set in test_sets for file in test_set.files],
        settings={
            **layers,
            "pooling": "mean over the pieces of a word",
            "methods": method_settings(options, methods),
        },
        test_sets=[evaluate(session.loaded, *item, methods, options, max_tokens) for item in gold],
    )
    draw_layers(results, folder / PLOT)
    session.finish(results, render_report(results), PLOT)


def _test_sets(sets: Sequence[str], formats: Sequence[str], index_base: int | None) -> list[TestSet]:
    if len(formats) not in (1, len(sets)):
        raise UserError(f"--format is given {len(formats)} times for {len(sets)} --set; give it once, or once for each")
    if index_base is not None and "pharaoh" not in formats:
        raise UserError(f"--index-base {index_base}: only --format pharaoh leaves it open; leave the flag out")
    each = list(formats) * len(sets) if len(formats) == 1 else formats
    test_sets = [
        parse_test_set(text, format, (index_base or 0) if format == "pharaoh" else 0)
        for text, format in zip(sets, each, strict=True)
    ]
    names = [test_set.name for test_set in test_sets]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"--set: the name {name} is given more than once; name the test sets differently")
    return test_sets


def _refuse_unused(context: click.Context, methods: Sequence[str]) -> None:
    for name in context.params:
        method = name.split("_")[0]
        given = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if method in METHODS and method not in methods and given:
            raise UserError(
                f"--{name.replace('_', '-')} has no effect without --method {method}; leave it out or add that"
            )
