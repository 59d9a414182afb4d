"""Tiny random models of fairseq, transformers and this project, and comparisons between them."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import torch
from fairseq.models.roberta import RobertaModel
from fairseq.models.roberta.model import base_architecture
from torch import Tensor

from fairseq_xling.data.databin import load_dictionary
from fairseq_xling.models import XlingModel, XlingModelConfig
from tests.helpers import randomize

POSITIONS = 24
LABELS = ["entailment", "neutral", "contradiction"]
# head -> transformers' class of a model that has it, number of its outputs
HEADS = {
    "sequence": ("ForSequenceClassification", 3),
    "token": ("ForTokenClassification", 3),
    "span": ("ForQuestionAnswering", 2),
}


def xling_model(size: int, head: bool = True, finetuned: str | None = None, **options: Any) -> XlingModel:
    """This project's model with random weights everywhere, in evaluation mode; ``finetuned`` is a head of `HEADS`."""
    cfg = XlingModelConfig(
        encoder_layers=3,
        encoder_embed_dim=32,
        encoder_ffn_embed_dim=48,
        encoder_attention_heads=4,
        max_positions=POSITIONS,
    )
    for option, value in options.items():
        setattr(cfg, option, value)
    model = XlingModel(cfg, size, pad=1)
    if head:
        model.add_head("lm")
    if finetuned:
        model.add_head(finetuned, outputs=HEADS[finetuned][1])
    randomize(model)
    return model.eval()


def checkpoint_of(model: XlingModel) -> dict[str, Any]:
    """What fairseq-train saves of it, as far as loading goes."""
    cfg = {**vars(model.cfg), "_name": "xling"}
    return {"args": None, "cfg": {"model": cfg, "task": {"_name": "mmlm", "data": "none"}}, "model": model.state_dict()}


def fairseq_roberta(vocabulary: Path) -> RobertaModel:
    """fairseq's own RoBERTa (post-norm, as XLM-R) with random weights everywhere, in evaluation mode."""
    args = Namespace(
        encoder_layers=2,
        encoder_embed_dim=32,
        encoder_ffn_embed_dim=64,
        encoder_attention_heads=4,
        tokens_per_sample=POSITIONS,
    )
    base_architecture(args)
    task = Namespace(source_dictionary=load_dictionary(vocabulary / "dict.txt"))
    model = RobertaModel.build_model(args, task)
    randomize(model, seed=1)
    return model.eval()


def hf_model(family: str, size: int, model_class: str = "ForMaskedLM", **options: Any) -> Any:
    """A tiny model of transformers with random weights everywhere, token types zero as in the published models."""
    import transformers

    config = getattr(transformers, f"{family}Config")(
        vocab_size=size,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=POSITIONS + 2,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        **options,
    )
    model = getattr(transformers, f"{family}{model_class}")(config)
    randomize(model, seed=2)
    with torch.no_grad():
        base = getattr(model, "roberta", model)
        base.embeddings.token_type_embeddings.weight.zero_()
    return model.eval()


def hf_bert(size: int, model_class: str = "ForMaskedLM", **options: Any) -> Any:
    """A tiny BERT of transformers with random weights everywhere, token types too, and BERT's epsilon."""
    import transformers

    config = transformers.BertConfig(
        vocab_size=size,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=POSITIONS,
        **options,
    )
    model = getattr(transformers, f"Bert{model_class}")(config)
    randomize(model, seed=2)
    return model.eval()


def padded_batch(size: int, lengths: tuple[int, ...] = (POSITIONS, 9, 5, 1)) -> Tensor:
    """Random symbols (4, 24) between <s> and </s>, right-padded to the longest."""
    generator = torch.Generator().manual_seed(5)
    tokens = torch.randint(3, size, (len(lengths), max(lengths)), generator=generator)
    for row, length in zip(tokens, lengths, strict=True):
        row[0], row[length - 1], row[length:] = 0, 2, 1
    return tokens


def assert_same_outputs(hf: Any, ours: XlingModel, tokens: Tensor, tolerance: float = 1e-5) -> None:
    """States of all layers and logits are equal wherever there is a token."""
    real = tokens.ne(1)
    with torch.no_grad():
        expected = hf(input_ids=tokens, attention_mask=real.long(), output_hidden_states=True)
        states = ours(tokens, all_layers=True)
        assert len(states) == len(expected.hidden_states) > 2
        for mine, theirs in zip(states, expected.hidden_states, strict=True):
            torch.testing.assert_close(mine[real], theirs[real], rtol=0, atol=tolerance)
        torch.testing.assert_close(ours.heads["lm"](states[-1])[real], expected.logits[real], rtol=0, atol=tolerance)


def assert_same_weights(left: dict[str, Tensor], right: dict[str, Tensor]) -> None:
    """Both have the same parameters, bit for bit."""
    assert left.keys() == right.keys()
    for key, tensor in left.items():
        assert torch.equal(tensor, right[key]), key
