"""Static word embeddings, the similarity of partners, and their projection to the plane.

Axes: n pairs, D width. The 2n words are in the order of the pairs: all first words, then all second ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import UserError
from ...interop.loaded import LoadedModel
from .pairs import WordPair

Array = np.ndarray[Any, Any]

DEFAULT_PERPLEXITY = 30.0
_SAME = 1e-9  # cosines that differ by less are equal but for rounding


@dataclass(frozen=True)
class Similarity:
    """Similarity of the partners in the full space.

    Attributes:
        cosine: (n,) of each pair.
        others: mean cosine of a word with the words of the other language that are not its partner. Embeddings of one model may
            all point the same way, so only the distance between ``cosine`` and this says that partners are near.
        rank: (2n,) for each word the number of words of the other language that are nearer to it than its partner, 0 the best.
    """

    cosine: Array
    others: float
    rank: Array

    @property
    def mutual(self) -> Array:
        """(n,) bool: each of the two words is the other's nearest one in its language."""
        first, second = self.rank.reshape(2, -1)
        return (first == 0) & (second == 0)


def word_pieces(loaded: LoadedModel, words: Sequence[str]) -> list[Array | None]:
    """Piece ids (T,) of words, as if a space preceded each; None for a word with an unknown piece or without any.

    A piece that is nothing but the space's mark belongs to no word and is left out.

    Raises:
        UserError: the model has no tokenizer.
    """
    space = loaded.dictionary.index("▁")
    found: list[Array | None] = []
    for pieces in loaded.encode_text(words):
        own = pieces[pieces != space]
        found.append(own if len(own) and loaded.symbols.unk not in pieces else None)
    return found


def choose_pairs(
    candidates: Iterable[WordPair], models: Sequence[LoadedModel], count: int
) -> tuple[list[WordPair], list[WordPair]]:
    """The first ``count`` pairs whose words all models have pieces for, and the pairs passed over on the way."""
    chosen: list[WordPair] = []
    skipped: list[WordPair] = []
    for pair in candidates:
        if len(chosen) == count:
            break
        known = all(
            pieces is not None for loaded in models for pieces in word_pieces(loaded, [pair.first, pair.second])
        )
        (chosen if known else skipped).append(pair)
    return chosen, skipped


def word_vectors(loaded: LoadedModel, pairs: Sequence[WordPair]) -> Array:
    """(2n, D) float64: the mean of the word embedding's rows of each word's pieces.

    Only the word embedding: no position, no layer norm. WEAM calls it "the embedding layer".

    Raises:
        UserError: the embedding is not finite, or the same for all words.
    """
    table = loaded.model.encoder.sentence_encoder.embed_tokens.weight.detach()
    words = [pair.first for pair in pairs] + [pair.second for pair in pairs]
    rows = [table[pieces].double().mean(0).numpy() for pieces in word_pieces(loaded, words) if pieces is not None]
    vectors = np.stack(rows)
    if not np.isfinite(vectors).all():
        raise UserError(
            f"{loaded.path}: the word embedding holds inf or nan; take a checkpoint from before it diverged"
        )
    if np.ptp(vectors, axis=0).max() == 0:
        raise UserError(f"{loaded.path}: all words have the same embedding, there is nothing to draw")
    return vectors


def similarity(vectors: Array) -> Similarity:
    """Cosines and ranks of the partners.

    Args:
        vectors: (2n, D), n at least 2.
    """
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    first, second = np.split(vectors / np.maximum(norms, np.finfo(np.float64).tiny), 2)
    cosines = first @ second.T
    own, count = np.diag(cosines), len(cosines)
    others = (cosines.sum() - own.sum()) / (count * (count - 1))
    nearer = cosines - _SAME
    rank = np.concatenate([(nearer > own[:, None]).sum(1), (nearer > own[None]).sum(0)])
    return Similarity(own, float(others), rank)


def fit_perplexity(perplexity: float | None, points: int) -> float:
    """The perplexity asked for, or as usual 30, for few points less: a third of a point's neighbours.

    Raises:
        UserError: it is not less than the number of points.
    """
    if perplexity is None:
        return min(DEFAULT_PERPLEXITY, (points - 1) / 3)
    if not perplexity < points:
        raise UserError(
            f"--perplexity {perplexity:g}: must be less than the number of words, {points}; use more --pairs"
        )
    return perplexity


def project(vectors: Array, perplexity: float) -> Array:
    """Positions in the plane by t-SNE on Euclidean distances (van der Maaten and Hinton, 2008), (2n, 2).

    It starts from the principal components and follows the exact gradient, so nothing is drawn at random and the same vectors
    always give the same picture.
    """
    from sklearn.manifold import TSNE

    # the seed is that of the approximate principal components
    tsne = TSNE(perplexity=perplexity, init="pca", method="exact", random_state=0)
    positions: Array = tsne.fit_transform(vectors)
    return positions
