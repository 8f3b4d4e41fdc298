"""Windows, merging and overlap, on arrays whose answer is known."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidlstm.inference.segments import mean_iou, merge_segments, step_probabilities, window_rows
from vidlstm.structures import Segment

LABELS = ("a", "b", "c")


def times(count: int, fps: float = 10.0, start: float = 0.0) -> np.ndarray:
    return start + np.arange(count) / fps


def one_hot(classes: list[int]) -> np.ndarray:
    return np.eye(3)[classes]


def test_windows_cover_the_video_and_the_last_ends_with_it() -> None:
    rows = window_rows(times(45), seconds=2.0, stride_seconds=1.0)
    assert rows == [(0, 20), (10, 30), (20, 40), (25, 45)]


def test_a_video_shorter_than_a_window_is_one_window() -> None:
    assert window_rows(times(7), seconds=2.0, stride_seconds=0.5) == [(0, 7)]


@pytest.mark.parametrize("seconds", [1e-9, 0.03, 0.1])
@pytest.mark.parametrize("start", [0.0, 8.33, 1.7e9])
@pytest.mark.parametrize("count", [1, 2, 45])
def test_a_window_shorter_than_a_step_is_a_step(seconds: float, start: float, count: int) -> None:
    rows = window_rows(times(count, start=start), seconds, seconds / 4)
    assert sorted({step for first, last in rows for step in range(first, last)}) == list(range(count))
    assert len(rows) == count or seconds == 0.1  # by rounding, a whole step may hold two


def test_an_empty_video_has_no_window_and_no_segment() -> None:
    assert window_rows(np.zeros(0), 1.0, 1.0) == []
    assert merge_segments(np.zeros(0), np.zeros((0, 3)), LABELS, minimum_seconds=0, end_seconds=0) == ()


def test_a_first_timestamp_that_is_not_zero_moves_nothing() -> None:
    assert window_rows(times(45, start=8.33), 2.0, 1.0) == window_rows(times(45), 2.0, 1.0)


@given(
    count=st.integers(1, 300),
    seconds=st.floats(0.05, 20),
    stride=st.floats(0.05, 5),
    jitter=st.integers(0, 2**16),
)
def test_every_step_is_seen_when_windows_overlap(
    count: int, seconds: float, stride: float, jitter: int
) -> None:
    at = np.sort(times(count) + np.random.default_rng(jitter).uniform(-0.004, 0.004, count))
    rows = window_rows(at, seconds, stride)
    assert all(0 <= first < last <= count for first, last in rows)
    if stride <= seconds - 0.15:
        assert sorted({step for first, last in rows for step in range(first, last)}) == list(range(count))


def test_step_probabilities_sum_to_one_and_unseen_steps_take_their_neighbour() -> None:
    probabilities = step_probabilities([(0, 3), (6, 9)], one_hot([0, 1]), 10)
    np.testing.assert_allclose(probabilities.sum(1), 1.0)
    assert probabilities.argmax(1).tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]


def every_window(at: np.ndarray, seconds: float, stride: float) -> list[tuple[int, int]]:
    """The same by trying one start after the other."""
    slack = 0.5 * float(np.median(np.diff(at))) if len(at) > 1 else 0.0
    seconds = max(seconds, 0.999 * 2 * slack)  # a step at least
    last = max(at[0], at[-1] + 2 * slack - seconds)
    count = int(np.ceil((last - at[0]) / stride - 1e-9)) + 1
    starts = [min(at[0] + stride * n, last) for n in range(count)]
    rows = [tuple(np.searchsorted(at, [s - slack, s + seconds - slack]).tolist()) for s in starts]
    return list(dict.fromkeys((a, b) for a, b in rows if b > a))


@given(
    steps=st.lists(st.sampled_from([0.04, 0.1, 0.37, 9.0]), min_size=1, max_size=40),
    seconds=st.floats(0.05, 20),
    stride=st.floats(0.05, 5),
)
def test_pauses_leave_out_no_window(steps: list[float], seconds: float, stride: float) -> None:
    at = 8.33 + np.cumsum(steps)
    assert window_rows(at, seconds, stride) == every_window(at, seconds, stride)


@pytest.mark.parametrize("jump", [1e9, 1e18])
def test_windows_are_as_many_as_the_times_and_not_as_their_span(jump: float) -> None:
    at = np.array([0.0, 0.04, 0.08, 0.12, jump])
    tracemalloc.start()
    rows = window_rows(at, 2.0, 0.5)
    step_probabilities(rows, np.ones((len(rows), 3)), len(at))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows[0] == (0, 4) and len(rows) <= 2 and peak < 1e6


def test_windows_with_gaps_over_an_hour_take_memory_in_proportion() -> None:
    rows = window_rows(times(36_000), 2.0, 4.0)
    tracemalloc.start()
    probabilities = step_probabilities(rows, one_hot([n % 3 for n in range(len(rows))]), 36_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert probabilities.shape == (36_000, 3) and peak < 2e7
    assert probabilities[29:31].argmax(1).tolist() == [0, 1]  # halfway between [0, 20) and [40, 60)


def test_the_change_is_put_between_windows_that_disagree() -> None:
    rows = window_rows(times(40), seconds=1.0, stride_seconds=0.25)
    middles = [(first + last) / 2 for first, last in rows]
    steps = step_probabilities(rows, one_hot([0 if m < 20 else 1 for m in middles]), 40)
    assert abs(int(steps.argmax(1).argmax()) - 20) <= 2


def test_segments_follow_the_labels_and_end_with_the_video() -> None:
    found = merge_segments(times(6), one_hot([0, 0, 1, 1, 1, 2]), LABELS, minimum_seconds=0, end_seconds=0.6)
    assert [(s.label, round(s.start_seconds, 3), round(s.end_seconds, 3)) for s in found] == [
        ("a", 0.0, 0.2),
        ("b", 0.2, 0.5),
        ("c", 0.5, 0.6),
    ]


def test_a_short_stretch_goes_to_the_likelier_neighbour() -> None:
    probabilities = one_hot([0] * 5 + [2] + [1] * 5).astype(float)
    probabilities[5] = [0.1, 0.3, 0.6]
    found = merge_segments(times(11), probabilities, LABELS, minimum_seconds=0.3, end_seconds=1.1)
    assert [(s.label, round(s.start_seconds, 2)) for s in found] == [("a", 0.0), ("b", 0.5)]


@given(st.lists(st.integers(0, 2), min_size=1, max_size=80), st.floats(0, 2))
def test_segments_never_overlap_or_leave_gaps(classes: list[int], minimum: float) -> None:
    at = times(len(classes))
    found = merge_segments(
        at, one_hot(classes), LABELS, minimum_seconds=minimum, end_seconds=len(classes) / 10
    )
    assert found[0].start_seconds == at[0]
    assert found[-1].end_seconds == pytest.approx(len(classes) / 10)
    for a, b in pairwise(found):
        assert a.end_seconds == b.start_seconds
        assert a.label != b.label
    assert len(found) == 1 or all(s.end_seconds - s.start_seconds >= minimum - 1e-6 for s in found)


def test_mean_iou_by_hand() -> None:
    truth = (Segment(0, 2, "a", 1), Segment(2, 4, "b", 1))
    assert mean_iou(truth, truth) == 1.0
    assert mean_iou((Segment(0, 4, "a", 1),), truth) == pytest.approx((0.5 + 0.0) / 2)
    assert mean_iou((), truth) == 0.0
