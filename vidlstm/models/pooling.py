"""From one vector per step to one vector per sequence, over valid steps only."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from vidlstm.errors import nearest
from vidlstm.models.cells import valid_steps


class Pooling(Protocol):
    """``y (B, T, D)``, ``lengths (B,)`` to ``(B, D)``; steps at and after the length must not matter."""

    def __call__(self, y_BTD: Tensor, lengths_B: Tensor) -> Tensor:
        """Pools over time."""
        ...


class LastPooling(nn.Module):
    """The state that has read the whole sequence: last valid step forwards, first step backwards."""

    def __init__(self, size: int, bidirectional: bool) -> None:
        super().__init__()
        self.forward_size = size // 2 if bidirectional else size

    def forward(self, y_BTD: Tensor, lengths_B: Tensor) -> Tensor:
        """Pools ``(B, T, D)`` to ``(B, D)``."""
        batch = torch.arange(len(y_BTD), device=y_BTD.device)
        last = y_BTD[batch, lengths_B - 1, : self.forward_size]
        return torch.cat([last, y_BTD[:, 0, self.forward_size :]], dim=-1)


class MeanPooling(nn.Module):
    """The mean over valid steps."""

    def forward(self, y_BTD: Tensor, lengths_B: Tensor) -> Tensor:
        """Pools ``(B, T, D)`` to ``(B, D)``."""
        mask_BT1 = valid_steps(lengths_B, y_BTD.shape[1])[..., None]
        return (y_BTD * mask_BT1).sum(1) / lengths_B[:, None]


class MaxPooling(nn.Module):
    """The largest value of each unit over valid steps."""

    def forward(self, y_BTD: Tensor, lengths_B: Tensor) -> Tensor:
        """Pools ``(B, T, D)`` to ``(B, D)``."""
        mask_BT1 = valid_steps(lengths_B, y_BTD.shape[1])[..., None]
        return y_BTD.masked_fill(~mask_BT1, -torch.inf).amax(1)


class AttentionPooling(nn.Module):
    """A learned weighted mean: a_t = softmax_t(v · tanh(W y_t + b)) over valid steps.

    Yang et al. 2016, "Hierarchical attention networks for document classification", eq. 5-7.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(size, size)
        self.score = nn.Linear(size, 1, bias=False)

    def weights(self, y_BTD: Tensor, lengths_B: Tensor) -> Tensor:
        """The weights ``(B, T)``: zero at padded steps, each row sums to 1."""
        scores_BT = self.score(torch.tanh(self.hidden(y_BTD))).squeeze(-1)
        mask_BT = valid_steps(lengths_B, y_BTD.shape[1])
        weights_BT: Tensor = scores_BT.masked_fill(~mask_BT, -torch.inf).softmax(dim=1)
        return weights_BT

    def forward(self, y_BTD: Tensor, lengths_B: Tensor) -> Tensor:
        """Pools ``(B, T, D)`` to ``(B, D)``."""
        return torch.einsum("bt,btd->bd", self.weights(y_BTD, lengths_B), y_BTD)


POOLINGS = ("last", "mean", "max", "attention")


def build_pooling(name: str, size: int, *, bidirectional: bool) -> nn.Module:
    """Builds a pooling by name.

    Args:
        name: one of ``POOLINGS``.
        size: D, both directions together.
        bidirectional: whether the second half of D reads backwards.

    Raises:
        ValueError: the name is unknown.
    """
    match name:
        case "last":
            return LastPooling(size, bidirectional)
        case "mean":
            return MeanPooling()
        case "max":
            return MaxPooling()
        case "attention":
            return AttentionPooling(size)
    raise ValueError(f"no pooling is called {name!r}{nearest(name, POOLINGS)}")
