"""The encoder equals a naive one and fairseq's RoBERTa; selecting positions is gathering afterwards; checkpoints fit or say why not."""

from __future__ import annotations

import logging
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fairseq.data import Dictionary
from fairseq.models import ARCH_CONFIG_REGISTRY, ARCH_MODEL_REGISTRY
from fairseq.models.roberta import RobertaModel
from torch import Tensor

from fairseq_xling.errors import UserError
from fairseq_xling.models import EncoderInput, XlingModel, XlingModelConfig
from fairseq_xling.models.config import ALIASES, SHAPES
from fairseq_xling.models.xling import published_keys
from tests.helpers import EOS, MASK, PAD, gradients, make_model, make_task, randomize, small_data_bin


@pytest.fixture(scope="module")
def data_bin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_data_bin(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def task(data_bin: Path) -> Any:
    return make_task(data_bin)


TOKENS = torch.tensor([[0, 5, 6, 7, 8, 9, EOS], [0, 10, 11, EOS, PAD, PAD, PAD], [0, 12, 13, 14, 15, EOS, PAD]])
REAL = TOKENS.ne(PAD)


def naive(model: XlingModel, tokens: Tensor, visible: Tensor, languages: Tensor | None = None) -> list[Tensor]:
    """Attention head by head with an explicit softmax; states after the embeddings and every layer."""
    encoder, cfg = model.encoder.sentence_encoder, model.cfg
    pre = cfg.encoder_normalize_before
    real = tokens.ne(PAD)
    x = encoder.embed_tokens.weight[tokens] + encoder.embed_positions.weight[real.cumsum(1) * real + PAD]
    if languages is not None:
        x = x + encoder.embed_languages.weight[languages]
    if not pre:
        x = encoder.layernorm_embedding(x)
    states = [x]
    size = cfg.encoder_embed_dim // cfg.encoder_attention_heads
    for layer in encoder.layers:
        inner = layer.self_attn_layer_norm(x) if pre else x
        heads = []
        for start in range(0, cfg.encoder_embed_dim, size):
            q, k, v = (
                getattr(layer.self_attn, f"{name}_proj")(inner)[..., start : start + size] for name in ("q", "k", "v")
            )
            scores = (q @ k.transpose(1, 2) / size**0.5).masked_fill(~visible, float("-inf"))
            heads.append(scores.softmax(2) @ v)
        x = x + layer.self_attn.out_proj(torch.cat(heads, 2))
        x = x if pre else layer.self_attn_layer_norm(x)
        inner = layer.final_layer_norm(x) if pre else x
        x = x + layer.fc2(torch.nn.functional.gelu(layer.fc1(inner)))
        x = x if pre else layer.final_layer_norm(x)
        states.append(x)
    if pre:
        states[-1] = encoder.layer_norm(states[-1])
    return states


@pytest.mark.parametrize("pre_norm", [False, True])
@pytest.mark.parametrize("heads", [1, 4])
def test_padding_mask_and_visibility_equal_naive_attention(task, pre_norm, heads):
    model = make_model(task, layers=3, heads=heads, encoder_normalize_before=pre_norm)
    everybody = REAL[:, None, :].expand(-1, 7, -1)
    with torch.no_grad():
        for found, expected in zip(model(TOKENS, all_layers=True), naive(model, TOKENS, everybody), strict=True):
            torch.testing.assert_close(found[REAL], expected[REAL], rtol=1e-5, atol=1e-5)
        torch.manual_seed(0)
        visible = (torch.rand(3, 7, 7) < 0.5) | torch.eye(7, dtype=torch.bool)  # another matrix for every sample
        languages = torch.randint(0, 4, (3, 7))
        (found,) = model([EncoderInput(TOKENS, visible=visible, languages=languages)])
        torch.testing.assert_close(found, naive(model, TOKENS, visible, languages)[-1], rtol=1e-5, atol=1e-5)


def roberta(model: XlingModel) -> RobertaModel:
    """fairseq's RoBERTa with the same weights."""
    cfg = model.cfg
    dictionary = Dictionary()
    for i in range(model.encoder.sentence_encoder.embed_tokens.num_embeddings - 4):
        dictionary.add_symbol(f"w{i}")
    args = Namespace(
        encoder_layers=cfg.encoder_layers,
        encoder_embed_dim=cfg.encoder_embed_dim,
        encoder_ffn_embed_dim=cfg.encoder_ffn_embed_dim,
        encoder_attention_heads=cfg.encoder_attention_heads,
        max_positions=cfg.max_positions,
        encoder_normalize_before=cfg.encoder_normalize_before,
        layernorm_embedding=not cfg.encoder_normalize_before,
    )
    theirs = RobertaModel.build_model(args, Namespace(source_dictionary=dictionary))
    theirs.load_state_dict(published_keys(model.state_dict()))  # strict
    return theirs.eval()


@pytest.mark.parametrize("pre_norm", [False, True])
@pytest.mark.parametrize("tokens", [TOKENS, TOKENS[:1]], ids=["padded", "unpadded"])
def test_equals_fairseqs_roberta_with_the_same_parameter_names(data_bin, pre_norm, tokens):
    model = make_model(make_task(data_bin, "mmlm"), layers=3, encoder_normalize_before=pre_norm)
    theirs = roberta(model)
    assert theirs.state_dict().keys() == published_keys(model.state_dict()).keys()
    real = tokens.ne(PAD)
    with torch.no_grad():
        expected, _ = theirs(tokens, features_only=True)
        logits, _ = theirs(tokens)
        states = model(tokens)
    torch.testing.assert_close(states[real], expected[real], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(model.heads["lm"](states)[real], logits[real], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("pre_norm", [False, True])
def test_selecting_is_gathering_afterwards(task, pre_norm):
    model = make_model(task, layers=2, encoder_normalize_before=pre_norm)
    select = torch.tensor([2, 0, 8, 16])
    for visible in (None, torch.eye(7, dtype=torch.bool).expand(3, 7, 7)):
        outputs, grads = [], []
        for selected in (select, None):
            (states,) = model([EncoderInput(TOKENS, visible=visible, select=selected)])
            outputs.append(states if selected is not None else states.flatten(0, 1)[select])
            outputs[-1].square().sum().backward()
            grads.append(gradients(model))
        torch.testing.assert_close(*outputs, rtol=1e-6, atol=1e-6)
        assert grads[0].keys() == grads[1].keys()
        for name, grad in grads[0].items():
            torch.testing.assert_close(grad, grads[1][name], rtol=1e-5, atol=1e-6)
    (nothing,) = model([EncoderInput(TOKENS, select=select[:0])])
    assert nothing.shape == (0, 16)


@pytest.mark.parametrize("pre_norm", [False, True])
def test_leaving_out_the_padding_changes_nothing(task, pre_norm):
    """One layer computes rows of real tokens only; beside a batch whose padding is computed."""
    model = make_model(task, layers=3, encoder_normalize_before=pre_norm)
    real = TOKENS.ne(PAD).flatten().nonzero().flatten()
    assert len(real) < TOKENS.numel()
    select, other = torch.tensor([2, 0, 8, 16]), EncoderInput(TOKENS[:2], select=torch.tensor([1, 5]))
    seen = []
    model.encoder.sentence_encoder.layers[0].fc1.register_forward_hook(
        lambda _, inputs, __: seen.append(len(inputs[0]))
    )
    outputs, grads = [], []
    for kept in (real, None):
        outputs.append(torch.cat(model([other, EncoderInput(TOKENS, select=select, real=kept)])))
        outputs[-1].square().sum().backward()
        grads.append(gradients(model))
    assert seen == [14 + len(real), 14 + 21]
    torch.testing.assert_close(*outputs, rtol=1e-5, atol=1e-6)
    assert grads[0].keys() == grads[1].keys()
    for name, grad in grads[0].items():
        torch.testing.assert_close(grad, grads[1][name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("pre_norm", [False, True])
def test_batches_in_one_pass_are_batches_one_by_one(task, pre_norm):
    """Of different shapes, with and without a matrix, languages and positions of their own."""
    model = make_model(task, layers=3, encoder_normalize_before=pre_norm)
    short = TOKENS[1:, :5]
    batches = [
        EncoderInput(TOKENS),
        EncoderInput(TOKENS[:1], padded=False, languages=torch.tensor([[0, 1, 2, 3, 0, 1, 2]])),
        EncoderInput(short, visible=(torch.rand(2, 5, 5) < 0.5) | torch.eye(5, dtype=torch.bool)),
        EncoderInput(short, positions=torch.tensor([[2, 3, 2, 3, 4]] * 2)),
    ]
    together = model(batches)
    for batch, states in zip(batches, together, strict=True):
        real = batch.tokens.ne(PAD)
        torch.testing.assert_close(states[real], model([batch])[0][real], rtol=1e-5, atol=1e-5)
    layers = model(batches, all_layers=True)
    for batch, states, last in zip(batches, layers, together, strict=True):
        assert len(states) == 4
        assert torch.equal(states[-1], last)
        torch.testing.assert_close(states[1], model([batch], num_layers=1)[0], rtol=1e-5, atol=1e-5)
    selected = [replace(batch, select=torch.tensor([3, 1])) for batch in batches]
    for states, last in zip(model(selected), together, strict=True):
        torch.testing.assert_close(states, last.flatten(0, 1)[[3, 1]], rtol=1e-5, atol=1e-5)


def test_promising_that_there_is_no_padding(task, monkeypatch):
    model = make_model(task, layers=2)
    masks = []
    original = torch.nn.functional.scaled_dot_product_attention
    monkeypatch.setattr(
        torch.nn.functional,
        "scaled_dot_product_attention",
        lambda *args, attn_mask=None, **kw: masks.append(attn_mask) or original(*args, attn_mask=attn_mask, **kw),
    )
    (fast,) = model([EncoderInput(TOKENS[:1], padded=False)])
    assert masks == [None, None]  # the fast path
    torch.testing.assert_close(fast, model(TOKENS[:1]), rtol=1e-6, atol=1e-6)


def test_a_row_of_nothing_but_padding_is_finite(task):
    model = make_model(task, layers=3, attention_dropout=0.1).train()
    states = model(torch.full((2, 4), PAD))
    assert torch.isfinite(states).all()
    states.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_positions_are_robertas(task):
    encoder = make_model(task).encoder.sentence_encoder
    tokens = torch.tensor([[0, 5, EOS, PAD], [PAD, 0, 5, EOS]])
    assert encoder.positions(tokens).tolist() == [[2, 3, 4, 1], [1, 2, 3, 4]]
    assert encoder.embed_positions.num_embeddings == 64 + PAD + 1


def test_every_layer_and_fewer_layers(task):
    model = make_model(task, layers=3)
    states = model(TOKENS, all_layers=True)
    assert len(states) == 4
    torch.testing.assert_close(states[-1], model(TOKENS))
    torch.testing.assert_close(states[2], model(TOKENS, num_layers=2))


def test_the_longest_example_fits(task):
    model = make_model(task)
    assert model.max_positions() == 64
    assert model(torch.full((1, 64), 5)).shape == (1, 64, 16)


@pytest.mark.parametrize("kind", ["dropout", "attention_dropout", "activation_dropout"])
def test_dropout_is_on_in_training_only(task, kind):
    model = make_model(task, **{kind: 0.3})
    assert torch.equal(model(TOKENS), model(TOKENS))
    model.train()
    assert not torch.equal(model(TOKENS), model(TOKENS))


def test_embeddings_and_block_outputs_are_dropped(task):
    """All of them dropped, only what is added to them is left: nothing, or in a pre-norm layer its own input."""
    model = make_model(task, encoder_normalize_before=True).train()
    encoder = model.encoder.sentence_encoder
    encoder.dropout.p = 1.0
    assert not model(TOKENS, all_layers=True)[0].any()
    encoder.dropout.p = 0.0
    encoder.layers[0].dropout.p = 1.0
    embedded, first, _ = model(TOKENS, all_layers=True)
    assert embedded.any()
    assert torch.equal(first, embedded)


def test_initial_weights_are_berts(task):
    model = XlingModel.build_model(XlingModelConfig(encoder_layers=2, max_positions=64), task)
    for name, parameter in model.named_parameters():
        if "norm" in name:
            assert torch.equal(parameter, torch.full_like(parameter, float(name.endswith("weight"))))
        elif name.endswith("bias") or "languages" in name:
            assert not parameter.any()
        else:
            assert parameter.std().item() == pytest.approx(0.02, rel=0.05)
            assert abs(parameter.mean().item()) < 0.001
    assert not model.encoder.sentence_encoder.embed_tokens.weight[PAD].any()
    assert model.heads["lm"].weight is model.encoder.sentence_encoder.embed_tokens.weight


@pytest.mark.parametrize("name", [f"xling_{size}" for size in SHAPES] + list(ALIASES))
def test_architectures_are_registered(name):
    args = Namespace()
    ARCH_CONFIG_REGISTRY[name](args)
    layers, dim, ffn, heads = SHAPES[ALIASES.get(name, name.removeprefix("xling_"))]
    assert ARCH_MODEL_REGISTRY[name] is XlingModel
    found = (args.encoder_layers, args.encoder_embed_dim, args.encoder_ffn_embed_dim, args.encoder_attention_heads)
    assert found == (layers, dim, ffn, heads)


@pytest.mark.parametrize(("name", "epsilon"), [("weam_base", 1e-12), ("xling_base", 1e-5), ("btmlm_base", 1e-5)])
def test_weam_has_the_epsilon_of_bert(name, epsilon):
    args = Namespace()
    ARCH_CONFIG_REGISTRY[name](args)
    cfg = XlingModelConfig(encoder_layers=1, encoder_embed_dim=8, encoder_attention_heads=2, max_positions=8)
    cfg.layer_norm_eps = getattr(args, "layer_norm_eps", cfg.layer_norm_eps)
    model = XlingModel(cfg, 10, 1)
    model.add_head("lm")
    norms = [module.eps for module in model.modules() if isinstance(module, torch.nn.LayerNorm)]
    assert norms == [epsilon] * 4  # of the embeddings, two of the layer, of the LM head
    other = Namespace(layer_norm_eps=1e-6)
    ARCH_CONFIG_REGISTRY[name](other)
    assert other.layer_norm_eps == 1e-6


def test_the_papers_shapes():
    """ERNIE-M, Table 11: layers, hidden size, feed-forward size, heads."""
    assert SHAPES["small"] == (6, 768, 3072, 12)
    assert SHAPES["base"] == (12, 768, 3072, 12)
    assert SHAPES["large"] == (24, 1024, 4096, 16)
    assert {"camlm_base", "btmlm_base"} <= ALIASES.keys()


def test_an_option_given_with_an_architecture_is_kept():
    args = Namespace(encoder_layers=5)
    ARCH_CONFIG_REGISTRY["xling_base"](args)
    assert (args.encoder_layers, args.encoder_embed_dim) == (5, 768)


def test_width_that_is_no_multiple_of_the_heads(task):
    cfg = XlingModelConfig(encoder_embed_dim=10, encoder_attention_heads=4, max_positions=64)
    with pytest.raises(UserError, match="--encoder-embed-dim 10 is not a multiple of --encoder-attention-heads 4"):
        XlingModel.build_model(cfg, task)


# ---- checkpoints -----------------------------------------------------------------------------------------------------


def load(model: XlingModel, state: dict[str, Tensor]) -> None:
    model.load_state_dict(dict(state), strict=True)


def other_model(data_bin: Path, name: str = "btmlm", seed: int = 5, **options: Any) -> XlingModel:
    positions = options.pop("max_positions", 64)
    model = make_model(make_task(data_bin, name, max_positions=positions), **options)
    randomize(model, seed)
    return model


def test_a_checkpoint_of_other_objectives(data_bin, caplog):
    source, model = other_model(data_bin, "mmlm", seed=7), other_model(data_bin)
    languages = model.encoder.sentence_encoder.embed_languages.weight.clone()
    with caplog.at_level(logging.INFO):
        load(model, source.state_dict())
    assert "not in the checkpoint, starting from initial values: embed_languages" in caplog.text
    assert torch.equal(model.encoder.sentence_encoder.embed_languages.weight, languages)
    assert torch.equal(model(TOKENS), source(TOKENS))
    caplog.clear()
    with caplog.at_level(logging.INFO):
        load(other_model(data_bin, "mmlm"), model.state_dict())
    assert "in the checkpoint, not used by this model's objectives: embed_languages" in caplog.text


def test_more_positions_than_needed_are_cut(data_bin):
    source, model = other_model(data_bin, seed=7), other_model(data_bin, max_positions=32)
    load(model, source.state_dict())
    assert torch.equal(model(TOKENS), source(TOKENS))


def test_old_names(data_bin):
    """XLM-R's published model.pt: prefix ``decoder.``, joint projections, ``emb_layer_norm``, version buffers."""
    source, model = other_model(data_bin, "mmlm", seed=7), other_model(data_bin, "mmlm")
    state = source.state_dict()
    for layer in range(2):
        stem = f"encoder.sentence_encoder.layers.{layer}.self_attn."
        for kind in ("weight", "bias"):
            state[f"{stem}in_proj_{kind}"] = torch.cat([state.pop(f"{stem}{part}_proj.{kind}") for part in "qkv"])
    old = {
        key.replace("encoder.", "decoder.", 1).replace(".layernorm_embedding.", ".emb_layer_norm."): value
        for key, value in state.items()
    }
    old["decoder.version"] = old["decoder.sentence_encoder.version"] = torch.tensor([3.0])
    load(model, old)
    assert torch.equal(model(TOKENS), source(TOKENS))
    assert torch.equal(model.heads["lm"].bias, source.heads["lm"].bias)


def test_heads_of_other_tasks_are_left_out(data_bin):
    model = other_model(data_bin)
    source = other_model(data_bin, seed=7)
    assert not torch.equal(model(TOKENS), source(TOKENS))
    load(model, {**source.state_dict(), "classification_heads.x.weight": torch.zeros(2)})
    assert model.state_dict().keys() == source.state_dict().keys()
    assert torch.equal(model(TOKENS), source(TOKENS))


def resized(state: dict[str, Tensor], part: str, rows: int) -> dict[str, Tensor]:
    return {key: value.new_zeros(rows, *value.shape[1:]) if part in key else value for key, value in state.items()}


def test_another_vocabulary(data_bin):
    model = other_model(data_bin)
    with pytest.raises(
        UserError, match=rf"vocabulary has 50 symbols, dict\.txt with <mask> has {MASK + 1}: use the dict"
    ):
        load(model, resized(model.state_dict(), "embed_tokens", 50))


def test_too_many_positions_asked_for(data_bin):
    with pytest.raises(
        UserError, match="--max-positions 64 is beyond the checkpoint's table of 32 positions: lower it to"
    ):
        load(other_model(data_bin), other_model(data_bin, max_positions=32).state_dict())


def test_other_languages(data_bin):
    model = other_model(data_bin)
    with pytest.raises(
        UserError, match=r"table has 6 languages, languages\.txt names 3: use the languages\.txt beside"
    ):
        load(model, resized(model.state_dict(), "embed_languages", 7))


@pytest.mark.parametrize(
    ("theirs", "message"),
    [
        ({"layers": 3}, r"the checkpoint has encoder\.sentence_encoder\.layers\.2\..*, this model has not: --arch and"),
        ({"layers": 1}, r"the checkpoint has no encoder\.sentence_encoder\.layers\.1\..*: --arch and"),
        ({"dim": 32}, r"has shape \(.*\) in the checkpoint and \(.*\) in this model: --arch and"),
        ({"encoder_ffn_embed_dim": 64}, r"has shape .* --arch and"),
        ({"encoder_normalize_before": True}, r"--arch and the --encoder-\* options differ"),
    ],
)
def test_another_shape(data_bin, theirs, message):
    with pytest.raises(UserError, match=message):
        load(other_model(data_bin), other_model(data_bin, **theirs).state_dict())
