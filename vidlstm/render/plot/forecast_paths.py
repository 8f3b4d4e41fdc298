"""Pictures of forecasts: observed, true and predicted paths with their spread, and error against horizon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Ellipse

from vidlstm.render.moments import NINETY
from vidlstm.render.plot.canvas import FRAMED, picture_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from vidlstm.structures import PathForecast

SEEN, TRUE, ONE, MODES = "#222222", "#1b7837", "#d6604d", "#4393c3"
LIKELY = 8
"""Ellipses are drawn for so many of the likeliest modes."""


def plot_forecasts(forecasts: Sequence[PathForecast], path: Path, *, limit: int = 9) -> None:
    """Draws up to ``limit`` forecasts, evenly chosen, each in a panel of its own.

    Dark: observed; green: what happened; red: the one path; blue: the modes, stronger where likelier, with
    the 90 % ellipse of the last step. Pixels are drawn with y downwards.

    Raises:
        OutputError: the picture cannot be written.
        ValueError: there is nothing to draw.
    """
    if not forecasts:
        raise ValueError("no forecast to draw")
    chosen = [
        forecasts[i] for i in np.linspace(0, len(forecasts) - 1, min(limit, len(forecasts))).astype(int)
    ]
    columns = min(3, len(chosen))
    rows = -(-len(chosen) // columns)
    with picture_file(path, 4.2 * columns, 3.9 * rows + 0.3, 100, style=FRAMED) as figure:
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for axis, forecast in zip(axes, chosen, strict=False):
            draw_forecast(axis, forecast)
        for axis in axes[len(chosen) :]:
            axis.set_axis_off()
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)


def draw_forecast(axis: Axes, forecast: PathForecast) -> None:
    """Draws one forecast on one axis."""
    here = forecast.observed_TC[-1:, :2]
    likeliest = float(forecast.probabilities_K.max()) if len(forecast.probabilities_K) else 1.0
    for k, mode in enumerate(forecast.modes_KPC[..., :2]):
        strength = 0.2 + 0.7 * float(forecast.probabilities_K[k]) / likeliest
        label = f"{len(forecast.modes_KPC)} modes" if k == 0 else None
        axis.plot(*np.concatenate([here, mode]).T, color=MODES, alpha=strength, lw=1.2, label=label)
        if k < LIKELY:
            axis.add_patch(_ellipse(mode[-1], forecast.spread_KPC[k, -1], forecast.heading_radians, strength))
    axis.plot(*forecast.observed_TC[:, :2].T, color=SEEN, marker="o", ms=3.5, lw=1.5, label="observed")
    if np.isfinite(forecast.truth_PC[:, :2]).all(1).any():
        axis.plot(
            *np.concatenate([here, forecast.truth_PC[:, :2]]).T, color=TRUE, marker=".", lw=1.8, label="true"
        )
    axis.plot(*np.concatenate([here, forecast.path_PC[:, :2]]).T, color=ONE, lw=1.8, label="one path")
    axis.set_aspect("equal", adjustable="datalim")
    if forecast.unit == "pixels" and not axis.yaxis_inverted():
        axis.invert_yaxis()
    axis.set_title(f"track {forecast.track_id}, frame {forecast.frame}", fontsize=9)
    axis.set_xlabel(f"x, {forecast.unit}")
    axis.set_ylabel(f"y, {forecast.unit}")


def _ellipse(centre: np.ndarray, spread: np.ndarray, heading: float, strength: float) -> Ellipse:
    along, across = 2 * NINETY * spread[:2]
    return Ellipse(
        (float(centre[0]), float(centre[1])),
        float(along),
        float(across),
        angle=float(np.degrees(heading)),
        facecolor=MODES,
        edgecolor="none",
        alpha=0.15 * strength,
    )


def plot_error_by_step(
    errors: Mapping[str, Sequence[float]], path: Path, *, seconds_per_step: float, unit: str
) -> None:
    """Draws the mean distance from the truth at each step, one line a model.

    Raises:
        OutputError: the picture cannot be written.
    """
    with picture_file(path, 6.4, 4.2, 100, style=FRAMED) as figure:
        axis = figure.subplots()
        for name, values in errors.items():
            seconds = seconds_per_step * np.arange(1, len(values) + 1)
            axis.plot(seconds, values, marker=".", label=name.replace("_", " "))
        axis.set_xlabel("seconds ahead")
        axis.set_ylabel(f"mean distance from the truth, {unit}")
        axis.set_xlim(left=0)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        axis.legend(frameon=False)
