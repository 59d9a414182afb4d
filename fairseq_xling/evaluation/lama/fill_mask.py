"""The symbol a masked language model puts in the gap of a sentence.

A sentence is tokenised as in pre-training, with a character that is in no piece for the gap; ``<mask>`` then takes the place
of that character **and of the blank before it**. So after a blank, and at the start, the model is asked for a piece with its
blank (``▁Paris``); without one, as in ``(born [MASK])`` without the blank or in Chinese, for a piece without (``Paris``).

WordPiece's pieces do not hold blanks, and BERT takes ``[MASK]`` for a word of its own: the text on either side is tokenised by
itself, and the model is asked for a piece that begins a word (``Paris``, not ``##Paris``), whether there is a blank or not.

Axes: N sentences, B batch, T tokens, D width, V symbols.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...data.sentences import pad_sentences
from ...interop.loaded import LoadedModel
from ...models.encoder import EncoderInput
from ..encoding import length_batches
from .cloze import GAP

BLANK = "▁"
# masks in one call of the output layer: V = 250,000 logits each
_LOGITS = 256


@dataclass(frozen=True)
class MaskedSentence:
    """Symbol ids (T,) without ``<s>`` and ``</s>``, the mask's position in them, and whether it stands for the
    beginning of a word: a blank went into the mask, or the pieces have no blanks."""

    tokens: np.ndarray
    position: int
    blank: bool


class ClozeEncoder:
    """Turns sentences with ``[MASK]`` and the words asked for into symbols.

    Args:
        loaded: a model with its tokeniser.

    Raises:
        UserError: it has none.
    """

    def __init__(self, loaded: LoadedModel):
        self._loaded = loaded
        self._symbols = loaded.symbols
        self._tokenizer = loaded.require_tokenizer()

    def sentences(self, texts: Sequence[str]) -> list[MaskedSentence]:
        """Encode sentences, each with exactly one ``[MASK]``."""
        if not self._tokenizer.marks_blanks:
            sides = zip(*(text.split(GAP) for text in texts), strict=True)
            return [self._join(*both) for both in zip(*map(self._loaded.encode_text, sides), strict=True)]
        marker = self._marker(texts)
        marked = [text.replace(GAP, marker) for text in texts]
        return [self._place_mask(ids, pieces, marker) for ids, pieces in self._encode(marked)]

    def objects(self, words: Sequence[str]) -> list[tuple[int | None, int | None]]:
        """The symbol of each word without and with a blank before it; None where it is not one piece of the vocabulary.

        Pieces that hold no blanks are the same in both places.
        """
        outside = [self._single(ids) for ids in self._loaded.encode_text(words)]
        if not self._tokenizer.marks_blanks:
            return list(zip(outside, outside, strict=True))
        marker = self._marker(words)
        inside = []
        for ids, pieces in self._encode([marker + word for word in words]):
            after = next(number for number, piece in enumerate(pieces) if marker in piece) + 1
            inside.append(self._single(ids[after:]) if pieces[after - 1] == marker else None)
        return list(zip(inside, outside, strict=True))

    def _encode(self, texts: Sequence[str]) -> Iterator[tuple[np.ndarray, list[str]]]:
        return zip(self._tokenizer.encode(texts), self._tokenizer.pieces(texts), strict=True)

    def _marker(self, texts: Sequence[str]) -> str:
        """A private-use character that is in no piece and no text."""
        used = set("".join(texts))
        known = self._loaded.dictionary.indices
        return next(c for c in map(chr, range(0xE000, 0xF900)) if c not in used and c not in known)

    def _join(self, before: np.ndarray, after: np.ndarray) -> MaskedSentence:
        tokens = np.concatenate([before, [self._symbols.mask], after]).astype(np.int64)
        return MaskedSentence(tokens, len(before), True)

    def _place_mask(self, ids: np.ndarray, pieces: list[str], marker: str) -> MaskedSentence:
        at = next(number for number, piece in enumerate(pieces) if marker in piece)
        # unknown characters side by side are one piece: what belongs to the marker's neighbours stays unknown
        before, after = ([self._symbols.unk] * bool(rest) for rest in pieces[at].split(marker))
        blank = not before and at > 0 and pieces[at - 1] == BLANK
        left = [*ids[: at - blank], *before]
        tokens = np.array([*left, self._symbols.mask, *after, *ids[at + 1 :]], dtype=np.int64)
        return MaskedSentence(tokens, len(left), blank)

    def _single(self, ids: np.ndarray) -> int | None:
        return int(ids[0]) if len(ids) == 1 and self._symbols.first_ordinary <= ids[0] < self._symbols.mask else None


def ordinary_candidates(loaded: LoadedModel) -> Tensor:
    """Bool (2, V): every symbol but the special ones, with and without a blank."""
    allowed = torch.ones(2, loaded.symbols.size, dtype=torch.bool)
    allowed[:, loaded.symbols.special] = False
    return allowed


def vocabulary_candidates(loaded: LoadedModel, words: Sequence[str]) -> Tensor:
    """Bool (2, V): the words that are one piece, without (row 0) and with (row 1) a blank before them."""
    allowed = torch.zeros(2, loaded.symbols.size, dtype=torch.bool)
    for row, ids in enumerate(zip(*ClozeEncoder(loaded).objects(words), strict=True)):
        allowed[row, [number for number in ids if number is not None]] = True
    return allowed


def fill_masks(
    loaded: LoadedModel,
    sentences: Sequence[MaskedSentence],
    allowed: Tensor,
    max_tokens: int = 4096,
    advance: Callable[[int], object] = lambda sentences: None,
) -> np.ndarray:
    """The most probable symbol at each mask.

    Args:
        loaded: a model with an LM head, in evaluation mode, on the device to use.
        sentences: at most ``model.max_positions() - 2`` tokens each.
        allowed: bool (2, V), the candidates where no blank (row 0) and where a blank (row 1) went into the mask.
        max_tokens: padded tokens in a batch.
        advance: called with the number of sentences done.

    Returns:
        (N,) symbol ids.
    """
    model, symbols = loaded.model, loaded.symbols
    device = next(model.parameters()).device
    allowed = allowed.to(device)
    found = np.zeros(len(sentences), dtype=np.int64)
    with torch.inference_mode():
        for batch in length_batches([len(sentence.tokens) + 2 for sentence in sentences], max_tokens):
            part = [sentences[i] for i in batch]
            tokens = pad_sentences([sentence.tokens for sentence in part], symbols)
            # <s> stands before the sentence's own tokens
            columns = torch.tensor([sentence.position + 1 for sentence in part])
            select = torch.arange(len(part)) * tokens.size(1) + columns
            states = model([EncoderInput(tokens.to(device), select=select.to(device))])[0]
            blank = torch.tensor([sentence.blank for sentence in part], device=device).long()
            best = [
                model.heads["lm"](some).masked_fill_(~allowed[rows], -torch.inf).argmax(dim=1)
                for some, rows in zip(states.split(_LOGITS), blank.split(_LOGITS), strict=True)
            ]
            found[batch] = torch.cat(best).cpu().numpy()
            advance(len(part))
    return found
