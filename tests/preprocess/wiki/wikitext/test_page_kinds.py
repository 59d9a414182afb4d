"""Redirects and disambiguations by their text."""

import pytest

from fairseq_xling_preprocess.wiki.wikitext.page_kinds import is_disambiguation, redirect_target


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("#REDIRECT [[Bee]]", "Bee"),
        ("\n#redirect: [[Bee#Life|x]]", "Bee#Life"),
        ("#RINVIA [[Ape]] {{x}}", "Ape"),
        ("#転送 [[蜂]]", "蜂"),
        ("#перенаправление [[Пчела]]", "Пчела"),
        ("# [[Bee]]", None),  # a list
        ("#Bees [[Bee]]", None),
        ("See #REDIRECT [[Bee]]", None),
    ],
)
def test_redirects(text, target):
    assert redirect_target(text) == target


@pytest.mark.parametrize(
    ("language", "text", "is_one"),
    [
        ("en", "'''Bee''' may be:\n{{disambiguation}}", True),
        ("en", "{{ Geodis | x }}", True),
        ("en", "{{disambiguation needed}}", False),
        ("de", "{{Begriffsklärung}}", True),
        ("en", "{{Begriffsklärung}}", False),
        ("ja", "{{曖昧さ回避}}", True),
        ("tr", "{{anlam_ayrımı}}", True),
        ("xx", "__DISAMBIG__", True),
    ],
)
def test_disambiguations(language, text, is_one):
    assert is_disambiguation(text, language) is is_one
