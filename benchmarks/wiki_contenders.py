"""One contender of ``wiki.py`` in a process of its own, because two releases of WikiExtractor have one name.

    python benchmarks/wiki_contenders.py NAME PAGES OUT [FOLDER]

NAME: ``fairseq_xling`` or ``wikiextractor`` (from FOLDER). PAGES: JSON lines, language, title, wikitext. OUT: JSON with the
processor time of the parsing alone, and for every page the titles that its links lead to.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
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


def main() -> None:
    name, pages_file, out = sys.argv[1:4]
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
