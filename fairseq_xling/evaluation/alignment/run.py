"""The body of ``xling eval alignment``."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ...errors import UserError
from ...interop.load import load_model
from ..device import choose_device
from ..encoding import choose_layer
from ..results import prepare_folder, provenance, write_report
from .aligners import METHODS, AlignerOptions
from .evaluate import evaluate
from .gold import TestSet, parse_test_set
from .report import PLOT, draw_layers, method_settings, render_report


def run(
    *,
    checkpoint: str,
    sets: Sequence[str],
    formats: Sequence[str],
    index_base: int | None,
    out: str,
    layer: int | None,
    methods: Sequence[str],
    options: AlignerOptions,
    max_tokens: int,
    device: str,
    fp16: bool,
) -> None:
    """Evaluate and write results.json, report.md and layers.png; the arguments are the flags.

    Raises:
        UserError: a flag, a test set or the checkpoint is wrong.
    """
    _refuse_unused(click.get_current_context(), methods)
    test_sets = _test_sets(sets, formats, index_base)
    # wrong input ends here, before the model is loaded and --out is made
    gold = [(test_set, test_set.read()) for test_set in test_sets]
    device = choose_device(device, fp16)
    methods = [method for method in METHODS if method in methods]

    loaded = load_model(checkpoint)
    num_layers = loaded.model.cfg.encoder_layers
    chosen, rule = choose_layer(num_layers, layer)
    folder = prepare_folder(out)
    loaded.model.to(device)
    if fp16:
        loaded.model.half()
    results = {
        "evaluation": "alignment",
        **provenance(model=loaded, data=[file for test_set in test_sets for file in test_set.files]),
        "settings": {
            "layer": chosen,
            "layer_rule": rule,
            "num_layers": num_layers,
            "pooling": "mean over the pieces of a word",
            "methods": method_settings(options, methods),
            "device": device,
            "fp16": fp16,
        },
        "test_sets": [evaluate(loaded, *item, methods, options, max_tokens) for item in gold],
    }
    draw_layers(results, folder / PLOT)
    report = render_report(results)
    write_report(folder, results, report)
    click.echo(report.split("\n\n## ")[0])
    click.echo(f"\nwrote {folder / 'results.json'}, {folder / 'report.md'}, {folder / PLOT}")


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
