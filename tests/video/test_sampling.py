from __future__ import annotations

from fractions import Fraction
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidlstm.video.sampling import SteadySampler, slot_of

rates = st.floats(0.1, 240, allow_nan=False)
starts = st.floats(-1e6, 1e9, allow_nan=False)
gaps = st.lists(st.floats(1e-4, 1e3, allow_nan=False), max_size=60)


def taken(times: list[float], fps: float) -> list[float]:
    sampler = SteadySampler(fps)
    return [t for t in times if sampler(t)]


def rising(start: float, steps: list[float]) -> list[float]:
    times = list(accumulate(steps, initial=start))
    return [t for i, t in enumerate(times) if i == 0 or t > times[i - 1]]


def test_the_drawn_examples() -> None:
    times = (8.0, 8.05, 8.097, 8.099, 8.10, 8.15, 8.25)
    assert [slot_of(t, 8.0, 10) for t in times] == [0, 0, 0, 1, 1, 1, 2]
    assert taken([i / 25 for i in range(11)], 10) == [i / 25 for i in (0, 3, 5, 8, 10)]


@given(starts, gaps, rates)
def test_one_frame_a_slot_and_none_without_a_slot(start: float, steps: list[float], fps: float) -> None:
    times = rising(start, steps)
    slots = [slot_of(t, start, fps) for t in times]
    assert slots == sorted(slots) and slots[0] == 0
    assert taken(times, fps) == [t for i, t in enumerate(times) if i == 0 or slots[i] > slots[i - 1]]


@given(starts, st.lists(st.floats(0, 50, allow_nan=False), max_size=40), rates)
def test_a_slower_video_gives_every_frame(start: float, extra: list[float], fps: float) -> None:
    times, now = [start], start
    for more in extra:
        now = next_after(now, Fraction(1) / Fraction(fps) + Fraction(more))
        times.append(now)
    assert taken(times, fps) == times


def next_after(now: float, gap: Fraction) -> float:
    """The first floating-point time at least ``gap`` later."""
    import math

    later = float(Fraction(now) + gap)
    while Fraction(later) - Fraction(now) < gap:
        later = math.nextafter(later, math.inf)
    return later


@pytest.mark.parametrize("fps", [10, 12.5, 23.976, 24, 25, 29.97, 30, 50, 59.94, 60, 100])
@pytest.mark.parametrize("start", [0.0, 8.333, 86_400.0])
def test_milliseconds_lose_no_frame_of_a_video_at_its_own_rate(fps: float, start: float) -> None:
    times = [round(start + i / fps, 3) for i in range(2000)]
    assert taken(times, fps) == times


@pytest.mark.parametrize("multiple", [2, 3, 4, 6, 12])
def test_a_multiple_of_the_rate_falls_on_the_grid(multiple: int) -> None:
    times = [i / (10 * multiple) for i in range(50 * multiple)]
    assert taken(times, 10) == [i / 10 for i in range(50)]


@given(st.floats(1e-3, 1e12), rates)
def test_a_huge_gap_is_one_step(gap: float, fps: float) -> None:
    sampler = SteadySampler(fps)
    assert sampler(0.0)
    assert sampler(gap) == (slot_of(gap, 0.0, fps) > 0)
    assert not sampler(gap)


@given(starts, gaps, rates)
def test_shifting_a_video_by_whole_seconds_takes_the_same_frames(
    start: float, steps: list[float], fps: float
) -> None:
    times = [Fraction(round(t * 1024), 1024) for t in rising(start % 1000, steps)]
    here, there = taken([float(t) for t in times], fps), taken([float(t + 4096) for t in times], fps)
    assert [t + 4096 for t in here] == there


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_impossible_rates(fps: float) -> None:
    with pytest.raises(ValueError, match="fps must be positive"):
        SteadySampler(fps)
    with pytest.raises(ValueError, match="fps must be positive"):
        slot_of(0.0, 0.0, fps)
