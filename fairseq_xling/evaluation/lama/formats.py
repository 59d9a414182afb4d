"""The folder layouts of LAMA, ParaRel, mParaRel and mLAMA."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...errors import UserError
from .cloze import (
    GAP,
    TYPES,
    Fact,
    Relation,
    Source,
    check_gap,
    check_template,
    join_templates,
    jsonl_files,
    only,
    read_facts,
    read_jsonl,
    read_templates,
)

FORMATS = ("lama", "pararel", "mpararel", "mlama")
GOOGLE_RE = {
    # the templates are in LAMA's scripts, not in its data
    "place_of_birth": "[X] was born in [Y] .",
    "date_of_birth": "[X] (born [Y]).",
    "place_of_death": "[X] died in [Y] .",
}
# LAMA leaves longer sentences out where it has no template
MAX_WORDS = 100
_PARAREL = (("facts", "trex_lms_vocab"), ("patterns", "pattern_data/graphs_json"))


def detect_format(folder: Path) -> str:
    """One of `FORMATS`, by what the folder holds.

    Raises:
        UserError: the folder is missing or has none of the layouts.
    """
    if not folder.is_dir():
        raise UserError(f"--data {folder}: no such folder")
    if any((folder / name).is_dir() for name in ("TREx", "Google_RE", "ConceptNet", "Squad")):
        return "lama"
    if (folder / "tuples").is_dir():
        return "mpararel"
    if any((folder / name).is_dir() for name in _PARAREL[0]):
        return "pararel"
    if any("templates" in jsonl_files(path) for path in folder.iterdir() if path.is_dir()):
        return "mlama"
    raise UserError(
        f"--data {folder}: holds neither TREx, Google_RE, ConceptNet or Squad (lama), facts and patterns (pararel), tuples and "
        "patterns (mpararel) nor LANGUAGE/templates.jsonl (mlama); name the folder that holds them"
    )


def read_source(
    folder: Path, kind: str | None = None, *, all_patterns: bool = False, languages: Sequence[str] | None = None
) -> Source:
    """Read all facts of a folder.

    Args:
        kind: one of `FORMATS`; default: by what the folder holds.
        all_patterns: put each fact into every pattern of its relation instead of the first.
        languages: of ``mpararel`` and ``mlama``; default: all.

    Raises:
        UserError: the folder or a file is missing or malformed, or there is no fact.
    """
    found = detect_format(folder) if kind is None or not folder.is_dir() else kind
    if languages is not None and found not in ("mpararel", "mlama"):
        raise UserError(f"--languages: {found} is English only; leave it out")
    if found == "lama":
        source = _read_lama(folder)
    elif found == "pararel":
        facts, patterns = (_one_of(folder, names) for names in _PARAREL)
        source = _read_pararel("ParaRel", facts, patterns, all_patterns)
    else:
        source = _read_languages(folder, found, all_patterns, languages)
    if not any(relation.facts for relation in source.relations):
        raise UserError(f"--data {folder}: holds no fact with a template in the format {found}")
    return source


def _one_of(folder: Path, names: Sequence[str]) -> Path:
    for name in names:
        if (folder / name).is_dir():
            return folder / name
    raise UserError(f"{folder / names[0]}: no such folder; expected {' or '.join(names)} in {folder}")


def _read_lama(folder: Path) -> Source:
    relations: list[Relation] = []
    files: list[Path] = []
    missing: list[str] = []
    if (folder / "Google_RE").is_dir():
        facts = jsonl_files(folder / "Google_RE", "_test")
        present = [name for name in GOOGLE_RE if name in facts]
        relations += [read_facts(facts[name], [GOOGLE_RE[name]], "Google-RE", name, "") for name in present]
        files += [facts[name] for name in present]
    if (folder / "TREx").is_dir():
        table = jsonl_files(folder).get("relations")
        if table is None:
            raise UserError(f"{folder / 'relations.jsonl'}: not found; the templates of TREx are in it")
        facts = jsonl_files(folder / "TREx")
        templates, kinds = _read_relations(table)
        found, missing = join_templates("T-REx", facts, templates, kinds)
        relations += found
        files += [table, *(facts[relation.name] for relation in found)]
    for corpus, place in (("ConceptNet", "ConceptNet"), ("SQuAD", "Squad")):
        if (folder / place).is_dir():
            test = jsonl_files(folder / place).get("test")
            if test is None:
                raise UserError(f"{folder / place / 'test.jsonl'}: not found")
            relations += _read_sentences(test, corpus)
            files.append(test)
    return Source(relations, sorted(files), missing)


def _read_relations(path: Path) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Templates and types of LAMA's ``relations.jsonl``."""
    templates, kinds = {}, {}
    for number, entry in read_jsonl(path, ["relation", "template", "type"]):
        if entry["type"] not in TYPES:
            raise UserError(f"{path}:{number}: the type {entry['type']!r} is not one of {', '.join(TYPES)}")
        templates[entry["relation"]] = [check_template(entry["template"], f"{path}:{number}")]
        kinds[entry["relation"]] = entry["type"]
    return templates, kinds


def _read_sentences(path: Path, corpus: str) -> list[Relation]:
    """A file whose facts bring their sentences; its relations are the values of ``pred`` (ConceptNet)."""
    relations: dict[str, Relation] = {}
    for number, entry in read_jsonl(path, ["obj_label"]):
        parts = entry.get("masked_sentences")
        if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
            raise UserError(f"{path}:{number}: 'masked_sentences' is {parts!r}, expected a list of texts")
        sentence = " ".join(parts)
        name = str(entry.get("pred") or corpus)
        relation = relations.setdefault(name, Relation(corpus, name, "", []))
        if len(sentence.split()) > MAX_WORDS:
            relation.left_out[f"over {MAX_WORDS} words"] += 1
            continue
        if sentence.count(GAP) > 1:
            relation.left_out["several masks"] += 1
            continue
        check_gap(sentence, f"{path}:{number}")
        subject = str(entry.get("sub_label") or entry.get("sub") or "")
        relation.facts.append(Fact(subject, entry["obj_label"].strip(), (sentence,)))
    return [relations[name] for name in sorted(relations)]


def _read_pararel(corpus: str, facts: Path, patterns: Path, all_patterns: bool) -> Source:
    files, pattern_files = jsonl_files(facts), jsonl_files(patterns)
    templates = {name: read_templates(path, "pattern") for name, path in pattern_files.items() if name in files}
    chosen = {name: found if all_patterns else found[:1] for name, found in templates.items()}
    relations, missing = join_templates(corpus, files, chosen)
    return Source(relations, [places[r.name] for places in (files, pattern_files) for r in relations], missing)


def _read_languages(folder: Path, kind: str, all_patterns: bool, languages: Sequence[str] | None) -> Source:
    """mParaRel or mLAMA: a corpus for each language."""
    parent = _one_of(folder, ["tuples"]) if kind == "mpararel" else folder
    found = sorted(path.name for path in parent.iterdir() if path.is_dir() and path.name[0] != ".")
    if kind == "mlama":
        found = [name for name in found if "templates" in jsonl_files(parent / name)]
    sources = []
    for language in only(languages, found, parent):
        if kind == "mpararel":
            patterns = _one_of(folder, [f"patterns/{language}"])
            sources.append(_read_pararel(f"mParaRel {language}", parent / language, patterns, all_patterns))
        else:
            sources.append(_read_mlama(f"mLAMA {language}", parent / language))
    return Source(
        [relation for source in sources for relation in source.relations],
        [file for source in sources for file in source.files],
        [name for source in sources for name in source.without_template],
    )


def _read_mlama(corpus: str, folder: Path) -> Source:
    files = jsonl_files(folder)
    table = files.pop("templates")
    templates = {
        entry["relation"]: [check_template(entry["template"], f"{table}:{number}")]
        for number, entry in read_jsonl(table, ["relation", "template"])
    }
    relations, missing = join_templates(corpus, files, templates)
    return Source(relations, [table, *(files[relation.name] for relation in relations)], missing)
