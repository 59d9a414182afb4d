"""Marks of the language converter: text in several variants of a language, of which a reader sees one."""

from __future__ import annotations

import re
from collections.abc import Sequence

_MARK = re.compile(r"-\{([^{}]*)\}-")
_MAX_NESTING = 4


class Converter:
    """Takes one variant, the same on every page: the first of ``variants`` that a mark offers, else its first."""

    def __init__(self, variants: Sequence[str]) -> None:
        self._variants = variants
        codes = "|".join(re.escape(code) for code in variants)
        self._rule = re.compile(rf"(?:^|;)\s*(?:[^;{{}}]{{0,200}}=>\s*)?({codes})\s*:")

    def convert(self, text: str) -> str:
        """The text with every ``-{...}-`` replaced by what is shown; a rule for the page or its title shows nothing."""
        for _ in range(_MAX_NESTING):
            text, number = _MARK.subn(self._shown, text)
            if not number:
                break
        return text

    def _shown(self, match: re.Match[str]) -> str:
        flags, bar, body = match[1].partition("|")
        if not bar:
            flags, body = "", match[1]
        elif {flag.strip().upper() for flag in flags.split(";")} & {"T", "H", "-"}:
            return ""
        rules = list(self._rule.finditer(body))
        if not rules or body[: rules[0].start()].strip():
            return body
        ends = [rule.start() for rule in rules[1:]] + [len(body)]
        shown = {rule[1]: body[rule.end() : end].strip().rstrip(";") for rule, end in zip(rules, ends, strict=True)}
        return next((shown[code] for code in self._variants if code in shown), "")
