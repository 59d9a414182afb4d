"""fairseq's numbers of the symbols of ``dict.txt``."""

from __future__ import annotations

from pathlib import Path

from ...errors import UserError

OF_FAIRSEQ = ("<s>", "<pad>", "</s>", "<unk>")
FIRST = len(OF_FAIRSEQ)
_OVERWRITE = " #fairseq:overwrite"


def read_dictionary(path: str | Path) -> dict[str, int]:
    """Symbol -> its number in fairseq: line i, from 0, is 4 + i.

    Raises:
        UserError: the file is missing or empty, or a line is not a symbol and its count, or fairseq would refuse it as a
            repeated symbol.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8")
    except OSError as error:
        raise UserError(f"{path}: {(error.strerror or str(error)).lower()}; xling vocab makes it") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 (byte {error.start}); xling vocab makes it") from error
    numbers = {}
    for index, line in enumerate(text.removesuffix("\n").split("\n")):
        entry = line.rstrip()
        symbol, _, count = entry.removesuffix(_OVERWRITE).rpartition(" ")
        if not symbol or not count.isdigit():
            raise UserError(
                f"{path}:{index + 1}: {line[:60]!r} is not a symbol, a space and a count; xling vocab makes it"
            )
        if (symbol in numbers or symbol in OF_FAIRSEQ) and not entry.endswith(_OVERWRITE):
            raise UserError(
                f"{path}:{index + 1}: the symbol {symbol!r} is there twice (of fairseq itself: {', '.join(OF_FAIRSEQ)}); "
                "xling vocab makes it"
            )
        numbers[symbol] = FIRST + index
    return numbers
