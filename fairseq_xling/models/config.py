"""Options of the encoder and the named shapes."""

from dataclasses import dataclass, field

from fairseq.dataclass import FairseqDataclass
from omegaconf import II


@dataclass
class XlingModelConfig(FairseqDataclass):
    """A RoBERTa-family encoder; defaults are XLM-R base (ERNIE-M, Table 11, BASE)."""

    encoder_layers: int = field(default=12, metadata={"help": "number of layers"})
    encoder_embed_dim: int = field(default=768, metadata={"help": "width of the states"})
    encoder_ffn_embed_dim: int = field(default=3072, metadata={"help": "width inside the feed-forward block"})
    encoder_attention_heads: int = field(default=12, metadata={"help": "number of attention heads"})
    dropout: float = field(default=0.1, metadata={"help": "dropout of embeddings and block outputs"})
    attention_dropout: float = field(default=0.1, metadata={"help": "dropout of attention weights"})
    activation_dropout: float = field(
        default=0.0, metadata={"help": "dropout after the GELU of the feed-forward block"}
    )
    encoder_normalize_before: bool = field(
        default=False, metadata={"help": "pre-norm layers (RoBERTa and XLM-R are post-norm)"}
    )
    layer_norm_eps: float = field(
        default=1e-5, metadata={"help": "epsilon of every layer norm (fairseq, XLM-R: 1e-5; BERT: 1e-12)"}
    )
    max_positions: int = II("task.max_positions")


# layers, width, feed-forward width, heads (ERNIE-M, Table 11; tiny is ours, for tests and demonstrations)
SHAPES = {
    "tiny": (3, 128, 512, 4),
    "small": (6, 768, 3072, 12),
    "base": (12, 768, 3072, 12),
    "large": (24, 1024, 4096, 16),
}
# aliases that name a paper's model; more come with their objectives
ALIASES = {"camlm_base": "base", "btmlm_base": "base", "weam_base": "base"}
ALIASES |= dict.fromkeys(("xlmk_base", "xlmk_entity_base", "object_entailment_base"), "base")
# WEAM starts from mBERT (WEAM, §3.1), which has BERT's epsilon
EPSILONS = {"weam_base": 1e-12}
SHAPE_FIELDS = ("encoder_layers", "encoder_embed_dim", "encoder_ffn_embed_dim", "encoder_attention_heads")
