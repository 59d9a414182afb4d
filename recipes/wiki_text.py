"""The articles of ``xling wiki`` as plain text, a line a paragraph, a file for each language: to train a vocabulary, or for MMLM.

python recipes/wiki_text.py WIKI_DIR OUT [--characters N]      at most N characters of each language
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pyarrow.parquet as pq

from fairseq_xling_preprocess.text import open_outputs

_LANGUAGE = re.compile(r"[a-z]+(-[a-z0-9]+)*")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wiki", type=Path, help="what xling wiki wrote")
    parser.add_argument("out", type=Path, help="folder for the files")
    parser.add_argument("--characters", type=int, default=1 << 60, help="of each language (default: all)")
    args = parser.parse_args()
    files: dict[str, list[Path]] = {}
    for path in sorted((args.wiki / "articles").glob("[a-z]*.parquet")):
        language = path.stem.rpartition("-")[0]
        if _LANGUAGE.fullmatch(language) and pq.read_metadata(path).num_rows:
            files.setdefault(language, []).append(path)
    if not files:
        parser.error(f"{args.wiki}/articles: no tables of articles; run xling wiki first")
    for language, paths in files.items():
        room = args.characters
        with open_outputs([args.out / language]) as (stream,):
            for path in paths:
                for batch in pq.ParquetFile(path).iter_batches(64, columns=["text"]):
                    for text in batch.column(0).to_pylist():
                        if room > 0:
                            stream.write((text + "\n").encode())
                            room -= len(text)


if __name__ == "__main__":
    main()
