"""Detections of frame after frame to objects that keep a number: the library's ByteTrack and BoT-SORT.

Zhang et al. 2022, "ByteTrack: multi-object tracking by associating every detection box"; Aharon et al. 2022,
"BoT-SORT: robust associations multi-pedestrian tracking", which also follows the camera's own movement.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vidlstm.backbones.yolo.ultralytics_quiet import ultralytics_module
from vidlstm.errors import nearest

if TYPE_CHECKING:
    from vidlstm.structures import Detections

TRACKERS = {"bytetrack": "BYTETracker", "botsort": "BOTSORT"}
"""Name to the library's class."""
MODULES = {"bytetrack": "byte_tracker", "botsort": "bot_sort"}


@dataclass(frozen=True, eq=False)
class Tracked:
    """The objects followed in one frame.

    Attributes:
        track_id_N: ``(N,)`` int64, from 1.
        boxes_N4: ``(N, 4)`` float32, the tracker's own estimate: detections smoothed by its Kalman filter.
        confidence_N: ``(N,)`` float32, of the detection.
        class_N: ``(N,)`` int64.
        detection_N: ``(N,)`` int64, the place of the detection among those of the frame.
    """

    track_id_N: np.ndarray
    boxes_N4: np.ndarray
    confidence_N: np.ndarray
    class_N: np.ndarray
    detection_N: np.ndarray


class ObjectTracker:
    """Follows the objects of one video; a new video needs a new one.

    Args:
        name: one of ``TRACKERS``.
        fps: frames a second that it will be given.
        lost_seconds: for how long an object that is not seen keeps its number.
        start_confidence: how certain a detection must be to begin a track, and to be matched first.
        weigh_overlap: weigh the overlap of boxes by the confidence of the detection in matching.

    Raises:
        ValueError: the name is unknown.
    """

    def __init__(
        self,
        name: str,
        *,
        fps: float,
        lost_seconds: float = 1.0,
        start_confidence: float = 0.25,
        weigh_overlap: bool = True,
    ) -> None:
        if name not in TRACKERS:
            raise ValueError(f"no tracker is called {name!r}{nearest(name, TRACKERS)}")
        utils = ultralytics_module("ultralytics.utils")
        folder = Path(str(ultralytics_module("ultralytics").__file__)).parent / "cfg" / "trackers"
        settings = utils.YAML.load(folder / f"{name}.yaml")
        # Looks are not compared: that takes a second network, which the library would download.
        settings |= {"track_buffer": max(1, round(lost_seconds * fps)), "with_reid": False}
        settings |= {"new_track_thresh": start_confidence, "track_high_thresh": start_confidence}
        settings["fuse_score"] = weigh_overlap
        module: Any = ultralytics_module(f"ultralytics.trackers.{MODULES[name]}")
        self._tracker = getattr(module, TRACKERS[name])(utils.IterableSimpleNamespace(**settings))
        self._looks = name == "botsort"
        self._boxes = ultralytics_module("ultralytics.engine.results").Boxes

    def update(self, found: Detections, image: np.ndarray) -> Tracked:
        """Takes the next frame.

        Args:
            found: its detections.
            image: the frame, RGB uint8 ``(H, W, 3)``; BoT-SORT follows the camera by it.

        Returns:
            Objects that are followed and seen in this frame; boxes are cut off at its edges.
        """
        height, width = image.shape[:2]
        rows = np.column_stack([found.boxes_N4, found.confidence_N, found.class_N]).astype(np.float32)
        bgr = np.ascontiguousarray(image[..., ::-1]) if self._looks else None
        tracks = self._tracker.update(self._boxes(rows, (height, width)), bgr)
        tracks = np.asarray(tracks, np.float32).reshape(-1, 8)
        detection_N = tracks[:, 7].astype(np.int64)
        boxes_N4 = _inside(tracks[:, :4], height, width)
        # The filter's box may lie off the edge that a detection touches.
        empty_N = np.any(boxes_N4[:, 2:] - boxes_N4[:, :2] < 1, axis=1)
        boxes_N4[empty_N] = found.boxes_N4[detection_N[empty_N]]
        return Tracked(
            tracks[:, 4].astype(np.int64),
            boxes_N4,
            tracks[:, 5],
            tracks[:, 6].astype(np.int64),
            detection_N,
        )


def _inside(boxes_N4: np.ndarray, height: int, width: int) -> np.ndarray:
    clipped: np.ndarray = np.clip(boxes_N4, 0, np.array([width, height, width, height], np.float32))
    return clipped
