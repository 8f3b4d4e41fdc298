"""What predictors share that find and follow objects before they say anything of them."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vidlstm.devices import resolve_device
from vidlstm.errors import SettingsError
from vidlstm.tasks.predictor import Predictor, Work, rate_of
from vidlstm.tracking.engines import NO_SOURCE, detector_of, track_source
from vidlstm.tracking.mot_boxes import MotBoxes, read_mot_boxes
from vidlstm.tracking.run import TrackingReport, track_videos
from vidlstm.video.arrays import NAME
from vidlstm.video.reader import open_video

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars

    from vidlstm.cards import Card
    from vidlstm.settings import PredictSettings
    from vidlstm.tracking.detector import Detector
    from vidlstm.tracking.track_video import VideoSummary

TRACKS = "tracks.parquet"
"""The table of many videos, in the folder of their outputs."""


class TrackingPredictor(Predictor):
    """Tracks with the network that ``settings.tracking.weights`` names, loaded when it is first wanted.

    One video is tracked at a time, however many threads ask.

    Args:
        path, card, settings: see :class:`Predictor`.
        device: None takes a GPU where there is one.
    """

    def __init__(
        self, path: Path, card: Card, settings: PredictSettings, *, device: str | None = None
    ) -> None:
        super().__init__(path, card, settings)
        self.device = device
        self._detector: Detector | None = None
        self._one_at_a_time = threading.Lock()

    def track(
        self, source: str | Path | np.ndarray, fps: float | None
    ) -> tuple[str, Path | np.ndarray, float | None, polars.DataFrame, VideoSummary]:
        """Tracks one video here and now.

        Args:
            source: a file, a folder of images, or frames in memory.
            fps: the rate of images and frames.

        Returns:
            Its name in the table, the video, its rate where it has no clock, the table, and what happened.
        """
        video = source if isinstance(source, np.ndarray) else Path(source)
        name, rate = (NAME, rate_of(fps)) if isinstance(video, np.ndarray) else (str(source), fps)
        tracking = self.settings.tracking
        self._check_source()
        with self._one_at_a_time:
            self._detector = self._detector or detector_of(tracking, resolve_device(self.device))
            table, summary = track_source(video, name, self._detector, tracking, image_fps=rate)
        return name, video, rate, table, summary

    def track_all(self, inputs: Sequence[Path], work: Work) -> tuple[TrackingReport, polars.DataFrame]:
        """Tracks many videos into one table, ``TRACKS`` in ``work.out``, which takes files and failures."""
        self._check_source()
        report, _, table = track_videos(
            self.reads(inputs),
            out=work.out / TRACKS,
            settings=self.settings.tracking,
            device=self.device,
            engine=work.engine,
            address=work.address,
            progress=work.progress.tracking if work.progress else None,
        )
        work.files += report.files
        work.failures += report.failures
        return report, table

    def source_hint(self) -> str:
        """What is known of the network that found the objects of the training, for a message."""
        return ""

    def _check_source(self) -> None:
        tracking = self.settings.tracking
        if tracking.weights is None and not tracking.boxes:
            raise SettingsError(f"{NO_SOURCE}{self.source_hint()}", setting="weights")

    def boxes(self) -> Detector | list[MotBoxes]:
        """What finds objects in sources: the network, or boxes made elsewhere, a file a source.

        Raises:
            SettingsError: neither is given.
            DatasetError: boxes cannot be read.
        """
        tracking = self.settings.tracking
        self._check_source()
        if tracking.boxes:
            return [read_mot_boxes(path) for path in tracking.boxes]
        with self._one_at_a_time:
            self._detector = self._detector or detector_of(tracking, resolve_device(self.device))
        return self._detector

    def open_video(self) -> Any:
        """What opens a video of a prediction as it was tracked."""
        tracking = self.settings.tracking
        return partial(open_video, decoder=tracking.decoder, image_fps=tracking.image_fps)
