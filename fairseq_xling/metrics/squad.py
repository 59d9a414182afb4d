"""F1 and exact match of SQuAD v1.1 (Rajpurkar et al., 2016, §6.1), also the metric of XQuAD and TyDiQA-GoldP in XTREME."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Normalizer = Callable[[str], str]


def normalizer(
    is_punctuation: Callable[[str], bool], articles: str | None, segment: Callable[[str], list[str]] = str.split
) -> Normalizer:
    """Make the function that is applied to an answer before it is compared.

    Args:
        is_punctuation: which characters are removed from the lower-cased text.
        articles: regular expression of what then becomes a space; None for nothing.
        segment: splits the rest into tokens, which are joined by one space.
    """
    pattern = articles and re.compile(articles)

    def normalize(text: str) -> str:
        text = "".join(character for character in text.lower() if not is_punctuation(character))
        return " ".join(segment(pattern.sub(" ", text) if pattern else text))

    return normalize


normalize = normalizer(string.punctuation.__contains__, r"\b(?:a|an|the)\b")


@dataclass(frozen=True)
class AnswerScores:
    """Sums over questions; add two to get those of both parts.

    Attributes:
        f1, exact_match: sums of the scores of single questions, each from 0 to 1.
        count: number of questions.
    """

    f1: float = 0.0
    exact_match: float = 0.0
    count: int = 0

    def __add__(self, other: AnswerScores) -> AnswerScores:
        return AnswerScores(self.f1 + other.f1, self.exact_match + other.exact_match, self.count + other.count)

    def percent(self) -> dict[str, float]:
        """Averages ``f1`` and ``exact_match`` in percent. Raises ZeroDivisionError if nothing was counted."""
        return {"f1": 100 * self.f1 / self.count, "exact_match": 100 * self.exact_match / self.count}


def score_answer(prediction: str, answers: Sequence[str], normalize: Normalizer = normalize) -> AnswerScores:
    """Score one question: the best F1 and the best exact match over its gold answers, each by itself.

    Args:
        prediction: the predicted text; empty for none, which scores as any other text.
        answers: the gold texts.
        normalize: SQuAD's, or `mlqa.normalizer_of(language)`.

    Raises:
        ValueError: there is no gold answer.
    """
    if not answers:
        raise ValueError("a question needs a gold answer to be scored")
    text, golds = normalize(prediction), [normalize(answer) for answer in answers]
    f1 = max(_token_f1(text.split(), gold.split()) for gold in golds)
    return AnswerScores(f1, float(text in golds), 1)


def _token_f1(predicted: list[str], gold: list[str]) -> float:
    """F1 of bags of tokens; 0 if they share none, even where both are empty, as in the official script."""
    shared = (Counter(predicted) & Counter(gold)).total()
    return 2 * shared / (len(predicted) + len(gold)) if shared else 0.0
