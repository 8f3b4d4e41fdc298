"""From what an encoder has read to S future paths, all at once or step by step.

Both give displacements in the ego frame as *corrections* to going on at constant velocity, so that an
untrained network already forecasts constant velocity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from vidlstm.models.recurrent import RecurrentEncoder, Start

if TYPE_CHECKING:
    from vidlstm.models.cells import State

FIRST_CORRECTION = 0.1
"""Initial weights of the last layer are shrunk by this: start near constant velocity."""


class DirectDecoder(nn.Module):
    """All steps of all paths from one hidden layer.

    Args:
        context: width of the encoder's summary.
        slots: S, how many paths.
        horizon: P.
        coordinates: C.
        hidden: units of the hidden layer.
    """

    def __init__(self, context: int, *, slots: int, horizon: int, coordinates: int, hidden: int) -> None:
        super().__init__()
        self.shape = (slots, horizon, coordinates)
        self.layers = nn.Sequential(
            nn.Linear(context, hidden), nn.ReLU(), nn.Linear(hidden, slots * horizon * coordinates)
        )
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        with torch.no_grad():
            last.weight.mul_(FIRST_CORRECTION)

    def forward(self, context_BE: Tensor, state: State, velocity_BC: Tensor) -> Tensor:
        """Positions ``(B, S, P, C)`` in the ego frame; ``state`` is not used."""
        slots, horizon, coordinates = self.shape
        correction_BSPC: Tensor = self.layers(context_BE).view(len(context_BE), slots, horizon, coordinates)
        step_P1 = torch.arange(1, horizon + 1, device=velocity_BC.device, dtype=velocity_BC.dtype)[:, None]
        straight_BPC = step_P1 * velocity_BC[:, None]
        return straight_BPC[:, None] + correction_BSPC


class AutoregressiveDecoder(nn.Module):
    """One step at a time; each step reads the position and displacement predicted before it.

    It starts from the encoder's own state, so both have the same cell, width and layers. A learned code tells
    the S paths apart. Graves 2013, "Generating sequences with recurrent neural networks".

    Args:
        hidden_size, num_layers, cell: of the encoder.
        slots: S, how many paths.
        horizon: P.
        coordinates: C.
        code: width of the learned code of each path.
        start: how the recurrent weights start.
    """

    def __init__(
        self,
        hidden_size: int,
        *,
        num_layers: int,
        cell: str,
        slots: int,
        horizon: int,
        coordinates: int,
        code: int = 16,
        start: Start | None = None,
    ) -> None:
        super().__init__()
        self.slots, self.horizon = slots, horizon
        self.codes = nn.Parameter(torch.randn(slots, code))
        self.cell = RecurrentEncoder(
            2 * coordinates + code, hidden_size, num_layers=num_layers, cell=cell, **(start or {})
        )
        self.correct = nn.Linear(hidden_size, coordinates)
        with torch.no_grad():
            self.correct.weight.mul_(FIRST_CORRECTION)

    def forward(self, context_BE: Tensor, state: State, velocity_BC: Tensor) -> Tensor:
        """Positions ``(B, S, P, C)`` in the ego frame; ``context_BE`` is not used."""
        batch = len(velocity_BC)
        carried: State = tuple(s.repeat_interleave(self.slots, dim=1) for s in state)
        codes_QE = self.codes.repeat(batch, 1)
        velocity_QC = velocity_BC.repeat_interleave(self.slots, dim=0)
        displacement_QC, position_QC = velocity_QC, torch.zeros_like(velocity_QC)
        path = []
        for _ in range(self.horizon):
            step_QF = torch.cat([displacement_QC, 0.3 * position_QC, codes_QE], dim=-1)
            y_Q1D, carried = self.cell(step_QF[:, None], None, carried)
            displacement_QC = velocity_QC + self.correct(y_Q1D[:, 0])
            position_QC = position_QC + displacement_QC
            path.append(position_QC)
        return torch.stack(path, dim=1).view(batch, self.slots, self.horizon, -1)
