"""Steps are lengths of time; short gaps are filled, long ones split; nobody gets another's positions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.tracks import write_tracks
from vidlstm.datamodules.path_windows import cut_windows, find_neighbours
from vidlstm.datasets.track_formats import Reading, read_track_tables
from vidlstm.datasets.track_resampling import MOST_CARRIED_ON, gaps_in, resample
from vidlstm.datasets.tracks import TrackTable
from vidlstm.datasets.tracks_parquet import gaps_in_tracks, read_clocks, read_tracks_parquet
from vidlstm.errors import DatasetError, SettingsError


def walk(
    frames: list[int], fps: float, *, track: int = 1, start: float = 8.0
) -> tuple[TrackTable, np.ndarray]:
    """A box that moves by 60 pixels a second and grows by 6, seen in some frames."""
    seconds = start + np.array(frames) / fps
    moved = seconds - start
    boxes = np.stack([60 * moved, 100 + 0 * moved, 20 + 0 * moved, 40 + 6 * moved], 1)
    ids = np.full(len(frames), track)
    return TrackTable("v", np.array(frames), ids, boxes, "pixels", 1, 1 / fps), seconds


def test_every_rate_means_the_same_seconds() -> None:
    tables = [
        resample(*walk(list(range(round(4 * fps) + 1)), fps), step_seconds=0.4, max_gap_seconds=1.0)
        for fps in (10, 25, 29.97, 30)
    ]
    for table in tables:
        assert table.frames_R.tolist() == list(range(11)) or table.frames_R.tolist() == list(range(10))
        np.testing.assert_allclose(table.positions_RC[:, 0], 24.0 * table.frames_R, atol=1e-6)
        np.testing.assert_allclose(table.positions_RC[:, 3], 40 + 2.4 * table.frames_R, atol=1e-6)
        assert (table.start_seconds, table.frame_step, table.seconds_per_step) == (8.0, 1, 0.4)
        assert table.measured_R is not None and table.measured_R.all()


def test_a_gap_is_filled_up_to_the_stated_length_and_split_beyond_it() -> None:
    seen = [
        *range(11),
        *range(19, 31),
        *range(42, 60),
    ]  # 0.9 s and 1.2 s without the object at 10 frames a second
    table, seconds = walk(seen, 10)
    steps = resample(table, seconds, step_seconds=0.2, max_gap_seconds=1.0)
    missing = sorted(set(range(30)) - set(steps.frames_R.tolist()))
    assert missing == [16, 17, 18, 19, 20]  # 3.2 to 4.0 s: the long gap; 4.2 s is seen again
    np.testing.assert_allclose(steps.positions_RC[:, 0], 12.0 * steps.frames_R, atol=1e-6)
    windows = cut_windows([steps], steps=9)
    spans = {(f, f + 8) for f in windows.start_frame_N.tolist()}
    # The last row, at 5.9 s, is carried on to 6.0 s.
    assert spans == {(f, f + 8) for f in range(8)} | {(21, 29), (22, 30)}
    gaps = gaps_in(table, seconds, max_gap_seconds=1.0)
    assert [(g.track_id, round(g.end_seconds - g.start_seconds, 3), g.filled) for g in gaps] == [
        (1, 0.9, True),
        (1, 1.2, False),
    ]


def test_no_forecast_starts_from_what_is_known_only_later() -> None:
    table, seconds = walk([*range(11), *range(19, 40)], 10)
    steps = resample(table, seconds, step_seconds=0.2, max_gap_seconds=1.0)
    assert steps.measured_R is not None
    # 1.2 to 1.8 s lie in the gap; the next row, 1.9 s, is half a step after the last of them.
    assert steps.frames_R[~steps.measured_R].tolist() == [6, 7, 8, 9]
    every = cut_windows([steps], steps=6)
    allowed = cut_windows([steps], steps=6, seen_at=3)
    left_out = set(every.start_frame_N.tolist()) - set(allowed.start_frame_N.tolist())
    assert left_out == {3, 4, 5, 6}


@settings(max_examples=60)
@given(st.data())
def test_positions_lie_between_the_tracks_own_rows(data: st.DataObject) -> None:
    rows = data.draw(
        st.lists(st.tuples(st.integers(1, 4), st.integers(0, 60)), min_size=1, max_size=80, unique=True)
    )
    ids, frames = np.array(sorted(rows)).T
    jitter = np.array(data.draw(st.lists(st.floats(0, 0.04), min_size=61, max_size=61)))
    seconds = (0.1 * np.arange(61) + jitter)[frames]
    # The position tells whose it is and when.
    positions = np.stack([1000.0 * ids + seconds, seconds], 1)
    table = TrackTable("v", frames, ids, positions, "pixels", 1, 0.1)
    steps = resample(
        table, seconds, step_seconds=data.draw(st.sampled_from([0.1, 0.25, 0.4])), max_gap_seconds=0.5
    )
    times = steps.start_seconds + steps.frames_R * steps.seconds_per_step
    np.testing.assert_allclose(steps.positions_RC[:, 1], times, atol=2.1e-3)
    np.testing.assert_array_equal(steps.positions_RC[:, 0] // 1000, steps.track_ids_R)
    for track, step in zip(steps.track_ids_R, times, strict=True):
        own = seconds[ids == track]
        before, after = own[own <= step + 2.1e-3].max(), own[own >= step - 2.1e-3].min(initial=np.inf)
        carried_on = step - before <= MOST_CARRIED_ON * steps.seconds_per_step + 1e-6
        assert carried_on or after - before <= 0.5 + 5e-3
    pairs = list(zip(steps.track_ids_R.tolist(), steps.frames_R.tolist(), strict=True))
    assert pairs == sorted(set(pairs))


def seen_from(table: TrackTable, seconds_R: np.ndarray, step_seconds: float) -> dict[tuple[int, int], Any]:
    """What a forecaster of three steps sees of a track and two neighbours, by track and moment."""
    steps = resample(table, seconds_R, step_seconds=step_seconds, max_gap_seconds=0.5)
    windows = cut_windows([steps], steps=3, seen_at=2)
    others = find_neighbours([steps], windows, observed=3, limit=2)
    keys = zip(windows.track_id_N.tolist(), (windows.start_frame_N + 2).tolist(), strict=True)
    return {key: (windows.paths_NTC[n], others[n]) for n, key in enumerate(keys)}


@pytest.mark.parametrize("step_seconds", [0.1, 0.25, 0.4])
@pytest.mark.parametrize("fps", [3, 10, 24, 29.97])
def test_what_a_forecast_sees_ends_at_its_moment(fps: float, step_seconds: float) -> None:
    rng = np.random.default_rng(round(fps))
    frames = np.arange(round(4 * fps))
    ids = np.repeat([1, 2, 3], len(frames))
    kept = rng.random(len(ids)) < 0.8
    kept[[0, -1]] = True
    ids, frames = ids[kept], np.tile(frames, 3)[kept]
    seconds = 8 + frames / fps
    boxes = np.cumsum(rng.normal(0, 9, (len(ids), 4)), 0)
    boxes[:, 2:] = 50 + rng.uniform(0, 20, (len(ids), 2))
    table = TrackTable("v", frames, ids, boxes, "pixels", 1, 1 / fps)
    whole = seen_from(table, seconds, step_seconds)
    assert len(whole) > 10
    for moment in sorted({moment for _, moment in whole}):
        known = seconds <= 8 + moment * step_seconds + 1e-9
        then = seen_from(table.only(known), seconds[known], step_seconds)
        for key in (key for key in whole if key[1] == moment):
            for was, now in zip(then[key], whole[key], strict=True):
                np.testing.assert_allclose(was, now, atol=1e-6)


def test_a_turn_is_not_foreseen() -> None:
    table, seconds = walk(list(range(25)), 24)
    turned = table.positions_RC.copy()
    turned[10:, 1] += 50  # at 0.417 s, after the step at 0.4 s
    steps = [
        resample(replace(table, positions_RC=boxes), seconds, step_seconds=0.4, max_gap_seconds=1.0)
        for boxes in (table.positions_RC, turned)
    ]
    np.testing.assert_array_equal(steps[0].positions_RC[:2], steps[1].positions_RC[:2])
    assert steps[0].positions_RC[2, 1] != steps[1].positions_RC[2, 1]


def test_a_shrinking_box_keeps_a_size() -> None:
    table, seconds = walk([0, 1, 2, 3], 10)
    sizes = table.positions_RC.copy()
    sizes[:, 2:] = [[80, 80], [60, 60], [30, 30], [2, 2]]
    steps = resample(replace(table, positions_RC=sizes), seconds, step_seconds=0.32, max_gap_seconds=1.0)
    assert steps.frames_R.tolist() == [0, 1] and (steps.positions_RC[:, 2:] > 0).all()


def test_tables_are_resampled_as_they_are_read(tmp_path: Path) -> None:
    slow = read_tracks_parquet(write_tracks(tmp_path / "a.parquet", frames=80, fps=10), step_seconds=0.4)[0]
    fast = read_tracks_parquet(write_tracks(tmp_path / "b.parquet", frames=80, fps=20), step_seconds=0.4)[0]
    assert slow.start_seconds == fast.start_seconds == 1.5
    np.testing.assert_allclose(np.diff(slow.positions_RC[:5, 0]), 12.0)
    np.testing.assert_allclose(np.diff(fast.positions_RC[:5, 0]), 24.0)
    with pytest.raises(DatasetError, match=r"10 frames a second, too few for steps of 0\.05 s"):
        read_tracks_parquet(tmp_path / "a.parquet", step_seconds=0.05)
    with pytest.raises(ValueError, match="positive"):
        read_tracks_parquet(tmp_path / "a.parquet", step_seconds=0.4, max_gap_seconds=0)
    assert gaps_in_tracks(tmp_path / "a.parquet", max_gap_seconds=1.0) == {"v0.mp4": []}


def test_frames_and_times(tmp_path: Path) -> None:
    clock = read_clocks(write_tracks(tmp_path / "a.parquet", frames=80, fps=10))["v0.mp4"]
    assert [clock.frame_at(s) for s in (1.5, 1.54, 1.56, 9.4, 9.6)] == [0, 0, 1, 79, 81]
    np.testing.assert_allclose(clock.seconds_at(np.array([0, 40])), [1.5, 5.5])


def test_a_video_with_objects_in_one_frame_does_not_stop_the_others(tmp_path: Path) -> None:
    frame = polars.read_parquet(write_tracks(tmp_path / "a.parquet", videos=2, frames=80))
    frame.filter((polars.col("video") != "v0.mp4") | (polars.col("frame") == 7)).write_parquet(
        tmp_path / "b.parquet"
    )
    one, other = read_tracks_parquet(tmp_path / "b.parquet", step_seconds=0.4)
    assert (len(one), len(np.unique(other.frames_R))) == (3, 21)
    assert read_clocks(tmp_path / "b.parquet")["v0.mp4"].frame_at(2.2) == 7


def test_a_single_table_is_cut_by_time(tmp_path: Path) -> None:
    path = write_tracks(tmp_path / "t.parquet", videos=2, frames=101, fps=10)
    how = Reading(step_seconds=0.2, train_until=0.5, validate_until=0.7)
    sides = {
        side: read_track_tables("tracks", path, split=side, how=how) for side in ("train", "val", "test")
    }
    times = {side: np.unique(tables[0].frames_R) for side, tables in sides.items()}
    assert [len(tables) for tables in sides.values()] == [2, 2, 2]
    assert times["train"].max() < times["val"].min() <= times["val"].max() < times["test"].min()
    np.testing.assert_array_equal(np.concatenate(list(times.values())), np.arange(51))
    assert len(times["train"]) == pytest.approx(25, abs=1) and len(times["test"]) == pytest.approx(15, abs=1)
    with pytest.raises(SettingsError, match="must rise"):
        read_track_tables("tracks", path, split="val", how=Reading(train_until=0.7, validate_until=0.6))
