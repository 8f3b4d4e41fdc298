"""What is known of a source while it is watched: its clock, its ages, and what lasts in it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from vidlstm.render.draw.object_overlay import Moment

if TYPE_CHECKING:
    from collections.abc import Callable

    from vidlstm.inference.online import Change, OnlineSegments
    from vidlstm.render.live.listener import Event
    from vidlstm.structures import PathForecast
    from vidlstm.tasks.live import Said
    from vidlstm.video.source import Shown

AGES_MS = np.concatenate([np.arange(1000), np.geomspace(1000, 3_600_000, 500)])
"""Edges of the classes that ages are counted in, milliseconds; a year of them needs no more room."""


@dataclass
class SourceReport:
    """What became of one source.

    Attributes:
        name: as it was given.
        frames: that were looked at.
        steps: those at which something was said; fewer where windows are read.
        dropped_frames: wanted frames that were dropped.
        opened: how often it was opened.
        failure: why it was given up, or nothing.
        age_p50_seconds, age_p99_seconds: from the taking of a frame to what is said of it; None for a file
            that is read as fast as it goes.
    """

    name: str
    frames: int = 0
    steps: int = 0
    dropped_frames: int = 0
    opened: int = 0
    failure: str = ""
    age_p50_seconds: float | None = None
    age_p99_seconds: float | None = None


@dataclass
class Watched:
    """What is known of a source while it is watched.

    Attributes:
        report: what is said of it at the end.
        online: makes what says when labels begin and end.
        paced: whether its frames come at their own times, so that an age means something.
        over: whether nothing more comes.
        reported: when it was last reported on, by ``time.monotonic()``.
        segments: of the whole source (None), and of each object that is not gone.
        likeliest: of the same, the likeliest label of the last step, and its probability.
        boxes: of the objects in the last frame.
        last_seconds: the time of the last frame on the source's own clock.
    """

    report: SourceReport
    online: Callable[[], OnlineSegments]
    paced: bool
    over: bool = False
    reported: float = field(default_factory=time.monotonic)
    segments: dict[int | None, OnlineSegments] = field(default_factory=dict)
    likeliest: dict[int | None, tuple[str, float]] = field(default_factory=dict)
    boxes: dict[int, np.ndarray] = field(default_factory=dict)
    _forecasts: dict[int, PathForecast] = field(default_factory=dict)
    _ages: np.ndarray = field(default_factory=lambda: np.zeros(len(AGES_MS) + 1, np.int64))
    last_seconds: float | None = None
    _last_taken: float | None = None
    _offset: float | None = None

    def seconds_of(self, item: Shown) -> float:
        """A frame's time on the source's own clock, which goes on over breaks that are short enough."""
        seconds = item.frame.timestamp_seconds
        if self._offset is None:
            self._offset = 0.0
            if self.last_seconds is not None and self._last_taken is not None:
                gap = max(item.taken_seconds - self._last_taken, 1e-3)
                self._offset = self.last_seconds + gap - seconds
        self.last_seconds, self._last_taken = seconds + self._offset, item.taken_seconds
        return self.last_seconds

    def broke_off(self, now: float) -> float:
        """For how long nothing came, when a source is opened; the clock of what comes next is another."""
        self._offset = None
        return 0.0 if self._last_taken is None else now - self._last_taken

    def forget(self) -> None:
        """What comes next has nothing before it."""
        self._last_taken = self.last_seconds = self._offset = None
        self.boxes, self._forecasts = {}, {}

    def looked(self, said: list[Said]) -> None:
        """Counts a frame, and keeps where its objects are, and will be."""
        self.report.frames += 1
        boxes = {one.track: one.box_4 for one in said if one.track is not None}
        self.boxes = {track: box_4 for track, box_4 in boxes.items() if box_4 is not None}
        self._forecasts |= {f.forecast.track_id: f.forecast for f in said if f.forecast is not None}

    def push(
        self, track: int | None, labels: tuple[str, ...], seconds: float, probabilities_K: np.ndarray
    ) -> list[Change]:
        """What is said of the source or of an object in it changes these."""
        best = int(probabilities_K.argmax())
        self.likeliest[track] = labels[best], float(probabilities_K[best])
        if track not in self.segments:
            self.segments[track] = self.online()
        return self.segments[track].push(seconds, probabilities_K)

    def end(self, track: int | None) -> list[Change]:
        """The source, or an object in it, is over."""
        self.likeliest.pop(track, None)
        if track is not None:
            self._forecasts.pop(track, None)
        segments = self.segments.pop(track, None)
        return [] if segments is None else segments.finish()

    @property
    def lasting(self) -> tuple[str, ...]:
        """The labels that have begun and are not over, of the source and of all objects."""
        return tuple(dict.fromkeys(label for one in self.segments.values() for label in one.lasting))

    @property
    def forecasts(self) -> tuple[PathForecast, ...]:
        """The last one of each object in the last frame."""
        return tuple(self._forecasts[track] for track in self.boxes if track in self._forecasts)

    def objects(self, scale: float) -> tuple[Moment, ...]:
        """Those in the last frame, boxes in pixels of a picture that is so much larger than it."""
        return tuple(
            Moment(track, scale * box_4, *self.likeliest.get(track, (None, 0.0)))
            for track, box_4 in self.boxes.items()
        )

    def answered(self, age: float | None) -> None:
        """Counts a step."""
        self.report.steps += 1
        if age is not None:
            self._ages[np.searchsorted(AGES_MS, 1000 * age)] += 1

    def age_seconds(self, share: float) -> float | None:
        """The age that this share of all answers stay below."""
        total = self._ages.sum()
        if not total:
            return None
        edge = int(np.searchsorted(np.cumsum(self._ages), share * total))
        return float(AGES_MS[min(edge, len(AGES_MS) - 1)]) / 1000

    def utc_of(self, seconds: float) -> str | None:
        """The wall time of a moment on the source's clock; None where the source has no pace of its own."""
        if not self.paced or self._last_taken is None or self.last_seconds is None:
            return None
        return utc_at(self._last_taken - (self.last_seconds - seconds))

    def heartbeat(self) -> Event:
        """What is said when nothing happens."""
        label, probability = self.likeliest.get(None) or (None, None)
        return {
            "utc": utc_at(time.monotonic()),
            "seconds": self.last_seconds,
            "label": label,
            "probability": probability,
            "steps": self.report.steps,
            "dropped_frames": self.report.dropped_frames,
            "age_p50_seconds": self.age_seconds(0.5),
            "age_p99_seconds": self.age_seconds(0.99),
        }

    def finished(self) -> SourceReport:
        """The report, with the ages."""
        self.report.age_p50_seconds = self.age_seconds(0.5)
        self.report.age_p99_seconds = self.age_seconds(0.99)
        return self.report


def told(forecast: PathForecast) -> Event:
    """What an event says of a forecast, rounded to a thousandth of its unit."""
    return {
        "seconds": forecast.moment_seconds,
        "unit": forecast.unit,
        "seconds_per_step": forecast.seconds_per_step,
        "path": forecast.path_PC.round(3).tolist(),
        "futures": [
            {"probability": round(float(share), 4), "path": mode_PC.round(3).tolist()}
            for share, mode_PC in zip(forecast.probabilities_K, forecast.modes_KPC, strict=True)
        ],
    }


def utc_at(monotonic_seconds: float) -> str:
    """The wall time of a moment on the monotonic clock, ISO 8601."""
    when = time.time() - (time.monotonic() - monotonic_seconds)
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds")
