"""Fill in what the pages about benchmarks say that follows from the table of benchmarks: ``make docs``."""

from __future__ import annotations

from pathlib import Path

from fairseq_xling.evaluation.results import write_text
from fairseq_xling.finetuning.benchmarks import BENCHMARKS, Benchmark

DOCS = Path(__file__).parent
START, END = "<!-- of preprocess/benchmarks.py, by make docs -->\n", "<!-- end -->\n"


def pages() -> dict[Path, str]:
    """The pages with a part that is made from the table, and the text each must have."""
    index = [
        f"| [{name}](tasks/{name}.md) | `{benchmark.task}` | {benchmark.summary.rstrip('.')} |"
        for name, benchmark in BENCHMARKS.items()
    ]
    parts = {DOCS / "finetuning.md": ["| Benchmark | `--task` | What is measured |", "|---|---|---|", *index]}
    for name, benchmark in BENCHMARKS.items():
        parts[DOCS / "tasks" / f"{name}.md"] = _facts(name, benchmark)
    return {page: _replaced(page.read_text(encoding="utf-8"), lines) for page, lines in parts.items()}


def _replaced(text: str, lines: list[str]) -> str:
    before, rest = text.split(START)
    return before + START + "\n".join(lines) + "\n" + END + rest.split(END)[1]


def _facts(name: str, benchmark: Benchmark) -> list[str]:
    """A table of what the benchmark is and how its files are called."""
    rows = {
        "task": f"`--task {benchmark.task} --benchmark {name}`",
        "languages": " ".join(benchmark.languages),
        "labels": _labels(benchmark),
        "metric": ", ".join(f"`{metric}`" for metric in benchmark.scoring.names),
        **{f"{part} files": _files(name, benchmark, part) for part in ("train", "dev", "test")},
    }
    return ["| | |", "|---|---|", *(f"| {title} | {text} |" for title, text in rows.items())]


def _labels(benchmark: Benchmark) -> str:
    if benchmark.labels:
        return " ".join(benchmark.labels)
    if benchmark.task == "question_answering":
        return "none: the answer is a span"
    return "`O`, and `B-` and `I-` of each type in the training files"


def _files(name: str, benchmark: Benchmark, part: str) -> str:
    """The file names of a part."""
    if part not in benchmark.files:
        return f"none; `xling eval {name} --split dev`" if part == "test" else "none"
    names = []
    for pattern in benchmark.files[part]:
        language, _, file = pattern.rpartition("=")
        names.append(f"`{file}`" + f" ({language})" * bool(language))
    return ", else ".join(names)


def main() -> None:
    """Write the pages."""
    for page, text in pages().items():
        write_text(page, text)


if __name__ == "__main__":
    main()
