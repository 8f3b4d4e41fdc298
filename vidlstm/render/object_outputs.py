"""What a prediction of what each tracked object does becomes."""

from __future__ import annotations

from pathlib import Path

from vidlstm.render.material import Material, one_file
from vidlstm.structures import ObjectActions


@one_file("json")
def as_json(actions: ObjectActions, path: Path, material: Material) -> None:
    """All of it; see ``docs/predictions.md``."""
    from vidlstm.render.table.object_tables import write_object_actions_json

    write_object_actions_json(actions, path)


@one_file("csv")
def as_csv(actions: ObjectActions, path: Path, material: Material) -> None:
    """The segments of the scene and of each object."""
    from vidlstm.render.table.object_tables import write_object_actions_csv

    write_object_actions_csv(actions, path)


@one_file("png")
def as_png(actions: ObjectActions, path: Path, material: Material) -> None:
    """Timelines of the scene and of each object."""
    from vidlstm.render.plot.object_timeline import plot_object_timelines

    plot_object_timelines(actions, path, material.truth)


@one_file("mp4")
def as_mp4(actions: ObjectActions, path: Path, material: Material) -> None:
    """The video, with what each object does at its box."""
    from vidlstm.render.draw.object_overlay import draw_object_actions

    with material.footage(actions.video) as (frames, fps):
        rows = material.rows(actions.video, frames.scale)
        draw_object_actions(frames, rows, actions, path, fps=fps, truth=material.truth)
