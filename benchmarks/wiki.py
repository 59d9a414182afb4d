"""Wikipedia dumps to text and anchors, against WikiExtractor; Wikidata, the joins, and what a whole Wikipedia takes.

    python benchmarks/wiki.py --data DUMPS --out out/bench-wiki    # some minutes on one core; fetches WikiExtractor with pip
    python benchmarks/wiki.py --smoke --out out/bench-wiki         # the mini-encyclopedia only, without WikiExtractor

Contenders take turns, each in a process of its own; what is compared is processor time. A ratio is the median over the rounds.
The independent count of links is that of mwparserfromhell.
"""

from __future__ import annotations

import argparse
import bz2
import gc
import gzip
import html
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
import report
from wikitext_oracle import Oracle

from fairseq_xling_preprocess.wiki.wikitext.grammar import Parser
from fairseq_xling_preprocess.wiki.wikitext.site import Site

ROOT = Path(__file__).resolve().parents[1]
Page = tuple[str, str, str]  # language, title, wikitext
EXAMPLES = ROOT / "examples" / "data"
OURS = "fairseq_xling"
PEERS = {"wikiextractor 3.1.0": "3.1.0", "wikiextractor 3.0.6": "3.0.6"}
_PAGE = re.compile(r"<page>.*?<title>(.*?)</title>\s*<ns>0</ns>.*?<text[^>]*>(.*?)</text>.*?</page>", re.DOTALL)
MARKS = ("[[", "{{", "<ref>", "\n{|", "[[a|", "{{nowrap|", "[[File:a|", "[http://", "<nowiki>", "<!--", "{{nowrap| ")


def read(path: Path) -> str:
    """The XML of a dump."""
    openers: dict[str, Callable[..., Any]] = {".bz2": bz2.open, ".gz": gzip.open}
    with openers.get(path.suffix, open)(path, "rt", encoding="utf-8") as stream:
        text: str = stream.read()
    return text


def articles(paths: Iterable[Path]) -> list[Page]:
    """Language, title and wikitext of every article of these dumps."""
    found = []
    for path in paths:
        language = re.split(r"wiki|\.", path.name)[0]
        for title, wikitext in _PAGE.findall(read(path)):
            if not re.match(r"\s*#\w+\s*:?\s*\[\[", wikitext):  # a redirect
                found.append((language, html.unescape(title), html.unescape(wikitext)))
    return found


def fetch(version: str, folder: Path) -> Path:
    """Install a release of WikiExtractor in ``folder``. The import of 3.0.6 is mended: its flags stand where Python 3.11 wants them."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-compile",  # of what is mended next
        "--target",
        folder,
        f"wikiextractor=={version}",
    ]
    subprocess.run([str(part) for part in command], check=True, stderr=subprocess.DEVNULL)
    module = folder / "wikiextractor" / "extract.py"
    text = module.read_text(encoding="utf-8")
    text = text.replace(r"'\[(((?i)'", r"'(?i)\[(('").replace('r"""^(http://|https://)', 'r"""(?i)^(http://|https://)')
    module.write_text(text.replace("((?i)gif", "(gif"), encoding="utf-8")
    return folder


def parse_in_turns(pages: list[Page], peers: dict[str, Path], rounds: int, folder: Path) -> dict[str, Any]:
    """Seconds of each round and links of each page, by contender."""
    pages_file = folder / "pages.jsonl"
    pages_file.write_text("".join(json.dumps(page) + "\n" for page in pages), encoding="utf-8")
    runs: dict[str, Any] = {name: {"seconds": []} for name in (OURS, *peers)}
    for _ in range(rounds):
        for name in runs:
            out = folder / "out.json"
            script = str(ROOT / "benchmarks" / "wiki_contenders.py")
            command = [sys.executable, script, name.split()[0], str(pages_file), str(out)]
            subprocess.run(
                [*command, *([str(peers[name])] if name in peers else [])], check=True, stderr=subprocess.DEVNULL
            )
            result = json.loads(out.read_text(encoding="utf-8"))
            runs[name]["seconds"].append(result["seconds"])
            runs[name]["links"] = result["links"]
    return runs


def recall(pages: list[Page], runs: dict[str, Any], every: int) -> tuple[dict[str, float], int, int]:
    """Share of the links in the bodies of every so many pages, as mwparserfromhell finds them, by contender.

    Pages of which it leaves mark-up in the text are no measure: it takes what stands in references and tables for the body.

    Returns:
        The shares, how many pages were counted, and how many left aside.
    """
    sites = {language: Site(language) for language, _, _ in pages}
    found: Counter[str] = Counter()
    total, counted, aside = 0, 0, 0
    for index in range(0, len(pages), every):
        language, _, wikitext = pages[index]
        site = sites[language]
        text, links = Oracle(site).parse(wikitext)
        if any(mark in text for mark in ("{|", "|-", "<ref", "[[", "{{", "]]", "}}")):
            aside += 1
            continue
        counted += 1
        wanted = Counter(title for shown, title in links if shown)
        total += wanted.total()
        for name, run in runs.items():
            titles = Counter(link.title for target in run["links"][index] if (link := site.article(target)))
            found[name] += (wanted & titles).total()
    return {name: found[name] / max(1, total) for name in runs}, counted, aside


def linearity() -> list[tuple[str, float, float, float]]:
    """Mark, milliseconds for 20,000 and for 40,000 of them that never close, and the quotient.

    Without the garbage collector, as ``timeit`` does it: its passes over all that this process holds would come into some
    measurements and not into others.
    """
    parser = Parser(Site("en"))
    rows = []
    for mark in MARKS:
        seconds = []
        for number in (20_000, 40_000):
            page = mark * number
            times = []
            gc.disable()
            for _ in range(5):
                begin = time.process_time()
                parser.parse(page)
                times.append(time.process_time() - begin)
            gc.enable()
            seconds.append(min(times))
        rows.append((mark.replace("\n", "\\n"), 1000 * seconds[0], 1000 * seconds[1], seconds[1] / seconds[0]))
    return rows


def multistream(dump: Path, copies: int, out: Path) -> int:
    """Write ``copies`` of every page under new titles as a multistream bz2, 100 pages a stream; the number of pages."""
    xml = read(dump)
    header = xml[: xml.index("<page>")]
    pages = re.findall(r"<page>.*?</page>", xml, re.DOTALL)
    number = 0
    with out.open("wb") as stream:
        stream.write(bz2.compress(header.encode()))
        for copy in range(copies):
            for start in range(0, len(pages), 100):
                block = []
                for page in pages[start : start + 100]:
                    number += 1
                    page = page.replace("</title>", f" {copy}</title>", 1) if copy else page
                    block.append(re.sub(r"<id>\d+</id>", f"<id>{number}</id>", page, count=1))
                stream.write(bz2.compress("\n".join(block).encode()))
        stream.write(bz2.compress(b"</mediawiki>\n"))
    return number


def cpu_of(command: list[str], cwd: Path) -> float:
    """Processor seconds of a command and the processes that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def end_to_end(dump: Path, peers: dict[str, Path], rounds: int, folder: Path) -> dict[str, list[float]]:
    """Processor seconds from the dump to files, one worker process each; WikiExtractor without expanding templates."""
    seconds: dict[str, list[float]] = {name: [] for name in (OURS, *peers)}
    for turn in range(rounds):
        out = folder / f"ours-{turn}"
        command = [sys.executable, "-m", "fairseq_xling_preprocess.cli", "wiki", f"en={dump}", "--out", str(out)]
        seconds[OURS].append(cpu_of([*command, "--workers", "1"], folder))
        for name, peer in peers.items():
            command = [sys.executable, "-m", "wikiextractor.WikiExtractor", str(dump), "--links", "--json", "-q"]
            seconds[name].append(
                cpu_of([*command, "--no-templates", "--processes", "1", "-o", str(folder / f"theirs-{turn}")], peer)
            )
    return seconds


def wikidata_dump(source: Path, megabytes: int, out: Path) -> float:
    """Write the items of a small dump again and again, with new ids, as ``.json.gz``; MB of JSON."""
    lines = [line.rstrip().rstrip(",") for line in read(source).split("\n")]
    items = [line for line in lines if '"type":"item"' in line.replace(" ", "")[:200] and len(line) < 20_000]
    size, number = 0, 0
    with gzip.open(out, "wt", encoding="utf-8", compresslevel=1) as stream:
        stream.write("[\n")
        while size < megabytes * 1e6:
            for line in items:
                number += 1
                line = re.sub(r'"id":"Q\d+"', f'"id":"Q{number}"', line, count=1) + ",\n"
                size += len(line.encode())
                stream.write(line)
        stream.write(f"{items[0]}\n]\n")
    return size / 1e6


def measured(command: list[str], folder: Path) -> tuple[float, float]:
    """Processor seconds and peak memory (MB) of a command that starts no other."""
    # Started from here, the command would be charged with the memory of this process.
    out = folder / "usage.json"
    wrapper = (
        "import json, os, sys; status, usage = os.wait4(os.spawnv(os.P_NOWAIT, sys.argv[2], sys.argv[2:]), 0)[1:]; "
        "json.dump([usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024], open(sys.argv[1], 'w')); sys.exit(bool(status))"
    )
    done = subprocess.run(
        [sys.executable, "-c", wrapper, str(out), *command], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-2000:]}")
    seconds, memory = json.loads(out.read_text(encoding="utf-8"))
    return seconds, memory


def wikidata_speed(source: Path, megabytes: int, folder: Path, rounds: int) -> dict[str, Any]:
    """The whole command, one process, from gz to Parquet."""
    dump = folder / "wikidata.json.gz"
    size = wikidata_dump(source, megabytes, dump)
    runs = []
    for turn in range(rounds):
        command = [sys.executable, "-m", "fairseq_xling_preprocess.cli", "wikidata", str(dump), "--workers", "1"]
        runs.append(measured([*command, "--out", str(folder / f"wikidata-{turn}")], folder))
    imports = measured([sys.executable, "-c", "import fairseq_xling_preprocess.wiki.wikidata.run"], folder)[1]
    seconds = median(run[0] for run in runs)
    return {
        "megabytes": size,
        "mb_per_s": size / seconds,
        "peak_mb": max(run[1] for run in runs),
        "imports_mb": imports,
    }


def joins(num_links: int, folder: Path) -> list[dict[str, Any]]:
    """The joins over made-up tables: with more memory than they take, and with a quarter of what they took."""
    tables = folder / "tables"
    tables.mkdir()
    pages = num_links // 8
    queries = {
        "places": f"SELECT 'en' AS language, range AS page_id, 'page ' || range AS title, range AS place, false AS blank "
        f"FROM range({pages})",
        "anchors": f"SELECT 'en' AS language, range // 8 AS page_id, (range % 8 * 9)::INT AS start, (range % 8 * 9 + 6)::INT AS end, "
        f"'page ' || (hash(range) % 1000) AS surface, 'page ' || (hash(range) % {pages}) AS link, link AS target, '' AS fragment "
        f"FROM range({num_links})",
        "sitelinks": f"SELECT 'en' AS language, 'page ' || range AS title, 'Q' || (range + 1) AS entity FROM range({pages})",
        "triples": f"SELECT 'Q' || (hash(range) % {pages} + 1) AS subject, 'P' || (range % 500) AS relation, "
        f"'Q' || (hash(-range) % {pages} + 1) AS object FROM range({num_links // 2})",
    }
    with duckdb.connect() as connection:
        for name, query in queries.items():
            connection.execute(f"COPY ({query}) TO '{tables / name}.parquet' (FORMAT parquet)")
    rows = []
    limit = "16GB"
    for _ in range(2):
        out = folder / "joins.json"
        script = str(ROOT / "benchmarks" / "wiki_contenders.py")
        subprocess.run(
            [sys.executable, script, "joins", str(tables), str(out), limit], check=True, stderr=subprocess.DEVNULL
        )
        rows.append({"links": num_links, "memory_limit": limit, **json.loads(out.read_text(encoding="utf-8"))})
        limit = f"{max(50, int((rows[0]['peak_mb'] - rows[0]['before_mb']) / 4))}MB"
    return rows


def hours(work: dict[str, tuple[float, float]]) -> list[tuple[str, float, float, float]]:
    """Name, core hours, and hours on 16 and 64 cores, from (size, size per core second)."""
    table = []
    for name, (size, speed) in work.items():
        core_hours = size / speed / 3600
        table.append((name, core_hours, core_hours / 16, core_hours / 64))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of dumps; default: the mini-encyclopedia in examples/data")
    parser.add_argument("--wikidata", type=Path, help="a JSON dump with small items; default: that of examples/data")
    parser.add_argument("--out", help="folder for results.json and report.md (default: print only)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--smoke", action="store_true", help="without WikiExtractor, one round, to see that everything runs"
    )
    args = parser.parse_args()

    dumps = sorted((args.data or EXAMPLES / "wiki").glob("*.xml*"))
    dumps = [path for path in dumps if "categories" not in path.name]
    rounds = 1 if args.smoke else args.rounds
    pages = articles(dumps)
    megabytes = sum(len(wikitext.encode()) for _, _, wikitext in pages) / 1e6
    with tempfile.TemporaryDirectory(prefix="wiki-") as name:
        folder = Path(name)
        peers = {} if args.smoke else {peer: fetch(version, folder / version) for peer, version in PEERS.items()}
        runs = parse_in_turns(pages, peers, rounds, folder)
        found, num_counted, num_aside = recall(pages, runs, 1 if args.smoke else 4)
        whole = folder / "enwiki-multistream.xml.bz2"
        english = next(path for path in dumps if path.name.startswith("en"))
        num_pages = multistream(english, 1 if args.smoke else 6, whole)
        files = end_to_end(whole, peers, rounds, folder)
        packed = whole.stat().st_size / 1e6
        wikidata = wikidata_speed(args.wikidata or EXAMPLES / "wikidata.json", 2 if args.smoke else 200, folder, rounds)
        joined = joins(20_000 if args.smoke else 10_000_000, folder)
    lines = linearity()

    ratios: dict[str, float] = {"anchor_recall": found[OURS]}
    for peer, version in PEERS.items():
        if peer in peers:
            suffix = "" if version == "3.0.6" else "_3_1_0"
            ours, theirs = runs[OURS]["seconds"], runs[peer]["seconds"]
            ratios[f"grammar_vs_wikiextractor{suffix}_mb_per_s"] = median(
                b / a for a, b in zip(ours, theirs, strict=True)
            )
            suffix = "" if version == "3.1.0" else "_3_0_6"
            quotients = [b / a for a, b in zip(files[OURS], files[peer], strict=True)]
            ratios[f"wiki_vs_wikiextractor{suffix}_pages_per_s"] = median(quotients)
    grammar = [
        (
            name,
            median(megabytes / s for s in run["seconds"]),
            " ".join(f"{megabytes / s:.1f}" for s in run["seconds"]),
            found[name],
        )
        for name, run in runs.items()
    ]
    whole_rows = [
        (name, median(num_pages / s for s in seconds), " ".join(f"{s:.1f}" for s in seconds))
        for name, seconds in files.items()
    ]
    wiki_speed = packed / median(files[OURS])
    scale = hours(
        {
            "English Wikipedia, 23 GB of bz2": (23_000, wiki_speed),
            "the 100 largest, 82 GB of bz2": (82_000, wiki_speed),
            "Wikidata, 1.5 TB of JSON in gz (one core decompresses)": (1_500_000, wikidata["mb_per_s"]),
        }
    )
    results = {
        "seed": None,
        "ratios": ratios,
        "runs": [
            *({"name": name, "seconds": run["seconds"], "recall": found[name]} for name, run in runs.items()),
            *({"name": f"{name}, files", "seconds": seconds, "pages": num_pages} for name, seconds in files.items()),
        ],
        "linearity": [dict(zip(("mark", "ms_20000", "ms_40000", "quotient"), row, strict=True)) for row in lines],
        "megabytes": megabytes,
        "wikidata": wikidata,
        "joins": joined,
        "scale": [dict(zip(("what", "core_hours", "hours_16", "hours_64"), row, strict=True)) for row in scale],
    }
    body = (
        f"{len(pages):,} articles, {megabytes:.1f} MB of wikitext, one process, processor time.\n\n"
        "## Grammar\n\n"
        + report.table(("parser", "MB/s", "all rounds", "share of the links in bodies"), grammar)
        + f"\nLinks: of {num_counted:,} pages; {num_aside} more were left aside, as mwparserfromhell leaves mark-up in their text.\n"
        + "\n## From bz2 to files\n\n"
        + f"{num_pages:,} pages\n\n"
        + report.table(("program", "pages/s", "processor seconds"), whole_rows)
        + "\n## Marks that never close\n\n"
        + report.table(("mark", "20,000, ms", "40,000, ms", "quotient"), lines)
        + "\n## Wikidata\n\n"
        + report.table(("MB of JSON", "MB/s", "MB resident", "of which imports"), [tuple(wikidata.values())])
        + "\n## Joins\n\n"
        + report.table(tuple(joined[0]), [tuple(row.values()) for row in joined])
        + "\n## What it takes, at this speed\n\n"
        + report.table(("", "core hours", "hours on 16 cores", "hours on 64"), scale)
    )
    report.write(args.out, "Wikipedia dumps", results, body)


if __name__ == "__main__":
    main()
