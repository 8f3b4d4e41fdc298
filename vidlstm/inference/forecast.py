"""A forecaster over many windows: batches in, one set of tensors out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vidlstm.datamodules.trajectories import NEIGHBOURS, WindowDataset
from vidlstm.models.forecaster import Forecast, PathForecaster

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn


@torch.inference_mode()
def forecast_windows(model: PathForecaster, windows: WindowDataset, *, batch_size: int = 2048) -> Forecast:
    """Forecasts every window, in order, relative to its last observed place; comes back to the CPU."""
    device = model.typical_step.device
    parts = []
    for indices in torch.split(torch.arange(len(windows)), batch_size):
        batch = windows[indices.tolist()].to(device)
        parts.append(model(batch.x_BTF, batch.lengths_B, batch.extras.get(NEIGHBOURS)))
    return join_forecasts(parts)


def join_forecasts(parts: Sequence[Forecast]) -> Forecast:
    """Several batches of forecasts as one, on the CPU."""
    names = ("path_BPC", "modes_BKPC", "log_weights_BK", "spread_BKPC", "heading_B22")
    return Forecast(**{name: torch.cat([getattr(part, name) for part in parts]).cpu() for name in names})


@torch.inference_mode()
def kinematic_paths(model: nn.Module, windows: WindowDataset) -> Tensor:
    """Paths ``(N, P, C)`` of a model without learning, in float64 so that tables repeat to the last digit."""
    seen_NTC = windows.paths_NTC[:, : windows.observed].double()
    lengths_N = torch.full((len(windows),), windows.observed)
    path_NPC: Tensor = model(seen_NTC, lengths_N)
    return path_NPC


def truth_of(windows: WindowDataset) -> Tensor:
    """What happened: ``(N, P, C)``, in the same frame as the forecasts."""
    return windows.paths_NTC[:, windows.observed :]
