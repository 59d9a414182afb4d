#!/usr/bin/env python3
"""Recreate ``text/`` (aligned plain text) from ``wiki/*.xml`` and the sitelinks in ``wikidata.json``.

    python examples/data/derive.py           # write text/
    python examples/data/derive.py --check   # compare only; exit code 1 if a file differs

In the wiki pages every sentence stands on a line of its own, and sentence i of an article says the same in
every language. The sitelinks tell which pages describe the same entity. Needs mwparserfromhell.
"""

import argparse
import json
import os
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import mwparserfromhell
from mwparserfromhell.nodes import Heading, Wikilink

HERE = Path(__file__).resolve().parent
LANGUAGES = ("de", "en", "es", "fr", "zh")
NAMESPACE = "{http://www.mediawiki.org/xml/export-0.10/}"
CATEGORY_KEY = "14"


class DataError(ValueError):
    """The dumps contradict each other."""


def read_dump(path: Path) -> tuple[dict[str, str], dict[str, str], set[str]]:
    """Return the articles (title -> wikitext), the redirects (title -> target) and the category prefixes."""
    articles: dict[str, str] = {}
    redirects: dict[str, str] = {}
    category_names = {"Category"}
    for _, element in ElementTree.iterparse(path):
        if element.tag == NAMESPACE + "namespace" and element.get("key") == CATEGORY_KEY:
            category_names.add(element.text or "")
        elif element.tag == NAMESPACE + "page":
            title = element.findtext(NAMESPACE + "title") or ""
            redirect = element.find(NAMESPACE + "redirect")
            if redirect is not None:
                redirects[title] = redirect.get("title") or ""
            else:
                articles[title] = element.findtext(f"{NAMESPACE}revision/{NAMESPACE}text") or ""
            element.clear()  # a real dump does not fit into memory
    return articles, redirects, category_names


def sentences(wikitext: str, category_names: set[str]) -> list[str]:
    """Return the plain sentences of a page: no mark-up, no headings, no categories."""
    code = mwparserfromhell.parse(wikitext)
    for node in list(code.nodes):
        is_category = isinstance(node, Wikilink) and str(node.title).split(":")[0] in category_names
        if is_category or isinstance(node, Heading):
            code.remove(node)
    lines = (line.strip() for line in code.strip_code().splitlines())
    return [line for line in lines if line]


def read_sitelinks(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield (entity id, language -> page title) for each entity of a Wikidata dump that has pages."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            line = line.strip().rstrip(",")
            if line in ("[", "]", ""):
                continue
            entity = json.loads(line)
            links = entity.get("sitelinks", {})
            if links:
                yield entity["id"], {site.removesuffix("wiki"): link["title"] for site, link in links.items()}


def derive(folder: Path = HERE) -> dict[str, list[str]]:
    """Return file name -> lines. Line i of ``train.*`` (and of ``valid.*``) is the same sentence everywhere.

    One sentence of each article is held out for ``valid``: its position moves on by one from article to
    article, and the defining first sentence always stays in ``train``.

    Raises:
        DataError: a sitelink has no page, or an article has not the same number of sentences everywhere.
    """
    pages: dict[str, dict[str, list[str]]] = {}
    for language in LANGUAGES:
        articles, _, category_names = read_dump(folder / "wiki" / f"{language}.xml")
        pages[language] = {title: sentences(text, category_names) for title, text in articles.items()}
    files: dict[str, list[str]] = {f"{split}.{lang}": [] for split in ("train", "valid") for lang in LANGUAGES}
    for number, (entity, titles) in enumerate(read_sitelinks(folder / "wikidata.json")):
        missing = [lang for lang in LANGUAGES if titles.get(lang) not in pages[lang]]
        if missing:
            raise DataError(f"{entity}: no page in {', '.join(missing)}")
        aligned = {lang: pages[lang][titles[lang]] for lang in LANGUAGES}
        counts = {lang: len(lines) for lang, lines in aligned.items()}
        if len(set(counts.values())) != 1:
            raise DataError(f"{entity}: unequal numbers of sentences: {counts}")
        held_out = 1 + number % (counts[LANGUAGES[0]] - 1)
        for lang, lines in aligned.items():
            files[f"valid.{lang}"].append(lines[held_out])
            files[f"train.{lang}"] += lines[:held_out] + lines[held_out + 1 :]
    return files


def main(argv: list[str] | None = None) -> int:
    """Write ``text/``, or with ``--check`` report the files that differ. Return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the files in text/, write nothing")
    check = parser.parse_args(argv).check
    try:
        files = derive()
    except (DataError, OSError) as error:
        print(f"derive.py: {error}", file=sys.stderr)
        return 2
    differing = []
    for name, lines in sorted(files.items()):
        path = HERE / "text" / name
        content = "".join(line + "\n" for line in lines).encode()
        if check:
            if not path.is_file() or path.read_bytes() != content:
                differing.append(name)
        else:
            path.parent.mkdir(exist_ok=True)
            temporary = path.with_name(path.name + ".tmp")
            temporary.write_bytes(content)
            os.replace(temporary, path)
    if differing:
        print(f"derive.py: text/ is not what the dumps say: {', '.join(differing)}", file=sys.stderr)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
