"""The data-bin folder: what it finds, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairseq_xling.data.databin import DataBin, Pair, load_dictionary, load_languages
from fairseq_xling.errors import UserError
from tests.helpers import MASK, random_sentences, write_corpus, write_data_bin, write_dict
from tests.wordpieces import write_wordpieces


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    few = random_sentences(5)
    return write_data_bin(tmp_path / "bin", {"de": few, "en": few}, {"de-en": (few, few), "en-fr": (few, few)})


def open_all(folder: Path | str) -> None:
    data = DataBin(str(folder))
    data.open_mono("train", 1)
    data.open_pairs("train", 1)


def test_finds_languages_and_pairs(folder):
    data = DataBin(str(folder))
    assert data.languages == ["de", "en", "fr"]
    assert data.mono_languages == ["de", "en"]
    assert data.pairs == [Pair("de", "en"), Pair("en", "fr")]
    assert data.partners("en") == ["de", "fr"]
    assert data.partners("xx") == []
    assert (data.symbols.mask, data.symbols.size) == (MASK, MASK + 1)
    assert {name: len(corpus) for name, corpus in data.open_mono("train", 1).items()} == {"de": 5, "en": 5}
    assert data.open_mono("valid", 1) == {}
    assert data.open_pairs("valid", 1) == {}


def test_shards_take_turns(tmp_path):
    shards = [tmp_path / name for name in ("a", "b")]
    for number, shard in enumerate(shards):
        write_data_bin(shard, {"en": random_sentences(3 + number)})
    write_corpus(shards[1] / "mono" / "fr" / "train", random_sentences(2))
    (shards[0] / "languages.txt").write_text("en\nfr\n")
    data = DataBin(f"{shards[0]}:{shards[1]}")
    assert data.mono_languages == ["en", "fr"]
    found = [{k: len(v) for k, v in data.open_mono("train", epoch).items()} for epoch in (1, 2, 3, 4)]
    assert found == [{"en": 3}, {"en": 4, "fr": 2}] * 2


def test_a_shard_with_another_dictionary(tmp_path):
    for number, name in enumerate("ab"):
        write_data_bin(tmp_path / name, {"en": [[5]]}, words=[f"w{i + number}" for i in range(40)])
    with pytest.raises(UserError, match=r"b/dict\.txt .* is not the dictionary .*a/dict\.txt .*'w0' against 'w1'"):
        DataBin(f"{tmp_path / 'a'}:{tmp_path / 'b'}")


def test_no_such_folder(tmp_path):
    with pytest.raises(UserError, match="nowhere: no such data-bin folder"):
        DataBin(str(tmp_path / "nowhere"))


def test_no_dictionary(folder):
    (folder / "dict.txt").unlink()
    with pytest.raises(UserError, match=r"dict\.txt: dictionary not found; make it with `xling vocab`"):
        DataBin(str(folder))


@pytest.mark.parametrize("text", [b"one two three\n", b"a\n", b"\xff\xfe 1\n", b"a 1\na 1\n"])
def test_not_a_dictionary(tmp_path, text):
    (tmp_path / "dict.txt").write_bytes(text)
    with pytest.raises(UserError, match=r"dict\.txt: not a fairseq dictionary .*xling vocab"):
        load_dictionary(tmp_path / "dict.txt")


def test_mask_must_be_last(tmp_path):
    write_dict(tmp_path / "dict.txt", ["a", "<mask>", "b"])
    with pytest.raises(UserError, match=r"<mask> must be the last symbol, it stands at 5; remove it from the file"):
        load_dictionary(tmp_path / "dict.txt")
    write_dict(tmp_path / "dict.txt", ["a", "b", "<mask>"])
    assert len(load_dictionary(tmp_path / "dict.txt")) == 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"not found; write the language codes"),
        ("\n", r"names no language"),
        ("de\nen\nde\n", r"'de' is named 2 times"),
        ("de\n\xe9\n", r"not UTF-8 text"),
    ],
)
def test_language_list(tmp_path, text, message):
    if text is not None:
        (tmp_path / "languages.txt").write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=r"languages\.txt: .*" + message):
        load_languages(tmp_path / "languages.txt")


@pytest.mark.parametrize("missing", ["de", "fr"])
def test_language_missing_from_the_list(folder, missing):
    listed = [language for language in ("de", "en", "fr") if language != missing]
    (folder / "languages.txt").write_text("\n".join(listed))
    with pytest.raises(UserError, match=rf"language '{missing}' is in .* but not in .*languages\.txt; add a line"):
        DataBin(str(folder))


@pytest.mark.parametrize("name", ["de", "de-en-fr", "en-en", "-en"])
def test_badly_named_pair(folder, name):
    (folder / "para" / name).mkdir()
    with pytest.raises(UserError, match=rf"para/{name}: a pair's folder is named <a>-<b>, e\.g\. de-en"):
        DataBin(str(folder))


@pytest.mark.parametrize("side", ["de", "en"])
def test_one_side_missing(folder, side):
    for suffix in ("bin", "idx"):
        (folder / "para" / "de-en" / f"train.de-en.{side}.{suffix}").unlink()
    with pytest.raises(UserError, match=rf"train\.de-en\.{side}\.idx: missing; the other side is there: binarise"):
        open_all(folder)


def test_unequal_sides(folder):
    write_corpus(folder / "para" / "de-en" / "train.de-en.en", random_sentences(4))
    with pytest.raises(UserError, match=r"train\.de-en: 5 sentences in de, 4 in en; a pair needs equal line counts"):
        open_all(folder)


@pytest.mark.parametrize("part", ["mono/de/train", "para/en-fr/train.en-fr.fr"])
@pytest.mark.parametrize("suffix", ["idx", "bin"])
def test_broken_files_are_found_in_mono_and_para(folder, part, suffix):
    path = folder / f"{part}.{suffix}"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=rf"{part}\.{suffix}: .*truncated"):
        open_all(folder)
    path.unlink()
    with pytest.raises(UserError, match=rf"{part}\.{suffix}: file is missing"):
        open_all(folder)


@pytest.mark.parametrize("place", ["mono/de/dict.txt", "para/de-en/dict.de.txt", "para/de-en/dict.en.txt"])
def test_corpus_of_another_dictionary(folder, place):
    write_dict(folder / place, [f"w{i}" for i in range(40)])
    open_all(folder)
    write_dict(folder / place, [f"w{i}" for i in range(17)] + ["other"] + [f"w{i}" for i in range(18, 40)])
    with pytest.raises(
        UserError,
        match=rf"{place} \(44 symbols\) is not the dictionary .*symbol 21 is 'w17' against 'other'; .*--srcdict",
    ):
        open_all(folder)


def test_the_dictionary_of_a_corpus_is_none(folder):
    (folder / "mono" / "de" / "dict.txt").write_bytes(b"\xff 1\n")
    with pytest.raises(UserError, match=r"mono/de/dict\.txt: not a fairseq dictionary"):
        open_all(folder)


@pytest.mark.parametrize(
    ("place", "name", "wanted"),
    [
        ("mono/de", "train.de-None.de", r"train\.bin, train\.idx"),
        ("para/de-en", "train.en-de.en", r"train\.de-en\.de\.bin"),
    ],
)
def test_a_folder_without_a_corpus(folder, place, name, wanted):
    """A corpus under another name would be left out of training without a word."""
    for path in (folder / place).iterdir():
        path.unlink()
    for _ in range(2):
        with pytest.raises(UserError, match=rf"{place}: holds no corpus; its files are named {wanted}"):
            open_all(folder)
        write_corpus(folder / place / name, [[5]])


def test_sentencepiece_model_is_checked(folder):
    (folder / "sentencepiece.bpe.model").write_text("nonsense")
    with pytest.raises(UserError, match="not a SentencePiece model"):
        DataBin(str(folder))


def test_wordpiece_vocabulary_is_checked(folder):
    write_wordpieces(folder)
    with pytest.raises(UserError, match="the WordPiece vocabulary of another model: symbol 0 is 'w0' against"):
        DataBin(str(folder))
    words = [f"w{number}" for number in range(40)]
    write_wordpieces(folder, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words, "[MASK]"])
    DataBin(str(folder))


def test_ids_and_unknowns_are_checked(folder):
    write_corpus(folder / "mono" / "de" / "train", [[5, MASK + 1]])
    with pytest.raises(UserError, match=r"mono/de/train: sentence 0 holds the id 45, the dictionary has 45 symbols"):
        open_all(folder)
    write_corpus(folder / "mono" / "de" / "train", [[3, 3, 5]])
    with pytest.raises(UserError, match=r"mono/de/train: 50\.0% of the tokens are <unk>"):
        open_all(folder)


def test_each_corpus_is_opened_once(folder, monkeypatch):
    """Several objectives read the same corpora; checking the files again would cost time."""
    data = DataBin(str(folder))
    first = data.open_mono("train", 1)
    monkeypatch.setattr("fairseq_xling.data.databin.check_index", lambda prefix: pytest.fail(prefix))
    assert data.open_mono("train", 1)["de"] is first["de"]
