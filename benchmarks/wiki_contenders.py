"""One contender of ``wiki.py`` in a process of its own: for its memory, and because two releases of WikiExtractor have one name.

    python benchmarks/wiki_contenders.py fairseq_xling PAGES OUT
    python benchmarks/wiki_contenders.py wikiextractor PAGES OUT FOLDER
    python benchmarks/wiki_contenders.py joins TABLES OUT MEMORY_LIMIT

PAGES: JSON lines, language, title, wikitext. OUT of a parser: JSON with the processor time of the parsing alone, and for every
page the titles that its links lead to. TABLES: what ``wiki.py`` made; OUT: JSON with processor time and peak memory.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

Page = tuple[str, str, str]
_HREF = re.compile(r'(?:<|&lt;)a href="([^"]*)"(?:>|&gt;)')


def ours() -> Callable[[Page], list[str]]:
    from fairseq_xling_preprocess.wiki.wikitext.grammar import Parser
    from fairseq_xling_preprocess.wiki.wikitext.site import Site

    parsers: dict[str, Parser] = {}

    def parse(page: Page) -> list[str]:
        language, _, wikitext = page
        if language not in parsers:
            parsers[language] = Parser(Site(language))
        return [anchor.title for anchor in parsers[language].parse(wikitext).anchors]

    return parse


def wikiextractor(folder: str) -> Callable[[Page], list[str]]:
    sys.path.insert(0, folder)
    from wikiextractor.extract import Extractor  # type: ignore[import-not-found]

    old = hasattr(Extractor, "keepLinks")
    Extractor.keepLinks = True

    def parse(page: Page) -> list[str]:
        _, title, wikitext = page
        extractor = (
            Extractor(1, 1, "", title, wikitext.split("\n"))
            if old
            else Extractor(1, 1, "", title, wikitext.split("\n"), keepLinks=True)
        )
        text = extractor.clean_text(wikitext, expand_templates=False)
        return [unquote(target) for line in text for target in _HREF.findall(line)]

    return parse


def join_tables(folder: Path, memory_limit: str) -> dict[str, float]:
    """The joins of ``xling entities`` over tables in ``folder``; seconds, and MB of memory at the peak and before."""
    from fairseq_xling_preprocess.wiki.entities.run import TABLES, Options, join

    files = {name: [] for name in TABLES} | {path.stem: [path] for path in folder.glob("*.parquet")}
    before = peak_mb()
    with tempfile.TemporaryDirectory(dir=folder) as work:
        options = Options(folder, folder, Path(work), folder, "", memory_limit=memory_limit)
        begin = time.process_time()
        join(options, files, Path(work))
        seconds = time.process_time() - begin
    return {"seconds": seconds, "peak_mb": peak_mb(), "before_mb": before}


def peak_mb() -> float:
    """Most memory of this process so far."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


def main() -> None:
    name, pages_file, out = sys.argv[1:4]
    if name == "joins":
        Path(out).write_text(json.dumps(join_tables(Path(pages_file), sys.argv[4])), encoding="utf-8")
        return
    parse = ours() if name == "fairseq_xling" else wikiextractor(sys.argv[4])
    with open(pages_file, encoding="utf-8") as lines:
        pages: list[Page] = [tuple(json.loads(line)) for line in lines]
    begin = time.process_time()
    links = [parse(page) for page in pages]
    seconds = time.process_time() - begin
    with open(out, "w", encoding="utf-8") as stream:
        json.dump({"seconds": seconds, "links": links}, stream)


if __name__ == "__main__":
    main()
