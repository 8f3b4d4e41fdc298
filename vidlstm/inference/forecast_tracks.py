"""A track table and a forecaster to forecasts: from every so many steps, and from each track's end."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from vidlstm.datamodules.path_windows import PathWindows, cut_windows
from vidlstm.datamodules.trajectories import WindowDataset, typical_length
from vidlstm.inference.forecast import forecast_windows, kinematic_paths
from vidlstm.models.kinematic import ConstantVelocity
from vidlstm.structures import PathForecast

if TYPE_CHECKING:
    from torch import Tensor

    from vidlstm.datasets.tracks import TrackTable
    from vidlstm.models.forecaster import Forecast, PathForecaster


def forecast_table(
    model: PathForecaster,
    table: TrackTable,
    *,
    observed: int,
    every: int,
    neighbours: int = 0,
    by_height: bool = False,
) -> list[PathForecast]:
    """Forecasts every track of one recording.

    Args:
        model: in eval mode.
        table: the tracks; a model of points takes the centres of boxes.
        observed: steps that are seen; shorter tracks give no forecast.
        every: forecast from every so many steps, and from the last step of each stretch without a gap.
        neighbours: the nearest others that are seen, where the model looks at them.
        by_height: the model counts lengths in box heights.

    Returns:
        In order of track and frame.
    """
    if model.coordinates == 2:
        table = replace(table, positions_RC=table.positions_RC[:, :2])
    windows = _moments(table, observed, every)
    if not len(windows):
        return []
    dataset = WindowDataset([table], windows, observed=observed, neighbours=neighbours, by_height=by_height)
    forecast = forecast_windows(model, dataset)
    straight_NPC = kinematic_paths(ConstantVelocity(model.horizon), dataset)
    truth = _truth(table, windows, observed, model.horizon)
    return [_one(table, dataset, forecast, straight_NPC, truth, n) for n in range(len(windows))]


def adapt_scale(model: PathForecaster, table: TrackTable, unit: str) -> None:
    """Lets a model that was trained in another unit read ``table``, by its typical step.

    A forecaster sees lengths in typical steps only, so the median step of the new tracks stands in for that
    of the training tracks. A warning says so: nothing was learned from tracks of this unit.
    """
    if table.unit == unit:
        return
    same_track = table.track_ids_R[1:] == table.track_ids_R[:-1]
    next_frame = np.diff(table.frames_R) == table.frame_step
    steps = np.linalg.norm(np.diff(table.positions_RC[:, :2], axis=0), axis=1)[same_track & next_frame]
    typical = typical_length(steps)
    if typical is not None:
        model.fit(typical)
    warnings.warn(
        f"{table.recording}: tracks in {table.unit}, trained on {unit}; the median step, {typical or 0:.3g} "
        f"{table.unit}, is taken as the unit of length",
        stacklevel=2,
    )


def _moments(table: TrackTable, observed: int, every: int) -> PathWindows:
    """Windows of the observed steps alone: every so many steps, and the last of each unbroken stretch."""
    windows = cut_windows([table], steps=observed, seen_at=observed - 1)
    since_first = (windows.start_frame_N - table.frames_R.min()) // table.frame_step
    following = np.zeros(len(windows), dtype=bool)
    following[:-1] = (windows.track_id_N[1:] == windows.track_id_N[:-1]) & (
        np.diff(windows.start_frame_N) == table.frame_step
    )
    kept = (since_first % every == 0) | ~following
    return PathWindows(
        windows.paths_NTC[kept],
        windows.recording_N[kept],
        windows.track_id_N[kept],
        windows.start_frame_N[kept],
    )


def _truth(table: TrackTable, windows: PathWindows, observed: int, horizon: int) -> np.ndarray:
    """``(N, P, C)`` positions after each window; NaN after the track ends or breaks."""
    now_N = windows.start_frame_N + (observed - 1) * table.frame_step
    # Rows are sorted by track and frame, so one key finds any of them.
    span = int(table.frames_R.max()) + (horizon + 1) * table.frame_step + 1
    keys_R = table.track_ids_R * span + table.frames_R
    wanted = now_N[:, None] + np.arange(1, horizon + 1) * table.frame_step
    keys_NP = windows.track_id_N[:, None] * span + wanted
    row_NP = np.searchsorted(keys_R, keys_NP).clip(max=len(keys_R) - 1)
    there = keys_R[row_NP] == keys_NP
    return np.where(there[..., None], table.positions_RC[row_NP], np.nan)


def _one(
    table: TrackTable,
    dataset: WindowDataset,
    forecast: Forecast,
    straight_NPC: Tensor,
    truth_NPC: np.ndarray,
    n: int,
) -> PathForecast:
    windows, scale = dataset.windows, float(dataset.scale_N[n])
    order = torch.argsort(forecast.log_weights_BK[n], descending=True, stable=True)
    heading = forecast.heading_B22[n]
    last_frame = int(windows.start_frame_N[n]) + (dataset.observed - 1) * table.frame_step

    def in_the_world(paths: Tensor) -> np.ndarray:
        world: np.ndarray = (paths.double().cpu() * scale + dataset.origin_NC[n]).numpy()
        return world

    return PathForecast(
        recording=table.recording,
        track_id=int(windows.track_id_N[n]),
        frame=last_frame,
        frame_step=table.frame_step,
        seconds_per_step=table.seconds_per_step,
        unit=table.unit,
        observed_TC=windows.paths_NTC[n],
        path_PC=in_the_world(forecast.path_BPC[n]),
        modes_KPC=in_the_world(forecast.modes_BKPC[n, order]),
        probabilities_K=forecast.log_weights_BK[n, order].exp().cpu().numpy(),
        spread_KPC=forecast.spread_BKPC[n, order].cpu().numpy() * scale,
        heading_radians=float(torch.atan2(heading[0, 1], heading[0, 0])),
        truth_PC=truth_NPC[n],
        straight_PC=in_the_world(straight_NPC[n]),
        moment_seconds=table.start_seconds + last_frame / table.frame_step * table.seconds_per_step,
    )
