"""Which Wikipedia the name of a wiki's database stands for (``enwiki``), and by what code its language goes."""

from __future__ import annotations

import re

# Sister projects have longer names (commonswiki, specieswiki) or other ends (enwiktionary); these few look like languages.
_NO_WIKIPEDIAS = frozenset({"fdcwiki", "tenwiki", "wg_enwiki"})
_WIKIPEDIA = re.compile(r"([a-z]{2,3}(?:_[a-z]+)*|simple)wiki")
# other codes that the wikis go by in links and in ISO 639-3
_ALIASES = {
    "be-x-old": "be-tarask",
    "gsw": "als",
    "lzh": "zh-classical",
    "nan": "zh-min-nan",
    "nb": "no",
    "rup": "roa-rup",
    "sgs": "bat-smg",
    "vro": "fiu-vro",
    "yue": "zh-yue",
}


def language_of(dbname: str) -> str | None:
    """``enwiki`` -> ``en``, ``zh_min_nanwiki`` -> ``zh-min-nan``; None for what is no Wikipedia."""
    match = _WIKIPEDIA.fullmatch(dbname)
    if match is None or dbname in _NO_WIKIPEDIAS:
        return None
    return canonical(match[1].replace("_", "-"))


def canonical(code: str) -> str:
    """The one code of a language that has several: ``be-x-old`` -> ``be-tarask``."""
    return _ALIASES.get(code, code)
