"""One source, frame by frame, for a loop of one's own."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np

from vidlstm.backbones.network import CPU_FRAMES
from vidlstm.features.in_process import features_of_frames
from vidlstm.features.lanes import Lanes
from vidlstm.inference.online import OnlineSegments
from vidlstm.structures import Frame
from vidlstm.video.arrays import ArrayReader
from vidlstm.video.sampling import SteadySampler
from vidlstm.video.views import Viewer

if TYPE_CHECKING:
    from vidlstm.backbones.base import Backbone
    from vidlstm.inference.online import Change
    from vidlstm.settings import OnlineSettings
    from vidlstm.tasks.predictor import Predictor


def frames_together(backbone: Backbone, most: int) -> int:
    """Frames per forward pass where each source gives one at a time: on a CPU the fewest that it runs.

    Args:
        backbone: the frozen network.
        most: frames that come together at most.
    """
    return CPU_FRAMES if backbone.device.type == "cpu" else most


class Stream:
    """What one source shows, said while it is pushed in.

    Args:
        predictor: loaded, of a task that has ``streams``.
        fps: how often a frame is looked at.
        online: when a label begins and is over.

    Attributes:
        labels: the K class names.
        probabilities_K: of the last step; None before the first.
    """

    def __init__(self, predictor: Predictor, fps: float, online: OnlineSettings) -> None:
        self._streams = predictor.streams()
        network: Any = predictor
        self.labels: tuple[str, ...] = network.labels
        self.probabilities_K: np.ndarray | None = None
        self._backbone = network.backbone
        self._due, self._viewer = SteadySampler(fps), Viewer(self._backbone.views)
        self._segments = OnlineSegments(self.labels, online)
        self._frames, self._last_seconds = 0, -np.inf

    def push(self, frame_HWC: np.ndarray, timestamp_seconds: float) -> list[Change]:
        """Takes the next frame.

        Args:
            frame_HWC: RGB uint8, of any size.
            timestamp_seconds: its time, later than the last; any clock that goes in seconds.

        Returns:
            The labels that begin or are over with it. Frames between two steps change nothing.

        Raises:
            ValueError: it is no such frame, or its time is no number or earlier than the last.
        """
        if not np.isfinite(timestamp_seconds) or timestamp_seconds < self._last_seconds:
            raise ValueError(
                f"times of frames are finite seconds that rise; {timestamp_seconds} comes after "
                f"{self._last_seconds}. Where a clock began anew, begin another stream"
            )
        self._last_seconds = timestamp_seconds
        self._frames += 1
        if not self._due(timestamp_seconds):
            return []
        with ArrayReader(np.asarray(frame_HWC)[None], fps=1.0, size=self._backbone.size) as reader:
            (frame,) = reader
        shown = self._viewer.push(Frame(frame.image, timestamp_seconds, self._frames - 1))
        return [change for view in shown for change in self._step(*view)]

    def _step(self, frame: Frame, image: np.ndarray) -> list[Change]:
        # Lanes of this call's own: on a CPU open ones change settings of the process.
        with closing(Lanes(self._backbone, frames_together(self._backbone, 1), small=True)) as lanes:
            _, x_1F = features_of_frames([(frame.timestamp_seconds, image)], self._backbone, lanes=lanes)
        (said,) = self._streams.push([0], x_1F, [frame.timestamp_seconds])
        if said is None:
            return []
        self.probabilities_K = said
        return self._segments.push(frame.timestamp_seconds, said)

    def finish(self) -> list[Change]:
        """The source is over: ends what lasts."""
        changes = [change for view in self._viewer.finish() for change in self._step(*view)]
        return changes + self._segments.finish()
