"""fairseq's numbers of the symbols of ``dict.txt``."""

from __future__ import annotations

from pathlib import Path

from ...errors import UserError

FIRST = 4  # after <s> <pad> </s> <unk>
_OVERWRITE = " #fairseq:overwrite"


def read_dictionary(path: str | Path) -> dict[str, int]:
    """Symbol -> its number in fairseq: line i, from 0, is 4 + i.

    Raises:
        UserError: the file is missing or empty, or a line is not a symbol and its count.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8")
    except OSError as error:
        raise UserError(f"{path}: {(error.strerror or str(error)).lower()}; xling vocab makes it") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 (byte {error.start}); xling vocab makes it") from error
    numbers = {}
    for index, line in enumerate(text.removesuffix("\n").split("\n")):
        symbol, _, count = line.rstrip().removesuffix(_OVERWRITE).rpartition(" ")
        if not symbol or not count.isdigit():
            raise UserError(
                f"{path}:{index + 1}: {line[:60]!r} is not a symbol, a space and a count; xling vocab makes it"
            )
        numbers[symbol] = FIRST + index
    return numbers
