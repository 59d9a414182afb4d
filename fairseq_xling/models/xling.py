"""The registered model ``xling``: an XLM-R encoder plus the heads its objectives ask for."""

from __future__ import annotations

import logging
from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from fairseq.models import BaseFairseqModel, register_model, register_model_architecture
from torch import Tensor, nn

from ..errors import UserError
from .config import ALIASES, EPSILONS, SHAPE_FIELDS, SHAPES, XlingModelConfig
from .encoder import EncoderInput, SentenceEncoder
from .heads import HEADS

logger = logging.getLogger(__name__)


def _init_bert(module: nn.Module) -> None:
    """BERT's initialisation: normal(0, 0.02) weights, zero biases and padding rows."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding) and module.padding_idx is not None:
        with torch.no_grad():
            module.weight[module.padding_idx].zero_()


class XlingEncoder(nn.Module):
    """Gives the sentence encoder RoBERTa's parameter prefix ``encoder.``."""

    def __init__(self, sentence_encoder: SentenceEncoder):
        super().__init__()
        self.sentence_encoder = sentence_encoder


@register_model("xling", dataclass=XlingModelConfig)
class XlingModel(BaseFairseqModel):
    """RoBERTa-family encoder with XLM-R's parameter names, so its checkpoints load as they are; and ``heads``, by name.

    Args:
        cfg: shapes and dropout.
        vocabulary_size: symbols with <mask>.
        pad: id of <pad>.
    """

    def __init__(self, cfg: XlingModelConfig, vocabulary_size: int, pad: int):
        super().__init__()
        self.cfg = cfg
        self.encoder = XlingEncoder(SentenceEncoder(cfg, vocabulary_size, pad))
        self.heads = nn.ModuleDict()
        self._head_options: dict[str, dict[str, Any]] = {}
        self.num_updates = 0
        self.apply(_init_bert)

    @classmethod
    def build_model(cls, cfg: XlingModelConfig, task: Any) -> XlingModel:
        """Build the encoder, then let the task add the heads its objectives need (and no other)."""
        if cfg.encoder_embed_dim % cfg.encoder_attention_heads:
            raise UserError(
                f"--encoder-embed-dim {cfg.encoder_embed_dim} is not a multiple of --encoder-attention-heads {cfg.encoder_attention_heads}"
            )
        model = cls(cfg, len(task.source_dictionary), task.source_dictionary.pad())
        task.build_heads(model)
        model.mark_layers()
        return model

    def add_language_embedding(self, num_languages: int) -> None:
        """Add the zero-initialised mask-language table unless it is there."""
        self.encoder.sentence_encoder.add_language_embedding(num_languages)

    def add_head(self, name: str, **options: Any) -> None:
        """Add a head of `HEADS`, freshly initialised, unless it is there: objectives may share one.

        Heads are kept in the order of `HEADS`, whoever adds them first: fairseq knows the optimiser's state by the order of the
        parameters.

        Raises:
            ValueError: it is there with other options.
        """
        if self._head_options.setdefault(name, options) != options:
            raise ValueError(f"the head {name!r} is wanted with {options} and with {self._head_options[name]}")
        if name not in self.heads:
            self.heads[name] = HEADS[name](self.encoder.sentence_encoder, self.cfg, **options).apply(_init_bert)
            for other in [other for other in HEADS if other in self.heads]:
                self.heads[other] = self.heads.pop(other)

    def mark_layers(self) -> None:
        """Note on each parameter its layer: 0 for the embeddings, 1 to L, L + 1 for what stands on the encoder.

        fairseq hands the mark, its own attribute ``param_group``, on to the fp32 copies of half-precision parameters.
        """
        encoder = self.encoder.sentence_encoder
        modules: list[tuple[int, nn.Module]] = [(len(encoder.layers) + 1, self)]
        for name, module in encoder.named_children():
            if name.startswith(("embed_", "layernorm_embedding")):
                modules.append((0, module))
        modules += enumerate(encoder.layers, start=1)
        for number, module in modules:
            for parameter in module.parameters():
                parameter.param_group = number  # type: ignore[attr-defined]

    def forward(
        self, batches: Tensor | Sequence[EncoderInput], all_layers: bool = False, num_layers: int | None = None
    ) -> Any:
        """States of several batches in one pass, a list, see `SentenceEncoder.forward`; of one, where it is tokens (B, T)."""
        if isinstance(batches, Tensor):
            return self.encoder.sentence_encoder([EncoderInput(batches)], all_layers, num_layers)[0]
        return self.encoder.sentence_encoder(batches, all_layers, num_layers)

    def max_positions(self) -> int:
        return self.encoder.sentence_encoder.max_positions

    def set_num_updates(self, num_updates: int) -> None:
        """Objectives that start late read ``num_updates``."""
        super().set_num_updates(num_updates)
        self.num_updates = num_updates

    def upgrade_state_dict_named(self, state_dict: dict[str, Tensor], name: str) -> None:
        """Accept checkpoints of RoBERTa, XLM-R (old ``decoder.`` names too) and of other objectives' models.

        Raises:
            UserError: vocabulary, positions, languages or shape differ, naming both sizes.
        """
        super().upgrade_state_dict_named(state_dict, name)
        rename_old_keys(state_dict)
        own = self.state_dict()
        head: Any
        for head_name, head in self.heads.items():
            head.fit_state(state_dict, f"heads.{head_name}.")
        self._reset_buffers(state_dict)
        self._fit_tables(state_dict, own)
        unused = sorted({_head_of(key) for key in state_dict if key not in own})
        for key in [key for key in state_dict if key not in own]:
            if key.startswith(("encoder.sentence_encoder.layers.", "encoder.sentence_encoder.layer_norm.")):
                raise UserError(
                    f"the checkpoint has {key}, this model has not: --arch and the --encoder-* options differ from the checkpoint's"
                )
            del state_dict[key]
        if unused:
            logger.info(f"in the checkpoint, not used by this model's objectives: {', '.join(unused)}")
        fresh = sorted({_head_of(key) for key in own if key not in state_dict})
        for key in own:
            if key not in state_dict:
                if key.startswith("encoder.sentence_encoder.") and "embed_languages" not in key:
                    raise UserError(
                        f"the checkpoint has no {key}: --arch and the --encoder-* options differ from the checkpoint's"
                    )
                state_dict[key] = own[key]
        if fresh:
            logger.info(f"not in the checkpoint, starting from initial values: {', '.join(fresh)}")

    def _reset_buffers(self, state: dict[str, Tensor]) -> None:
        """Start the buffers of a head's module anew, all of them, where the checkpoint's have other sizes."""
        for name, module in self.heads.named_modules(prefix="heads"):
            own = {f"{name}.{key}": buffer for key, buffer in module.named_buffers(recurse=False)}
            other = [key for key in own if key in state and state[key].shape != own[key].shape]
            if other:
                logger.warning(
                    f"{name}: starting anew, as {other[0]} has the shape {tuple(state[other[0]].shape)} in the checkpoint and "
                    f"{tuple(own[other[0]].shape)} here"
                )
                state.update(own)

    @staticmethod
    def _fit_tables(state: dict[str, Tensor], own: dict[str, Tensor]) -> None:
        prefix = "encoder.sentence_encoder."
        rows = {
            name: (len(state[prefix + name]), len(own[prefix + name]))
            for name in ("embed_tokens.weight", "embed_positions.weight", "embed_languages.weight")
            if prefix + name in state and prefix + name in own
        }
        theirs, ours = rows.get("embed_tokens.weight", (0, 0))
        if theirs != ours:
            raise UserError(
                f"the checkpoint's vocabulary has {theirs} symbols, dict.txt with <mask> has {ours}: use the dict.txt and "
                "the tokeniser the checkpoint was trained with, or start without it"
            )
        theirs, ours = rows.get("embed_positions.weight", (0, 0))
        if theirs < ours:
            raise UserError(
                f"--max-positions {ours - 2} is beyond the checkpoint's table of {theirs - 2} positions: lower it to at most {theirs - 2}"
            )
        if theirs > ours:
            logger.info(f"using the first {ours - 2} of the checkpoint's {theirs - 2} positions")
            state[prefix + "embed_positions.weight"] = state[prefix + "embed_positions.weight"][:ours]
        theirs, ours = rows.get("embed_languages.weight", (0, 0))
        if theirs != ours:
            raise UserError(
                f"the checkpoint's mask-language table has {theirs - 1} languages, languages.txt names {ours - 1}: "
                "use the languages.txt beside the checkpoint, or --lang-embedding none"
            )
        for key in own:  # in order, so that the message is the same in every process
            if key in state and state[key].shape != own[key].shape:
                raise UserError(
                    f"{key} has shape {tuple(state[key].shape)} in the checkpoint and {tuple(own[key].shape)} in this model: "
                    "--arch and the --encoder-* options differ from the checkpoint's"
                )


def _head_of(key: str) -> str:
    """The part of the model that a parameter belongs to, for the log."""
    parts = key.removeprefix("encoder.").removeprefix("sentence_encoder.").split(".")
    return ".".join(parts[:2]) if parts[0] == "heads" else parts[0]


# prefix in the published RoBERTa and XLM-R models, and in this project's older ones -> today's
_RENAMED = {"encoder.lm_head.": "heads.lm.", "encoder.exchange_head.": "heads.exchange."}


def published_keys(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Parameters under the names of the published RoBERTa and XLM-R models, which fairseq's own ``RobertaModel`` reads."""
    renamed = {key.replace("heads.lm.", "encoder.lm_head.", 1): tensor for key, tensor in state_dict.items()}
    # of the format; without it fairseq drops the final norm of a pre-norm model
    return {**renamed, "encoder.sentence_encoder.version": torch.tensor([3.0])}


def rename_old_keys(state_dict: dict[str, Tensor]) -> None:
    """Bring keys of published and older RoBERTa/XLM-R checkpoints to today's names, in place."""
    for key in list(state_dict):
        new = key
        if new.startswith("decoder."):
            new = "encoder." + new.removeprefix("decoder.")
        for old, prefix in _RENAMED.items():
            if new.startswith(old):
                new = prefix + new.removeprefix(old)
        new = new.replace(".emb_layer_norm.", ".layernorm_embedding.")
        if new.endswith((".in_proj_weight", ".in_proj_bias")):
            stem, kind = new.rsplit(".in_proj_", 1)
            for part, tensor in zip("qkv", state_dict.pop(key).chunk(3), strict=True):
                state_dict[f"{stem}.{part}_proj.{kind}"] = tensor
        elif new == "encoder.version" or new.endswith("sentence_encoder.version"):
            del state_dict[key]
        elif new != key:
            state_dict[new] = state_dict.pop(key)


def _register_shapes() -> None:
    for name, shape in {**SHAPES, **{alias: SHAPES[size] for alias, size in ALIASES.items()}}.items():
        options: dict[str, Any] = dict(zip(SHAPE_FIELDS, shape, strict=True))
        if name in EPSILONS:
            options["layer_norm_eps"] = EPSILONS[name]

        def fill(args: Namespace, options: dict[str, Any] = options) -> None:
            for field, value in options.items():
                setattr(args, field, getattr(args, field, value))

        register_model_architecture("xling", name if name in ALIASES else f"xling_{name}")(fill)


_register_shapes()
