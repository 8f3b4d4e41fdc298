"""Which frames to take: pure rational arithmetic on timestamps. Knows no decoder and no file."""

from __future__ import annotations

import math
from fractions import Fraction

TOLERANCE_SECONDS = Fraction(2, 1000)
"""How early a frame may come and still open its slot: a container that counts in milliseconds rounds."""


def slot_of(timestamp_seconds: float, start_seconds: float, fps: float) -> int:
    """The number of the slot, ``1 / fps`` seconds long and counted from the start, that a time falls in.

    A slot begins ``TOLERANCE_SECONDS`` early, though never by more than a quarter of its length, so that a
    frame whose time was rounded down stays in its own slot. At 10 slots a second, from a start at 8.0 s::

        seconds   8.00   8.05   8.097   8.099   8.10   8.15   8.25
        slot         0      0       0       1      1      1      2

    Raises:
        ValueError: for a rate that is not positive and finite.
    """
    if not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"fps must be positive, not {fps}")
    rate = Fraction(fps)
    slots = (Fraction(timestamp_seconds) - Fraction(start_seconds)) * rate
    return math.floor(slots + min(TOLERANCE_SECONDS * rate, Fraction(1, 4)))


class SteadySampler:
    """Takes frames at a steady rate: the first of each slot. Made to be ``open_video``'s ``wanted``.

    The first frame seen starts the clock. A video slower than ``fps`` gives every frame, each once; a gap
    in the video leaves a gap in what is taken. A video of 25 frames a second at ``fps=10``::

        frame    0     1     2     3     4     5     6     7     8     9    10
        second   .00   .04   .08   .12   .16   .20   .24   .28   .32   .36   .40
        slot     0     0     0     1     1     2     2     2     3     3     4
        taken    x                 x           x                 x           x

    >>> taken = SteadySampler(fps=10)
    >>> [frame for frame in range(11) if taken(0.04 * frame)]
    [0, 3, 5, 8, 10]
    """

    def __init__(self, fps: float) -> None:
        if not (math.isfinite(fps) and fps > 0):
            raise ValueError(f"fps must be positive, not {fps}")
        self.fps = fps
        self._start_seconds: float | None = None
        self._last_slot = -1

    def __call__(self, timestamp_seconds: float) -> bool:
        """Whether the frame at this time is taken; to be asked once per frame, in time order."""
        if self._start_seconds is None:
            self._start_seconds = timestamp_seconds
        slot = slot_of(timestamp_seconds, self._start_seconds, self.fps)
        if slot <= self._last_slot:
            return False
        self._last_slot = slot
        return True
