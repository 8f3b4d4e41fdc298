"""What outputs may show beside the prediction itself."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import wraps
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from vidlstm.render.names import with_ending

if TYPE_CHECKING:
    import polars

    from vidlstm.structures import Frame, Segment
    from vidlstm.video.reader import VideoReader


LARGEST = 1920
"""Of the longer side of a picture that is drawn on, pixels: an encoder holds dozens of them."""
_LOOKED_AT = 9
"""So many frames say how far apart they are."""


@dataclass
class DrawingReport:
    """How many frames of a video have been drawn on so far."""

    video: str
    frames: int = 0


class Footage:
    """The frames of a video, to be drawn on: read once, none larger than :data:`LARGEST`.

    Args:
        reader: of the video.
        video: its name.
        progress: told after each frame, with the number of frames expected.

    Attributes:
        scale: pixels here for one of the video; at most 1.
        fps: from the median step between the first frames, for headers may claim anything; None of one frame.
    """

    def __init__(
        self, reader: VideoReader, video: str, progress: Callable[[DrawingReport, int], None] | None
    ) -> None:
        height, width = reader.info.height, reader.info.width
        self.scale = min(1.0, LARGEST / max(height, width, 1))
        if self.scale < 1:
            self._size = max(1, round(width * self.scale)), max(1, round(height * self.scale))
            drawn = "{} x {}".format(*self._size)
            warnings.warn(
                f"{video}: its frames of {width} x {height} pixels are drawn at {drawn}", stacklevel=5
            )
        self._report, self._tell = DrawingReport(video), progress or (lambda report, expected: None)
        frames = map(self._shrunk, reader)
        first = list(islice(frames, _LOOKED_AT))
        steps = np.diff([frame.timestamp_seconds for frame in first])
        self.fps = 1 / float(np.median(steps)) if len(steps) and np.median(steps) > 0 else None
        self._frames, self._info = chain(first, frames), reader.info

    def _shrunk(self, frame: Frame) -> Frame:
        if self.scale == 1:
            return frame
        return replace(frame, image=cv2.resize(frame.image, self._size, interpolation=cv2.INTER_AREA))

    def expected(self) -> int:
        """How many frames the header leads one to expect; 0 where it does not say."""
        seconds = self._info.claimed_duration_seconds or 0.0
        return self._info.claimed_frames or round(min(seconds * (self.fps or 0.0), 1e12))

    def __iter__(self) -> Iterator[Frame]:
        expected = self.expected()
        for frame in self._frames:
            yield frame
            self._report.frames += 1
            self._tell(self._report, max(expected, self._report.frames + 1) if expected else 0)
        self._tell(self._report, self._report.frames)


@dataclass(frozen=True, eq=False)
class Material:
    """What outputs may show beside the prediction itself.

    Attributes:
        open_video: opens a video to draw on; wanted by every ``mp4``.
        truth: true segments, drawn beside the predicted ones.
        tracks: rows of the tracks table, of one or more videos; wanted by the ``mp4`` of objects.
        fps: rate of each video by its name, for one whose frames do not say it. Forecasts are drawn on every
            video named here, with or without objects.
        to_picture: positions ``(..., 2)`` of forecasts to pixels; None leaves them.
        modes_in_text: give the CSV and JSON of forecasts the K futures, too; of a whole video they would be
            hundreds of megabytes.
        progress: told after each frame that is drawn, with the number of frames expected; 0 is not known.
    """

    open_video: Callable[[str], AbstractContextManager[VideoReader]] | None = None
    truth: tuple[Segment, ...] | None = None
    tracks: polars.DataFrame | None = None
    fps: Mapping[str, float | None] = field(default_factory=dict)
    to_picture: Callable[[np.ndarray], np.ndarray] | None = None
    modes_in_text: bool = True
    progress: Callable[[DrawingReport, int], None] | None = None

    @contextmanager
    def footage(self, video: str) -> Iterator[tuple[Footage, float]]:
        """The frames of a video file, and the rate for a file that is drawn of it.

        Warns:
            UserWarning: frames are larger than :data:`LARGEST` and are made smaller.

        Raises:
            VideoError: it cannot be opened.
            ValueError: there is no ``open_video``.
        """
        if self.open_video is None:
            raise ValueError("a video to draw on is wanted: Material(open_video=...)")
        # A file's name, never an address: names come out of tables that others made.
        with self.open_video(str(Path(video))) as reader:
            footage = Footage(reader, video, self.progress)
            rate = footage.fps or self.fps.get(video) or reader.info.claimed_fps or 25.0
            yield footage, min(max(rate, 0.001), 1000.0)

    def rows(self, video: str, scale: float = 1.0) -> polars.DataFrame:
        """The tracks of a video, their boxes in pixels of its :class:`Footage`.

        Raises:
            ValueError: there is no tracks table.
        """
        if self.tracks is None:
            raise ValueError("boxes to draw are wanted: Material(tracks=...)")
        found = self.tracks.filter(self.tracks["video"] == video)
        return found.with_columns(**{name: found[name] * scale for name in ("x1", "y1", "x2", "y2")})


Sink = Callable[[Any, Path, Material], list[Path]]
"""Writes one output of a prediction: ``(prediction, stem, material)`` to the files written."""


def one_file(suffix: str) -> Callable[[Callable[[Any, Path, Material], None]], Sink]:
    """Makes a sink that writes ``<stem>.<suffix>`` of a function ``(prediction, path, material)``."""

    def decorate(write: Callable[[Any, Path, Material], None]) -> Sink:
        @wraps(write)
        def sink(prediction: Any, stem: Path, material: Material) -> list[Path]:
            path = with_ending(stem, f".{suffix}")
            write(prediction, path, material)
            return [path]

        return sink

    return decorate


def write_all(jobs: Iterable[Callable[[], list[Path]]]) -> list[Path]:
    """Runs every job, and only then raises the first error, with all that was written in its ``written``.

    Raises:
        Exception: the first that a job raised, of whatever kind: outputs may come from outside the package.
    """
    written: list[Path] = []
    errors: list[Any] = []
    for job in jobs:
        try:
            written += job()
        except Exception as error:  # noqa: BLE001 - raised below
            written += getattr(error, "written", ())
            errors.append(error)
    if errors:
        with suppress(AttributeError):  # one that takes no attributes
            errors[0].written = tuple(written)
        raise errors[0]
    return written
