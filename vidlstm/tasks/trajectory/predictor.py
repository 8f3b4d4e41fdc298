"""A forecaster: tracks tables and videos to where each object will be."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars

from vidlstm.datasets.homography import project, read_homography
from vidlstm.devices import resolve_device
from vidlstm.errors import SettingsError
from vidlstm.files import held
from vidlstm.render.sinks import Material
from vidlstm.tasks.predictor import Outcome, Work
from vidlstm.tasks.tracking_predictor import TRACKS, TrackingPredictor
from vidlstm.tasks.trajectory.forecasts import forecast_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vidlstm.cards import TrajectoryCard
    from vidlstm.settings import PredictSettings
    from vidlstm.structures import FeatureSequence, TrackForecasts
    from vidlstm.tasks.base import Trained
    from vidlstm.tasks.live import Watcher

TABLE = ".parquet"
OF_TABLES, OF_VIDEOS = ("parquet", "csv", "json", "png"), ("parquet", "csv", "json", "mp4")
"""What is written where no outputs are asked for."""


class TrajectoryPredictor(TrackingPredictor):
    """Says where each tracked object will be.

    ``predict`` takes tracks tables (Parquet), videos and frames, and gives
    :class:`~vidlstm.structures.TrackForecasts`. In videos and frames the objects are found and followed with
    the network that ``settings.tracking.weights`` names, one video at a time, however many threads ask.

    Args:
        trained: the checkpoint.
        settings: how it is used.
        device: None takes a GPU where there is one.
    """

    kind = "forecast"
    card: TrajectoryCard

    def __init__(
        self, trained: Trained[TrajectoryCard], settings: PredictSettings, *, device: str | None = None
    ) -> None:
        super().__init__(trained.path, trained.card, settings, device=device)
        self.model: Any = trained.model.to(resolve_device(device))

    def predict(
        self, source: str | Path | np.ndarray | FeatureSequence, *, fps: float | None = None
    ) -> TrackForecasts:
        """Predicts one table or video; see :meth:`Predictor.predict`. Features are of no use here."""
        if not isinstance(source, str | Path | np.ndarray):
            raise ValueError("a forecaster takes tracks tables, videos and frames, not features")
        if not isinstance(source, np.ndarray) and Path(source).suffix == TABLE:
            return self._forecast(Path(source), self.settings.every)
        _, _, _, table, _ = self.track(source, fps)
        with tempfile.TemporaryDirectory() as folder:
            tracks = Path(folder) / TRACKS
            table.write_parquet(tracks)
            return self._forecast(tracks, self.settings.every or 1)

    def _forecast(self, tracks: Path, every: int | None) -> TrackForecasts:
        # A copy: reading tracks of another unit changes the model's.
        return forecast_all(
            copy.deepcopy(self.model),
            self.card,
            tracks,
            every=every,
            homography=self.settings.homography,
        )

    def reads(self, inputs: Sequence[Path]) -> list[Path]:
        """Videos; or a table and its ledger.

        Raises:
            SettingsError: more than one table.
        """
        if inputs[0].suffix != TABLE:
            return super().reads(inputs)
        if len(inputs) > 1:
            raise SettingsError("give one tracks table; it may hold several videos")
        return [inputs[0], inputs[0].with_suffix(".json")]

    def stems(self, inputs: Sequence[Path], out: Path) -> dict[Path, Path]:
        """One for a table, one for all videos together."""
        name = inputs[0].stem if inputs[0].suffix == TABLE else "forecasts"
        return dict.fromkeys(self.reads(inputs), out / name)

    def outcomes(self, inputs: Sequence[Path], work: Work) -> Iterator[Outcome]:
        """Forecasts of one table, or of many videos together; see :meth:`Predictor.outcomes`."""
        if inputs[0].suffix != TABLE:
            yield self._of_videos(inputs, work)
            return
        found = self._forecast(inputs[0], self.settings.every)
        tracks = polars.read_parquet(inputs[0])
        material = Material(open_video=self.open_video(), tracks=tracks, to_picture=self.to_picture())
        yield Outcome(found, self.stems(inputs, work.out)[inputs[0]], material, OF_TABLES)

    def _of_videos(self, inputs: Sequence[Path], work: Work) -> Outcome:
        with held(work.out / TRACKS):
            report, table = self.track_all(inputs, work)
            found = self._forecast(work.out / TRACKS, self.settings.every or 1)
        material = Material(
            open_video=self.open_video(),
            tracks=table,
            fps={record["video"]: record["fps"] for record in report.videos},
            to_picture=self.to_picture(),
            modes_in_text=False,
        )
        return Outcome(found, work.out / "forecasts", material, OF_VIDEOS)

    def watcher(self, sources: int) -> Watcher:
        """What follows the objects of many sources; see :meth:`Predictor.watcher`."""
        from vidlstm.tasks.trajectory.live import TrajectoryWatcher

        return TrajectoryWatcher(self, sources)

    def to_picture(self) -> Any:
        """What takes positions in metres to pixels; None where they are in pixels."""
        if self.settings.homography is None:
            return None
        back = np.linalg.inv(read_homography(self.settings.homography))
        return lambda positions: project(positions, back)
