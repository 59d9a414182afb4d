"""Normalisation of answers by language: MLQA (Lewis et al., 2020), as in its mlqa_evaluation_v1.py."""

from __future__ import annotations

import re
import string
import unicodedata
from functools import cache

from ..errors import UserError
from .squad import Normalizer, normalizer

# What is taken for an article, in lower case. Vietnamese: classifiers and the like. The Arabic one is a prefix, and the
# official pattern removes these two letters wherever they stand in a word.
ARTICLES = {
    "en": r"\b(?:a|an|the)\b",
    "es": r"\b(?:un|una|unos|unas|el|la|los|las)\b",
    "hi": None,
    "vi": r"\b(?:của|là|cái|chiếc|những)\b",
    "de": r"\b(?:ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b",
    "ar": "ال",
    "zh": None,
}
_HAN = re.compile("[\u4e00-\u9fa5]")  # the official range, smaller than Unicode's


@cache
def normalizer_of(language: str) -> Normalizer:
    """The normalisation of answers in ``language``, which is the language of the context.

    Lower case; without punctuation (ASCII's and all of Unicode's categories P*); without articles; split at white space,
    in Chinese also before and after each Chinese character, so that Latin words and numbers stay whole.

    Raises:
        UserError: MLQA does not define the language.
    """
    if language not in ARTICLES:
        raise UserError(
            f"MLQA's metric has no language {language}, only {' '.join(sorted(ARTICLES))}; for other languages use SQuAD's"
        )
    return normalizer(_is_punctuation, ARTICLES[language], _mixed_segmentation if language == "zh" else str.split)


def _is_punctuation(character: str) -> bool:
    return character in string.punctuation or unicodedata.category(character).startswith("P")


def _mixed_segmentation(text: str) -> list[str]:
    return _HAN.sub(r" \g<0> ", text).split()
