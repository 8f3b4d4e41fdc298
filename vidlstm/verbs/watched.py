"""What is known of a source while it is watched: its clock, its ages, and what lasts in it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from vidlstm.inference.online import OnlineSegments
    from vidlstm.render.live.listener import Event
    from vidlstm.video.source import Shown

AGES_MS = np.concatenate([np.arange(1000), np.geomspace(1000, 3_600_000, 500)])
"""Edges of the classes that ages are counted in, milliseconds; a year of them needs no more room."""


@dataclass
class SourceReport:
    """What became of one source.

    Attributes:
        name: as it was given.
        steps: frames that something was said of.
        dropped_frames: wanted frames that were dropped.
        opened: how often it was opened.
        failure: why it was given up, or nothing.
        age_p50_seconds, age_p99_seconds: from the taking of a frame to what is said of it; None for a file
            that is read as fast as it goes.
    """

    name: str
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
        segments: what lasts.
        paced: whether its frames come at their own times, so that an age means something.
        over: whether nothing more comes.
        reported: when it was last reported on, by ``time.monotonic()``.
        likeliest: the likeliest label of the last step, and its probability.
    """

    report: SourceReport
    segments: OnlineSegments
    paced: bool
    over: bool = False
    reported: float = field(default_factory=time.monotonic)
    likeliest: tuple[str, float] | None = None
    _ages: np.ndarray = field(default_factory=lambda: np.zeros(len(AGES_MS) + 1, np.int64))
    _last_taken: float | None = None
    _last_seconds: float | None = None
    _offset: float | None = None

    def seconds_of(self, item: Shown) -> float:
        """A frame's time on the source's own clock, which goes on over breaks that are short enough."""
        seconds = item.frame.timestamp_seconds
        if self._offset is None:
            self._offset = 0.0
            if self._last_seconds is not None and self._last_taken is not None:
                gap = max(item.taken_seconds - self._last_taken, 1e-3)
                self._offset = self._last_seconds + gap - seconds
        self._last_seconds, self._last_taken = seconds + self._offset, item.taken_seconds
        return self._last_seconds

    def broke_off(self, now: float) -> float:
        """For how long nothing came, when a source is opened; the clock of what comes next is another."""
        self._offset = None
        return 0.0 if self._last_taken is None else now - self._last_taken

    def forget(self) -> None:
        """What comes next has nothing before it."""
        self._last_taken = self._last_seconds = self._offset = None

    def answered(self, labels: tuple[str, ...], probabilities_K: np.ndarray, age: float | None) -> None:
        """Counts a step."""
        self.report.steps += 1
        best = int(probabilities_K.argmax())
        self.likeliest = labels[best], float(probabilities_K[best])
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
        if not self.paced or self._last_taken is None or self._last_seconds is None:
            return None
        return utc_at(self._last_taken - (self._last_seconds - seconds))

    def heartbeat(self) -> Event:
        """What is said when nothing happens."""
        label, probability = self.likeliest or (None, None)
        return {
            "utc": utc_at(time.monotonic()),
            "seconds": self._last_seconds,
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


def utc_at(monotonic_seconds: float) -> str:
    """The wall time of a moment on the monotonic clock, ISO 8601."""
    when = time.time() - (time.monotonic() - monotonic_seconds)
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds")
