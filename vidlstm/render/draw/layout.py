"""Where things stand in an annotated frame: plain arithmetic, all of it from the size of the video."""

from __future__ import annotations

from dataclasses import dataclass

SMALLEST_HEIGHT = 360
"""Smaller videos are enlarged to this many rows, so that letters beside them can be read."""

_WIDEST = 1920  # a flat, wide video is not enlarged beyond this
BARS = 5
"""So many classes have a bar."""


def _even(value: float) -> int:
    return round(value / 2) * 2


@dataclass(frozen=True)
class Layout:
    r"""Pixels of an annotated frame: the video above, a panel below, which hides nothing of it.

    ::

        +--------------------------+
        |          video           |  video_height, centred in width
        +--------------------------+
        | label        a ####      |
        | probability  b ##        |  bars: one row a class
        | time         c #         |
        | [timeline, with a playhead]|
        | key                      |
        +--------------------------+

    Attributes:
        width, height: of the whole frame; even, as H.264 wants.
        video_left, video_width, video_height: of the enlarged video.
        unit: the height of one row of letters; everything in the panel is a multiple of it.
        bars: how many probability bars.
        strips: how many timelines: 1, or 2 with the truth; more where segments overlap.
        key_rows: lines of small letters at the foot, which explain it.
    """

    width: int
    height: int
    video_left: int
    video_width: int
    video_height: int
    unit: int
    bars: int
    strips: int
    key_rows: int = 0

    @property
    def margin(self) -> int:
        """Free space at the left and right."""
        return self.unit

    @property
    def font(self) -> int:
        """Size of ordinary letters."""
        return max(9, round(self.unit * 0.8))

    @property
    def small(self) -> int:
        """Size of small letters."""
        return max(8, round(self.unit * 0.62))

    @property
    def key_top(self) -> int:
        """The first line of the key."""
        return self.strips_top + self.strips * self.strip_step + round(1.2 * self.unit)

    @property
    def bars_left(self) -> int:
        """Where the bars' block begins."""
        return round(self.width * 0.42)

    @property
    def bars_top(self) -> int:
        """The first bar's row."""
        return self.video_height + self.unit // 2

    @property
    def strips_top(self) -> int:
        """The first timeline."""
        return self.bars_top + round((BARS + 0.75) * self.unit * 1.1)

    @property
    def strip_height(self) -> int:
        """Of one timeline."""
        return round(self.unit * 1.15)

    @property
    def strip_step(self) -> int:
        """From one timeline to the next."""
        return self.strip_height + max(2, self.unit // 6)

    @property
    def strip_left(self) -> int:
        """Where time 0 of the timelines is; the names of the strips stand to the left when there are two."""
        return self.margin + (round(self.unit * 3.6) if self.strips > 1 else 0)

    @property
    def strip_width(self) -> int:
        """Of the timelines."""
        return self.width - self.margin - self.strip_left


def lay_out(height: int, width: int, *, classes: int, strips: int = 1, key_rows: int = 0) -> Layout:
    """Places everything for a video of ``height`` x ``width`` pixels.

    Args:
        height, width: of the video, pixels.
        classes: K.
        strips: how many timelines.
        key_rows: lines at the foot.
    """
    scale = max(1.0, min(SMALLEST_HEIGHT / height, _WIDEST / width))
    video_height, video_width = _even(height * scale), _even(width * scale)
    unit = max(15, round(min(video_height, video_width * 0.9) / 24))
    whole_width = _even(max(video_width, 30 * unit))
    draft = Layout(
        whole_width,
        0,
        (whole_width - video_width) // 2,
        video_width,
        video_height,
        unit,
        min(BARS, classes),
        strips,
        key_rows,
    )
    bottom = draft.key_top + key_rows * unit + round(0.3 * unit)
    return Layout(**{**draft.__dict__, "height": _even(bottom)})
