"""Adam whose learning rate falls from the top layer to the embeddings (ERNIE-M, Tables 12 and 13, "layerwise LR decay")."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from fairseq.optim import register_optimizer
from fairseq.optim.adam import FairseqAdam, FairseqAdamConfig
from torch.nn import Parameter

from ..errors import UserError


@dataclass
class LayerwiseAdamConfig(FairseqAdamConfig):
    """Adam's options and the decay."""

    layer_lr_decay: float = field(
        default=0.8, metadata={"help": "factor of the learning rate from one layer to the one below it"}
    )


@register_optimizer("layerwise_adam", dataclass=LayerwiseAdamConfig)
class LayerwiseAdam(FairseqAdam):
    """fairseq's Adam; a parameter of layer l of L learns at lr · decay^(L + 1 - l).

    The layer is what `XlingModel.mark_layers` has noted on the parameter: 0 for the embeddings, L + 1 for the heads.

    Raises:
        UserError: the decay is out of range, or the parameters' layers are not known.
    """

    def __init__(self, cfg: LayerwiseAdamConfig, params: Iterable[Parameter]):
        if not 0 < cfg.layer_lr_decay <= 1:
            raise UserError(f"--layer-lr-decay {cfg.layer_lr_decay} must be above 0 and at most 1")
        layers: dict[int, list[Parameter]] = {}
        for parameter in params:
            if not hasattr(parameter, "param_group"):
                raise UserError(
                    "--optimizer layerwise_adam cannot tell the layers of the parameters: with --fp16, which lays them end to end, add "
                    "--fp16-no-flatten-grads; it is for the models of this plugin"
                )
            layers.setdefault(parameter.param_group, []).append(parameter)
        top = max(layers)
        groups = [
            {"params": layers[layer], "lr_scale": cfg.layer_lr_decay ** (top - layer)}
            for layer in sorted(layers, reverse=True)
        ]
        super().__init__(cfg, groups)

    def get_lr(self) -> float:
        """The learning rate of the top."""
        group = self.param_groups[0]
        return float(group["lr"] / group["lr_scale"])

    def set_lr(self, lr: float) -> None:
        """Set the learning rate of the top, and those of the layers below from it."""
        for group in self.param_groups:
            group["lr"] = lr * group["lr_scale"]
