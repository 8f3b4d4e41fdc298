"""The small parts under the readers: the clock, the sizes, the rule for what is truncated."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidlstm.structures import FrameSize, VideoInfo
from vidlstm.video.base import Picture, VideoReader
from vidlstm.video.clock import MOST_APART_SECONDS, Clock
from vidlstm.video.fitting import GREY, finished, scaled_size, turn_of

sides = st.integers(1, 5000)


def ticked(times: list[float | None], fps: float | None = 10, start: float = 0.0) -> list[float]:
    clock = Clock(fps, start)
    return [clock.tick(t) for t in times]


def test_the_clocks_drawn_example() -> None:
    assert ticked([0.0, 0.1, None, 0.3, 0.2, 0.5]) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])


def test_without_times_frames_follow_the_claimed_rate() -> None:
    assert ticked([None] * 3, 10, 5.0) == pytest.approx([5.0, 5.1, 5.2])
    assert ticked([None, math.nan, math.inf], None) == pytest.approx([0, 0.04, 0.08])


ticks = st.none() | st.floats(-1e18, 1e18) | st.floats(0, 100) | st.sampled_from([math.nan, math.inf, 1e308])


@given(st.lists(ticks, max_size=30), st.none() | st.floats())
def test_times_always_rise_and_are_bounded_by_the_number_of_frames(
    times: list[float | None], fps: float | None
) -> None:
    got = ticked(times, fps)
    assert all(a < b for a, b in pairwise(got)) and all(map(math.isfinite, got))
    assert all(b - a <= MOST_APART_SECONDS for a, b in pairwise(got))


@given(st.lists(st.floats(0.001, MOST_APART_SECONDS - 1), max_size=30), st.floats(-1e6, 1e9))
def test_times_that_rise_pass_unchanged(steps: list[float], start: float) -> None:
    times = [start + sum(steps[:n]) for n in range(len(steps) + 1)]
    assert ticked(list(times), 10) == times


@pytest.mark.parametrize(
    ("times", "given_out", "jumps"),
    [
        ([0, 0.1, 37_600, 0.3, 0.4], [0, 0.1, 0.2, 0.3, 0.4], 1),  # one frame is stamped far ahead
        ([0, 1.7e9, 1.7e9 + 0.1, 1.7e9 + 0.4], [0, 0.1, 0.2, 0.5], 1),  # it is set to the time of day
        ([5, 5.1, 0, 0.1, 0.4], [5, 5.1, 5.2, 5.3, 5.6], 1),  # it begins anew
        ([0, 0.1, 100, 0.3, 0.4, 0.7], [0, 0.1, 100, 100.1, 100.2, 100.5], 1),  # too near to be told at once
        ([0, 0.1, 7e9, 7e9 + 0.1, 0.4, 0.5], [0, 0.1, 0.2, 0.3, 0.4, 0.5], 2),  # and back
        ([0, 600, 1200], [0, 600, 1200], 0),  # a time lapse
        ([1e300, 0.1, 0.2], [0, 0.1, 0.2], 0),
        ([0.5, 0.4, 0.3, 0.9], [0.5, 0.6, 0.7, 0.9], 0),
    ],
)
def test_a_clock_that_jumps(times: list[float | None], given_out: list[float], jumps: int) -> None:
    clock = Clock(10)
    assert [clock.tick(t) for t in times] == pytest.approx(given_out)
    assert clock.jumps == jumps


@given(sides, sides, sides, sides)
def test_scaled_sizes(height: int, width: int, to_height: int, to_width: int) -> None:
    crop = scaled_size(height, width, FrameSize(to_height, to_width, "crop"))
    box = scaled_size(height, width, FrameSize(to_height, to_width, "letterbox"))
    assert crop[0] >= to_height and crop[1] >= to_width and (crop[0] == to_height or crop[1] == to_width)
    assert box[0] <= to_height and box[1] <= to_width and (box[0] == to_height or box[1] == to_width)
    for scaled in (crop, box):
        ideal = scaled[1] * height / width if scaled[1] == to_width else scaled[0] * width / height
        other = scaled[0] if scaled[1] == to_width else scaled[1]
        assert (
            abs(other - ideal) <= 0.5 + 1e-9 or other == 1 or (scaled[0], scaled[1]) == (to_height, to_width)
        )


def test_scaled_sizes_as_drawn() -> None:
    fits = ("squash", "crop", "letterbox")
    got = [scaled_size(100, 200, FrameSize(50, 50, fit)) for fit in fits]
    assert got == [(50, 50), (50, 100), (25, 50)]


@pytest.mark.parametrize(
    ("matrix", "shown"),
    [
        ((1, 0, 0, 1), [0, 1, 2, 3]),
        ((0, 1, -1, 0), [2, 0, 3, 1]),  # by a quarter clockwise
        ((-1, 0, 0, -1), [3, 2, 1, 0]),
        ((0, -1, 1, 0), [1, 3, 0, 2]),
        ((-1, 0, 0, 1), [1, 0, 3, 2]),  # mirrored left to right
        ((1, 0, 0, -1), [2, 3, 0, 1]),  # top to bottom
        ((0, 1, 1, 0), [0, 2, 1, 3]),  # along the diagonal
        ((0, -1, -1, 0), [3, 1, 2, 0]),
        ((0, 0, 0, 0), [0, 1, 2, 3]),
    ],
)
def test_every_way_a_picture_may_lie(matrix: tuple[int, ...], shown: list[int]) -> None:
    a, b, c, d = (value << 16 for value in matrix)
    quarters, mirrored = turn_of(struct.pack("9i", a, b, 0, c, d, 0, 0, 0, 1 << 30))
    lying = np.zeros((2, 2, 3), np.uint8) + np.arange(4, dtype=np.uint8).reshape(2, 2, 1)
    upright = finished(lying, quarters, None, mirrored=mirrored)
    assert upright[..., 0].ravel().tolist() == shown
    assert upright.flags.c_contiguous and turn_of(None) == (0, False)


def test_the_middle_is_cut_out_and_the_rest_padded_grey() -> None:
    wide = np.zeros((4, 8, 3), np.uint8)
    wide[:, :, 0] = np.arange(8)
    assert finished(wide, 0, FrameSize(4, 4, "crop"))[0, :, 0].tolist() == [2, 3, 4, 5]
    boxed = finished(wide, 0, FrameSize(7, 8, "letterbox"))
    assert boxed[:, 0, 0].tolist() == [GREY, 0, 0, 0, 0, GREY, GREY]
    assert finished(wide, 1, None)[:, 0, 0].tolist() == [7, 6, 5, 4, 3, 2, 1, 0]
    for image in (boxed, finished(wide, 3, None), finished(wide[:, ::2], 0, None)):
        assert image.flags.c_contiguous


class Claims(VideoReader):
    """A reader of blank frames whose header claims what it is told to."""

    def __init__(
        self,
        times: list[float],
        *,
        frames: int | None,
        seconds: float | None,
        error: str = "",
        fps: float = 10.0,
    ) -> None:
        info = VideoInfo("x", 1, 1, frames, fps, seconds, "none", "none")
        super().__init__(info, wanted=None, end_seconds=None if seconds is None else times[0] + seconds)
        self.times, self.error = times, error

    def _pictures(self) -> Iterator[Picture]:
        for time in self.times:
            yield time, lambda: np.zeros((1, 1, 3), np.uint8)
        self.truncated = self.error

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("decoded", "frames", "seconds", "truncated"),
    [
        (100, 100, 10.0, False),
        (99, 100, 10.0, False),  # off by one, as headers are
        (98, 100, 10.0, False),
        (97, 100, 10.0, True),
        (991, 1000, 100.0, False),  # less than one in a hundred
        (989, 1000, 100.0, True),
        (1, 3, 0.3, False),
        (1, 4, 0.4, True),
        (50, 100, 5.0, False),  # the count speaks of frames that an edit list takes away
        (50, 50, 10.0, False),  # the last frame is shown for long
        (50, 100, None, True),
        (50, None, 10.0, True),
        (50, None, None, False),
    ],
)
def test_when_a_clean_end_counts_as_truncated(
    decoded: int, frames: int | None, seconds: float | None, truncated: bool
) -> None:
    reader = Claims([3 + i / 10 for i in range(decoded)], frames=frames, seconds=seconds)
    assert len(list(reader)) == decoded
    assert bool(reader.truncated) == truncated


def test_a_jump_is_told_and_is_no_early_end() -> None:
    reader = Claims([0.0, 0.1, 5e9, 5e9 + 0.1], frames=None, seconds=5e9 + 0.2)
    with pytest.warns(UserWarning, match=r"x: its clock jumps from 0.10 s to 5000000000.00 s; times are"):
        frames = list(reader)
    assert [f.timestamp_seconds for f in frames] == pytest.approx([0, 0.1, 0.2, 0.3])
    assert reader.truncated == ""


def test_a_rate_that_is_claimed_too_high_is_no_early_end() -> None:
    reader = Claims([i / 30 for i in range(30)], frames=None, seconds=1.0, fps=1000.0)
    assert len(list(reader)) == 30 and reader.truncated == ""


def test_a_decoders_own_words_come_first() -> None:
    reader = Claims([0.0], frames=1, seconds=0.1, error="bad data after 1 frames")
    list(reader)
    assert reader.truncated == "bad data after 1 frames"
