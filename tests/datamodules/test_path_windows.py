"""Windows and neighbours, against slow loops and against the benchmark's known counts."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.tracks import STEP, walkers, write_ethucy
from vidlstm.datamodules.path_windows import cut_windows, find_neighbours
from vidlstm.datasets.ethucy import SCENES, read_ethucy, read_ethucy_file
from vidlstm.datasets.tracks import TrackTable, make_table

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "ethucy"
COUNTS = {"eth": 364, "hotel": 1197, "univ": 24334, "zara1": 2356, "zara2": 5910}


def table_of(rows: list[tuple[int, int, float, float]]) -> TrackTable:
    array = np.array(rows, dtype=np.float64)
    return make_table(
        "x",
        array,
        np.arange(1, len(rows) + 1),
        unit="metres",
        frame_step=STEP,
        seconds_per_step=0.4,
        gaps="split",
    )


def windows_by_loop(table: TrackTable, steps: int, minimum: int) -> set[tuple[int, int]]:
    there = {(int(i), int(f)) for i, f in zip(table.track_ids_R, table.frames_R, strict=True)}
    found = {(i, f) for i, f in there if all((i, f + s * STEP) in there for s in range(steps))}
    return {(i, f) for i, f in found if sum(g == f for _, g in found) >= minimum}


@settings(max_examples=60)
@given(
    cells=st.sets(st.tuples(st.integers(0, 9), st.integers(1, 4)), min_size=1, max_size=30),
    steps=st.integers(1, 4),
    minimum=st.integers(1, 3),
)
def test_windows_equal_a_slow_loop(cells: set[tuple[int, int]], steps: int, minimum: int) -> None:
    table = table_of([(f * STEP, i, float(f), float(i)) for f, i in cells])
    windows = cut_windows([table], steps=steps, minimum_tracks=minimum)
    got = set(zip(windows.track_id_N.tolist(), windows.start_frame_N.tolist(), strict=True))
    assert got == windows_by_loop(table, steps, minimum)
    assert len(got) == len(windows)
    expected = windows.start_frame_N[:, None] / STEP + np.arange(steps)
    assert np.array_equal(windows.paths_NTC[:, :, 0], expected)
    assert np.array_equal(windows.paths_NTC[:, :, 1], np.repeat(windows.track_id_N[:, None], steps, 1))


def test_stride_counts_from_the_first_frame() -> None:
    table = table_of([(f * STEP, 1, f, 0.0) for f in range(3, 12)])
    starts = cut_windows([table], steps=4, stride=3).start_frame_N // STEP
    assert starts.tolist() == [3, 6]
    with pytest.raises(ValueError, match="at least 1"):
        cut_windows([table], steps=4, stride=0)


def test_no_window_is_no_error() -> None:
    windows = cut_windows([table_of([(0, 1, 0.0, 0.0)])], steps=5)
    assert windows.paths_NTC.shape == (0, 5, 2)
    assert len(windows.scene_of()) == 0


def test_recordings_do_not_mix() -> None:
    one = table_of([(f * STEP, 1, f, 0.0) for f in range(4)])
    two = table_of([(f * STEP, 1, f, 9.0) for f in range(4)])
    windows = cut_windows([one, two], steps=4)
    assert windows.recording_N.tolist() == [0, 1]
    assert windows.paths_NTC[:, 0, 1].tolist() == [0.0, 9.0]
    assert windows.scene_of().tolist() == [0, 1]
    assert np.isnan(find_neighbours([one, two], windows, observed=2, limit=2)).all()


def test_neighbours_are_the_nearest_present_ones_with_their_past() -> None:
    rows = [(f * STEP, 1, float(f), 0.0) for f in range(4)]
    rows += [(f * STEP, 2, float(f), 5.0) for f in range(1, 4)]  # comes a step later
    rows += [(f * STEP, 3, float(f), 2.0) for f in range(4)]
    rows += [(0, 4, 0.0, 1.0)]  # gone by the last observed step
    table = table_of(rows)
    windows = cut_windows([table], steps=4)
    first = int(np.flatnonzero(windows.track_id_N == 1)[0])
    found = find_neighbours([table], windows, observed=3, limit=3)[first]
    assert found[0].tolist() == [[0.0, 2.0], [1.0, 2.0], [2.0, 2.0]]
    assert np.isnan(found[1, 0]).all()
    assert found[1, 1:].tolist() == [[1.0, 5.0], [2.0, 5.0]]
    assert np.isnan(found[2]).all()
    assert np.array_equal(find_neighbours([table], windows, observed=3, limit=1)[first, 0], found[0])


def test_neighbours_equal_a_slow_loop(tmp_path: Path) -> None:
    table = read_ethucy_file(write_ethucy(tmp_path / "a.txt", walkers(9, 8)))
    windows = cut_windows([table], steps=6)
    found = find_neighbours([table], windows, observed=4, limit=20)
    where = {
        (int(f), int(i)): p
        for f, i, p in zip(table.frames_R, table.track_ids_R, table.positions_RC, strict=True)
    }
    for n in range(len(windows)):
        now = int(windows.start_frame_N[n]) + 3 * STEP
        others = [i for f, i in where if f == now and i != windows.track_id_N[n]]
        others.sort(key=lambda i: np.linalg.norm(where[now, i] - windows.paths_NTC[n, 3]))
        assert np.isfinite(found[n, :, -1, 0]).sum() == len(others)
        for rank, i in enumerate(others):
            for t in range(4):
                expected = where.get((now - (3 - t) * STEP, i), np.full(2, np.nan))
                assert np.array_equal(found[n, rank, t], expected, equal_nan=True)


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is absent")
def test_window_counts_of_the_benchmark() -> None:
    for scene in SCENES:
        windows = cut_windows(read_ethucy(SHARED, scene=scene, split="test"), steps=20)
        assert len(windows) == COUNTS[scene], scene


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is absent")
def test_the_two_pedestrian_rule_counts_fewer() -> None:
    # 181 windows of ETH are what Social GAN's published loader yields.
    windows = cut_windows(read_ethucy(SHARED, scene="eth", split="test"), steps=20, minimum_tracks=2)
    assert len(windows) == 181
