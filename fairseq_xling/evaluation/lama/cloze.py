"""Facts as sentences with one gap: the files of LAMA, ParaRel, mParaRel and mLAMA.

A template such as ``[X] was born in [Y] .`` becomes a sentence by putting the subject for ``[X]`` and the gap for ``[Y]``.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fairseq_xling_preprocess.text import read_lines, split_compression

from ...errors import UserError

logger = logging.getLogger(__name__)

SUBJECT, OBJECT, GAP = "[X]", "[Y]", "[MASK]"
TYPES = ("1-1", "N-1", "N-M")
# how many objects a subject of a T-REx relation has and the reverse, as in LAMA's relations.jsonl; the other relations are N-1
_ONE_TO_ONE = ("P36", "P1376")
_MANY_TO_MANY = (
    "P1001", "P101", "P106", "P108", "P1303", "P1412", "P178", "P190", "P27", "P31", "P39", "P463", "P47", "P527", "P530",
    "P937",
)  # fmt: skip


@dataclass(frozen=True)
class Fact:
    """A subject, its object and the sentences that ask for the object, each with one ``[MASK]``."""

    subject: str
    object: str
    sentences: tuple[str, ...]


@dataclass
class Relation:
    """The facts of one relation of one corpus.

    Attributes:
        corpus: for the reports, e.g. ``T-REx`` or ``mParaRel de``.
        kind: one of `TYPES`, empty where the corpus has no types.
        left_out: facts the reader did not take, by reason.
    """

    corpus: str
    name: str
    kind: str
    facts: list[Fact]
    left_out: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Source:
    """Relations that a reader found, their files, and the relations without a template, as ``corpus name``."""

    relations: list[Relation]
    files: list[Path]
    without_template: list[str]


def trex_type(name: str) -> str:
    """The type of a T-REx relation by its Wikidata property, empty for another name."""
    if not (name.startswith("P") and name[1:].isdigit()):
        return ""
    return "1-1" if name in _ONE_TO_ONE else "N-M" if name in _MANY_TO_MANY else "N-1"


def read_jsonl(path: Path, keys: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line number and content of the lines of a JSONL file, blank ones left out.

    Args:
        keys: entries every line must have, each a string with text in it.

    Raises:
        UserError: a line is not a JSON object, or lacks an entry (naming file and line).
    """
    for number, line in enumerate(read_lines(str(path)), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise UserError(f"{path}:{number}: not JSON ({error}); correct or remove the line") from error
        if not isinstance(entry, dict):
            raise UserError(
                f"{path}:{number}: expected a JSON object with {', '.join(keys)}, found {line.strip()[:40]!r}"
            )
        for key in keys:
            if not isinstance(entry.get(key), str) or not entry[key].strip():
                raise UserError(
                    f"{path}:{number}: {key!r} is {entry.get(key)!r}, expected text; correct or remove the line"
                )
        yield number, entry


def jsonl_files(folder: Path, suffix: str = "") -> dict[str, Path]:
    """Name -> file for every ``NAME<suffix>.jsonl``, compressed or not, in name order."""
    ending = f"{suffix}.jsonl"
    found = {split_compression(path.name)[0]: path for path in sorted(folder.iterdir()) if path.is_file()}
    return {name.removesuffix(ending): path for name, path in found.items() if name.endswith(ending) and name[0] != "."}


def check_template(template: str, where: str) -> str:
    """``template`` itself. Raises UserError unless it has one ``[Y]`` and at least one ``[X]``."""
    if template.count(OBJECT) != 1 or SUBJECT not in template:
        raise UserError(f"{where}: the template {template!r} must have [X] and exactly one [Y]")
    return template


def check_gap(sentence: str, where: str) -> str:
    """``sentence`` itself. Raises UserError unless it has exactly one ``[MASK]``."""
    if sentence.count(GAP) != 1:
        raise UserError(f"{where}: {sentence[:80]!r} has {sentence.count(GAP)} times [MASK], expected exactly one")
    return sentence


def read_templates(path: Path, key: str) -> list[str]:
    """The templates of one relation's file, in its order."""
    return [check_template(entry[key], f"{path}:{number}") for number, entry in read_jsonl(path, [key])]


def read_facts(path: Path, templates: Sequence[str], corpus: str, name: str, kind: str) -> Relation:
    """The facts of a file of ``sub_label`` and ``obj_label``, each put into every template.

    As in LAMA a pair of labels counts once, and a fact that more raters call wrong than right (``judgments`` of Google-RE)
    is left out.

    Raises:
        UserError: a line is malformed.
    """
    facts: dict[tuple[str, str], Fact] = {}
    left_out: Counter[str] = Counter()
    for number, entry in read_jsonl(path, ["sub_label", "obj_label"]):
        subject, object_ = entry["sub_label"].strip(), entry["obj_label"].strip()
        if _judged_wrong(entry.get("judgments") or [], f"{path}:{number}"):
            left_out["judged wrong"] += 1
        elif (subject, object_) in facts:
            left_out["repeated"] += 1
        else:
            filled = (template.strip().replace(OBJECT, GAP).replace(SUBJECT, subject) for template in templates)
            sentences = tuple(check_gap(sentence, f"{path}:{number}") for sentence in filled)
            facts[subject, object_] = Fact(subject, object_, sentences)
    return Relation(corpus, name, kind, list(facts.values()), left_out)


def _judged_wrong(judgments: Any, where: str) -> bool:
    if not isinstance(judgments, list) or not all(isinstance(vote, dict) for vote in judgments):
        raise UserError(f"{where}: 'judgments' is {judgments!r}, expected a list of objects with 'judgment'")
    yes = sum(vote.get("judgment") == "yes" for vote in judgments)
    return yes < len(judgments) - yes


def join_templates(
    corpus: str, facts: dict[str, Path], templates: dict[str, list[str]], kinds: dict[str, str] | None = None
) -> tuple[list[Relation], list[str]]:
    """Read every relation that has facts and templates, in the order of their numbers (P17 before P101).

    Args:
        kinds: relation -> type; default: the types of T-REx.

    Returns:
        the relations; names of those without a template, which are left out with a warning.
    """
    relations, missing = [], []
    for name in sorted(facts, key=lambda name: (len(name), name)):
        if templates.get(name):
            kind = trex_type(name) if kinds is None else kinds.get(name, "")
            relations.append(read_facts(facts[name], templates[name], corpus, name, kind))
        else:
            missing.append(f"{corpus} {name}")
    if missing:
        logger.warning(f"left out, no template: {', '.join(missing)}")
    return relations, missing


def only(languages: Iterable[str] | None, found: Sequence[str], folder: Path) -> list[str]:
    """The languages to read. Raises UserError for one that is not there."""
    wanted = list(found if languages is None else dict.fromkeys(languages))
    for language in wanted:
        if language not in found:
            raise UserError(f"--languages {language}: {folder} has {', '.join(found)}")
    return wanted
