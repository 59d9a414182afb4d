"""The benchmarks: what each is made of, in which files it comes, in which order the papers table its languages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import UserError
from .readers.classification import read_amazon, read_pawsx, read_sick, read_xnli
from .readers.squad import read_squad
from .readers.tagging import UPOS, read_absa, read_conll, read_conllu, read_uner, read_wikiann
from .scoring import ACCURACY, ENTITIES, MLQA, POS, SQUAD, Scoring

Reader = Callable[[str, str, bool], Iterator[Any]]

# name of a file format -> read(path, language, skip_bad)
FORMATS: dict[str, Reader] = {
    "xnli": lambda path, language, skip_bad: read_xnli(path, language),
    "pawsx": lambda path, language, skip_bad: read_pawsx(path),
    "sick": lambda path, language, skip_bad: read_sick(path),
    "amazon": lambda path, language, skip_bad: read_amazon(path),
    "squad": lambda path, language, skip_bad: read_squad(path, skip_bad),
    "conll": lambda path, language, skip_bad: read_conll(path),
    "wikiann": lambda path, language, skip_bad: read_wikiann(path),
    "uner": lambda path, language, skip_bad: read_uner(path),
    "absa": lambda path, language, skip_bad: read_absa(path),
    "conllu": lambda path, language, skip_bad: read_conllu(path),
}


@dataclass(frozen=True)
class Benchmark:
    """A benchmark.

    Attributes:
        task: the fairseq task that learns it.
        format: of its files, a key of `FORMATS`.
        scoring: its official metric.
        files: patterns of file names (see `files.find`) of the parts ``train``, ``dev`` and ``test``.
        languages: in the order of the papers' tables; what is trained and tested on unless other languages are named.
        labels: all there are; None where they follow from the training set.
        aliases: what files call a language -> its code.
    """

    task: str
    format: str
    scoring: Scoring
    files: Mapping[str, tuple[str, ...]]
    languages: tuple[str, ...]
    labels: tuple[str, ...] | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)


def _split(patterns: str, **names: str) -> dict[str, tuple[str, ...]]:
    """Patterns of each part, ``{split}`` standing for its name."""
    return {
        part: tuple(pattern.replace("{split}", name) for pattern in patterns.split()) for part, name in names.items()
    }


def _languages(codes: str) -> tuple[str, ...]:
    return tuple(codes.split())


_SQUAD_TRAIN = ("en=train-v1.1.json", "en=squad/train-v1.1.json")
_SQUAD_DEV = ("en=dev-v1.1.json", "en=squad/dev-v1.1.json")
_MLQA = "{split}-context-{lang}-question-{question}.json {split}/{split}-context-{lang}-question-{question}.json"
_THREE = {"train": "train", "dev": "dev", "test": "test"}

BENCHMARKS = {
    "xnli": Benchmark(
        "sequence_classification",
        "xnli",
        ACCURACY,
        {
            "train": ("train-{lang}.tsv", "multinli.train.{lang}.tsv", "multinli/multinli.train.{lang}.tsv"),
            "dev": ("dev-{lang}.tsv", "xnli.dev.tsv"),
            "test": ("test-{lang}.tsv", "xnli.test.tsv"),
        },
        _languages("en fr es de el bg ru tr ar vi th zh hi sw ur"),
        labels=("contradiction", "entailment", "neutral"),
    ),
    "pawsx": Benchmark(
        "sequence_classification",
        "pawsx",
        ACCURACY,
        {
            "train": ("train-{lang}.tsv", "{lang}/train.tsv", "{lang}/translated_train.tsv"),
            "dev": ("dev-{lang}.tsv", "{lang}/dev_2k.tsv"),
            "test": ("test-{lang}.tsv", "{lang}/test_2k.tsv"),
        },
        _languages("en de es fr ja ko zh"),
        labels=("0", "1"),
    ),
    "amazon": Benchmark(
        "sequence_classification",
        "amazon",
        ACCURACY,
        {"train": ("{lang}/{part}/train.review",), "test": ("{lang}/{part}/test.review",)},
        tuple(f"{language}-{domain}" for language in ("en", "de", "fr", "jp") for domain in ("books", "dvd", "music")),
        labels=("negative", "positive"),
    ),
    "squad": Benchmark(
        "question_answering", "squad", SQUAD, {"train": _SQUAD_TRAIN, "dev": _SQUAD_DEV}, _languages("en")
    ),
    "mlqa": Benchmark(
        "question_answering",
        "squad",
        MLQA,
        {
            "train": (
                *_SQUAD_TRAIN,
                "{lang}_squad-translate-train-train-v1.1.json",
                "mlqa-translate-train/{lang}_squad-translate-train-train-v1.1.json",
            ),
            **_split(_MLQA, dev="dev", test="test"),
        },
        _languages("en es de ar hi vi zh"),
    ),
    "xquad": Benchmark(
        "question_answering",
        "squad",
        SQUAD,
        {"train": _SQUAD_TRAIN, "dev": _SQUAD_DEV, "test": ("xquad.{lang}.json",)},
        _languages("en es de el ru tr ar vi th zh hi"),
    ),
    "tydiqa": Benchmark(
        "question_answering",
        "squad",
        SQUAD,
        _split(
            "tydiqa.goldp.{lang}.{split}.json tydiqa.{lang}.{split}.json tydiqa-goldp-v1.1-{split}/tydiqa.goldp.{lang}.{split}.json "
            "tydiqa-goldp-v1.1-{split}/tydiqa.{lang}.{split}.json",
            train="train",
            dev="dev",
        ),
        _languages("en ar bn fi id ko ru sw te"),
    ),
    "wikiann": Benchmark(
        "token_classification",
        "wikiann",
        ENTITIES,
        _split("{split}-{lang}.tsv {lang}/{split}", **_THREE),
        _languages(
            "en af ar bg bn de el es et eu fa fi fr he hi hu id it ja jv ka kk ko ml mr ms my nl pt ru sw ta te th tl tr ur vi yo zh"
        ),
    ),
    "conll": Benchmark(
        "token_classification",
        "conll",
        ENTITIES,
        _split("{lang}.{split}", train="train", dev="testa", test="testb"),
        _languages("en nl es de"),
        aliases={"eng": "en", "ned": "nl", "esp": "es", "deu": "de"},
    ),
    "uner": Benchmark(
        "token_classification",
        "uner",
        ENTITIES,
        _split("{lang}_*-ud-{split}.iob2", **_THREE),
        _languages("en da de hr pt sk sr sv zh"),
    ),
    "pos": Benchmark(
        "token_classification",
        "conllu",
        POS,
        _split("{lang}_*-ud-{split}.conllu UD_*/{lang}_*-ud-{split}.conllu", **_THREE),
        _languages(
            "en af ar bg de el es et eu fa fi fr he hi hu id it ja kk ko mr nl pt ru ta te th tl tr ur vi yo zh"
        ),
        labels=UPOS,
    ),
    "absa": Benchmark(
        "token_classification",
        "absa",
        ENTITIES,
        _split("{lang}-{split}.tsv", **_THREE),
        _languages("en es fr nl ru tr"),
    ),
}


# SICK is a training set for another benchmark's task
TASK_OF_FORMAT = {benchmark.format: benchmark.task for benchmark in BENCHMARKS.values()} | {
    "sick": BENCHMARKS["xnli"].task
}


def get_benchmark(name: str | None, task: str) -> Benchmark:
    """The benchmark of that name.

    Raises:
        UserError: there is none, or another task learns it.
    """
    fitting = [key for key, benchmark in BENCHMARKS.items() if benchmark.task == task]
    if name not in BENCHMARKS:
        raise UserError(f"--benchmark {name or '(none given)'}: expected one of {', '.join(fitting)}")
    if name not in fitting:
        raise UserError(f"--benchmark {name} needs --task {BENCHMARKS[name].task}; {task} learns {', '.join(fitting)}")
    return BENCHMARKS[name]
