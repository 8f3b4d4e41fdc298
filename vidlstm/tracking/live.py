"""Frames of many sources as they come: what is found in each, in batches, and who is who in each."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import torch

from vidlstm.backbones.cpu import available_cores
from vidlstm.tracking.tracker import ObjectTracker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidlstm.settings import TrackingSettings
    from vidlstm.structures import Detections, Frame
    from vidlstm.tracking.detector import Detector
    from vidlstm.tracking.mot_boxes import MotBoxes
    from vidlstm.tracking.tracker import Tracked

    Found = tuple[Detections, Tracked | None]


class LiveTracker:
    """Follows the objects of many sources.

    Args:
        boxes: a network for all, or boxes made elsewhere, one file a source.
        settings: of the tracker.
        sources: how many there are at most.
    """

    def __init__(self, boxes: Detector | list[MotBoxes], settings: TrackingSettings, sources: int) -> None:
        self._boxes = boxes if isinstance(boxes, list) else []
        self._detector = None if isinstance(boxes, list) else boxes
        on_cpu = self._detector is not None and self._detector.device.type == "cpu"
        self._pool, self._settings = _pool_for(sources) if on_cpu else None, settings
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
        if self._detector is not None:
            return [(found, None) for found in detected(self._detector, frames, self._pool)]
        return [self._read(self._boxes[s], frame) for s, frame in zip(sources, frames, strict=True)]

    @staticmethod
    def _read(boxes: MotBoxes, frame: Frame) -> Found:
        found, tracked = boxes.in_frame(frame.index, *frame.image.shape[:2])
        return found, tracked if boxes.has_tracks else None

    def forget(self, source: int) -> None:
        """Whoever comes next in a source was never seen before, and has a number of his own."""
        tracker = self._trackers.pop(source, None)
        if tracker is not None:
            self._last_number[source] = tracker.last_number

    def close(self) -> None:
        """Ends the threads."""
        if self._pool is not None:
            self._pool.shutdown()
            torch.set_num_threads(torch.get_num_threads())  # what a thread set is the default of new ones


def detected(
    detector: Detector, frames: Sequence[Frame], pool: ThreadPoolExecutor | None = None
) -> list[Detections]:
    """The detections of each frame.

    Args:
        detector: the network.
        frames: of any sizes.
        pool: runs each frame by itself; without one, frames of one size go through the network together.
    """
    if pool is not None:
        return list(pool.map(lambda frame: _together(detector, [frame])[0], frames))
    alike: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for number, frame in enumerate(frames):
        alike[frame.image.shape].append(number)
    found: dict[int, Detections] = {}
    for numbers in alike.values():
        found |= dict(zip(numbers, _together(detector, [frames[n] for n in numbers]), strict=True))
    return [found[number] for number in range(len(frames))]


def _together(detector: Detector, frames: Sequence[Frame]) -> list[Detections]:
    prepared = np.stack([detector.prepare(frame.image) for frame in frames])
    height, width = frames[0].image.shape[:2]
    return detector(prepared, (height, width))


def _pool_for(sources: int) -> ThreadPoolExecutor:
    """A thread a source, as far as there are cores, which share these."""
    cores = available_cores()
    workers = min(cores, sources)
    return ThreadPoolExecutor(
        workers, "detect", initializer=lambda: torch.set_num_threads(max(1, cores // workers))
    )
