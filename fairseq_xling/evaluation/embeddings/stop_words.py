"""Stop words by language: those of the Stopwords ISO collection, or a file's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fairseq_xling_preprocess.text import read_lines

from ...errors import UserError


def fold(word: str) -> str:
    """The form in which words are compared: without case, with one kind of apostrophe."""
    return word.casefold().replace("’", "'")


def load_stop_words(languages: Sequence[str], files: Sequence[str]) -> dict[str, frozenset[str]]:
    """Folded stop words of each language.

    Args:
        files: ``LANG=FILE``, a word a line, taken instead of the collection's list.

    Raises:
        UserError: an entry of ``files`` is malformed, repeated, of another language, or its file is missing or empty; the
            collection, or the language in it, is missing.
    """
    named: dict[str, Path] = {}
    for text in files:
        code, equals, name = text.partition("=")
        if not equals or not name or code not in languages or code in named:
            raise UserError(
                f"--stopwords {text}: expected LANG=FILE, once for each language at most; the languages are {', '.join(languages)}"
            )
        named[code] = Path(name)
    return {code: _read(named[code]) if code in named else _collected(code) for code in languages}


def _read(path: Path) -> frozenset[str]:
    return frozenset(fold(line.strip()) for line in read_lines(str(path)) if line.strip())


def _collected(code: str) -> frozenset[str]:
    remedy = f"name a list with --stopwords {code}=FILE (a word a line)"
    try:
        import stopwordsiso
    except ImportError as error:
        raise UserError(f"stop words need stopwordsiso: pip install 'fairseq_xling[report]', or {remedy}") from error
    language = code.partition("_")[0].lower()  # pt_BR has the words of pt
    if not stopwordsiso.has_lang(language):
        raise UserError(f"stopwordsiso has no stop words of {code}; {remedy}")
    return frozenset(map(fold, stopwordsiso.stopwords(language)))
