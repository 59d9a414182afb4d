"""Text to words, by the usual tokeniser of each language; words hold no white space."""

from __future__ import annotations

import importlib
import logging
import re
import unicodedata
import warnings
from collections.abc import Callable, Sequence
from types import ModuleType

from ..errors import UserError

Tokenizer = Callable[[str], Sequence[str]]

# No-break spaces are no separators in tokenised text: they may be part of a number.
_WORD = re.compile(r"[^ \t\r\v\f]+")
# Written without spaces between words, and no tokeniser here.
UNSEGMENTED = {"bo": "Tibetan", "dz": "Dzongkha", "km": "Khmer", "lo": "Lao", "my": "Burmese", "shn": "Shan"}
INSTALL = {"sacremoses": "align", "jieba": "align-cjk", "sudachipy": "align-cjk", "pythainlp": "align-cjk"}


def split_words(line: str) -> list[str]:
    """Words of tokenised text, which ASCII white space separates."""
    return _WORD.findall(line)


def visible(text: str) -> str:
    """The text without white space, control and format characters: what a tokeniser must leave as it is."""
    text = "".join(text.split())
    if text.isprintable():
        return text
    return "".join([char for char in text if unicodedata.category(char) not in ("Cc", "Cf")])


def tokenizer(lang: str) -> Tokenizer:
    """The tokeniser of a language code: Moses' rules, but jieba for zh, SudachiPy for ja, newmm for th.

    It maps a sentence to words. Only white space, control and format characters are lost; a sentence that the library
    would change otherwise is split at white space.

    Raises:
        UserError: the language has no spaces and no tokeniser here, or the library is not installed.
    """
    code = lang.lower().split("_")[0]
    if code in UNSEGMENTED:
        raise UserError(
            f"{UNSEGMENTED[code]} ({lang}) is written without spaces and has no tokeniser here; "
            "segment the text yourself and give --pretokenized"
        )
    split = {"zh": _jieba, "yue": _jieba, "ja": _sudachi, "th": _newmm}.get(code, _moses)(code)

    def tokenize(line: str) -> list[str]:
        line = " ".join(line.split())
        words = [part for word in split(line) for part in word.split() if visible(part)]
        return words if visible("".join(words)) == visible(line) else [word for word in line.split() if visible(word)]

    return tokenize


def _moses(code: str) -> Tokenizer:
    moses = _library("sacremoses").MosesTokenizer(code)
    # aggressive_dash_splits would write "@-@", escape "&amp;"
    return lambda line: moses.tokenize(line, aggressive_dash_splits=False, escape=False)


def _jieba(code: str) -> Tokenizer:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports pkg_resources
        jieba = _library("jieba")
    jieba.setLogLevel(logging.WARNING)  # it tells on stderr that it loads its dictionary
    words: Tokenizer = jieba.lcut
    return words


def _sudachi(code: str) -> Tokenizer:
    try:
        dictionary = _library("sudachipy").Dictionary(dict="small")
    except ModuleNotFoundError as error:
        raise UserError("Japanese needs sudachidict_small: pip install 'fairseq_xling[align-cjk]'") from error
    sudachi = dictionary.tokenizer() if hasattr(dictionary, "tokenizer") else dictionary.create()
    # Its limit is 49,149 bytes; a character has at most 4.
    return lambda line: [
        token.surface()
        for start in range(0, len(line), 12_000)
        for token in sudachi.tokenize(line[start : start + 12_000])
    ]


def _newmm(code: str) -> Tokenizer:
    tokenize = _library("pythainlp.tokenize").word_tokenize
    return lambda line: tokenize(line, engine="newmm", keep_whitespace=False)


def _library(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.split(".")[0]
        raise UserError(
            f"tokenising needs {package}: pip install 'fairseq_xling[{INSTALL[package]}]', "
            "or tokenise the text yourself and give --pretokenized"
        ) from error
