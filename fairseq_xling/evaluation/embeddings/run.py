"""The body of ``xling plot embeddings``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ...errors import UserError
from ...interop.load import load_model
from ..results import prepare_folder, write_text
from .pairs import find_bitext, frequent_pairs
from .picture import Panel, draw_panels, panels_csv
from .stop_words import load_stop_words
from .vectors import choose_pairs, fit_perplexity, project, similarity, word_vectors


def run(
    *,
    checkpoints: Sequence[str],
    words: str,
    pair: str,
    alignment: str,
    out: str,
    num_pairs: int,
    stopwords: Sequence[str],
    perplexity: float | None,
) -> None:
    """Write the picture and the CSV beside it; the arguments are the flags.

    Raises:
        UserError: a flag, the text or a checkpoint is wrong.
    """
    named = _parse_checkpoints(checkpoints)
    picture = _check_out(out)
    fit_perplexity(perplexity, 2 * num_pairs)
    bitext = find_bitext(words, pair, alignment)
    # the text is read before any model
    candidates = frequent_pairs(bitext, load_stop_words(bitext.languages, stopwords))
    if len(candidates) < 2:
        raise UserError(
            f"{bitext.links}: {len(candidates)} aligned word pairs are left without stop words, words without a letter and "
            f"words alike on both sides; 2 are needed. Are these the links of {bitext.texts[0]} and {bitext.texts[1]}?"
        )

    models = {name: load_model(path) for name, path in named.items()}
    chosen, skipped = choose_pairs(candidates, list(models.values()), num_pairs)
    if skipped:
        names = ", ".join(f"{pair.first} {pair.second}" for pair in skipped[:10])
        _warn(f"{len(skipped)} frequent pairs are left out, a vocabulary lacks one of their words: {names}")
    if len(chosen) < 2:
        raise UserError(
            f"the vocabularies of the checkpoints have both words of {len(chosen)} of {len(candidates)} pairs; 2 are needed. Are "
            f"they models of {pair}?"
        )
    if len(chosen) < num_pairs:
        _warn(f"{len(chosen)} pairs instead of {num_pairs}: the text has no more")
    perplexity = fit_perplexity(perplexity, 2 * len(chosen))
    content = []
    for name, loaded in models.items():
        vectors = word_vectors(loaded, chosen)
        content.append(Panel(name, project(vectors, perplexity), similarity(vectors)))

    prepare_folder(picture.parent)
    table = picture.with_suffix(".csv")
    write_text(table, panels_csv(content, chosen, bitext.languages))
    if missing := draw_panels(content, chosen, bitext.languages, picture):
        _warn(
            f"no installed font has {' '.join(missing[:10])}; boxes stand for them in {picture} (Noto fonts have them)"
        )
    for panel in content:
        near, mutual = panel.similarity, panel.similarity.mutual
        click.echo(
            f"{panel.name}: mean cosine of partners {near.cosine.mean():.3f}, of others {near.others:.3f}; mutual nearest "
            f"neighbours {100 * mutual.mean():.0f}% ({mutual.sum()} of {len(chosen)} pairs)"
        )
    click.echo(f"wrote {picture}, {table}")


def _warn(text: str) -> None:
    click.echo(f"xling plot embeddings: warning: {text}", err=True)


def _parse_checkpoints(texts: Sequence[str]) -> dict[str, str]:
    named: dict[str, str] = {}
    for text in texts:
        name, equals, path = text.partition("=")
        if not equals or not name or not path:
            raise UserError(f"--checkpoint {text}: expected NAME=PATH, for example before=xlmr.base")
        if name in named:
            raise UserError(f"--checkpoint {text}: the name {name} is given twice; name the checkpoints differently")
        if not Path(path).exists():
            raise UserError(f"--checkpoint {text}: {path}: no such file or folder")
        named[name] = path
    return named


def _check_out(out: str) -> Path:
    picture = Path(out)
    if picture.suffix != ".png":
        raise UserError(f"--out {out}: expected a name that ends in .png; the CSV is written beside it")
    for path in (picture, picture.with_suffix(".csv")):
        if path.is_dir():
            raise UserError(f"--out {out}: cannot write {path}: it is a folder")
    return picture
