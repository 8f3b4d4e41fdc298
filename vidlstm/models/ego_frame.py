"""The frame of reference of a forecast: centred and turned on the last observed step, in units of its speed.

A network that sees paths this way need not learn that streets may run in any direction, or how fast people
walk in a new place.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vidlstm.models.cells import valid_steps
from vidlstm.models.kinematic import last_step


@dataclass(frozen=True, eq=False)
class EgoFrame:
    """Where each observed path ends, which way it heads, and how fast it went.

    Attributes:
        origin_BC: the last observed position; sizes of boxes included.
        rotation_B22: turns a world direction so that the last displacement points along +x.
        scale_B: positive; a length of 1 in this frame is ``scale_B`` in the world.
    """

    origin_BC: Tensor
    rotation_B22: Tensor
    scale_B: Tensor

    def to_ego(self, positions_BQC: Tensor) -> Tensor:
        """World positions ``(B, Q, C)`` in this frame."""
        centred_BQC = (positions_BQC - self.origin_BC[:, None, : positions_BQC.shape[-1]]) / self.scale_B[
            :, None, None
        ]
        turned_BQ2 = torch.einsum("bij,bqj->bqi", self.rotation_B22, centred_BQC[..., :2])
        return torch.cat([turned_BQ2, centred_BQC[..., 2:]], dim=-1)

    def to_world(self, positions_BQC: Tensor) -> Tensor:
        """The inverse of :meth:`to_ego`."""
        turned_BQ2 = torch.einsum("bji,bqj->bqi", self.rotation_B22, positions_BQC[..., :2])
        scaled_BQC = torch.cat([turned_BQ2, positions_BQC[..., 2:]], dim=-1) * self.scale_B[:, None, None]
        return scaled_BQC + self.origin_BC[:, None]


def ego_frame(x_BTC: Tensor, lengths_B: Tensor, floor: Tensor | float) -> EgoFrame:
    """The frame of observed positions ``(B, T, C)``.

    Args:
        x_BTC: padded positions.
        lengths_B: valid steps of each.
        floor: length per step that scales do not fall below, so that people who stand are not blown up.
    """
    origin_BC = last_step(x_BTC, lengths_B)
    heading_B2 = (origin_BC - last_step(x_BTC, lengths_B, 1))[:, :2]
    angle_B = torch.atan2(heading_B2[:, 1], heading_B2[:, 0])
    cos_B, sin_B = angle_B.cos(), angle_B.sin()
    rotation_B22 = torch.stack([cos_B, sin_B, -sin_B, cos_B], dim=-1).view(-1, 2, 2)
    step_BU = torch.linalg.vector_norm(torch.diff(x_BTC[..., :2], dim=1), dim=-1)
    valid_BU = valid_steps(lengths_B - 1, step_BU.shape[1])
    speed_B = (step_BU * valid_BU).sum(1) / (lengths_B - 1).clamp_min(1)
    return EgoFrame(origin_BC, rotation_B22, (speed_B.square() + floor**2).sqrt())
