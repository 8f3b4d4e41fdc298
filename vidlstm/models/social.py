"""What the neighbours do, summed into a grid around each person at every observed step.

Neighbours are positions ``(B, N, T, 2)`` in the ego frame, NaN where somebody is not there. Everybody is read
up to the last observed step; nothing is assumed of where they go after it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidlstm.errors import nearest
from vidlstm.models.recurrent import RecurrentEncoder


def grid_cells(offset_BNT2: Tensor, *, cells: int, reach: Tensor) -> tuple[Tensor, Tensor]:
    """The cell ``(B, N, T)`` each offset falls in, and whether it lies in the grid at all.

    Args:
        offset_BNT2: neighbour minus ego; NaN where nobody is.
        cells: cells per side.
        reach: ``(B,)``, half the side of the grid.
    """
    place = (offset_BNT2 / reach[:, None, None, None] + 1) * (cells / 2)
    inside = ((place >= 0) & (place < cells)).all(-1)  # false for NaN
    column_row = torch.where(inside[..., None], place, 0).long()
    return column_row[..., 1] * cells + column_row[..., 0], inside


def sum_in_cells(values_BNTF: Tensor, cell_BNT: Tensor, inside_BNT: Tensor, count: int) -> Tensor:
    """The sum of the neighbours' values in each cell: ``(B, T, count * F)``."""
    batch, steps, width = values_BNTF.shape[0], values_BNTF.shape[2], values_BNTF.shape[3]
    kept = torch.where(inside_BNT[..., None], values_BNTF, 0).transpose(1, 2)
    index = cell_BNT.transpose(1, 2)[..., None].expand_as(kept)
    grid = values_BNTF.new_zeros(batch, steps, count, width)
    return grid.scatter_add(2, index, kept).flatten(2)


class GridPooling(nn.Module):
    """Sums the hidden states of neighbours by grid cell, then embeds the grid.

    Alahi et al. 2016, "Social LSTM", eq. 1-2, with one difference: a neighbour's state comes from reading its
    own path alone, so that all windows of a batch are read at once.

    Args:
        size: width of the embedding.
        cells: cells per side.
        hidden_size: of the network that reads a neighbour.
        cell: its recurrent cell.
    """

    def __init__(self, size: int, *, cells: int = 8, hidden_size: int = 16, cell: str = "lstm") -> None:
        super().__init__()
        self.cells = cells
        self.reader = RecurrentEncoder(2, hidden_size, cell=cell)
        self.embed = nn.Sequential(nn.Linear(cells * cells * hidden_size, size), nn.ReLU())

    def forward(self, ego_BT2: Tensor, neighbours_BNT2: Tensor, reach_B: Tensor) -> Tensor:
        """The neighbourhood ``(B, T - 1, size)`` at every step but the first."""
        moves = torch.diff(neighbours_BNT2, dim=2).nan_to_num(0.0)
        batch, count = moves.shape[:2]
        states, _ = self.reader(moves.flatten(0, 1))
        offset = (neighbours_BNT2 - ego_BT2[:, None])[:, :, 1:]
        cell, inside = grid_cells(offset, cells=self.cells, reach=reach_B)
        pooled = sum_in_cells(states.view(batch, count, *states.shape[1:]), cell, inside, self.cells**2)
        embedded: Tensor = self.embed(pooled)
        return embedded


class DirectionalPooling(nn.Module):
    """The velocity of neighbours relative to one's own by grid cell, then embeds the grid.

    Kothari et al. 2021, "Human trajectory forecasting in crowds", section IV-B (D-LSTM). Several neighbours
    in a cell are summed.

    Args:
        size: width of the embedding.
        cells: cells per side.
    """

    def __init__(self, size: int, *, cells: int = 8) -> None:
        super().__init__()
        self.cells = cells
        self.embed = nn.Sequential(nn.Linear(cells * cells * 2, size), nn.ReLU())

    def forward(self, ego_BT2: Tensor, neighbours_BNT2: Tensor, reach_B: Tensor) -> Tensor:
        """The neighbourhood ``(B, T - 1, size)`` at every step but the first."""
        offset = neighbours_BNT2 - ego_BT2[:, None]
        relative = torch.diff(offset, dim=2)
        cell, inside = grid_cells(offset[:, :, 1:], cells=self.cells, reach=reach_B)
        inside = inside & relative.isfinite().all(-1)
        embedded: Tensor = self.embed(sum_in_cells(relative, cell, inside, self.cells**2))
        return embedded


SOCIAL = ("none", "grid", "directional")


def build_social(name: str, size: int, *, cell: str) -> nn.Module | None:
    """Builds a pooling of ``SOCIAL``; None for ``none``.

    Raises:
        ValueError: the name is unknown.
    """
    match name:
        case "none":
            return None
        case "grid":
            return GridPooling(size, cell=cell)
        case "directional":
            return DirectionalPooling(size)
    raise ValueError(f"no social pooling is called {name!r}{nearest(name, SOCIAL)}")
