"""What each object of a video does, as JSON and CSV, and back. The schema is in ``docs/predictions.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vidlstm.files import write_csv
from vidlstm.render.moments import nobody
from vidlstm.render.table.action_tables import (
    SEGMENT_COLUMNS,
    number_of,
    prediction_of,
    prediction_to_dict,
    read_record,
    segment_row,
    write_record,
)
from vidlstm.structures import ActionPrediction, ObjectActions

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ("track_id", *SEGMENT_COLUMNS)


def write_object_actions_json(actions: ObjectActions, path: str | Path) -> None:
    """Writes the scene as ``write_prediction_json`` does, and its tracks under further keys.

    Whoever reads predictions of whole videos can read this file, too, and gets the scene. Video, labels,
    and what produced the predictions are the scene's; they are not written again for each track.

    Raises:
        OutputError: the file cannot be written.
    """
    short = [{"track_id": int(t), "seconds": float(s)} for t, s in sorted(actions.short_tracks.items())]
    tracks = [_track_to_dict(t, actions.tracks[t], actions.attention[t]) for t in sorted(actions.tracks)]
    record = prediction_to_dict(actions.scene) | {"tracks": tracks, "short_tracks": short}
    write_record(record | {"remark": nobody(actions)}, path)


def _track_to_dict(track_id: int, prediction: ActionPrediction, attention_W: np.ndarray) -> dict[str, Any]:
    record = prediction_to_dict(prediction)
    pairs = zip(record["windows"], attention_W.tolist(), strict=True)
    windows = [window | {"attention": share} for window, share in pairs]
    return {"track_id": int(track_id), "segments": record["segments"], "windows": windows}


def read_object_actions_json(path: str | Path) -> ObjectActions:
    """Reads what ``write_object_actions_json`` wrote.

    Raises:
        OutputError: the file is missing, is no JSON, has another schema, or says nothing of tracks.
    """
    return read_record(path, _actions_of)


def _actions_of(record: dict[str, Any]) -> ObjectActions:
    scene = prediction_of(record)
    shares = {t["track_id"]: [w["attention"] for w in t["windows"]] for t in record["tracks"]}
    return ObjectActions(
        video=scene.video,
        labels=scene.labels,
        scene=scene,
        tracks={track["track_id"]: prediction_of(record | track) for track in record["tracks"]},
        attention={track_id: np.array(share, np.float64) for track_id, share in shares.items()},
        short_tracks={track["track_id"]: number_of(track["seconds"]) for track in record["short_tracks"]},
    )


def write_object_actions_csv(actions: ObjectActions, path: str | Path) -> None:
    """Writes one row a segment: those of the scene, whose ``track_id`` is empty, then track by track.

    Raises:
        OutputError: the file cannot be written.
    """
    scene = [("", *segment_row(segment)) for segment in actions.scene.segments]
    tracks = [
        (t, *segment_row(segment)) for t in sorted(actions.tracks) for segment in actions.tracks[t].segments
    ]
    write_csv(COLUMNS, [*scene, *tracks], path)
