"""Differences that make the rows of a table hard to compare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .tables import Table


def find_warnings(tables: Sequence[Table]) -> list[str]:
    """A sentence for each: other test data, other languages, seeds of several models."""
    return [text for table in tables for text in (*_other_data(table), *_other_languages(table), *_other_models(table))]


def _other_data(table: Table) -> list[str]:
    warnings = []
    for language in dict.fromkeys(code for row in table.rows for run in row.runs for code in run.hashes):
        runs = [run for row in table.rows for run in row.runs if language in run.hashes]
        common = Counter(run.hashes[language] for run in runs).most_common(1)[0][0]
        reference = next(run for run in runs if run.hashes[language] == common)
        for run in runs:
            if run.hashes[language] != common:
                warnings.append(
                    f"{table.benchmark}, {language}: the test data of {run.files[0]} ({run.label}) are not those of "
                    f"{reference.files[0]} ({reference.label}); the rows cannot be compared"
                )
    return warnings


def _other_languages(table: Table) -> list[str]:
    warnings = []
    for block in table.blocks:
        union = {code for row in block.rows for code in row.runs[0].scores}
        for row in block.rows:
            missing = [code for code in table.languages if code in union.difference(row.runs[0].scores)]
            if missing:
                warnings.append(
                    f"{table.benchmark}, {block.setting}: {row.name} was not evaluated on {', '.join(missing)}; its average is over "
                    "other languages than those of the other rows"
                )
    return warnings


def _other_models(table: Table) -> list[str]:
    return [
        f"{table.benchmark}: the seeds of {row.name} are of different models: {', '.join(models)}"
        for row in table.rows
        if len(models := sorted({run.model for run in row.runs if run.model})) > 1
    ]
