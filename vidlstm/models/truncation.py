"""Truncated back-propagation through time: long sequences in pieces, the state carried on, the gradient not.

Williams and Peng 1990, "An efficient gradient-based algorithm for on-line training of recurrent network
trajectories", in the form that cuts at fixed borders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

if TYPE_CHECKING:
    from vidlstm.models.cells import State
    from vidlstm.models.recurrent import RecurrentEncoder


def run_truncated(encoder: RecurrentEncoder, x_BTE: Tensor, lengths_B: Tensor, steps: int) -> Tensor:
    """What the encoder gives, ``(B, T, D)``, with a gradient that crosses no border between pieces.

    The values are those of ``encoder(x_BTE, lengths_B)``. A piece keeps its input alone and is computed again
    when its gradient is due, so the recurrence needs the memory of one piece, at the price of a second
    forward pass.

    Args:
        encoder: reads in one direction.
        x_BTE: padded sequences.
        lengths_B: valid steps of each, at least 1.
        steps: of a piece, at least 1.

    Raises:
        ValueError: the encoder is bidirectional (it needs the end before the beginning), or ``steps`` < 1.
    """
    if encoder.bidirectional:
        raise ValueError("back-propagation cannot be truncated in a bidirectional network")
    if steps < 1:
        raise ValueError(f"a piece must have at least one step, not {steps}")
    pieces: list[Tensor] = []
    state: State | None = None
    for start in range(0, x_BTE.shape[1], steps):
        piece_BSE = x_BTE[:, start : start + steps]
        left_B = (lengths_B - start).clamp(0, piece_BSE.shape[1])
        # Sequences that are over read one step more, and it is thrown away: no kernel takes none.
        y_BSD, last = checkpoint(encoder, piece_BSE, left_B.clamp_min(1), state, use_reentrant=False)
        over_B = left_B == 0
        pieces.append(y_BSD.masked_fill(over_B[:, None, None], 0.0))
        before = last if state is None else state
        state = tuple(
            torch.where(over_B[None, :, None], old, new).detach()
            for old, new in zip(before, last, strict=True)
        )
    return torch.cat(pieces, dim=1)
