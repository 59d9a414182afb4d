"""The one table of the benchmarks: files, languages, labels and metric of each.

Plain data, so that `xling eval --help` imports nothing else; `fairseq_xling.finetuning.benchmarks` adds the code to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Benchmark:
    """A benchmark.

    Attributes:
        summary: what it is and what is measured, the line of `xling eval NAME --help`.
        task: the fairseq task that learns it.
        format: of its files, a key of ``fairseq_xling.finetuning.benchmarks.FORMATS``.
        metric: its official one, a key of ``fairseq_xling.finetuning.scoring.SCORINGS``.
        files: patterns of file names (see ``fairseq_xling.finetuning.files.find``) of the parts ``train``, ``dev`` and ``test``.
        languages: in the order of the papers' tables; what is trained and tested on unless other languages are named.
        labels: all there are; None where they follow from the training set.
        aliases: what files call a language -> its code.
    """

    summary: str
    task: str
    format: str
    metric: str
    files: Mapping[str, tuple[str, ...]]
    languages: tuple[str, ...]
    labels: tuple[str, ...] | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)


def _split(patterns: str, **names: str) -> dict[str, tuple[str, ...]]:
    """Patterns of each part, ``{split}`` standing for its name."""
    return {
        part: tuple(pattern.replace("{split}", name) for pattern in patterns.split()) for part, name in names.items()
    }


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


UPOS = _names("ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X")
_SQUAD_TRAIN = ("en=train-v1.1.json", "en=squad/train-v1.1.json")
_SQUAD_DEV = ("en=dev-v1.1.json", "en=squad/dev-v1.1.json")
_MLQA = "{split}-context-{lang}-question-{question}.json {split}/{split}-context-{lang}-question-{question}.json"
_THREE = {"train": "train", "dev": "dev", "test": "test"}

BENCHMARKS = {
    "xnli": Benchmark(
        "Natural language inference: accuracy.",
        "sequence_classification",
        "xnli",
        "accuracy",
        {
            "train": ("train-{lang}.tsv", "multinli.train.{lang}.tsv", "multinli/multinli.train.{lang}.tsv"),
            "dev": ("dev-{lang}.tsv", "xnli.dev.tsv"),
            "test": ("test-{lang}.tsv", "xnli.test.tsv"),
        },
        _names("en fr es de el bg ru tr ar vi th zh hi sw ur"),
        labels=("contradiction", "entailment", "neutral"),
    ),
    "pawsx": Benchmark(
        "Paraphrase identification: accuracy.",
        "sequence_classification",
        "pawsx",
        "accuracy",
        {
            "train": ("train-{lang}.tsv", "{lang}/train.tsv", "{lang}/translated_train.tsv"),
            "dev": ("dev-{lang}.tsv", "{lang}/dev_2k.tsv"),
            "test": ("test-{lang}.tsv", "{lang}/test_2k.tsv"),
        },
        _names("en de es fr ja ko zh"),
        labels=("0", "1"),
    ),
    "amazon": Benchmark(
        "Polarity of reviews by language and domain: accuracy.",
        "sequence_classification",
        "amazon",
        "accuracy",
        {"train": ("{lang}/{part}/train.review",), "test": ("{lang}/{part}/test.review",)},
        tuple(f"{language}-{domain}" for language in ("en", "de", "fr", "jp") for domain in ("books", "dvd", "music")),
        labels=("negative", "positive"),
    ),
    "squad": Benchmark(
        "Question answering: F1 and exact match.",
        "question_answering",
        "squad",
        "squad",
        {"train": _SQUAD_TRAIN, "dev": _SQUAD_DEV},
        _names("en"),
    ),
    "mlqa": Benchmark(
        "Question answering: F1 and exact match as MLQA defines them for each language.",
        "question_answering",
        "squad",
        "mlqa",
        {
            "train": (
                *_SQUAD_TRAIN,
                "{lang}_squad-translate-train-train-v1.1.json",
                "mlqa-translate-train/{lang}_squad-translate-train-train-v1.1.json",
            ),
            **_split(_MLQA, dev="dev", test="test"),
        },
        _names("en es de ar hi vi zh"),
    ),
    "xquad": Benchmark(
        "Question answering: F1 and exact match.",
        "question_answering",
        "squad",
        "squad",
        {"train": _SQUAD_TRAIN, "dev": _SQUAD_DEV, "test": ("xquad.{lang}.json",)},
        _names("en es de el ru tr ar vi th zh hi"),
    ),
    "tydiqa": Benchmark(
        "Question answering (gold passage): F1 and exact match.",
        "question_answering",
        "squad",
        "squad",
        _split(
            "tydiqa.goldp.{lang}.{split}.json tydiqa.{lang}.{split}.json tydiqa-goldp-v1.1-{split}/tydiqa.goldp.{lang}.{split}.json "
            "tydiqa-goldp-v1.1-{split}/tydiqa.{lang}.{split}.json",
            train="train",
            dev="dev",
        ),
        _names("en ar bn fi id ko ru sw te"),
    ),
    "wikiann": Benchmark(
        "Named entities: F1, precision and recall.",
        "token_classification",
        "wikiann",
        "entities",
        _split("{split}-{lang}.tsv {lang}/{split}", **_THREE),
        _names(
            "en af ar bg bn de el es et eu fa fi fr he hi hu id it ja jv ka kk ko ml mr ms my nl pt ru sw ta te th tl tr ur vi yo zh"
        ),
    ),
    "conll": Benchmark(
        "Named entities of CoNLL-2002 and 2003: F1, precision and recall.",
        "token_classification",
        "conll",
        "entities",
        _split("{lang}.{split}", train="train", dev="testa", test="testb"),
        _names("en nl es de"),
        aliases={"eng": "en", "ned": "nl", "esp": "es", "deu": "de"},
    ),
    "uner": Benchmark(
        "Named entities of Universal NER: F1, precision and recall.",
        "token_classification",
        "uner",
        "entities",
        _split("{lang}_*-ud-{split}.iob2", **_THREE),
        _names("en da de hr pt sk sr sv zh"),
    ),
    "pos": Benchmark(
        "Parts of speech of Universal Dependencies: F1 as in XTREME, and accuracy.",
        "token_classification",
        "conllu",
        "pos",
        _split("{lang}_*-ud-{split}.conllu UD_*/{lang}_*-ud-{split}.conllu", **_THREE),
        _names("en af ar bg de el es et eu fa fi fr he hi hu id it ja kk ko mr nl pt ru ta te th tl tr ur vi yo zh"),
        labels=UPOS,
    ),
    "absa": Benchmark(
        "Opinion targets and their polarity (SemEval-2016): F1, precision and recall.",
        "token_classification",
        "absa",
        "entities",
        _split("{lang}-{split}.tsv", **_THREE),
        _names("en es fr nl ru tr"),
    ),
}
