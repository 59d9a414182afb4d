"""Templates whose text stays: a reader sees it within the sentence. All others are left out.

docs/wiki.md lists them for users. ``{1}`` is the first argument without a name, ``{-1}`` the last, ``{1|text}`` the first, or that named text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

_PATTERNS: dict[str, str] = {
    # text in another language or script, or set apart in type; names of templates in lower case, separated by |
    "lang": "{2}",
    "langwithname": "{3}",
    "transl|translit|transliteration|script": "{-1}",
    "nowrap|nobr|nobold|noitalic|nobreak|small|smaller|big|larger|em|strong|unicode|polytonic|sup|sub|mvar|math|code|tt|"
    "visible anchor|vanchor|abbr|tooltip|val|sic|mono|smallcaps|inline-block|ipa|要出典範囲": "{1}",
    "color|font color|colour": "{2}",
    # readings of Chinese characters
    "ruby|ruby-ja|rubi|読み仮名|読み仮名 ruby不使用|ふりがな": "{1}",
    # words of another language, in the Japanese Wikipedia; elsewhere these are without arguments and leave nothing
    "en|fr|de|it|es|pt|ru|zh|ko|nl|la|el|ar": "{1}",
    # links to articles that are not there yet
    "仮リンク|ill|interlanguage link|interlanguage link multi|illm|link-interwiki|lien|tsl|link-en": "{1}",
    # quotations
    "quote|cquote|blockquote|quotation|bquote|quote box": "\n{1|text|quote}\n",
    # names of countries beside their flags
    "flag|flagcountry|flagu": "{1}",
    # dates and numbers
    "as of|asof": "As of {1}",
    "circa|c.": "c. {1}",
    # characters
    "nbsp": "\u00a0",
    "ndash|en dash": "–",
    "mdash|em dash": "—",
    "spaced ndash|snd|spnd|dash": " – ",
    "·|middot|dot": " · ",
    "•|bull": " • ",
    "'": "'",
    "!": "|",
    "=": "=",
    "...": "…",
    "pipe": "|",
}
_TEMPLATES = {name: pattern for names, pattern in _PATTERNS.items() for name in names.split("|")}
_BETWEEN = frozenset(("-", "–", "to", "and", "or", "x", "by", "to(-)", "and(-)", "×", "+/-", "±"))
_FIELD = re.compile(r"\{(-?\d)((?:\|\w+)*)\}")


def _convert(arguments: Sequence[str]) -> str:
    """The quantity as given: a reader sees the other unit beside it."""
    if len(arguments) > 3 and arguments[1].strip() in _BETWEEN:
        return " ".join(part.strip() for part in arguments[:4])
    return " ".join(part.strip() for part in arguments[:2])


def _nihongo(arguments: Sequence[str]) -> str:
    """``English (kanji, rōmaji)``, as the template shows them."""
    first, *others = (part.strip() for part in arguments[:3])
    inside = ", ".join(part for part in others if part)
    return f"{first} ({inside})" if first and inside else first or inside


def _fraction(arguments: Sequence[str]) -> str:
    """``1/2`` of ``2``, ``3/4`` of ``3|4``, ``1 1/2`` of ``1|1|2``."""
    whole, numerator, denominator = [
        *("", "1")[: max(0, 3 - len(arguments))],
        *(part.strip() for part in arguments[:3]),
    ]
    return f"{whole} {numerator}/{denominator}".strip()


_FUNCTIONS: dict[str, Callable[[Sequence[str]], str]] = {
    "convert": _convert,
    "cvt": _convert,
    "nihongo": _nihongo,
    "frac": _fraction,
    "fraction": _fraction,
}


def is_kept(name: str) -> bool:
    """Whether the template of this name (lower case, blanks) leaves text."""
    return name in _TEMPLATES or name in _FUNCTIONS or name.startswith(("lang-", "formatnum:"))


def text_of(name: str, arguments: Sequence[str], named: Mapping[str, str]) -> str:
    """The wikitext that stands for a kept template with these arguments, without a name and with one."""
    if name in _FUNCTIONS:
        return _FUNCTIONS[name](arguments) if arguments else ""
    if name.startswith("formatnum:"):
        return name.partition(":")[2]

    def field(match: re.Match[str]) -> str:
        index = int(match[1])
        index = index - 1 if index > 0 else len(arguments) + index
        if 0 <= index < len(arguments):
            return arguments[index].strip()
        return next((named[key].strip() for key in match[2].split("|")[1:] if key in named), "")

    return _FIELD.sub(field, _TEMPLATES.get(name, "{1}"))
