"""Examples as a dataset that makes its own batches."""

from __future__ import annotations

from typing import Any

import numpy as np
from fairseq.data import FairseqDataset

from ..data.examples import group
from ..errors import UserError
from .examples import Example, Examples
from .formulation import Formulation


class FinetuneDataset(FairseqDataset):
    """Batches of examples, of which there is at least one; in training drawn anew in every epoch from (seed, epoch)."""

    def __init__(self, examples: Examples, formulation: Formulation, train: bool, seed: int):
        self.examples = examples
        self.formulation = formulation
        self.train = train
        self.seed = seed
        self.sizes = examples.sizes

    def set_epoch(self, epoch: int) -> None:
        """Do nothing: of all, only the batches depend on the epoch."""

    @property
    def can_reuse_epoch_itr_across_epochs(self) -> bool:
        return False

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> Example:
        return self.examples[int(index)]

    def collater(self, samples: list[Example]) -> dict[str, Any]:
        return self.formulation.collate(samples)

    def batches(
        self,
        epoch: int,
        max_tokens: int | None,
        max_sentences: int | None,
        size_multiple: int = 1,
        num_shards: int = 1,
    ) -> list[np.ndarray]:
        """Batches of an epoch; ``--batch-size`` counts examples, ``--max-tokens`` padded tokens.

        In training examples come in random order, as the papers have them: padding costs next to nothing, because the layers
        do not compute it. Else they are sorted by length.

        ``size_multiple`` is not heeded: fairseq's default of 8 would make a batch of 12 one of 8.

        Raises:
            UserError: the longest row does not fit ``--max-tokens``.
        """
        sizes = self.sizes
        if max_tokens:
            longest = self.formulation.max_positions
            if max_tokens < longest:
                raise UserError(
                    f"--max-tokens {max_tokens} is less than a row of --max-positions {longest} tokens: raise the one or lower the other"
                )
            # a question with many windows is a batch of its own
            sizes = np.minimum(sizes, max_tokens)
        rng = np.random.default_rng((self.seed, epoch))
        order = rng.permutation(len(self)) if self.train else np.argsort(sizes, kind="stable")
        return group(order, sizes[order], max_tokens, max_sentences, size_multiple=1)
