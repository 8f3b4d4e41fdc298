"""Frames of many sources as they come: what is found in each, in batches, and who is who in each."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from vidlstm.tracking.mot_boxes import LABEL, MotBoxes
from vidlstm.tracking.tracker import ObjectTracker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidlstm.settings import TrackingSettings
    from vidlstm.structures import Detections, Frame
    from vidlstm.tracking.detector import Detector
    from vidlstm.tracking.tracker import Tracked

    Found = tuple[Detections, Tracked | None]


class LiveTracker:
    """Follows the objects of many sources.

    Args:
        boxes: a network for all, or boxes made elsewhere, one file a source.
        settings: of the tracker.

    Attributes:
        names: class number to name.
    """

    def __init__(self, boxes: Detector | Sequence[MotBoxes], settings: TrackingSettings) -> None:
        self._boxes, self._settings = boxes, settings
        self.names = {0: LABEL} if isinstance(boxes, list | tuple) else boxes.names  # type: ignore[union-attr]
        self._trackers: dict[int, ObjectTracker] = {}
        self._last_number: dict[int, int] = defaultdict(int)

    def step(
        self, sources: Sequence[int], frames: Sequence[Frame], seconds: Sequence[float]
    ) -> list[tuple[Detections, Tracked]]:
        """What is found and followed in the next frames.

        Args:
            sources: their numbers, each once.
            frames: as they were read, a frame each.
            seconds: their times on the sources' clocks.
        """
        return [
            (detections, tracked or self._follow(source, detections, frame, when))
            for source, frame, when, (detections, tracked) in zip(
                sources, frames, seconds, self._found(sources, frames), strict=True
            )
        ]

    def _follow(self, source: int, found: Detections, frame: Frame, seconds: float) -> Tracked:
        tracker = self._trackers.get(source)
        if tracker is None:
            how = self._settings
            tracker = self._trackers[source] = ObjectTracker(
                how.tracker,
                lost_seconds=how.lost_seconds,
                start_confidence=how.start_confidence,
                weigh_overlap=how.weigh_overlap,
                after=self._last_number[source],
            )
        return tracker.update(found, frame.image, seconds)

    def _found(self, sources: Sequence[int], frames: Sequence[Frame]) -> list[Found]:
        if isinstance(self._boxes, list | tuple):
            return [self._read(self._boxes[s], frame) for s, frame in zip(sources, frames, strict=True)]
        return [(found, None) for found in detected(self._boxes, frames)]  # type: ignore[arg-type]

    @staticmethod
    def _read(boxes: MotBoxes, frame: Frame) -> Found:
        found, tracked = boxes.in_frame(frame.index, *frame.image.shape[:2])
        return found, tracked if boxes.has_tracks else None

    def forget(self, source: int) -> None:
        """Whoever comes next in a source was never seen before, and has a number of his own."""
        tracker = self._trackers.pop(source, None)
        if tracker is not None:
            self._last_number[source] = tracker.last_number


def detected(detector: Detector, frames: Sequence[Frame]) -> list[Detections]:
    """The detections of each frame; frames of one size go through the network together."""
    prepared = [detector.prepare(frame.image) for frame in frames]
    alike: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for number, frame in enumerate(frames):
        alike[frame.image.shape].append(number)
    found: dict[int, Detections] = {}
    for shape, numbers in alike.items():
        batch = np.stack([prepared[number] for number in numbers])
        found |= dict(zip(numbers, detector(batch, (shape[0], shape[1])), strict=True))
    return [found[number] for number in range(len(frames))]
