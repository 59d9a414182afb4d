"""Where the mask stands, which pieces it asks for, and that predictions are those of the whole model."""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest
import torch

from fairseq_xling.evaluation.lama.fill_mask import (
    ClozeEncoder,
    fill_masks,
    ordinary_candidates,
    vocabulary_candidates,
)
from fairseq_xling.interop.load import load_model
from tests.evaluation.lama.lama_files import write_vocabulary
from tests.interop.models import checkpoint_of, hf_model, xling_model

TEXTS = [
    "The capital of Norland is [MASK] .",
    "[MASK] is the capital of Norland",
    "Ada (born [MASK]).",
    "the book of the dog is ( [MASK] ) .",
    "老[MASK]",
    "Ada [MASK]town",
    "river river river river the [MASK]",
]


@pytest.fixture(scope="session")
def vocabulary(tmp_path_factory):
    return write_vocabulary(tmp_path_factory.mktemp("lama"))


@pytest.fixture(scope="session")
def loaded(vocabulary):
    """A random model with an LM head."""
    size = len((vocabulary / "dict.txt").read_text().splitlines()) + 5
    torch.save(checkpoint_of(xling_model(size)), vocabulary / "model.pt")
    return load_model(vocabulary)


def pieces_of(loaded, text):
    (sentence,) = ClozeEncoder(loaded).sentences([text])
    assert sentence.tokens[sentence.position] == loaded.symbols.mask
    assert np.count_nonzero(sentence.tokens == loaded.symbols.mask) == 1
    return [loaded.dictionary[token] for token in sentence.tokens], sentence.blank


@pytest.mark.parametrize(
    ("text", "pieces", "blank"),
    [
        ("the town is [MASK] .", "▁the ▁town ▁is <mask> ▁.", True),
        ("the town is  [MASK]  .", "▁the ▁town ▁is <mask> ▁.", True),
        ("[MASK] is the town", "<mask> ▁is ▁the ▁town", True),
        # no blank after the gap: the full stop is the one that follows a word
        ("the town is [MASK].", "▁the ▁town ▁is <mask> .", True),
        ("(born [MASK]).", "▁( born <mask> ) .", True),
        # no blank before it: the mask asks for a piece without one
        ("([MASK])", "▁( <mask> )", False),
        ("老[MASK]", "▁ 老 <mask>", False),
        ("the town[MASK]", "▁the ▁town <mask>", False),
        # unknown neighbours stay unknown
        ("the Ω[MASK]Ω town", "▁the ▁ <unk> <mask> <unk> ▁town", False),
        ("the Ω [MASK] Ω", "▁the ▁ <unk> <mask> ▁ <unk>", True),
    ],
)
def test_the_blank_before_the_gap_belongs_to_the_mask(loaded, text, pieces, blank):
    assert pieces_of(loaded, text) == (pieces.split(), blank)


def test_a_sentence_with_its_object_back_is_the_sentence_of_pre_training(loaded):
    """Putting the object's piece at the mask gives the pieces of the whole text."""
    encoder = ClozeEncoder(loaded)
    for text, word in (("the town is [MASK] .", "stone"), ("[MASK] is 1815", "river"), ("老[MASK]", "born")):
        (sentence,), ((inside, outside),) = encoder.sentences([text]), encoder.objects([word])
        tokens = sentence.tokens.copy()
        tokens[sentence.position] = outside if sentence.blank else inside
        np.testing.assert_array_equal(tokens, loaded.encode_text([text.replace("[MASK]", word)])[0])


def test_objects_with_and_without_a_blank(loaded):
    def piece(number):
        return None if number is None else loaded.dictionary[number]

    words = ["born", "城", "town", "1815", "town dog", "Zz", "Ω", "<mask>"]
    found = [(piece(a), piece(b)) for a, b in ClozeEncoder(loaded).objects(words)]
    assert found == [
        ("born", "▁born"),
        ("城", "▁城"),
        (None, "▁town"),
        (None, "▁1815"),
        (None, None),
        (None, None),
        (None, None),
        (None, None),
    ]


def test_candidates(loaded):
    allowed = ordinary_candidates(loaded)
    assert allowed.shape == (2, len(loaded.dictionary))
    assert (~allowed).nonzero()[:, 1].tolist() == [0, 1, 2, 3, loaded.symbols.mask] * 2
    allowed = vocabulary_candidates(loaded, ["born", "town", "mountain"])
    words = [[loaded.dictionary[number] for number in row.nonzero()[:, 0].tolist()] for row in allowed]
    assert words == [["born"], ["▁town", "▁born"]]


def slow_reference(loaded, sentences, allowed):
    """One sentence at a time, all positions through the head, a loop over the candidates."""
    best = []
    for sentence in sentences:
        ids = [loaded.symbols.bos, *sentence.tokens.tolist(), loaded.symbols.eos]
        with torch.no_grad():
            logits = loaded.model.heads["lm"](loaded.model(torch.tensor([ids])))[0, ids.index(loaded.symbols.mask)]
        candidates = allowed[int(sentence.blank)].nonzero()[:, 0].tolist()
        best.append(max(candidates, key=lambda number: logits[number].item()))
    return best


def test_batches_of_any_size_predict_the_same(loaded, monkeypatch):
    sentences = ClozeEncoder(loaded).sentences(TEXTS)
    allowed = ordinary_candidates(loaded)
    expected = slow_reference(loaded, sentences, allowed)
    assert len(set(expected)) > 2
    done: list[int] = []
    assert fill_masks(loaded, sentences, allowed, 4096, done.append).tolist() == expected
    assert fill_masks(loaded, sentences, allowed, 1, done.append).tolist() == expected
    assert done == [7] + [1] * 7
    monkeypatch.setattr("fairseq_xling.evaluation.lama.fill_mask._LOGITS", 2)
    assert fill_masks(loaded, sentences, allowed, 30).tolist() == expected


def test_candidates_depend_on_the_blank(loaded):
    sentences = ClozeEncoder(loaded).sentences(TEXTS)
    allowed = torch.zeros(2, len(loaded.dictionary), dtype=torch.bool)
    allowed[0, 20] = allowed[1, 30] = True
    assert fill_masks(loaded, sentences, allowed).tolist() == [30, 30, 30, 30, 20, 30, 30]
    assert slow_reference(loaded, sentences, allowed) == [30, 30, 30, 30, 20, 30, 30]


def test_predictions_equal_those_of_transformers(vocabulary, loaded, tmp_path):
    """Same weights, text tokenised by the other library's tokenizer, its logits at its mask."""
    transformers = pytest.importorskip("transformers")
    theirs = hf_model("XLMRoberta", len(loaded.dictionary))
    theirs.save_pretrained(tmp_path)
    shutil.copyfile(vocabulary / "sentencepiece.bpe.model", tmp_path / "sentencepiece.bpe.model")
    tokenizer = transformers.XLMRobertaTokenizerFast.from_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    ours = load_model(tmp_path)
    assert "lm" in ours.model.heads

    texts = [TEXTS[0], TEXTS[1], TEXTS[3], "Norland is the [MASK] of the river .", "[MASK]"]
    sentences = ClozeEncoder(ours).sentences(texts)
    found = fill_masks(ours, sentences, ordinary_candidates(ours))
    for text, sentence, mine in zip(texts, sentences, found.tolist(), strict=True):
        batch = tokenizer(text.replace("[MASK]", "<mask>"), return_tensors="pt")
        ids = batch["input_ids"][0].tolist()
        assert ids == [0, *sentence.tokens, 2]
        with torch.no_grad():
            logits = theirs(**batch).logits[0, ids.index(tokenizer.mask_token_id)]
        logits[[0, 1, 2, 3, tokenizer.mask_token_id]] = -torch.inf
        assert int(logits.argmax()) == mine


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_predictions_on_the_gpu(loaded):
    sentences = ClozeEncoder(loaded).sentences(TEXTS)
    expected = fill_masks(loaded, sentences, ordinary_candidates(loaded)).tolist()
    on_gpu = dataclasses.replace(loaded, model=load_model(loaded.path).model.cuda())
    assert fill_masks(on_gpu, sentences, ordinary_candidates(loaded)).tolist() == expected
