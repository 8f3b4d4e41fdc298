"""``evaluate`` of a trajectory checkpoint: the network beside constant velocity and least squares."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vidlstm.datamodules.trajectories import TrajectoryData
from vidlstm.errors import CheckpointError
from vidlstm.files import write_json
from vidlstm.inference.forecast_tracks import forecast_table
from vidlstm.render.plot.forecast_paths import plot_error_by_step, plot_forecasts
from vidlstm.training.trajectory import load_trajectory_model
from vidlstm.verbs.trajectory_data import read_tables
from vidlstm.verbs.trajectory_scores import score_baselines, score_model

if TYPE_CHECKING:
    from vidlstm.datasets.tracks import TrackTable
    from vidlstm.settings import TrajectoryDataSettings
    from vidlstm.structures import PathForecast

FOLDER = {"train": "train", "validation": "val", "test": "test"}


def evaluate_trajectory(
    checkpoint: Path,
    *,
    data: TrajectoryDataSettings,
    out: Path,
    side: Literal["train", "validation", "test"] = "test",
) -> dict[str, Any]:
    """Scores a checkpoint on one side of a dataset.

    Args:
        checkpoint: what ``train --task trajectory`` wrote; observed steps and horizon are its own.
        data: where the tracks are; ``scene`` is the checkpoint's where none is given.
        out: takes ``report.json``, ``error_by_step.png`` and ``paths.png``.
        side: which files.

    Returns:
        What ``report.json`` holds: the network's metrics and, in ``baselines``, those of the models without
        learning; see :func:`score_model`.

    Raises:
        CheckpointError: the checkpoint does not fit the tracks.
        VidlstmError: see its other subclasses.
    """
    model, card = load_trajectory_model(Path(checkpoint))
    trained = card["data"]
    data = replace(
        data,
        observed=trained["observed"],
        horizon=trained["horizon"],
        scene=data.scene or trained["scene"],
        step_seconds=data.step_seconds or trained.get("step_seconds"),
        normalise=trained.get("normalise", "none"),
    )
    tables = read_tables(data, FOLDER[side])
    _check(Path(checkpoint), card, tables[0])
    windows = TrajectoryData(
        train=(),
        validation=(),
        test=tables,
        observed=data.observed,
        horizon=data.horizon,
        neighbours=int(card["neighbours"]),
        minimum_tracks=data.minimum_tracks,
        by_height=data.normalise == "height",
    ).test_set
    assert windows is not None
    report = {
        **score_model(model, windows),
        "baselines": score_baselines(windows),
        "checkpoint": str(checkpoint),
        "side": side,
        "unit": card["unit"],
        "seconds_per_step": card["seconds_per_step"],
        "recordings": [table.recording for table in tables],
    }
    found = forecast_table(
        model,
        tables[0],
        observed=data.observed,
        every=model.horizon,
        neighbours=int(card["neighbours"]),
        by_height=data.normalise == "height",
    )
    _write(Path(out), report, found)
    return report


def _check(checkpoint: Path, card: dict[str, Any], table: TrackTable) -> None:
    coordinates = table.positions_RC.shape[1]
    unit = "pixels" if card["unit"] == "box heights" else card["unit"]
    if table.unit != unit or coordinates != card["network"]["coordinates"]:
        raise CheckpointError(
            f"{checkpoint} was trained on {card['network']['coordinates']} values in {unit}, "
            f"{table.recording} has {coordinates} in {table.unit}"
        )
    if abs(table.seconds_per_step / card["seconds_per_step"] - 1) > 0.15:
        raise CheckpointError(
            f"{checkpoint} was trained at {card['seconds_per_step']:g} s a step, {table.recording} has "
            f"{table.seconds_per_step:g}; see data.frame_step"
        )


def _write(out: Path, report: dict[str, Any], found: list[PathForecast]) -> None:
    lines = {"network": report["error_by_step"]}
    lines |= {name: row["error_by_step"] for name, row in report["baselines"].items()}
    plot_error_by_step(
        lines,
        out / "error_by_step.png",
        seconds_per_step=report["seconds_per_step"],
        unit=report["unit"],
    )
    whole = [f for f in found if not (f.truth_PC != f.truth_PC).any()]
    plot_forecasts(whole, out / "paths.png")
    write_json(report, out / "report.json")
