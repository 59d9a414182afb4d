"""MLQA's normalisation in its seven languages, against results by hand."""

from __future__ import annotations

import pytest

from fairseq_xling.errors import UserError
from fairseq_xling.finetuning.readers.squad import read_squad
from fairseq_xling.metrics.mlqa import ARTICLES, normalizer_of
from fairseq_xling.metrics.squad import AnswerScores, score_answer


@pytest.mark.parametrize(
    ("language", "text", "normal"),
    [
        ("en", "The “Cat's” hat – an eel…", "cats hat eel"),  # Unicode punctuation too
        ("en", "5 $ + 3 €", "5 3 €"),  # $ and + are ASCII punctuation, € is a symbol
        ("de", "Der Präsident der Republik", "präsident republik"),
        ("de", "„eine Straße“", "straße"),
        ("de", "desto", "desto"),
        ("es", "¿La casa de los Ángeles?", "casa de ángeles"),
        ("es", "una unanimidad", "unanimidad"),
        ("vi", "Những con mèo của tôi", "con mèo tôi"),
        ("hi", "भारत का संविधान।", "भारत का संविधान"),  # the danda is punctuation; no articles
        ("hi", "the ताज", "the ताज"),
        ("ar", "الكتاب والقلم؟", "كتاب و قلم"),  # the article goes also after a prefixed conjunction, leaving a space
        ("ar", "مقالات", "مق ات"),  # and inside of words, as in the official script
        ("zh", "《宪法》保障，宗教自由。", "宪 法 保 障 宗 教 自 由"),
        ("zh", "在2019年 iPhone X发布", "在 2019 年 iphone x 发 布"),  # Latin words and numbers stay whole
        ("zh", "the 猫", "the 猫"),
        ("zh", "龥龥龦龦", "龥 龥 龦龦"),  # the official range ends at U+9FA5; U+9FA6 is not split off
    ],
)
def test_normalize(language, text, normal):
    assert normalizer_of(language)(text) == normal


@pytest.mark.parametrize(
    ("language", "prediction", "answers", "f1", "exact_match"),
    [
        ("en", "the Penn", ["Penn"], 1, 1),
        ("de", "Der Hund und die Katze", ["Katze"], 1 / 2, 0),  # hund und katze: precision 1/3, recall 1
        ("es", "las islas", ["islas Canarias", "unas islas"], 1, 1),
        ("vi", "cái nhà lớn", ["nhà"], 2 / 3, 0),
        ("hi", "लाल किला, दिल्ली", ["लाल किला"], 4 / 5, 0),
        ("ar", "الكتاب الجديد", ["كتاب جديد"], 1, 1),
        ("zh", "宗教自由", ["宗教"], 2 / 3, 0),  # by characters: precision 2/4, recall 1
        ("zh", "iPhone手机", ["手机", "iPhone 手机！"], 1, 1),
        ("zh", "", ["宗教"], 0, 0),
        ("es", "una", ["una"], 0, 1),  # only an article: equal, but no word is left to share
    ],
)
def test_score_answer(language, prediction, answers, f1, exact_match):
    scores = score_answer(prediction, answers, normalizer_of(language))
    assert scores == AnswerScores(pytest.approx(f1), exact_match, 1)


def test_words_are_not_split_without_the_languages_own_rules():
    # with white space alone a Chinese answer is one word: the F1 would collapse to the exact match
    assert score_answer("宗教自由", ["宗教"]).f1 == 0


def test_unknown_language():
    with pytest.raises(UserError, match="no language fr, only ar de en es hi vi zh"):
        normalizer_of("fr")


@pytest.mark.parametrize("language", ARTICLES)
def test_gold_against_itself_is_100(shared_data, language):
    path = shared_data / f"downstream/mlqa/dev-context-{language}-question-{language}.json.gz"
    normalize = normalizer_of(language)
    golds = [question.answers[0].text for question in read_squad(str(path))]
    scores = sum((score_answer(gold, [gold], normalize) for gold in golds if normalize(gold)), AnswerScores())
    assert scores.percent() == {"f1": pytest.approx(100), "exact_match": 100}
    assert len(golds) - scores.count == (language == "es")  # one Spanish answer is "una"
