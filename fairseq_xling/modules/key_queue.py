"""The candidate list of a contrastive objective: a queue of encoded keys (XLM-K, appendix C). Axes: N slots, D width, B keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

RANDOM = -1  # the entity of a key that was drawn at random
EMPTY = -2  # of a slot without a key


class KeyQueue(nn.Module):
    """A ring of keys, each with its entity and language, in buffers that are saved and resumed with the model.

    Keys stay in fp32 whatever the precision of the model: casting 32k keys in every step would cost more than all else here.

    Args:
        size: slots; 0 keeps nothing.
        dim: width of a key.
        is_random: start with random keys, of length 1 on average (XLM-K, appendix C); else empty.
    """

    keys: Tensor
    entities: Tensor
    languages: Tensor
    position: Tensor

    def __init__(self, size: int, dim: int, is_random: bool = True) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)  # the same in every process
        keys = torch.randn(size, dim, generator=generator) / dim**0.5 if is_random else torch.zeros(size, dim)
        self.register_buffer("keys", keys)
        self.register_buffer("entities", torch.full((size,), RANDOM if is_random else EMPTY))
        self.register_buffer("languages", torch.full((size,), -1))
        self.register_buffer(
            "position", torch.zeros((), dtype=torch.int64)
        )  # the oldest slot, which is overwritten next

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> KeyQueue:
        keys = self.keys
        super()._apply(fn, recurse)
        self.keys = keys.to(self.keys.device)
        return self

    def __len__(self) -> int:
        return self.keys.size(0)

    def remaining(self, num_new: int) -> Tensor:
        """Bool (N,): the slots that hold a key and still do so when ``num_new`` have entered."""
        age = (torch.arange(len(self), device=self.position.device) - self.position) % max(len(self), 1)
        return (age >= num_new) & (self.entities != EMPTY)

    @torch.no_grad()
    def enqueue(self, keys: Tensor, entities: Tensor, languages: Tensor) -> None:
        """Let keys (B, D) of all processes in, in the order of their ranks, in the place of the oldest.

        Every process must call it, with no keys at least. A key that is not finite leaves its slot empty.
        """
        if not len(self):
            return
        entities = torch.where(torch.isfinite(keys).all(1), entities, EMPTY)
        keys = torch.nan_to_num(keys.float(), 0.0, 0.0, 0.0)
        keys, entities, languages = (gather(values) for values in (keys, entities, languages))
        kept = slice(max(0, len(keys) - len(self)), None)
        slots = (self.position + torch.arange(len(keys), device=keys.device)[kept]) % len(self)
        for buffer, values in ((self.keys, keys), (self.entities, entities), (self.languages, languages)):
            buffer.index_copy_(0, slots, values[kept].to(buffer.dtype))
        self.position.copy_((self.position + len(keys)) % len(self))


def gather(values: Tensor) -> Tensor:
    """The rows of all processes, in the order of their ranks; each may have another number of them.

    With several processes, their numbers go through the host once.
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return values
    size = torch.tensor([len(values)], device=values.device)
    sizes = [torch.empty_like(size) for _ in range(dist.get_world_size())]
    dist.all_gather(sizes, size)
    numbers = torch.cat(sizes).tolist()
    padded = values.new_zeros(max(numbers), *values.shape[1:])
    padded[: len(values)] = values
    everybody = [torch.empty_like(padded) for _ in numbers]
    dist.all_gather(everybody, padded)
    return torch.cat([part[:number] for part, number in zip(everybody, numbers, strict=True)])
