"""``xling plot embeddings``: vectors, similarity, t-SNE, the files it writes, wrong input."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from sentencepiece import SentencePieceProcessor

from fairseq_xling.errors import UserError
from fairseq_xling.evaluation.embeddings import picture
from fairseq_xling.evaluation.embeddings.pairs import WordPair
from fairseq_xling.evaluation.embeddings.vectors import (
    choose_pairs,
    fit_perplexity,
    project,
    similarity,
    word_pieces,
    word_vectors,
)
from fairseq_xling.evaluation.plot import embeddings as command
from fairseq_xling.interop.load import load_model
from fairseq_xling_preprocess.cli import main
from tests.conftest import ROOT

PAIRS = [WordPair("river", "fleuve", 3), WordPair("town", "ville", 2), WordPair("bridge", "pont", 2)]


def plot(folder: Path, *checkpoints: str, out: str = "new/words.png", **flags: object) -> int:
    options = {"words": folder / "text", "pair": "en-fr", "alignment": folder / "links", "out": folder / out, **flags}
    words = [text for checkpoint in checkpoints for text in ("--checkpoint", checkpoint)]
    words += [str(text) for name, value in options.items() for text in (f"--{name}", value)]
    with pytest.raises(SystemExit) as error:
        main(["plot", "embeddings", *words])
    return int(error.value.code or 0)


@pytest.fixture
def both(checkpoints) -> tuple[str, str]:
    return f"before={checkpoints[0]}", f"after={checkpoints[1]}"


def test_a_words_vector_is_the_mean_of_its_pieces_rows(checkpoints):
    loaded = load_model(checkpoints[0])
    table = loaded.model.encoder.sentence_encoder.embed_tokens.weight.detach().numpy()
    vectors = word_vectors(loaded, PAIRS)
    sentencepiece = SentencePieceProcessor(model_file=str(checkpoints[0] / "sentencepiece.bpe.model"))
    words = ["river", "town", "bridge", "fleuve", "ville", "pont"]
    assert vectors.shape == (6, 8)
    for word, vector in zip(words, vectors, strict=True):
        pieces = [loaded.dictionary.index(piece) for piece in sentencepiece.encode(word, out_type=str)]
        own = [piece for piece in pieces if loaded.dictionary[piece] != "▁"]
        np.testing.assert_allclose(vector, table[own].mean(0), atol=1e-7)


def test_unknown_and_vanished_words(checkpoints):
    loaded = load_model(checkpoints[0])
    known, unknown, partly, space = word_pieces(loaded, ["town", "议员", "town议员", "▁"])
    assert known is not None
    assert unknown is partly is space is None
    space_mark = loaded.dictionary.index("▁")
    assert space_mark != loaded.symbols.unk
    assert space_mark in loaded.encode_text(["town"])[0]
    assert space_mark not in known
    candidates = [WordPair("town", "议员", 9), *PAIRS]
    assert choose_pairs(candidates, [loaded, loaded], 2) == (PAIRS[:2], candidates[:1])


def test_similarity_by_hand():
    vectors = np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 0.5], [2.0, 1.0], [0.0, 3.0], [-1.0, 0.0]])
    near = similarity(vectors)
    five = np.sqrt(5)
    # rows: the first words, columns: the second ones
    cosines = np.array([[2 / five, 0, -1], [1 / five, 1, 0], [1 / five, 1, 0]])
    np.testing.assert_allclose(near.cosine, [2 / five, 1, 0])
    np.testing.assert_allclose(near.others, (cosines.sum() - np.trace(cosines)) / 6)
    # the third word is nearer to both others than to its partner; two words as near as the partner do not count
    assert near.rank.tolist() == [0, 0, 2, 0, 0, 0]
    assert near.mutual.tolist() == [True, True, False]


def test_perplexity():
    assert fit_perplexity(None, 40) == 13
    assert fit_perplexity(None, 4) == 1
    assert fit_perplexity(None, 1000) == 30
    assert fit_perplexity(5.5, 40) == 5.5
    with pytest.raises(UserError, match="--perplexity 40: must be less than the number of words, 40"):
        fit_perplexity(40.0, 40)


def test_projection_is_deterministic_and_keeps_neighbours():
    rng = np.random.default_rng(0)
    centres = 10 * rng.standard_normal((10, 16))
    vectors = np.concatenate([centres, centres + 0.1 * rng.standard_normal((10, 16))])
    positions = project(vectors, fit_perplexity(None, 20))
    assert positions.shape == (20, 2)
    np.testing.assert_array_equal(positions, project(vectors, fit_perplexity(None, 20)))
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    np.fill_diagonal(distances, np.inf)
    assert (distances.argmin(1) == (np.arange(20) + 10) % 20).mean() >= 0.8
    assert np.isfinite(project(np.eye(4), fit_perplexity(None, 4))).all()  # the fewest


def test_command(bitext, both, capsys):
    assert plot(bitext, *both, pairs=3) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "after: mean cosine of partners 1.000, of others 0.000; mutual nearest neighbours 100% (3 of 3 pairs)" in out
    assert "before: mean cosine of partners 0." in out or "before: mean cosine of partners -0." in out
    assert (bitext / "new" / "words.png").read_bytes().startswith(b"\x89PNG")
    with (bitext / "new" / "words.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == list(picture.COLUMNS)
    assert [(row["checkpoint"], row["language"], row["word"], row["partner"], row["count"]) for row in rows] == [
        (name, *line)
        for name in ("before", "after")
        for line in (
            ("en", "river", "fleuve", "3"),
            ("en", "bridge", "pont", "2"),
            ("en", "town", "ville", "2"),
            ("fr", "fleuve", "river", "3"),
            ("fr", "pont", "bridge", "2"),
            ("fr", "ville", "town", "2"),
        )
    ]
    before, after = rows[:6], rows[6:]
    assert all((row["cosine"], row["rank"]) == ("1.000000", "0") for row in after)
    loaded = load_model(both[0].removeprefix("before="))
    near = similarity(word_vectors(loaded, [PAIRS[0], PAIRS[2], PAIRS[1]]))
    assert [float(row["cosine"]) for row in before] == pytest.approx([*near.cosine, *near.cosine], abs=1e-6)
    assert [int(row["rank"]) for row in before] == near.rank.tolist()
    assert sorted(path.name for path in (bitext / "new").iterdir()) == ["words.csv", "words.png"]


def test_the_same_input_gives_the_same_bytes(bitext, both):
    for name, flags in (("a", {}), ("b", {}), ("c", {"perplexity": 3})):
        assert plot(bitext, *both, out=f"{name}.png", **flags) == 0
    first, second, other = ((bitext / f"{name}.csv").read_bytes() for name in "abc")
    assert first == second
    assert first != other
    # only the positions depend on the perplexity
    assert [line.split(b",")[-2:] for line in first.splitlines()] == [
        line.split(b",")[-2:] for line in other.splitlines()
    ]


def test_fewer_pairs_and_unknown_words_are_reported(bitext, both, capsys):
    with (bitext / "text.en").open("a", encoding="utf-8") as en, (bitext / "text.fr").open("a", encoding="utf-8") as fr:
        en.write("Québec $x$\n")
        fr.write("ЮЯ pierre\n")
    with (bitext / "links").open("a") as links:
        links.write("0-0 1-1\n")
    assert plot(bitext, *both) == 0
    err = capsys.readouterr().err
    assert (
        "warning: 2 frequent pairs are left out, a vocabulary lacks one of their words: $x$ pierre, Québec ЮЯ\n" in err
    )
    assert "warning: 3 pairs instead of 20" in err


def test_labels_are_drawn_as_they_are(checkpoints, tmp_path):
    near = similarity(np.eye(4))
    words = [WordPair("$a$", "b_{", 1), WordPair("c", "\\frac", 1)]
    missing = picture.draw_panels(
        [picture.Panel("p $1", np.eye(4)[:, :2], near)], words, ("en", "fr"), tmp_path / "p.png"
    )
    assert missing == []


def test_fonts_that_have_the_characters(monkeypatch):
    assert picture.fonts_for(set("aéЮα")) == (["DejaVu Sans"], [])
    assert picture.fonts_for({"a", "\U000efffd"})[1] == ["\U000efffd"]
    fonts = {"DejaVu Sans": {"a"}, "Beta": {"b"}, "Last Resort X": {"c"}, "Also beta": {"b"}}
    monkeypatch.setattr("matplotlib.font_manager.get_font_names", lambda: list(fonts))
    monkeypatch.setattr(picture, "_characters", lambda name: fonts[name])
    assert picture.fonts_for(set("abc")) == (["DejaVu Sans", "Also beta"], ["c"])


@pytest.mark.parametrize(
    ("checkpoints_", "flags", "message"),
    [
        (["nothing"], {}, "--checkpoint nothing: expected NAME=PATH"),
        (["a=none.pt"], {}, "none.pt: no such file or folder"),
        (["a={0}", "a={1}"], {}, "the name a is given twice"),
        (["a={0}"], {"out": "words.pdf"}, "expected a name that ends in .png"),
        (["a={0}"], {"out": "taken.png"}, "taken.csv: it is a folder"),
        (["a={0}"], {"perplexity": 40}, "--perplexity 40: must be less than the number of words, 40"),
        (["a={0}"], {"perplexity": 6}, "--perplexity 6: must be less than the number of words, 6"),
        (["a={0}"], {"pair": "en-en"}, "--pair en-en: expected two different language codes"),
        (["a={0}"], {"stopwords": "de=x"}, "--stopwords de=x: expected LANG=FILE"),
    ],
)
def test_wrong_flags(bitext, checkpoints, capsys, checkpoints_, flags, message):
    (bitext / "taken.csv").mkdir()
    assert plot(bitext, *(text.format(*checkpoints) for text in checkpoints_), **flags) == 2
    err = capsys.readouterr().err
    assert message in err
    assert not list(bitext.glob("**/*.png"))


def test_wrong_text_ends_before_a_model_is_loaded(bitext, checkpoints, capsys, monkeypatch):
    def refuse(path: str) -> None:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr("fairseq_xling.evaluation.embeddings.run.load_model", refuse)
    (bitext / "links").write_text("0-0\n\n\n\n\n\n")
    assert plot(bitext, f"a={checkpoints[0]}") == 2
    assert "links: 0 aligned word pairs are left without stop words" in capsys.readouterr().err
    (bitext / "links").write_text("9-9\n\n\n\n\n\n")
    assert plot(bitext, f"a={checkpoints[0]}") == 2
    assert "link 9-9 is out of range" in capsys.readouterr().err


def test_models_that_cannot_be_drawn(bitext, make_checkpoint, capsys):
    folder = make_checkpoint(bitext / "model")
    content = torch.load(folder / "model.pt", weights_only=False)
    name = "encoder.sentence_encoder.embed_tokens.weight"
    for value, message in ((float("nan"), "holds inf or nan"), (1.0, "all words have the same embedding")):
        content["model"][name][:] = value
        torch.save(content, folder / "model.pt")
        assert plot(bitext, f"a={folder}") == 2
        assert message in capsys.readouterr().err
    (folder / "sentencepiece.bpe.model").unlink()
    assert plot(bitext, f"a={folder}") == 2
    assert "sentencepiece.bpe.model: not found" in capsys.readouterr().err
    assert not (bitext / "new").exists()


def test_a_vocabulary_of_other_languages(bitext, checkpoints, capsys):
    for code in ("en", "fr"):
        text = (bitext / f"text.{code}").read_text(encoding="utf-8")
        table = str.maketrans("abcdefghijklmnopqrstuvwxyz", "юябцдефгхийклмнопрстувьызш")
        (bitext / f"text.{code}").write_text(text.translate(table), encoding="utf-8")
    assert plot(bitext, f"a={checkpoints[0]}") == 2
    assert "have both words of 0 of" in capsys.readouterr().err


def test_every_option_is_documented():
    page = (ROOT / "docs" / "embeddings.md").read_text(encoding="utf-8")
    for option in command.params:
        assert f"| `{option.opts[0]}" in page, option.opts[0]
    assert all(f"`{column}`" in page for column in picture.COLUMNS)
