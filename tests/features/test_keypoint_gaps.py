"""A keypoint that was not measured is not at the corner of the picture, and not a movement."""

from __future__ import annotations

import numpy as np
import pytest

from vidlstm.features.keypoint_gaps import filled, measured

NOTHING = (0.0, 0.0, 0.0)


def track(*points: tuple[float, float, float]) -> np.ndarray:
    """One keypoint of one body, ``(T, 1, 3)``."""
    return np.array(points, np.float32)[:, None]


def fill(points: np.ndarray, seconds: list[float], most: float = 1.0) -> list[list[float]]:
    found = filled(points, np.zeros(len(points), np.int64), np.array(seconds), most_seconds=most)
    assert found.dtype == np.float32
    return found[:, 0].tolist()


def test_a_short_gap_is_a_straight_line() -> None:
    points = track((10, 20, 0.8), NOTHING, NOTHING, (40, 50, 0.5))
    found = fill(points, [0.0, 0.1, 0.2, 0.3])
    np.testing.assert_allclose(found, [[10, 20, 0.8], [20, 30, 0.7], [30, 40, 0.6], [40, 50, 0.5]], atol=1e-5)


def test_at_the_ends_and_in_long_gaps_the_nearest_is_held_for_as_long() -> None:
    seen, last = (10.0, 20.0, 0.5), (90.0, 90.0, 0.5)
    points = track(NOTHING, seen, NOTHING, NOTHING, NOTHING, last, NOTHING, NOTHING)
    found = fill(points, [0.0, 0.5, 1.5, 2.0, 9.5, 10.0, 11.0, 11.5])
    wanted = [seen, seen, seen, NOTHING, last, last, last, NOTHING]
    assert found == [list(point) for point in wanted]


def test_what_was_measured_stays_as_it_is_and_what_never_was_stays_nothing() -> None:
    generator = np.random.default_rng(0)
    points = generator.uniform(1, 9, (60, 5, 3)).astype(np.float32)
    points[generator.random((60, 5)) < 0.4] = 0
    points[:, 4] = 0
    track_id, seconds = generator.integers(0, 4, 60), generator.permutation(60) / 10
    found = filled(points, track_id, seconds, most_seconds=20.0)
    there = measured(points)
    assert np.array_equal(found[there], points[there])
    assert not found[:, 4].any() and found[:, :4].all(), "with gaps this long every other is filled"


@pytest.mark.parametrize("point", [(0.0, 0.0, 0.9), (5.0, 5.0, 0.0)])
def test_a_place_without_certainty_and_the_very_corner_are_no_measurement(point: tuple[float, ...]) -> None:
    points = track((10, 10, 0.5), point, (10, 10, 0.5))  # type: ignore[arg-type]
    assert fill(points, [0.0, 0.1, 0.2])[1] == [10.0, 10.0, 0.5]


def test_tracks_do_not_mix() -> None:
    points = track((10, 10, 0.5), NOTHING, (30, 30, 0.5))
    found = filled(points, np.array([1, 2, 1]), np.array([0.0, 0.1, 0.2]), most_seconds=1.0)
    assert not found[1].any()


def test_blinking_every_second_frame_hardly_moves() -> None:
    """A hand that goes round once in two seconds, at ten steps a second."""
    seconds = np.arange(40) / 10
    hand = np.stack(
        [100 + 20 * np.cos(np.pi * seconds), 100 + 20 * np.sin(np.pi * seconds), 0 * seconds + 0.9], 1
    )
    points = hand[:, None].astype(np.float32)
    blinking = points.copy()
    blinking[1::2] = 0
    found = filled(blinking, np.zeros(40, np.int64), seconds, most_seconds=1.0)
    assert np.abs(found - points)[:-1].max() < 1.0, "of a radius of 20"
