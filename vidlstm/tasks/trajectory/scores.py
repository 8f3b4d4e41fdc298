"""Every metric of a forecaster on some windows, beside the models without learning, and pictures of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from vidlstm.errors import CheckpointError
from vidlstm.files import write_whole
from vidlstm.inference.forecast import forecast_windows, kinematic_paths, truth_of
from vidlstm.models.kinematic import KINEMATIC, build_kinematic
from vidlstm.render.plot.forecast_paths import plot_error_by_step, plot_forecasts
from vidlstm.training.trajectory_calibration import (
    coverage,
    fit_spread_scale,
    region_levels,
    sample_paths,
    select,
)
from vidlstm.training.trajectory_loss import mixture_log_density
from vidlstm.training.trajectory_metrics import (
    best_of_k,
    box_iou,
    collides,
    curvature,
    displacement_errors,
    kde_nll,
    missed,
    speed,
    step_errors,
)

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from vidlstm.cards import TrajectoryCard
    from vidlstm.datamodules.trajectories import WindowDataset
    from vidlstm.datasets.tracks import TrackTable
    from vidlstm.models.forecaster import Forecast, PathForecaster
    from vidlstm.structures import PathForecast

SPREAD_SCALE = "model.spread_scale_P"
SAMPLED_WINDOWS = 2000
"""Metrics that draw samples use at most so many windows, evenly spread."""
GROUPS = 4
"""Windows are grouped into quarters by speed and by curvature."""


def score_model(model: PathForecaster, windows: WindowDataset) -> dict[str, Any]:
    """Every metric of a forecaster on some windows, means over windows.

    Returns:
        ``ade``, ``fde``, ``collision``, ``error_by_step``, ``by_speed``, ``by_curvature``; with a mixture
        also ``min_ade``, ``min_fde`` (independent minima), ``joint_*``, ``endpoint_ade``, ``miss``, ``nll``,
        ``kde_nll``, ``coverage_50``, ``coverage_90``; with boxes ``iou``, ``iou_final``; where lengths are
        counted in box heights, distances in pixels too (``ade_pixels`` and so on).
    """
    forecast, truth = forecast_windows(model, windows), truth_of(windows)
    report = score_path(forecast.path_BPC, windows)
    if model.modes:
        report |= _score_modes(forecast, truth, windows)
    return report


def score_baselines(windows: WindowDataset) -> dict[str, dict[str, Any]]:
    """The rows of the models without learning."""
    horizon = windows.paths_NTC.shape[1] - windows.observed
    return {
        name: score_path(kinematic_paths(build_kinematic(name, horizon), windows), windows)
        for name in KINEMATIC
    }


def score_path(path_NPC: Tensor, windows: WindowDataset) -> dict[str, Any]:
    """The metrics of one path a window."""
    truth = truth_of(windows).to(path_NPC.dtype)
    errors = displacement_errors(path_NPC, truth)
    report = _means(errors, windows)
    report["windows"] = len(truth)
    report["error_by_step"] = step_errors(path_NPC[:, None], truth)[:, 0].mean(0).tolist()
    # Paths are relative to each window's own last place; people meet in the world.
    world_NPC = path_NPC.double() * windows.scale_N[:, None, None] + windows.origin_NC[:, None]
    report["collision"] = float(collides(world_NPC, windows.scene_N).mean())
    report["by_speed"] = by_quarter(speed(windows.paths_NTC[:, : windows.observed]), errors["ade"])
    report["by_curvature"] = by_quarter(curvature(truth_of(windows)), errors["ade"])
    if truth.shape[-1] == 4:
        iou_NP = box_iou(path_NPC, truth)
        report |= {"iou": float(iou_NP.mean()), "iou_final": float(iou_NP[:, -1].mean())}
    return report


def _means(errors: dict[str, Tensor], windows: WindowDataset) -> dict[str, Any]:
    means = {name: float(value.mean()) for name, value in errors.items()}
    if bool((windows.scale_N != 1).any()):
        means |= {f"{name}_pixels": float((v * windows.scale_N).mean()) for name, v in errors.items()}
    return means


def by_quarter(key_N: Tensor, error_N: Tensor) -> list[dict[str, float]]:
    """Mean error in each quarter of the windows, by rising key; ``upper`` is the quarter's largest key."""
    quarters = torch.argsort(key_N, stable=True).tensor_split(GROUPS)
    return [{"upper": float(key_N[q].max()), "ade": float(error_N[q].mean())} for q in quarters if len(q)]


def _score_modes(forecast: Forecast, truth: Tensor, windows: WindowDataset) -> dict[str, Any]:
    report = _means(best_of_k(forecast.modes_BKPC, truth), windows)
    report["miss"] = float(missed(forecast.modes_BKPC, truth).mean())
    every = max(1, -(-len(truth) // SAMPLED_WINDOWS))
    some = torch.arange(0, len(truth), every)
    part, true_part = select(forecast, some), truth[some]
    report["nll"] = float(-mixture_log_density(part, true_part).mean())
    report["kde_nll"] = float(kde_nll(sample_paths(part, 200), true_part).mean())
    report |= coverage(region_levels(part, true_part), windows.recording_N[some])
    return report


def check_tables(checkpoint: Path, card: TrajectoryCard, table: TrackTable) -> None:
    """Refuses tracks that a checkpoint was not trained for.

    Raises:
        CheckpointError: other coordinates, another unit, or another length of a step.
    """
    coordinates = table.positions_RC.shape[1]
    unit = "pixels" if card.unit == "box heights" else card.unit
    if table.unit != unit or coordinates != card.coordinates:
        raise CheckpointError(
            f"{checkpoint} was trained on {card.coordinates} values in {unit}, "
            f"{table.recording} has {coordinates} in {table.unit}"
        )
    if abs(table.seconds_per_step / card.seconds_per_step - 1) > 0.15:
        raise CheckpointError(
            f"{checkpoint} was trained at {card.seconds_per_step:g} s a step, {table.recording} has "
            f"{table.seconds_per_step:g}; see `data.frame_step`"
        )


def calibrate(model: PathForecaster, windows: WindowDataset, checkpoint: Path) -> None:
    """Fits the spread's scale on validation windows, in the model and in its checkpoint."""
    if not model.modes:
        return
    scale_P = fit_spread_scale(forecast_windows(model, windows), truth_of(windows), windows.recording_N)
    model.spread_scale_P *= scale_P.to(model.spread_scale_P)
    content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    content["state_dict"][SPREAD_SCALE] *= scale_P.to(content["state_dict"][SPREAD_SCALE])
    write_whole(partial(torch.save, content), checkpoint)


def plot_report(report: dict[str, Any], found: list[PathForecast], out: Path) -> None:
    """Draws ``error_by_step.png`` and ``paths.png``."""
    lines = {"network": report["error_by_step"]}
    lines |= {name: row["error_by_step"] for name, row in report["baselines"].items()}
    seconds, unit = report["seconds_per_step"], report["unit"]
    plot_error_by_step(lines, out / "error_by_step.png", seconds_per_step=seconds, unit=unit)
    plot_forecasts([f for f in found if not (f.truth_PC != f.truth_PC).any()], out / "paths.png")
