"""Embeddings: what is pooled, and that batching does not show."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fairseq_xling.data.sentences import own_tokens, pad_sentences
from fairseq_xling.errors import UserError
from fairseq_xling.evaluation.encoding import embed
from fairseq_xling.modules.pooling import mean_pool
from tests.helpers import BOS, EOS, PAD, SYMBOLS, UNK


def embeddings(loaded, sentences, **options):
    cfg = loaded.model.cfg
    out = np.full((cfg.encoder_layers + 1, len(sentences), cfg.encoder_embed_dim), np.nan, dtype=np.float32)
    embed(loaded.model, sentences, loaded.symbols, out, **options)
    return out


def test_pooling_leaves_out_specials_and_padding():
    tokens = torch.tensor([[BOS, 5, UNK, EOS, PAD], [BOS, 7, EOS, PAD, PAD]])
    states = torch.arange(10.0).view(2, 5, 1)
    keep = own_tokens(tokens, SYMBOLS)
    assert keep.tolist() == [[False, True, True, False, False], [False, True, False, False, False]]
    assert mean_pool(states, keep).tolist() == [[1.5], [6.0]]


def test_pooling_of_nothing_is_zero_and_half_precision_is_summed_in_fp32():
    states = torch.full((1, 4000, 1), 100.0, dtype=torch.float16)
    keep = torch.ones(1, 4000, dtype=torch.bool)
    assert mean_pool(states, keep).item() == 100
    assert mean_pool(states, ~keep).item() == 0


def test_a_sentence_is_padded_and_checked():
    assert pad_sentences([np.array([5, 6]), np.array([7])], SYMBOLS).tolist() == [[BOS, 5, 6, EOS], [BOS, 7, EOS, PAD]]
    with pytest.raises(UserError, match="token id 99, the dictionary has 45 symbols"):
        pad_sentences([np.array([5, 99])], SYMBOLS)


def test_alone_equals_in_a_padded_batch(loaded):
    rng = np.random.default_rng(0)
    sentences = [rng.integers(4, loaded.symbols.mask, size) for size in (1, 9, 3, 20, 3)]
    together = embeddings(loaded, sentences, max_tokens=1000)
    for line, sentence in enumerate(sentences):
        alone = embeddings(loaded, [sentence])
        np.testing.assert_allclose(together[:, line], alone[:, 0], atol=1e-5)
    np.testing.assert_allclose(together, embeddings(loaded, sentences, max_tokens=1), atol=1e-5)


def test_every_layer_is_the_mean_of_its_states(loaded):
    sentence = np.array([5, 6, 7])
    tokens = torch.tensor([[BOS, 5, 6, 7, EOS]])
    with torch.no_grad():
        states = loaded.model(tokens, all_layers=True)
    assert len(states) == 4
    for pooled, state in zip(embeddings(loaded, [sentence]), states, strict=True):
        np.testing.assert_allclose(pooled[0], state[0, 1:4].mean(0).numpy(), atol=1e-6)


def test_identical_sentences_are_encoded_once(loaded, monkeypatch):
    seen = []
    forward = type(loaded.model).forward
    monkeypatch.setattr(
        type(loaded.model),
        "forward",
        lambda self, tokens, **kw: seen.append(len(tokens)) or forward(self, tokens, **kw),
    )
    done = []
    same = np.array([5, 6])
    out = embeddings(loaded, [same, np.array([7, 8]), same.copy()], advance=done.append)
    assert sum(seen) == 2
    assert sum(done) == 3
    assert np.array_equal(out[:, 0], out[:, 2])
    assert not np.array_equal(out[:, 0], out[:, 1])
