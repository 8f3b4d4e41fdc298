"""Timestamps that always rise and never leap, whatever the container says."""

from __future__ import annotations

import math

MOST_APART_SECONDS = 3600.0
"""No frame follows another later than this: the container's clock has jumped."""

MOST_BACK_SECONDS = 1.0
"""A time this much before the last one is out of order or given twice; further back, the clock has jumped."""

LATEST_SECONDS = 1e11
"""No video begins later than this: 3000 years, and still exact to some microseconds."""


class Clock:
    """Passes the container's times on, and mends those that are missing, do not rise, or jump.

    The rule: a time that is missing, not finite, or not later than the one before it becomes the time
    before it plus one frame at the claimed rate (25 per second where none is claimed, or an absurd one);
    the first becomes ``start_seconds``. Good times that follow are passed on unchanged again, as soon as
    they are later than the mended ones.

    At 10 frames per second::

        container  0.0  0.1  -    0.3  0.2  0.5
        given out  0.0  0.1  0.2  0.3  0.4  0.5

    The same becomes of a time at a jump: more than ``MOST_APART_SECONDS`` ahead, or more than
    ``MOST_BACK_SECONDS`` back. Where the next frames go on from it, the clock was set anew, and they are
    counted on; where they go on as before, one frame was stamped wrongly::

        container  0.0  0.1  7e9  7e9+0.1  7e9+0.3        0.0  0.1  7e9  0.3
        given out  0.0  0.1  0.2  0.3      0.5            0.0  0.1  0.2  0.3

    Attributes:
        last_seconds: the time given out last; None before the first.
        furthest_seconds: the latest time that the container or this clock gave.
        jumps: how often the container's clock jumped.
        first_jump: from where to where, on the container's clock, in seconds.
    """

    def __init__(self, fps: float | None, start_seconds: float = 0.0) -> None:
        self.last_seconds: float | None = None
        self.furthest_seconds = -math.inf
        self.jumps, self.first_jump = 0, (0.0, 0.0)
        self._start = start_seconds if abs(start_seconds) < LATEST_SECONDS else 0.0
        self._step = 1 / fps if fps and 1 / MOST_APART_SECONDS <= fps < 1e6 else 0.04
        # What is taken off the container's times, now and perhaps since the last jump.
        self._offset = self._next_offset = 0.0

    def tick(self, seconds: float | None) -> float:
        """The time to give out for the next frame, in seconds; later than every one before."""
        usable = seconds if seconds is not None and math.isfinite(seconds) else None
        if self.last_seconds is not None:
            now = self._after(self.last_seconds, usable)
        else:
            now = self._start if usable is None or abs(usable) >= LATEST_SECONDS else usable
        self.last_seconds = now
        self.furthest_seconds = max(self.furthest_seconds, now, -math.inf if usable is None else usable)
        return now

    def _after(self, last: float, seconds: float | None) -> float:
        mended = max(last + self._step, math.nextafter(last, math.inf))
        if seconds is None:
            return mended
        for offset in (self._offset, self._next_offset):
            if last < seconds - offset <= last + MOST_APART_SECONDS:
                self._offset = self._next_offset = offset
                return seconds - offset
        if not 0 <= last - (seconds - self._offset) <= MOST_BACK_SECONDS:
            if not self.jumps:
                self.first_jump = (last + self._offset, seconds)
            self.jumps += 1
            self._next_offset = seconds - mended
        return mended
