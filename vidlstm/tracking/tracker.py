"""Detections of frame after frame to objects that keep a number: the library's ByteTrack and BoT-SORT.

Zhang et al. 2022, "ByteTrack: multi-object tracking by associating every detection box"; Aharon et al. 2022,
"BoT-SORT: robust associations multi-pedestrian tracking", which also follows the camera's own movement.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vidlstm.backbones.yolo.ultralytics_quiet import ultralytics_module
from vidlstm.errors import nearest

if TYPE_CHECKING:
    from vidlstm.structures import Detections

TOLERANCE_SECONDS = 0.002
"""How much longer an object may be gone and still be known: containers round times."""
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
        lost_seconds: for how long an object that is not seen keeps its number.
        start_confidence: how certain a detection must be to begin a track, and to be matched first.
        weigh_overlap: weigh the overlap of boxes by the confidence of the detection in matching.
        after: numbers begin after this one.

    Attributes:
        last_number: the highest that was given to an object.

    Raises:
        ValueError: the name is unknown.
    """

    def __init__(
        self,
        name: str,
        *,
        lost_seconds: float = 1.0,
        start_confidence: float = 0.25,
        weigh_overlap: bool = True,
        after: int = 0,
    ) -> None:
        if name not in TRACKERS:
            raise ValueError(f"no tracker is called {name!r}{nearest(name, TRACKERS)}")
        utils = ultralytics_module("ultralytics.utils")
        folder = Path(str(ultralytics_module("ultralytics").__file__)).parent / "cfg" / "trackers"
        settings = utils.YAML.load(folder / f"{name}.yaml")
        # Looks are not compared: that takes a second network, which the library would download.
        # Nor are frames counted until an object is lost: :meth:`_forget` knows how long it is.
        settings |= {"track_buffer": sys.maxsize, "with_reid": False}
        settings |= {"new_track_thresh": start_confidence, "track_high_thresh": start_confidence}
        settings["fuse_score"] = weigh_overlap
        module: Any = ultralytics_module(f"ultralytics.trackers.{MODULES[name]}")
        self._tracker = getattr(module, TRACKERS[name])(utils.IterableSimpleNamespace(**settings))
        self._after = self.last_number = after
        self._looks, self._lost_seconds = looks_at_pictures(name), lost_seconds
        self._seen_seconds: dict[int, float] = {}
        self._boxes = ultralytics_module("ultralytics.engine.results").Boxes

    def update(self, found: Detections, image: np.ndarray, seconds: float) -> Tracked:
        """Takes the next frame.

        Args:
            found: its detections.
            image: the frame, RGB uint8 ``(H, W, 3)``; see :func:`looks_at_pictures`.
            seconds: its time.

        Returns:
            Objects that are followed and seen in this frame; boxes are cut off at its edges.
        """
        self._forget(seconds)
        height, width = image.shape[:2]
        rows = np.column_stack([found.boxes_N4, found.confidence_N, found.class_N]).astype(np.float32)
        bgr = np.ascontiguousarray(image[..., ::-1]) if self._looks else None
        tracks = self._tracker.update(self._boxes(rows, (height, width)), bgr)
        tracks = np.asarray(tracks, np.float32).reshape(-1, 8)
        self._seen_seconds |= dict.fromkeys((t.track_id for t in self._tracker.tracked_stracks), seconds)
        detection_N = tracks[:, 7].astype(np.int64)
        track_id_N = tracks[:, 4].astype(np.int64) + self._after
        self.last_number = max(self.last_number, int(track_id_N.max(initial=0)))
        boxes_N4 = _inside(tracks[:, :4], height, width)
        # The filter's box may lie off the edge that a detection touches.
        empty_N = np.any(boxes_N4[:, 2:] - boxes_N4[:, :2] < 1, axis=1)
        boxes_N4[empty_N] = found.boxes_N4[detection_N[empty_N]]
        return Tracked(
            track_id_N,
            boxes_N4,
            tracks[:, 5],
            tracks[:, 6].astype(np.int64),
            detection_N,
        )

    def _forget(self, now: float) -> None:
        """Drops the objects that have not been seen for longer than ``lost_seconds``."""
        oldest = now - self._lost_seconds - TOLERANCE_SECONDS
        gone = {number for number, seconds in self._seen_seconds.items() if seconds < oldest}
        for state in ("tracked_stracks", "lost_stracks"):
            kept = [t for t in getattr(self._tracker, state) if t.track_id not in gone]
            setattr(self._tracker, state, kept)
        for number in gone:
            del self._seen_seconds[number]


def looks_at_pictures(tracker: str) -> bool:
    """Whether a tracker sees the frames themselves, or only what was detected in them."""
    return tracker == "botsort"


def _inside(boxes_N4: np.ndarray, height: int, width: int) -> np.ndarray:
    clipped: np.ndarray = np.clip(boxes_N4, 0, np.array([width, height, width, height], np.float32))
    return clipped
