"""What is cut out of a video instead of whole frames. Does not import torch: decode workers import it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vidlstm.video.crops import cut
from vidlstm.video.views import with_views

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from vidlstm.structures import FrameSize
    from vidlstm.video.reader import VideoReader


@dataclass(frozen=True)
class Crops:
    """Boxes by frame.

    Attributes:
        boxes: frame number (from 0) to boxes x1, y1, x2, y2 in pixels of the upright frame.
        margin: added around each, as a share of its longer side.
    """

    boxes: dict[int, list[list[float]]]
    margin: float

    @classmethod
    def from_job(cls, job: dict[str, Any]) -> Crops:
        """Reads back :meth:`as_job`."""
        return cls({int(frame): boxes for frame, boxes in job["boxes"].items()}, float(job["margin"]))

    def as_job(self) -> dict[str, Any]:
        """JSON values."""
        return {"boxes": self.boxes, "margin": float(self.margin)}

    def key_of(self, video_hash: str) -> str:
        """What the features of these crops of a video are stored under."""
        text = json.dumps([video_hash, self.as_job()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def cut_from(
        self, reader: VideoReader, views: Sequence[str], size: FrameSize
    ) -> Iterator[tuple[float, np.ndarray]]:
        """The time and the picture of each box, frame by frame, in the order of its boxes."""
        for frame, shown in with_views(reader, views):
            for box in self.boxes.get(frame.index, ()):
                yield frame.timestamp_seconds, cut(shown, box, self.margin, size)

    @property
    def last_frame(self) -> int:
        """The number of the last frame with a box; -1 where there is none."""
        return max(self.boxes, default=-1)


class CountedFrames:
    """Says which frames are wanted: to be asked once per decoded frame."""

    def __init__(self, crops: Crops) -> None:
        self._crops, self._count = crops, -1

    def __call__(self, timestamp_seconds: float) -> bool:
        """Whether the next frame has a box."""
        self._count += 1
        return self._count in self._crops.boxes
