"""Which file holds which language: official names, XTREME's names, named one by one; and the real files."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairseq_xling.errors import UserError
from fairseq_xling.finetuning.benchmarks import BENCHMARKS, FORMATS, get_benchmark
from fairseq_xling.finetuning.files import choose, find, match, parse

ORDER = ("en", "de", "fr")


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("text\n")
    return folder


def find_part(folder: Path, benchmark: str, part: str) -> dict[str, str]:
    """language -> path under ``folder`` of a benchmark's files."""
    known = BENCHMARKS[benchmark]
    found = find(folder, known.files[part], known.languages, known.aliases)
    return {language: Path(path).relative_to(folder).as_posix() for language, path in found.items()}


# benchmark, part, {language: file} as the official release or XTREME's scripts name it
NAMES = [
    ("xnli", "train", {"en": "train-en.tsv", "de": "train-de.tsv"}),
    ("xnli", "train", {"en": "multinli.train.en.tsv", "zh": "multinli.train.zh.tsv.gz"}),
    ("xnli", "train", {"en": "multinli/multinli.train.en.tsv", "sw": "multinli/multinli.train.sw.tsv"}),
    ("xnli", "dev", {"en": "dev-en.tsv", "ur": "dev-ur.tsv.bz2"}),
    ("xnli", "dev", dict.fromkeys(BENCHMARKS["xnli"].languages, "xnli.dev.tsv")),
    ("xnli", "test", {"en": "test-en.tsv"}),
    ("xnli", "test", dict.fromkeys(BENCHMARKS["xnli"].languages, "xnli.test.tsv.xz")),
    ("pawsx", "train", {"en": "train-en.tsv"}),
    ("pawsx", "train", {"en": "en/train.tsv", "de": "de/translated_train.tsv", "ko": "ko/translated_train.tsv"}),
    ("pawsx", "dev", {"en": "en/dev_2k.tsv", "zh": "zh/dev_2k.tsv"}),
    ("pawsx", "test", {"ja": "ja/test_2k.tsv"}),
    ("pawsx", "test", {"ja": "test-ja.tsv"}),
    ("amazon", "train", {"en-books": "en/books/train.review", "jp-dvd": "jp/dvd/train.review"}),
    ("amazon", "test", {"de-music": "de/music/test.review.gz"}),
    ("squad", "train", {"en": "train-v1.1.json"}),
    ("squad", "dev", {"en": "squad/dev-v1.1.json.gz"}),
    ("mlqa", "train", {"en": "squad/train-v1.1.json"}),
    (
        "mlqa",
        "train",
        {"en": "train-v1.1.json", "es": "mlqa-translate-train/es_squad-translate-train-train-v1.1.json"},
    ),
    ("mlqa", "dev", {"de": "dev/dev-context-de-question-de.json", "de-vi": "dev/dev-context-de-question-vi.json"}),
    ("mlqa", "test", {"en": "test-context-en-question-en.json", "en-ar": "test-context-en-question-ar.json"}),
    ("xquad", "dev", {"en": "dev-v1.1.json"}),
    ("xquad", "test", {"en": "xquad.en.json", "th": "xquad.th.json"}),
    ("tydiqa", "train", {"en": "tydiqa-goldp-v1.1-train/tydiqa.goldp.en.train.json"}),
    ("tydiqa", "train", {"bn": "tydiqa.bn.train.json"}),
    ("tydiqa", "dev", {"te": "tydiqa-goldp-v1.1-dev/tydiqa.te.dev.json", "fi": "tydiqa-goldp-v1.1-dev/tydiqa.fi.dev.json"}),
    ("wikiann", "train", {"en": "train-en.tsv", "sw": "train-sw.tsv"}),
    ("wikiann", "dev", {"en": "en/dev", "my": "my/dev"}),
    ("wikiann", "test", {"jv": "jv/test.gz"}),
    ("conll", "train", {"en": "eng.train", "nl": "ned.train", "es": "esp.train", "de": "deu.train"}),
    ("conll", "dev", {"en": "eng.testa", "es": "esp.testa.gz"}),
    ("conll", "test", {"nl": "ned.testb"}),
    ("uner", "train", {"en": "en_ewt-ud-train.iob2", "zh": "zh_gsdsimp-ud-train.iob2"}),
    ("uner", "test", {"pt": "pt_bosque-ud-test.iob2"}),
    ("pos", "train", {"en": "UD_English-EWT/en_ewt-ud-train.conllu", "de": "UD_German-GSD/de_gsd-ud-train.conllu"}),
    ("pos", "test", {"kk": "kk_ktb-ud-test.conllu"}),
    ("absa", "train", {"en": "en-train.tsv", "tr": "tr-train.tsv"}),
    ("absa", "dev", {"ru": "ru-dev.tsv"}),
    ("absa", "test", {"nl": "nl-test.tsv"}),
    ("uner", "dev", {"sr": "sr_set-ud-dev.iob2", "hr": "hr_set-ud-dev.iob2"}),
    ("pos", "dev", {"fr": "fr_gsd-ud-dev.conllu"}),
    ("xquad", "train", {"en": "squad/train-v1.1.json"}),
]  # fmt: skip


@pytest.mark.parametrize(("benchmark", "part", "files"), NAMES)
@pytest.mark.parametrize("suffix", ["", ".zst"])
def test_names_of_the_files(tmp_path, benchmark, part, files, suffix):
    if not all(name.endswith((".gz", ".bz2", ".xz")) for name in files.values()):
        plain = {language: name for language, name in files.items() if not name.endswith((".gz", ".bz2", ".xz"))}
        files = files | {language: name + suffix for language, name in plain.items()}
    touch(tmp_path, *files.values(), "README", "LICENSE.txt", "notes-en.txt", f"{next(iter(files.values()))}.orig")
    assert find_part(tmp_path, benchmark, part) == files


def test_every_pattern_has_a_name_here():
    """That is, nothing of the table of benchmarks is left untested."""
    for name, benchmark in BENCHMARKS.items():
        for part in benchmark.files:
            assert any((name, part) == case[:2] for case in NAMES), (name, part)
        assert benchmark.format in FORMATS
        assert len(set(benchmark.languages)) == len(benchmark.languages)


REAL = [
    ("xnli", "xnli", "dev", "en fr es de el bg ru tr ar vi th zh hi sw ur"),
    ("pawsx", "pawsx", "dev", "en de es fr ja ko zh"),
    ("mlqa", "mlqa", "dev", "en es de ar hi vi zh"),
    ("tydiqa", "tydiqa", "train", "en ko sw"),
    ("tydiqa", "tydiqa", "dev", "en"),
    ("wikiann", "wikiann", "train", "en ar de es fr hi ja nl ru sw zh"),
    ("wikiann", "wikiann", "dev", "en ar de es fr hi ja nl ru sw zh"),
    ("conll", "conll2002", "train", "nl es"),
    ("conll", "conll2002", "dev", "nl es"),
    ("uner", "uner", "dev", "en"),
    ("pos", "ud", "train", "en"),
    ("pos", "ud", "dev", "en de es fr"),
    ("absa", "absa_semeval16_restaurants", "train", "en es fr nl ru tr"),
    ("absa", "absa_semeval16_restaurants", "dev", "en es fr nl ru tr"),
]


@pytest.mark.parametrize(("name", "folder", "part", "languages"), REAL)
def test_real_files_are_found_and_read(shared_data, name, folder, part, languages):
    benchmark = BENCHMARKS[name]
    found = find(shared_data / "downstream" / folder, benchmark.files[part], benchmark.languages, benchmark.aliases)
    chosen = choose("--languages", found, None, benchmark.languages)
    assert list(chosen) == languages.split(), "in the order of the papers' tables"
    for language, path in chosen.items():
        assert next(iter(FORMATS[benchmark.format](path, language, False)))
    if name == "mlqa":
        assert set(found) - set(chosen) == {f"en-{language}" for language in languages.split()[1:]}


# ---- match ------------------------------------------------------------------------------------------------------------


def test_the_other_language_is_joined_where_it_differs(tmp_path):
    touch(tmp_path, "c-en-q-en", "c-en-q-de", "c-de-q-en")
    assert set(match(tmp_path, "c-{lang}-q-{question}", {})) == {"en", "en-de", "de-en"}


def test_parts_are_joined_and_aliases_apply_to_the_language(tmp_path):
    touch(tmp_path, "esp/books-new/x", "fr/dvd/x")
    assert set(match(tmp_path, "{lang}/{part}/x", {"esp": "es"})) == {"es-books-new", "fr-dvd"}


def test_a_star_is_no_slash_and_a_dot_is_a_dot(tmp_path):
    touch(tmp_path, "en_a.b.x", "de_a/b.x", "fr_a_bxx")
    assert set(match(tmp_path, "{lang}_*.x", {})) == {"en"}


def test_regions_are_part_of_the_language(tmp_path):
    touch(tmp_path, "pt_BR.txt", "sat_Olck.txt", "notalanguage.txt", "4x.txt")
    assert set(match(tmp_path, "{lang}.txt", {})) == {"pt_BR", "sat_Olck"}


def test_a_language_may_stand_twice_in_a_path(tmp_path):
    touch(tmp_path, "de/train-de.tsv", "de/train-fr.tsv", "en/train-en.tsv")
    found = match(tmp_path, "{lang}/train-{lang}.tsv", {})
    assert {key: Path(path).name for key, path in found.items()} == {"de": "train-de.tsv", "en": "train-en.tsv"}


@pytest.mark.parametrize("second", ["en_gum-ud-dev.iob2", "en_ewt-ud-dev.iob2.gz"])
def test_two_files_of_one_language(tmp_path, second):
    touch(tmp_path, "en_ewt-ud-dev.iob2", second)
    with pytest.raises(UserError) as error:
        find_part(tmp_path, "uner", "dev")
    for words in ("en_ewt-ud-dev.iob2", second, "are both en", "keep one of them in the folder"):
        assert words in str(error.value)


# ---- find -------------------------------------------------------------------------------------------------------------


def test_the_first_pattern_wins_and_later_ones_complete_it(tmp_path):
    touch(tmp_path, "train-en.tsv", "multinli.train.en.tsv", "multinli.train.de.tsv")
    assert find_part(tmp_path, "xnli", "train") == {"en": "train-en.tsv", "de": "multinli.train.de.tsv"}


def test_squad_is_english_whatever_the_benchmark(tmp_path):
    """Else MLQA's and XQuAD's other languages would be trained and scored on copies of the English file."""
    touch(tmp_path, "train-v1.1.json", "dev-v1.1.json")
    for benchmark in ("squad", "mlqa", "xquad"):
        assert find_part(tmp_path, benchmark, "train") == {"en": "train-v1.1.json"}
    assert find_part(tmp_path, "xquad", "dev") == {"en": "dev-v1.1.json"}


def test_a_missing_folder_and_missing_files(tmp_path):
    with pytest.raises(UserError, match=r"no such folder; name the one that holds train-v1\.1\.json or squad/train"):
        find_part(tmp_path / "none", "squad", "train")
    touch(tmp_path, "train-en.tsv")
    with pytest.raises(UserError) as error:
        find_part(tmp_path, "xnli", "dev")
    assert str(error.value) == f"{tmp_path}: holds no dev-{{lang}}.tsv and no xnli.dev.tsv (plain or compressed)"


def test_a_folder_of_that_name_is_no_file(tmp_path):
    (tmp_path / "dev-en.tsv").mkdir()
    with pytest.raises(UserError, match="holds no"):
        find_part(tmp_path, "xnli", "dev")


# ---- parse ------------------------------------------------------------------------------------------------------------


def test_files_named_one_by_one(tmp_path):
    touch(tmp_path, "a", "b=c")
    text = f"de={tmp_path}/a, en-fr={tmp_path}/b=c"
    assert parse("--train-files", text, {}) == {"de": f"{tmp_path}/a", "en-fr": f"{tmp_path}/b=c"}


def test_a_path_with_the_language_in_it(tmp_path, monkeypatch):
    touch(tmp_path, "x/train-en.tsv", "x/train-esp.tsv.gz", "x/dev-en.tsv", "y/de/train")
    expected = {"en": f"{tmp_path}/x/train-en.tsv", "es": f"{tmp_path}/x/train-esp.tsv.gz"}
    assert parse("--train-files", f"{tmp_path}/x/train-{{lang}}.tsv", {"esp": "es"}) == expected
    both = parse("--train-files", f"{tmp_path}/x/dev-{{lang}}.tsv,{tmp_path}/y/{{lang}}/train", {})
    assert both == {"en": f"{tmp_path}/x/dev-en.tsv", "de": f"{tmp_path}/y/de/train"}
    monkeypatch.chdir(tmp_path / "x")
    assert parse("--train-files", "train-{lang}.tsv", {}) == {"en": "train-en.tsv", "esp": "train-esp.tsv.gz"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{folder}/a", "expected LANGUAGE=FILE, separated by commas, or a path with {lang} in it"),
        ("de=", "expected LANGUAGE=FILE"),
        ("={folder}/a", "expected LANGUAGE=FILE"),
        ("de={folder}/a,", "expected LANGUAGE=FILE"),
        ("de={folder}/a,de={folder}/b", "the language de is named twice"),
        ("de={folder}/none", "there is no file {folder}/none"),
        ("de={folder}", "there is no file {folder}"),
        ("{folder}/x-{lang}", "--valid-files {folder}/x-{lang}: no such file"),
        ("{folder}/none/{lang}", "no such file"),
    ],
)
def test_files_named_wrongly(tmp_path, text, message):
    touch(tmp_path, "a", "b")
    with pytest.raises(UserError) as error:
        parse("--valid-files", text.replace("{folder}", str(tmp_path)), {})
    assert str(error.value).startswith("--valid-files ")
    assert message.replace("{folder}", str(tmp_path)) in str(error.value)


@pytest.mark.parametrize("language", ["../../x", "/x", "a/b", "..", ".", "-x", "a\0", "a\n", "a b", "x" * 65])
def test_a_language_that_cannot_name_a_file(tmp_path, language):
    touch(tmp_path, "f")
    with pytest.raises(UserError, match=r"^--files: the language .* names files of results; write it in") as error:
        parse("--files", f"{language}={tmp_path}/f", {})
    assert len(str(error.value)) < 300


# ---- choose -----------------------------------------------------------------------------------------------------------


def test_choosing_languages():
    found = {"en-de": "1", "fr": "2", "de": "3", "en": "4", "xx": "5"}
    assert list(choose("--l", found, None, ORDER)) == ["en", "de", "fr"]
    assert list(choose("--l", found, "all", ORDER)) == ["en", "de", "fr", "en-de", "xx"]
    assert choose("--l", found, "xx, en", ORDER) == {"xx": "5", "en": "4"}
    assert list(choose("--l", {"xx": "1", "yy": "2"}, None, ORDER)) == ["xx", "yy"], "none of the benchmark's: all"


def test_a_language_without_file():
    with pytest.raises(UserError) as error:
        choose("--train-languages", {"fr": "1", "de": "2"}, "de,sw", ORDER)
    assert str(error.value) == "--train-languages sw: no file of this language; there are files of de, fr"


# ---- benchmarks -------------------------------------------------------------------------------------------------------


def test_a_benchmark_and_its_task():
    assert get_benchmark("conll", "token_classification") is BENCHMARKS["conll"]
    with pytest.raises(
        UserError, match="--benchmark xnli needs --task sequence_classification; token_classification learns wikiann, "
    ):
        get_benchmark("xnli", "token_classification")
    with pytest.raises(UserError, match=r"--benchmark glue: expected one of xnli, pawsx, amazon$"):
        get_benchmark("glue", "sequence_classification")
    with pytest.raises(UserError, match=r"--benchmark \(none given\): expected one of squad, mlqa, xquad, tydiqa$"):
        get_benchmark(None, "question_answering")
