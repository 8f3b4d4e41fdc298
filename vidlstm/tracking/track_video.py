"""One video to its tracks: decode, detect, track, one after the other for each frame and all at once."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from vidlstm.errors import VideoError
from vidlstm.tracking.lanes import detect_frames
from vidlstm.tracking.mot_boxes import LABEL, MotBoxes
from vidlstm.tracking.read_ahead import ReadAhead
from vidlstm.tracking.table import TableBuilder
from vidlstm.tracking.tracker import ObjectTracker, looks_at_pictures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    import polars

    from vidlstm.structures import Detections, Frame
    from vidlstm.tracking.detector import Detector
    from vidlstm.tracking.tracker import Tracked
    from vidlstm.video.reader import VideoReader


@dataclass
class VideoSummary:
    """Every frame of a video accounted for.

    Attributes:
        frames: frames that were looked at, and
        with_objects: those with an object that is tracked, and
        decoded_frames: all that the decoder gave.
        detections, tracks, rows: boxes found, objects followed, and boxes of these.
        height, width: pixels, upright.
        fps: what the container claims; None where it does not.
        first_seconds, last_seconds: times of the first and the last frame looked at.
        truncated: empty, or why the video ended before its header said.
        boxes_beyond, boxes_outside: of boxes made elsewhere, those after the last frame, and those outside
            the picture; they are left out.
    """

    height: int = 0
    width: int = 0
    fps: float | None = None
    frames: int = 0
    with_objects: int = 0
    decoded_frames: int = 0
    detections: int = 0
    tracks: int = 0
    rows: int = 0
    first_seconds: float = 0.0
    last_seconds: float = 0.0
    truncated: str = ""
    boxes_beyond: int = 0
    boxes_outside: int = 0

    def count(self, frame: Frame, found: Detections, tracked: Tracked) -> None:
        """Counts one more frame."""
        self.frames += 1
        self.detections += len(found)
        self.with_objects += bool(len(tracked.track_id_N))
        self.last_seconds = frame.timestamp_seconds

    @classmethod
    def knows(cls, record: Any) -> bool:
        """Whether a record that was read is a mapping and has every value."""
        return isinstance(record, dict) and {f.name for f in fields(cls)} <= record.keys()

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def track_video(
    open_video: Callable[[], VideoReader],
    name: str,
    source: Detector | MotBoxes,
    *,
    tracker: str = "bytetrack",
    lost_seconds: float = 1.0,
    start_confidence: float = 0.25,
    weigh_overlap: bool = True,
    batch_size: int = 0,
    timeout_seconds: float = 60.0,
    progress: Callable[[VideoSummary], None] | None = None,
) -> tuple[polars.DataFrame, VideoSummary]:
    """Tracks the objects of one video.

    Args:
        open_video: opens the video; called in another thread.
        name: of the video, for the table.
        source: a network, or boxes made elsewhere; those with identities are not tracked again.
        tracker: one of ``TRACKERS``.
        lost_seconds, start_confidence, weigh_overlap: see :class:`ObjectTracker`.
        batch_size: see :func:`detect_frames`.
        timeout_seconds: how long to wait for a frame.
        progress: told of each frame.

    Returns:
        The tracks table and what happened.

    Raises:
        VideoError: the video cannot be read, or holds no frame.
        DatasetError: boxes made elsewhere are not for this video.
    """
    builder = TableBuilder(name, {0: LABEL} if isinstance(source, MotBoxes) else source.names)
    summary, follower = VideoSummary(), None
    prepare = _nothing if isinstance(source, MotBoxes) else source.prepare
    with ReadAhead(
        open_video, prepare=prepare, pictures=looks_at_pictures(tracker), timeout_seconds=timeout_seconds
    ) as frames:
        for frame, found, tracked in _found(frames, source, batch_size):
            if follower is None:
                follower = ObjectTracker(
                    tracker,
                    lost_seconds=lost_seconds,
                    start_confidence=start_confidence,
                    weigh_overlap=weigh_overlap,
                )
                summary.height, summary.width = frame.image.shape[:2]
                summary.fps, summary.first_seconds = frames.info.claimed_fps, frame.timestamp_seconds
            tracked = tracked or follower.update(found, frame.image, frame.timestamp_seconds)
            builder.add(frame, tracked, found)
            summary.count(frame, found, tracked)
            if progress:
                progress(summary)
    if not summary.frames:
        raise VideoError(name, reason="empty")
    table = builder.table()
    summary.tracks, summary.rows = table["track_id"].n_unique(), len(table)
    summary.decoded_frames, summary.truncated = frames.decoded_frames, frames.truncated
    if isinstance(source, MotBoxes):
        summary.boxes_beyond, summary.boxes_outside = source.account(
            name, height=summary.height, width=summary.width, frames=frames.decoded_frames
        )
    return table, summary


def _nothing(image: np.ndarray) -> np.ndarray:
    return image[:0]


def _found(
    frames: ReadAhead, source: Detector | MotBoxes, batch_size: int
) -> Iterator[tuple[Frame, Detections, Tracked | None]]:
    if isinstance(source, MotBoxes):
        for frame, _ in frames:
            found, tracked = source.in_frame(frame.index, *frame.image.shape[:2])
            yield frame, found, tracked if source.has_tracks else None
    else:
        for frame, found in detect_frames(frames, source, batch_size=batch_size):
            yield frame, found, None
