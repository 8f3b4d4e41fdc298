"""Forecasts without learning: constant velocity and the least-squares line, as modules like any other."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidlstm.errors import nearest


def last_step(x_BTC: Tensor, lengths_B: Tensor, back: int = 0) -> Tensor:
    """The position ``(B, C)`` ``back`` steps before each last valid one, or the first where there is none."""
    batch = torch.arange(len(x_BTC), device=x_BTC.device)
    return x_BTC[batch, (lengths_B - 1 - back).clamp_min(0)]


class ConstantVelocity(nn.Module):
    """Goes on with the last step: y_p = x_T + p (x_T - x_{T-1}).

    Schöller et al. 2020, "What the constant velocity model can teach us about pedestrian motion prediction".

    Args:
        horizon: P.
    """

    def __init__(self, horizon: int) -> None:
        super().__init__()
        self.horizon = horizon

    def forward(self, x_BTC: Tensor, lengths_B: Tensor) -> Tensor:
        """Paths ``(B, P, C)`` after observed positions ``(B, T, C)``; one observed step stays where it is."""
        here_BC = last_step(x_BTC, lengths_B)
        velocity_BC = here_BC - last_step(x_BTC, lengths_B, 1)
        step_P1 = torch.arange(1, self.horizon + 1, device=x_BTC.device, dtype=x_BTC.dtype)[:, None]
        return here_BC[:, None] + step_P1 * velocity_BC[:, None]


class LeastSquares(nn.Module):
    """The straight line at constant speed that fits all observed steps best, carried on.

    Args:
        horizon: P.
    """

    def __init__(self, horizon: int) -> None:
        super().__init__()
        self.horizon = horizon

    def forward(self, x_BTC: Tensor, lengths_B: Tensor) -> Tensor:
        """Paths ``(B, P, C)`` after observed positions ``(B, T, C)``; one observed step stays where it is."""
        steps = torch.arange(x_BTC.shape[1], device=x_BTC.device)
        valid_BT = (steps[None] < lengths_B[:, None]).to(x_BTC.dtype)
        count_B1 = lengths_B[:, None].to(x_BTC.dtype)
        mean_t_B1 = (count_B1 - 1) / 2
        mean_x_BC = (x_BTC * valid_BT[..., None]).sum(1) / count_B1
        t_BT = (steps[None].to(x_BTC.dtype) - mean_t_B1) * valid_BT
        spread_B1 = (t_BT**2).sum(1, keepdim=True)
        # One observed step has no slope: 0 / tiny is 0.
        slope_BC = torch.einsum("bt,btc->bc", t_BT, x_BTC) / spread_B1.clamp_min(
            torch.finfo(x_BTC.dtype).tiny
        )
        ahead_P = torch.arange(self.horizon, device=x_BTC.device, dtype=x_BTC.dtype)
        ahead_BP = count_B1 + ahead_P - mean_t_B1
        return mean_x_BC[:, None] + ahead_BP[..., None] * slope_BC[:, None]


KINEMATIC: dict[str, type[ConstantVelocity] | type[LeastSquares]] = {
    "constant_velocity": ConstantVelocity,
    "least_squares": LeastSquares,
}
"""Name to model; each takes the horizon."""


def build_kinematic(name: str, horizon: int) -> nn.Module:
    """Builds a model of ``KINEMATIC``.

    Raises:
        ValueError: the name is unknown.
    """
    if name not in KINEMATIC:
        raise ValueError(f"no kinematic model is called {name!r}{nearest(name, KINEMATIC)}")
    return KINEMATIC[name](horizon)
