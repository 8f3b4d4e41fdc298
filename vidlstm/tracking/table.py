"""The tracks table of one video, gathered frame by frame, in the columns of
``datasets/tracks_parquet.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars

from vidlstm.datasets.tracks_parquet import KEYPOINTS, SCHEMA

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vidlstm.structures import Detections, Frame
    from vidlstm.tracking.tracker import Tracked


class TableBuilder:
    """Gathers rows.

    Args:
        video: the name of the video in the table.
        names: class number to name.
    """

    def __init__(self, video: str, names: Mapping[int, str]) -> None:
        self._video, self._names = video, names
        self._parts: list[dict[str, np.ndarray]] = []

    def add(self, frame: Frame, tracked: Tracked, found: Detections) -> None:
        """Adds the objects of one frame."""
        count = len(tracked.track_id_N)
        if not count:
            return
        self._parts.append(
            {
                "frame": np.full(count, frame.index),
                "timestamp_seconds": np.full(count, frame.timestamp_seconds),
                "track_id": tracked.track_id_N,
                "class": tracked.class_N,
                "confidence": tracked.confidence_N,
                "boxes": tracked.boxes_N4,
                "keypoints": found.keypoints_NJ3[tracked.detection_N].reshape(count, -1),
            }
        )

    def table(self) -> polars.DataFrame:
        """All rows, by frame; with the column ``keypoints`` where there are any."""
        if not self._parts:
            return polars.DataFrame(schema=SCHEMA)
        whole = {name: np.concatenate([part[name] for part in self._parts]) for name in self._parts[0]}
        boxes, keypoints = whole.pop("boxes"), whole.pop("keypoints")
        columns = {
            "video": [self._video] * len(boxes),
            **whole,
            "class": [self._names.get(int(c), str(int(c))) for c in whole["class"]],
            **{name: boxes[:, i] for i, name in enumerate(("x1", "y1", "x2", "y2"))},
        }
        if not keypoints.shape[1]:
            return polars.DataFrame(columns, schema=SCHEMA)
        return polars.DataFrame({**columns, "keypoints": keypoints.tolist()}, schema=SCHEMA | KEYPOINTS)
