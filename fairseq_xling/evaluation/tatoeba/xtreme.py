"""The 36 Tatoeba test sets of XTREME (Hu et al., 2020), in the order of ERNIE-M's Table 16."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ...errors import UserError
from .bitext import ENGLISH, Bitext

# the code in tables -> the code in file names (ISO 639-3)
LANGUAGES = {
    "af": "afr", "ar": "ara", "bg": "bul", "bn": "ben", "de": "deu", "el": "ell", "es": "spa", "et": "est", "eu": "eus",
    "fa": "pes", "fi": "fin", "fr": "fra", "he": "heb", "hi": "hin", "hu": "hun", "id": "ind", "it": "ita", "ja": "jpn",
    "jv": "jav", "ka": "kat", "kk": "kaz", "ko": "kor", "ml": "mal", "mr": "mar", "nl": "nld", "pt": "por", "ru": "rus",
    "sw": "swh", "ta": "tam", "te": "tel", "th": "tha", "tl": "tgl", "tr": "tur", "ur": "urd", "vi": "vie", "zh": "cmn",
}  # fmt: skip


def select(bitexts: Iterable[Bitext]) -> list[Bitext]:
    """XTREME's test sets among all of LASER's, named ``af-en`` and so on; either code is found in file names.

    Raises:
        UserError: some of the 36 are missing (naming them), or one is there twice.
    """
    found: dict[str, list[Bitext]] = {}
    for bitext in bitexts:
        if bitext.b in ENGLISH:
            found.setdefault(bitext.a, []).append(bitext)
    chosen = {code: [*found.get(code, []), *found.get(name, [])] for code, name in LANGUAGES.items()}
    missing = [f"{code} ({LANGUAGES[code]}-eng)" for code, sets in chosen.items() if not sets]
    if missing:
        raise UserError(
            f"--xtreme: {len(missing)} of the 36 test sets are not in --data: {', '.join(missing)}; add them, or leave "
            "--xtreme out to evaluate what there is"
        )
    for code, sets in chosen.items():
        if len(sets) > 1:
            raise UserError(f"--xtreme: two test sets of {code}: {sets[0].file_a} and {sets[1].file_a}; remove one")
    return [replace(sets[0], name=f"{code}-en", a=code, b="en") for code, sets in chosen.items()]
