"""A tracks table at a steady rate: which frames, which step each is, and tables that cannot be right."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.people import crowd, row, write_table
from vidlstm.errors import DatasetError
from vidlstm.features.read_tracks import FAR, numbered_steps, read_tracked_objects
from vidlstm.features.tracked_objects import TrackedObjects
from vidlstm.video.sampling import SteadySampler, slot_of

BOX = (10, 20, 30, 60)


def read(path: Path, rows: list[dict[str, Any]], fps: float = 10.0) -> TrackedObjects:
    (objects,) = read_tracked_objects(write_table(path, rows), fps=fps).values()
    return objects


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "t.parquet"


def taken(times: list[float], fps: float) -> np.ndarray:
    sampler = SteadySampler(fps)
    return np.array([t for t in times if sampler(t)])


def test_a_fast_video_is_thinned_as_its_frames_are(table: Path) -> None:
    rows = [row(f, 1, (f, 0, f + 9, 9), fps=25) for f in range(11)]
    objects = read(table, rows)
    assert objects.frame_N.tolist() == [0, 3, 5, 8, 10]  # the example of SteadySampler
    assert objects.step_N.tolist() == [0, 1, 2, 3, 4]
    assert objects.boxes_N4[:, 0].tolist() == objects.frame_N.tolist()
    assert objects.step_seconds == pytest.approx(0.1)


def test_a_slow_video_gives_every_frame_and_longer_steps(table: Path) -> None:
    objects = read(table, [row(f, 1, BOX, fps=4) for f in range(9) if f != 5])
    assert objects.frame_N.tolist() == [0, 1, 2, 3, 4, 6, 7, 8]
    assert objects.step_N.tolist() == [0, 1, 2, 3, 4, 6, 7, 8]
    assert objects.step_seconds == pytest.approx(0.25)


def test_a_table_of_every_other_frame_has_steps_of_two(table: Path) -> None:
    objects = read(table, [row(f, 1, BOX, fps=30) for f in range(0, 60, 6)])
    assert objects.step_N.tolist() == list(range(10))
    assert objects.step_seconds == pytest.approx(0.2)


@pytest.mark.parametrize("video_fps", [8, 11, 12, 12.5, 14.985, 15, 23.976, 24, 25, 29.97, 30, 50, 60])
def test_what_is_never_missing_has_no_gap_at_any_rate(video_fps: float, table: Path) -> None:
    """24 frames a second at 10 steps a second are 0.083 or 0.125 s apart: one step, not one and a half."""
    for jitter in (0.0, 0.001):
        times = np.arange(200) / video_fps
        times = np.round(times, 3) if jitter else times
        step_seconds, step_T = numbered_steps(taken(times.tolist(), 10.0), 10.0)
        assert step_T.tolist() == list(range(len(step_T)))
        assert step_seconds == pytest.approx(max(0.1, 1 / video_fps), rel=0.02)


@pytest.mark.parametrize("video_fps", [24, 25, 30])
def test_a_pause_counts_by_its_length(video_fps: float) -> None:
    times = [f / video_fps for f in range(100) if not 30 <= f < 60]
    seconds = taken(times, 10.0)
    _, step_T = numbered_steps(seconds, 10.0)
    assert step_T.tolist() == [slot_of(t, 0.0, 10.0) for t in seconds.tolist()]


def test_the_drawn_example() -> None:
    seconds, steps = numbered_steps(np.array([0.0, 0.125, 0.208, 0.333, 0.417, 0.833]), 10.0)
    assert steps.tolist() == [0, 1, 2, 3, 4, 8]
    assert seconds == pytest.approx(0.1)


@given(st.lists(st.floats(1e-3, 30), min_size=1, max_size=40), st.floats(0.5, 60))
def test_steps_rise_and_take_about_the_time_they_stand_for(gaps: list[float], fps: float) -> None:
    seconds = taken(np.cumsum([0.0, *gaps]).tolist(), fps)
    step_seconds, steps = numbered_steps(seconds, fps)
    assert all(a < b for a, b in pairwise(steps.tolist()))
    for (t, u), (a, b) in zip(pairwise(seconds), pairwise(steps.tolist()), strict=True):
        assert b - a <= max(1, (u - t) / step_seconds + 0.5)


def test_two_videos_keep_their_own_clocks_and_rows(table: Path) -> None:
    a, b = crowd(20, 3, seed=1, video="a.mp4"), crowd(20, 3, seed=2, video="b.mp4")
    for r in b:
        r["timestamp_seconds"] += 7.0
    mixed = [r for pair in zip(a, b, strict=False) for r in pair]
    mixed += a[len(b) :] + b[len(a) :]
    both = read_tracked_objects(write_table(table, mixed), fps=5.0)
    for name, rows in (("a.mp4", a), ("b.mp4", b)):
        alone = read(table, rows, 5.0)
        for field in ("frame_N", "track_id_N", "seconds_N", "step_N", "boxes_N4", "keypoints_NJ3"):
            np.testing.assert_array_equal(getattr(both[name], field), getattr(alone, field))


def test_the_order_of_the_rows_does_not_matter(table: Path) -> None:
    rows = crowd(30, 5)
    once = read(table, rows)
    again = read(table, [rows[i] for i in np.random.default_rng(0).permutation(len(rows))])
    for field in ("frame_N", "track_id_N", "seconds_N", "step_N", "boxes_N4", "keypoints_NJ3"):
        np.testing.assert_array_equal(getattr(once, field), getattr(again, field))
    assert (np.diff(once.frame_N) >= 0).all()
    assert once.crops(0.2).boxes == again.crops(0.2).boxes


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x1": float("nan")}, "row 2 lacks a number"),
        ({"y2": float("inf")}, "row 2 lacks a number"),
        ({"x2": None}, "row 2 lacks a number"),
        ({"timestamp_seconds": None}, "row 2 lacks a number"),
        ({"timestamp_seconds": float("nan")}, "row 2 lacks a number"),
        ({"frame": 0, "timestamp_seconds": 0.0}, "row 2 has a track a second time"),
        ({"frame": -1}, "row 2 needs a whole frame number"),
        ({"timestamp_seconds": 0.0}, "do not rise"),
        ({"timestamp_seconds": -3.0}, "do not rise"),
        ({"track_id": 2, "frame": 0, "timestamp_seconds": 0.05}, "do not rise"),
    ],
)
def test_a_row_that_cannot_be_right_is_named(change: dict[str, Any], words: str, table: Path) -> None:
    rows = [row(0, 1, BOX), row(1, 1, BOX), row(2, 1, BOX)]
    rows[1] |= change
    write_table(table, rows)
    with pytest.raises(DatasetError, match=words) as error:
        read_tracked_objects(table, fps=10.0)
    assert str(table) in str(error.value)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"track_id": [0.5, 1.0]}, "row 1 needs a whole"),
        ({"track_id": [1e300, 1.0]}, "row 1 needs a whole"),
        ({"frame": ["a", "b"]}, "not numbers in column frame"),
        ({"confidence": ["high", "low"]}, "not numbers in column confidence"),
        ({"keypoints": ["a", "b"]}, "keypoints"),
        ({"keypoints": [[["a"]], [["b"]]]}, "keypoints"),
        ({"keypoints": [[1.0, 2.0], [1.0, 2.0]]}, "three numbers"),
        ({"keypoints": [[1.0, 2.0, 0.5], [1.0] * 6]}, "three numbers"),
    ],
)
def test_columns_of_another_kind_are_refused(columns: dict[str, list[Any]], words: str, table: Path) -> None:
    frame = polars.DataFrame([row(0, 1, BOX), row(1, 1, BOX)])
    frame.with_columns(**{k: polars.Series(v, strict=False) for k, v in columns.items()}).write_parquet(table)
    with pytest.raises(DatasetError, match=words):
        read_tracked_objects(table, fps=10.0)


def test_a_row_without_keypoints_is_a_body_of_which_none_was_found(table: Path) -> None:
    frame = polars.DataFrame([row(f, 1, BOX) for f in range(4)])
    lists = polars.Series([[1.0, 2.0, 0.5], None, [3.0, 4.0, 0.5], []])
    frame.with_columns(keypoints=lists).write_parquet(table)
    (objects,) = read_tracked_objects(table, fps=10.0).values()
    nothing = [0.0, 0.0, 0.0]
    assert objects.keypoints_NJ3[:, 0].tolist() == [[1.0, 2.0, 0.5], nothing, [3.0, 4.0, 0.5], nothing]


def test_numbers_of_another_type_are_numbers(table: Path) -> None:
    frame = polars.DataFrame([row(f, 3, BOX, raised=0.0) for f in range(3)])
    other = frame.with_columns(
        polars.col("frame").cast(polars.UInt32),
        polars.col("track_id").cast(polars.Float64),
        polars.col("x1").cast(polars.Int16),
        polars.col("keypoints").cast(polars.Array(polars.Float64, 51)),
        polars.lit(None, polars.Float32).alias("confidence"),
    )
    other.write_parquet(table)
    (objects,) = read_tracked_objects(table, fps=10.0).values()
    assert objects.frame_N.tolist() == [0, 1, 2] and objects.track_id_N.tolist() == [3, 3, 3]
    assert objects.keypoints_NJ3.shape == (3, 17, 3)
    assert objects.confidence_N.tolist() == [1.0] * 3, "not said is sure"


def test_a_hostile_table_gives_numbers_all_the_same(table: Path) -> None:
    rows = [row(0, t, BOX, raised=0.0) for t in range(4)]
    rows[0] |= {"x1": -1e300, "x2": 1e300}
    rows[1]["keypoints"][:6] = [float("nan"), float("inf"), 7.0, -float("inf"), 1e38, float("nan")]
    rows[2] |= {"confidence": float("nan")}
    rows[3] |= {"x1": 50.0, "x2": 10.0, "confidence": -4.0}
    rows += [row(2**40, 9, BOX, seconds=1e300, raised=0.0)]
    objects = read(table, rows)
    assert np.abs(objects.boxes_N4).max() == FAR
    assert objects.keypoints_NJ3[1, :2].tolist() == [[0.0, 0.0, 0.0], [-FAR, FAR, 0.0]]
    assert ((objects.confidence_N >= 0) & (objects.confidence_N <= 1)).all()
    assert np.isfinite(objects.poses()).all()
    assert objects.crops(0.1).last_frame == 2**40


def test_an_empty_table_holds_no_video(table: Path) -> None:
    polars.DataFrame([row(0, 1, BOX)]).clear().write_parquet(table)
    assert read_tracked_objects(table, fps=10.0) == {}
    table.write_bytes(b"no table")
    with pytest.raises(DatasetError, match="Parquet"):
        read_tracked_objects(table, fps=10.0)
