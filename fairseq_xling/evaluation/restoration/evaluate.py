"""Restoration: how many masked tokens of held-out sentence pairs a model predicts, by how often the training pairs hold them.

TLM's accuracy says what a model makes of both sentences, CAMLM's what it makes of the translation alone (ERNIE-M, §3). A token
that the training pairs hold rarely or never can be restored from its translation only as far as the model has aligned the two
by other means, such as BTMLM.

Axes: B batch, T tokens, M predictions, V symbols, P pairs of languages, F classes of frequency.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ...data.databin import DataBin
from ...data.examples import ExampleDataset
from ...errors import UserError
from ...interop.loaded import LoadedModel
from ...objectives.camlm import Camlm
from ...objectives.pairs import PairConfig, PairObjective
from ...objectives.tlm import Tlm
from ..encoding import length_batches

OBJECTIVES: tuple[type[PairObjective], ...] = (Tlm, Camlm)
CHUNK = 10_000  # sentences counted at once


@dataclass(frozen=True)
class Restoration:
    """Result of `evaluate` for one objective.

    Attributes:
        objective: its name.
        pairs: names of the pairs of languages.
        languages: of each of the ``pairs``, its two sides.
        tokens: (P, 2, F) predicted tokens of each pair, side and class.
        correct: (P, 2, F) how many of them were right.
        unknown: ``<unk>`` tokens left out.
    """

    objective: str
    pairs: list[str]
    languages: list[tuple[str, str]]
    tokens: np.ndarray
    correct: np.ndarray
    unknown: int


def pair_options(loaded: LoadedModel, mask_prob: float | None = None) -> SimpleNamespace:
    """The options of a model's pairs, as it was trained, except that every chosen token becomes ``<mask>``.

    A token that stays as it is need not be restored, and one that became another is no mask.

    Args:
        mask_prob: share of the tokens that are predicted; default: as in training, or else BERT's.
    """
    defaults = {
        **{option.name: option.default for option in fields(PairConfig)},
        "pair_separators": loaded.num_separators,
        "max_positions": loaded.model.max_positions(),
    }
    options = {name: loaded.options.get(name, default) for name, default in defaults.items()}
    chosen = {} if mask_prob is None else {"mask_prob": mask_prob}
    return SimpleNamespace(**options | {"leave_unmasked_prob": 0.0, "random_token_prob": 0.0} | chosen)


def evaluate(
    loaded: LoadedModel,
    data: DataBin,
    options: SimpleNamespace,
    *,
    split: str = "valid",
    limits: Sequence[int] = (1, 4),
    passes: int = 5,
    seed: int = 1,
    max_tokens: int = 4096,
) -> list[Restoration]:
    """Mask tokens of the pairs as TLM and as CAMLM do and let the LM head predict them.

    Both objectives mask the same tokens; which ones follows from the seed alone.

    Args:
        loaded: a model with an LM head, on the device and in the precision to use.
        data: with its symbols and languages.
        options: of the objectives, see `pair_options`.
        split: the part of ``para/`` to predict.
        limits: where the classes of frequency begin, see `class_names`.
        passes: how often each pair is masked anew.
        seed: of the masks.
        max_tokens: padded tokens in a batch.

    Returns:
        One for each of `OBJECTIVES`.

    Raises:
        UserError: the data-bin has no pairs, or none of the split.
    """
    require_pairs(data, split)
    counts = training_counts(data)
    found = []
    for cls in OBJECTIVES:
        objective = cls(options, data)
        sides = [(pair.a, pair.b) for pair in data.pairs]
        rows = np.array([objective.language_rows(*side) for side in sides])
        shape = (len(sides), 2, len(limits) + 1)
        tokens, correct = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        unknown = 0
        for target, predicted, group, language in _predictions(loaded, objective, split, passes, seed, max_tokens):
            known = target != data.symbols.unk
            unknown += int((~known).sum())
            target, predicted, group, language = (part[known] for part in (target, predicted, group, language))
            side = (language == rows[group, 1]).astype(np.int64)
            frequency = np.searchsorted(limits, counts[group, side, target], side="right")
            np.add.at(tokens, (group, side, frequency), 1)
            np.add.at(correct, (group, side, frequency), predicted == target)
        found.append(Restoration(cls.name, objective.groups, sides, tokens, correct, unknown))
    return found


def require_pairs(data: DataBin, split: str) -> None:
    """Raises UserError if the data-bin has no pairs of the split."""
    if not data.open_pairs(split, epoch=1):
        raise UserError(
            f"{data.root / 'para'}: no '{split}' pairs; binarise some (fairseq-preprocess --validpref), or name another --split"
        )


def training_counts(data: DataBin) -> np.ndarray:
    """(P, 2, V) how often each symbol occurs on each side of the training pairs, of all shards."""
    counts = np.zeros((len(data.pairs), 2, data.symbols.size), dtype=np.int64)
    for epoch in range(1, len(data.shards) + 1):
        corpora = data.open_pairs("train", epoch)
        for number, pair in enumerate(data.pairs):
            for side, corpus in enumerate(corpora.get(pair, ())):
                for start in range(0, len(corpus), CHUNK):
                    sentences = [corpus[i].numpy() for i in range(start, min(start + CHUNK, len(corpus)))]
                    counts[number, side] += np.bincount(np.concatenate(sentences), minlength=data.symbols.size)
    return counts


def _predictions(
    loaded: LoadedModel, objective: PairObjective, split: str, passes: int, seed: int, max_tokens: int
) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield for each batch (M,) target, predicted symbol, number of the pair of languages, row of the language."""
    source = objective.source(split, epoch=1)
    assert source is not None
    dataset = ExampleDataset(source, objective.build, alpha=1.0, seed=(seed,))
    items = np.flatnonzero(source.sizes)
    model = loaded.model
    device = next(model.parameters()).device
    with tqdm(total=passes * len(items), desc=objective.name, unit="pair", disable=None) as bar, torch.inference_mode():
        for number in range(1, passes + 1):
            for indices in length_batches(source.sizes[items].tolist(), max_tokens):
                batch = objective.collate([dataset.example(int(items[index]), number) for index in indices])
                batch = {k: v.to(device) if isinstance(v, Tensor) else v for k, v in batch.items()}
                (states,) = model(objective.inputs(model, batch))
                predicted = model.heads["lm"](states).argmax(1)
                languages = batch["languages"].gather(1, batch["segment"].clamp(min=0).long())
                parts = (batch["target"], predicted, batch["target_group"], languages.view(-1)[batch["predict"]])
                yield tuple(part[: batch["num_predictions"]].cpu().numpy() for part in parts)
                bar.update(len(indices))


def class_names(limits: Sequence[int]) -> list[str]:
    """Names of the classes of frequency, which begin at 0 and at the limits: ``0``, ``1-3`` and ``4+`` for 1 and 4."""
    closed = [str(low) if low == high - 1 else f"{low}-{high - 1}" for low, high in pairwise([0, *limits])]
    return [*closed, f"{limits[-1]}+"]


def result_rows(found: Sequence[Restoration], limits: Sequence[int]) -> list[dict[str, Any]]:
    """One entry for each objective, pair of languages, language and class of frequency.

    Returns:
        ``{"pair", "language", "frequency", "metric": "restoration_acc_tlm", "value" (0 to 1), "correct", "tokens"}``; ``pair`` and
        ``language``, and ``frequency``, are ``all`` for all of them together; ``value`` is None where there are no tokens.
    """
    names = class_names(limits)
    rows = []
    for one in found:
        cells = {("all", "all"): (one.correct.sum((0, 1)), one.tokens.sum((0, 1)))}
        for number, (pair, languages) in enumerate(zip(one.pairs, one.languages, strict=True)):
            for side, language in enumerate(languages):
                cells[pair, language] = one.correct[number, side], one.tokens[number, side]
        for (pair, language), (correct, tokens) in cells.items():
            for frequency, right, total in zip(
                [*names, "all"], [*correct, correct.sum()], [*tokens, tokens.sum()], strict=True
            ):
                rows.append(
                    {
                        "pair": pair,
                        "language": language,
                        "frequency": frequency,
                        "metric": f"restoration_acc_{one.objective}",
                        "value": float(right / total) if total else None,
                        "correct": int(right),
                        "tokens": int(total),
                    }
                )
    return rows
