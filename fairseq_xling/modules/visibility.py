"""Visibility: which token may attend to which, for the objectives that restrict it.

Axes: B batch, T tokens; a matrix (B, T, T) has the query in its rows and the key in its columns.
"""

from __future__ import annotations

import torch
from torch import Tensor


def cross_sentence_visibility(segment: Tensor, masked: Tensor) -> Tensor:
    """Visibility of CAMLM and of BTMLM's first stage (ERNIE-M, Figures 2 and 4).

    An unmasked token sees the unmasked tokens of its own sentence; a masked token sees itself and the unmasked tokens of
    the other sentence; nobody else sees a masked token. Special tokens belong to the sentence they stand with.

    Args:
        segment: (B, T) 0 or 1, the sentence of a token; -1 on padding.
        masked: (B, T) bool, the tokens to predict.

    Returns:
        (B, T, T) bool, True = the query may attend to the key. Every row sees at least itself.
    """
    seen_segment = torch.where(masked & (segment >= 0), 1 - segment, segment)
    visible = (seen_segment.unsqueeze(2) == segment.unsqueeze(1)) & ~masked.unsqueeze(1)
    itself = torch.eye(segment.size(1), dtype=torch.bool, device=segment.device)
    return visible | itself
