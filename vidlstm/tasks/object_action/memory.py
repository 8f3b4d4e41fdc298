"""The last seconds of one source's objects, at the rate of the training: a table that moves along."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vidlstm.features.read_tracks import StepCounter, in_range
from vidlstm.features.tracked_objects import TrackedObjects
from vidlstm.tasks.object_action.data import sequences_of
from vidlstm.video.crops import cut
from vidlstm.video.sampling import SteadySampler
from vidlstm.video.views import Viewer

if TYPE_CHECKING:
    from vidlstm.datamodules.object_sequences import ObjectSequence
    from vidlstm.structures import Detections, Frame
    from vidlstm.tasks.object_action.network import ObjectNetwork
    from vidlstm.tracking.tracker import Tracked


@dataclass(frozen=True, eq=False)
class Moment:
    """The objects of one frame, by their numbers.

    Attributes:
        frame: its number.
        seconds: its time.
        step: the number of its step.
        track_id_N, boxes_N4, confidence_N, keypoints_NJ3: as in :class:`TrackedObjects`.
        pictures_NF: features of what is cut out of each; of no width where nothing is.
    """

    frame: int
    seconds: float
    step: int
    track_id_N: np.ndarray
    boxes_N4: np.ndarray
    confidence_N: np.ndarray
    keypoints_NJ3: np.ndarray
    pictures_NF: np.ndarray


class ObjectMemory:
    """Takes frame after frame, and keeps what is needed of them.

    Args:
        network: what describes each object.
        fps: steps a second.
        keep_seconds: for how long.
        max_gap_seconds: see :func:`~vidlstm.datamodules.object_sequences.object_sequences`.
    """

    def __init__(
        self, network: ObjectNetwork, *, fps: float, keep_seconds: float, max_gap_seconds: float
    ) -> None:
        self._network, self._keep, self._gap = network, keep_seconds, max_gap_seconds
        self._due, self._steps = SteadySampler(fps), StepCounter(fps)
        self._viewer = Viewer(network.crops.views) if network.crops else None
        self._waiting: dict[int, Moment] = {}  # for what the network is shown of their frames
        self._moments: deque[Moment] = deque()

    def take(
        self, frame: Frame, seconds: float, found: Detections, tracked: Tracked
    ) -> list[tuple[Moment, list[np.ndarray]]]:
        """Takes the next frame.

        Returns:
            What is to be described now: the objects of a frame, and what is cut out of it, one for each; to
            be given to :meth:`add` with the features of these.
        """
        if not len(tracked.track_id_N) or not self._due(seconds):
            return []
        moment = self._moment(frame, seconds, found, tracked)
        if self._viewer is None or self._network.crops is None:
            return [(moment, [])]
        self._waiting[frame.index] = moment
        margin, size = self._network.crop_margin, self._network.crops.size
        ready = [(self._waiting.pop(of.index), image) for of, image in self._viewer.push(frame)]
        return [
            (moment, [cut(image, box, margin, size) for box in moment.boxes_N4.tolist()])
            for moment, image in ready
        ]

    def _moment(self, frame: Frame, seconds: float, found: Detections, tracked: Tracked) -> Moment:
        order = np.argsort(tracked.track_id_N, kind="stable")
        boxes, keypoints = in_range(
            tracked.boxes_N4[order], found.keypoints_NJ3[tracked.detection_N[order]].astype(np.float32)
        )
        return Moment(
            frame.index,
            seconds,
            self._steps(seconds),
            tracked.track_id_N[order],
            boxes,
            tracked.confidence_N[order].astype(np.float32).clip(0.0, 1.0),
            keypoints,
            np.zeros((len(order), 0), np.float16),
        )

    def add(self, moment: Moment) -> None:
        """Keeps a moment that is described, and drops the oldest."""
        self._moments.append(moment)
        while moment.seconds - self._moments[0].seconds > self._keep:
            self._moments.popleft()

    def sequences(self) -> list[ObjectSequence]:
        """What is kept, as a whole video would give it."""
        if not self._moments:
            return []
        objects = self._objects()
        pictures = np.concatenate([moment.pictures_NF for moment in self._moments])
        return sequences_of(objects, self._network, pictures, self._gap)

    def newest(self) -> tuple[Moment, np.ndarray]:
        """The last moment, and the features ``(N, F)`` float16 of its objects."""
        moment, parts = self._moments[-1], []
        if self._network.pose:
            fill = self._gap if self._network.fills_keypoints else 0.0
            objects = self._objects()
            here = len(objects) - len(moment.track_id_N)
            parts.append(objects.poses(fill_seconds=fill, first_row=here))
        if self._network.crops:
            parts.append(moment.pictures_NF)
        return moment, np.concatenate(parts, axis=1).astype(np.float16)

    def _objects(self) -> TrackedObjects:
        def joined(name: str) -> np.ndarray:
            return np.concatenate([getattr(moment, name) for moment in self._moments])

        def repeated(name: str) -> np.ndarray:
            values = [np.full(len(m.track_id_N), getattr(m, name)) for m in self._moments]
            return np.concatenate(values)

        return TrackedObjects(
            video="a live source",
            frame_N=repeated("frame"),
            track_id_N=joined("track_id_N"),
            seconds_N=repeated("seconds"),
            step_N=repeated("step"),
            boxes_N4=joined("boxes_N4"),
            confidence_N=joined("confidence_N"),
            keypoints_NJ3=joined("keypoints_NJ3"),
            step_seconds=self._steps.step_seconds,
        )
