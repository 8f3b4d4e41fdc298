"""What an action prediction of a whole video becomes."""

from __future__ import annotations

from pathlib import Path

from vidlstm.render.material import Material, one_file
from vidlstm.structures import ActionPrediction


@one_file("json")
def as_json(prediction: ActionPrediction, path: Path, material: Material) -> None:
    """All of it; see ``docs/predictions.md``."""
    from vidlstm.render.table.action_tables import write_prediction_json

    write_prediction_json(prediction, path)


@one_file("csv")
def as_csv(prediction: ActionPrediction, path: Path, material: Material) -> None:
    """Its segments."""
    from vidlstm.render.table.action_tables import write_prediction_csv

    write_prediction_csv(prediction, path)


@one_file("png")
def as_png(prediction: ActionPrediction, path: Path, material: Material) -> None:
    """A timeline."""
    from vidlstm.render.plot.action_timeline import plot_timeline

    plot_timeline(prediction, path, material.truth)


@one_file("mp4")
def as_mp4(prediction: ActionPrediction, path: Path, material: Material) -> None:
    """The video, with label, bars and timeline in a panel under it."""
    from vidlstm.render.draw.action_overlay import draw_action_overlay

    with material.footage(prediction.video) as (frames, fps):
        draw_action_overlay(frames, prediction, path, fps=fps, truth=material.truth)
