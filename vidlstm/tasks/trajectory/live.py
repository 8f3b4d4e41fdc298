"""Where each object will be, while it is watched."""

from __future__ import annotations

from collections import deque
from math import floor
from typing import TYPE_CHECKING, Any

import numpy as np

from vidlstm.datasets.homography import on_the_ground, read_homography
from vidlstm.datasets.track_resampling import ROUNDING, resample
from vidlstm.datasets.tracks import TrackTable
from vidlstm.errors import SettingsError
from vidlstm.inference.forecast_tracks import forecast_table
from vidlstm.tasks.live import Said
from vidlstm.tasks.tracking_watcher import TrackingWatcher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidlstm.structures import Detections, PathForecast
    from vidlstm.tasks.trajectory.predictor import TrajectoryPredictor
    from vidlstm.tracking.tracker import Tracked
    from vidlstm.video.source import Shown


class TrajectoryWatcher(TrackingWatcher):
    """Forecasts every object that has been seen for long enough, at every so many steps.

    Args:
        predictor: loaded.
        sources: how many there are.

    Raises:
        SettingsError: the checkpoint is of another unit than pixels, or, with a homography, than metres.
    """

    labels = ()

    def __init__(self, predictor: TrajectoryPredictor, sources: int) -> None:
        card, settings = predictor.card, predictor.settings
        self._by_height = card.data.normalise == "height"
        _check_unit("pixels" if self._by_height else card.unit, settings.homography is not None)
        super().__init__(predictor, sources)
        self._model: Any = predictor.model
        self._card, self._every = card, settings.every or 1
        self._homography = None if settings.homography is None else read_homography(settings.homography)
        self._to_picture = predictor.to_picture()
        self._paths: dict[int, Paths] = {}
        self.how = f"of each object, a forecast every {self._every * card.seconds_per_step:.3g} s"

    def say(
        self,
        shown: Sequence[Shown],
        seconds: Sequence[float],
        tracked: Sequence[tuple[Detections, Tracked]],
    ) -> list[list[Said]]:
        """The boxes of each frame, and the forecasts that are due."""
        return [
            self._of_source(item.source, item.frame.index, now, of)
            for item, now, (_, of) in zip(shown, seconds, tracked, strict=True)
        ]

    def _of_source(self, source: int, frame: int, now: float, tracked: Tracked) -> list[Said]:
        card = self._card
        if source not in self._paths:
            self._paths[source] = Paths(card.seconds_per_step, card.data.observed, card.data.max_gap_seconds)
        paths = self._paths[source]
        paths.add(frame, now, tracked)
        step = paths.due(now)
        wanted = step is not None and (step - card.data.observed + 1) % self._every == 0
        found = {f.track_id: f for f in self._forecast(paths, step)} if wanted and step is not None else {}
        boxes = dict(zip(tracked.track_id_N.tolist(), tracked.boxes_N4, strict=True))
        away = [track for track in found if track not in boxes and track in self._seen[source]]
        return [Said(track=t, box_4=boxes.get(t), forecast=found.get(t)) for t in [*boxes, *away]]

    def _forecast(self, paths: Paths, step: int) -> list[PathForecast]:
        """The forecasts from one step."""
        table = paths.table()
        if self._homography is not None:
            table = on_the_ground(table, self._homography, tell=False)
        table = table.only(table.frames_R <= step)
        if not len(table):
            return []
        forecasts = forecast_table(
            self._model,
            table,
            observed=self._card.data.observed,
            every=step + 1,  # but for those from the last step of a track, of which this is one
            neighbours=self._card.neighbours,
            by_height=self._by_height,
        )
        return [forecast for forecast in forecasts if forecast.frame == step]

    def to_picture(self, positions: np.ndarray) -> np.ndarray:
        """Pixels of the frame; see :meth:`Watcher.to_picture`."""
        if self._to_picture is None:
            return positions
        pixels: np.ndarray = self._to_picture(positions)
        return pixels

    def forget(self, source: int) -> None:
        """Whoever comes next was never seen before."""
        super().forget(source)
        self._paths.pop(source, None)

    def forget_track(self, source: int, track: int) -> None:
        """Its rows grow old by themselves."""


def _check_unit(trained: str, on_the_ground: bool) -> None:
    unit = "metres" if on_the_ground else "pixels"
    if trained == unit:
        return
    remedy = "give `homography FILE`, pixels to metres" if trained == "metres" else "leave `homography` out"
    raise SettingsError(f"the checkpoint forecasts in {trained}, and these tracks are in {unit}; {remedy}")


class Paths:
    """The rows of the last seconds of one source, and the steps that have passed.

    Args:
        step_seconds: from step to step, counted from the first row of all.
        observed: steps that a forecast sees.
        max_gap_seconds: see :func:`~vidlstm.datasets.track_resampling.resample`.
    """

    def __init__(self, step_seconds: float, observed: int, max_gap_seconds: float) -> None:
        self._step, self._gap = step_seconds, max_gap_seconds
        self._keep = (observed + 2) * step_seconds + max_gap_seconds
        self._rows: deque[tuple[int, float, np.ndarray, np.ndarray]] = deque()
        self._start: float | None = None
        self._passed = -1

    def add(self, frame: int, seconds: float, tracked: Tracked) -> None:
        """Takes the objects of the next frame, and drops the oldest."""
        if len(tracked.track_id_N):
            self._start = seconds if self._start is None else self._start
            self._rows.append((frame, seconds, tracked.track_id_N, tracked.boxes_N4.astype(np.float64)))
        while self._rows and seconds - self._rows[0][1] > self._keep:
            self._rows.popleft()

    def due(self, seconds: float) -> int | None:
        """The last step up to now, where it was not asked for yet."""
        if self._start is None:
            return None
        step = floor((seconds - self._start) / self._step + ROUNDING)
        if step <= self._passed:
            return None
        self._passed = step
        return step

    def table(self) -> TrackTable:
        """Boxes (centre x, centre y, width, height) in pixels at steps, as of a whole video."""
        counts = [len(ids) for _, _, ids, _ in self._rows]
        ids_R = np.concatenate([ids for _, _, ids, _ in self._rows] or [np.zeros(0, np.int64)])
        boxes_R4 = np.concatenate([boxes for _, _, _, boxes in self._rows] or [np.zeros((0, 4))])
        frames_R = np.repeat(np.array([frame for frame, _, _, _ in self._rows], np.int64), counts)
        seconds_R = np.repeat(np.array([seconds for _, seconds, _, _ in self._rows], np.float64), counts)
        order = np.lexsort((seconds_R, ids_R))
        low_R2, high_R2 = boxes_R4[order, :2], boxes_R4[order, 2:]
        centres = np.concatenate([(low_R2 + high_R2) / 2, high_R2 - low_R2], axis=1)
        table = TrackTable("a live source", frames_R[order], ids_R[order], centres, "pixels", 1, self._step)
        return resample(
            table,
            seconds_R[order],
            step_seconds=self._step,
            max_gap_seconds=self._gap,
            start_seconds=self._start,
        )
