"""Cross-lingual sentence retrieval as on Tatoeba (ERNIE-M, §4.2 and A.5; XTREME): accuracy@1 of every layer.

Centred, each language's embeddings first lose their mean, which is what they have in common because of their language and not
of what they say (Libovický et al., 2020). Between Euclidean distances it is the translation by the mean difference of
Pires et al. (2019, §5).

Axes: N sentence pairs, L layers (layer 0 = the embeddings), D width.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from ...errors import UserError
from ...interop.loaded import LoadedModel
from ..encoding import embed
from .bitext import ENGLISH, Bitext
from .retrieval import accuracy, best_matches, num_blocks

logger = logging.getLogger(__name__)

PLAIN, CENTRED = "", "_centred"
"""What the names of accuracies and metrics end with."""


def evaluate(
    loaded: LoadedModel,
    bitexts: Sequence[Bitext],
    *,
    score: str = "cosine",
    neighbours: int = 4,
    centre: bool = False,
    max_tokens: int = 4096,
    scratch: Path | None = None,
) -> list[dict[str, Any]]:
    """Retrieve each sentence's translation among all sentences of the other side, at every layer.

    Args:
        loaded: the model, on the device and in the precision to use.
        bitexts: the test sets.
        score: ``cosine`` or ``margin`` (see `fairseq_xling.evaluation.tatoeba.retrieval.best_matches`).
        neighbours: k of the margin.
        centre: measure the centred accuracy, too.
        max_tokens: padded tokens in a batch of the encoder.
        scratch: folder for the temporary file of embeddings (all layers of both sides of one test set).

    Returns:
        A dictionary for each test set: ``pair``, ``a``, ``b``, ``sentences``, ``cut``, ``duplicates`` {language: number},
        ``accuracy`` {"a->b": (L + 1) floats from 0 to 1, "b->a": the same} and, with ``centre``, ``accuracy_centred``.

    Raises:
        UserError: a test set is malformed, or there is no room for the embeddings.
    """
    results = []
    for bitext in bitexts:
        sides, cut = _encode(loaded, bitext)
        with tempfile.TemporaryDirectory(prefix=".embeddings-", dir=scratch) as folder:
            x, y = (_embed(loaded, side, max_tokens, Path(folder), bitext, k) for k, side in enumerate(sides))
            device = next(loaded.model.parameters()).device
            found = search(x, y, score, neighbours, centre, device, bitext.name)
        duplicates = (len(side) - len({ids.tobytes() for ids in side}) for side in sides)
        directions = f"{bitext.a}->{bitext.b}", f"{bitext.b}->{bitext.a}"
        results.append(
            {
                "pair": bitext.name,
                "a": bitext.a,
                "b": bitext.b,
                "sentences": len(sides[0]),
                "cut": cut,
                "duplicates": dict(zip((bitext.a, bitext.b), duplicates, strict=True)),
                **{f"accuracy{kind}": dict(zip(directions, values, strict=True)) for kind, values in found.items()},
            }
        )
    return results


def _encode(loaded: LoadedModel, bitext: Bitext) -> tuple[list[list[np.ndarray]], int]:
    """Symbol ids of both sides, and how many sentences were cut to the model's positions."""
    room = loaded.model.max_positions() - 2
    sides, cut = [], 0
    for file, texts in zip((bitext.file_a, bitext.file_b), bitext.read(), strict=True):
        sentences = loaded.encode_text(texts)
        for number, sentence in enumerate(sentences, start=1):
            if len(sentence) == 0:
                raise UserError(
                    f"{file}:{number}: nothing left of the line as pieces; remove line {number} from both files"
                )
        too_long = sum(len(sentence) > room for sentence in sentences)
        if too_long:
            logger.warning(
                f"{file}: {too_long} of {len(sentences)} sentences are cut to the model's {room + 2} positions"
            )
        cut += too_long
        unknown = np.mean(np.concatenate(sentences) == loaded.symbols.unk)
        if unknown > 0.01:
            logger.warning(
                f"{file}: {unknown:.1%} of the tokens are <unk>; does the model's vocabulary cover the language?"
            )
        sides.append([sentence[:room] for sentence in sentences])
    return sides, cut


def _embed(
    loaded: LoadedModel, sentences: list[np.ndarray], max_tokens: int, folder: Path, bitext: Bitext, side: int
) -> np.ndarray:
    """Embeddings of all layers (L + 1, N, D), in a file so that memory holds one layer at a time."""
    cfg = loaded.model.cfg
    shape = (cfg.encoder_layers + 1, len(sentences), cfg.encoder_embed_dim)
    needed, free = 4 * int(np.prod(shape)), shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"{bitext.name}: the embeddings of {len(sentences)} sentences need {needed / 2**30:.1f} GiB beside the results, "
            f"{free / 2**30:.1f} GiB are free: choose another --out, or fewer sentences"
        )
    out = np.memmap(folder / f"{side}.f32", dtype=np.float32, mode="w+", shape=shape)
    language = (bitext.a, bitext.b)[side]
    with tqdm(total=len(sentences), desc=f"{bitext.name}: encode {language}", unit="sent", disable=None) as bar:
        embed(loaded.model, sentences, loaded.symbols, out, max_tokens, bar.update)
    return out


def search(
    x: np.ndarray, y: np.ndarray, score: str, neighbours: int, centre: bool, device: torch.device | str, name: str
) -> dict[str, tuple[list[float], list[float]]]:
    """Search in both directions at every layer, one layer in memory at a time.

    Args:
        x: (L + 1, N, D) embeddings.
        y: the same of the translations.
        score, neighbours: as in `evaluate`.
        centre: search among the centred embeddings, too.
        name: of the test set, for the progress bar.

    Returns:
        Accuracies from x to y and from y to x, (L + 1) floats each, under `PLAIN` and, with ``centre``, under `CENTRED`.
    """
    found: dict[str, tuple[list[float], list[float]]] = {PLAIN: ([], [])}
    if centre:
        found[CENTRED] = [], []
    total = len(x) * len(found) * num_blocks(x.shape[1], y.shape[1], score)
    with tqdm(total=total, desc=f"{name}: search", unit="block", disable=None) as bar:
        for layer in range(len(x)):
            left, right = (torch.from_numpy(np.array(side[layer])).to(device) for side in (x, y))
            for kind, directions in found.items():
                if kind == CENTRED:
                    left -= left.mean(0)
                    right -= right.mean(0)
                matches = best_matches(left, right, score, neighbours, advance=bar.update)
                for values, match in zip(directions, matches, strict=True):
                    values.append(accuracy(match))
    return found


def kinds(result: Mapping[str, Any]) -> list[str]:
    """The accuracies of a test set: `PLAIN` and, if it was measured, `CENTRED`."""
    return [kind for kind in (PLAIN, CENTRED) if f"accuracy{kind}" in result]


def result_rows(results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One entry for every test set, direction and layer, then the averages over the test sets.

    The metric of a pair with English is ``retrieval_acc_xx_en`` or ``retrieval_acc_en_xx``, of another pair
    ``retrieval_acc_<a>_<b>``; those of the centred accuracy end with ``_centred``.

    Returns:
        ``{"pair", "metric", "layer", "value" (0 to 1), "sentences"}``; ``pair`` is ``average`` for the averages.
    """
    rows = []
    for result in results:
        a, b = result["a"], result["b"]
        names = ("xx", "en") if b in ENGLISH else (a, b)
        rows += [
            {
                "pair": result["pair"],
                "metric": f"retrieval_acc_{x}_{y}{kind}",
                "layer": layer,
                "value": value,
                "sentences": result["sentences"],
            }
            for kind in kinds(result)
            for (x, y), values in zip((names, names[::-1]), result[f"accuracy{kind}"].values(), strict=True)
            for layer, value in enumerate(values)
        ]
    groups: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["metric"], row["layer"]), []).append(row)
    averages = [
        {
            "pair": "average",
            "metric": metric,
            "layer": layer,
            "value": float(np.mean([row["value"] for row in group])),
            "sentences": sum(row["sentences"] for row in group),
        }
        for (metric, layer), group in groups.items()
    ]
    return rows + averages
