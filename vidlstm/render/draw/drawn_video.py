"""A video made of what is drawn for each frame of another, at the frames' own times."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from vidlstm.errors import VideoError
from vidlstm.video.writer import VideoWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    import numpy as np

    from vidlstm.structures import Frame


def first_of(frames: Iterable[Frame], video: str) -> tuple[Frame, Iterator[Frame]]:
    """The first frame, for its size, and an iterator over all of them.

    Raises:
        VideoError: there is no frame.
    """
    stream = iter(frames)
    first = next(stream, None)
    if first is None:
        raise VideoError(video, reason="empty")
    return first, chain([first], stream)


def write_drawn(
    frames: Iterable[Frame],
    draw: Callable[[Frame], np.ndarray],
    path: str | Path,
    *,
    fps: float,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Writes what ``draw`` makes of each frame, at the frame's own time. One frame is held at a time.

    Args:
        frames: of the video; the first is at 0 s in the new file.
        draw: a frame to an RGB uint8 picture; all of one size.
        path: the MP4 file.
        fps: the rate that the file claims; the frames keep their own times.
        progress: called with the number of frames written, after each.

    Returns:
        How many frames were written.

    Raises:
        VideoError: there is no frame, or the file cannot be written.
    """
    drawn = ((draw(frame), frame.timestamp_seconds) for frame in frames)
    first = next(drawn, None)
    if first is None:
        raise VideoError(path, reason="unwritable", detail="there is no frame to draw on")
    height, width = first[0].shape[:2]
    with VideoWriter(path, fps=fps, height=height, width=width) as writer:
        for image, seconds in chain([first], drawn):
            writer.write(image, seconds - first[1])
            if progress:
                progress(writer.written_frames)
    return writer.written_frames
