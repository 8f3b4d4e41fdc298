"""What outputs may show beside the prediction itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidlstm.render.names import with_ending

if TYPE_CHECKING:
    import numpy as np
    import polars

    from vidlstm.render.footage import DrawingReport, Footage
    from vidlstm.structures import Segment
    from vidlstm.video.reader import VideoReader


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
            UserWarning: frames are larger than :data:`~vidlstm.render.footage.LARGEST` and are made smaller.

        Raises:
            VideoError: it cannot be opened.
            ValueError: there is no ``open_video``.
        """
        if self.open_video is None:
            raise ValueError("a video to draw on is wanted: Material(open_video=...)")
        from vidlstm.render.footage import Footage

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
