"""Timestamps that always rise, whatever the container says."""

from __future__ import annotations

import math


class Clock:
    """Passes the container's times on, and mends those that are missing or do not rise.

    The rule: a time that is missing, not finite, or not later than the one before it becomes the time
    before it plus one frame at the claimed rate (25 per second where none is claimed, or an absurd one);
    the first becomes ``start_seconds``. Good times that follow are passed on unchanged again, as soon as
    they are later than the mended ones.

    At 10 frames per second::

        container  0.0  0.1  -    0.3  0.2  0.5
        given out  0.0  0.1  0.2  0.3  0.4  0.5
    """

    def __init__(self, fps: float | None, start_seconds: float = 0.0) -> None:
        self.last_seconds: float | None = None
        self._start = start_seconds
        self._step = 1 / fps if fps and 1e-6 < fps < 1e6 else 0.04

    def tick(self, seconds: float | None) -> float:
        """The time to give out for the next frame, in seconds; later than every one before."""
        last = self.last_seconds
        usable = seconds if seconds is not None and math.isfinite(seconds) else None
        if last is None:
            now = self._start if usable is None else usable
        elif usable is not None and usable > last:
            now = usable
        else:
            now = max(last + self._step, math.nextafter(last, math.inf))
        self.last_seconds = now
        return now
