"""Write one field of a file of JSON objects, a line each, as lines of text: json_lines.py FILE FIELD OUTPUT."""

from __future__ import annotations

import json
import sys

from fairseq_xling_preprocess.errors import UserError
from fairseq_xling_preprocess.text import open_outputs, read_lines, squeeze


def main(source: str, field: str, output: str) -> None:
    """Raises UserError for a line that is not an object with the field."""
    with open_outputs([output]) as (stream,):
        for number, line in enumerate(read_lines(source), start=1):
            try:
                text = json.loads(line)[field]
            except (ValueError, KeyError, TypeError):
                raise UserError(f"{source}:{number}: not a JSON object with {field!r}; is this the corpus?") from None
            stream.write(f"{squeeze(text)}\n".encode())


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except UserError as error:
        print(f"json_lines.py: error: {error}", file=sys.stderr)
        sys.exit(2)
