"""What tracks alone tell of each body: poses by row, velocities by construction, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes.people import crowd, row, write_table
from vidlstm.backbones.yolo.person_features import WIDTH
from vidlstm.errors import DatasetError
from vidlstm.features import tracked_objects
from vidlstm.features.read_tracks import read_tracked_objects
from vidlstm.features.tracked_objects import FASTEST, POSE_DIM, TrackedObjects

BOX = (10.0, 20.0, 40.0, 60.0)  # 30 by 40: 50 pixels of body size


def read(path: Path, rows: list[dict[str, Any]], fps: float = 10.0) -> TrackedObjects:
    (objects,) = read_tracked_objects(write_table(path, rows), fps=fps).values()
    return objects


def moved(by: float) -> tuple[float, ...]:
    return BOX[0] + by, BOX[1], BOX[2] + by, BOX[3]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "t.parquet"


def test_every_row_is_described_as_if_its_frame_were_alone(table: Path) -> None:
    rows = crowd(12, 5)
    together = read(table, rows)
    poses = together.poses()
    assert poses.shape == (len(rows), POSE_DIM) and poses.dtype == np.float32
    for frame in range(12):
        alone = read(table, [r for r in rows if r["frame"] == frame]).poses()
        mine = together.frame_N == frame
        np.testing.assert_allclose(poses[mine, :WIDTH], alone[:, :WIDTH], atol=1e-5)
        assert not alone[:, WIDTH:].any(), "who has just come does not move"


@pytest.mark.parametrize("pairs", [1, 60, 10**6])
def test_how_many_are_described_at_once_changes_nothing(
    pairs: int, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = read(table, crowd(40, 6))
    wanted = objects.poses()
    monkeypatch.setattr(tracked_objects, "PAIRS", pairs)
    np.testing.assert_allclose(objects.poses(), wanted, atol=1e-5)


def test_velocities_are_body_sizes_a_second(table: Path) -> None:
    """10 pixels a tenth of a second to the right are two body sizes a second, whatever stands beside it."""
    rows = [row(f, 1, moved(10.0 * f), raised=0.0) for f in range(4)]
    rows += [row(f, 2, (200, 5.0 * f, 230, 40 + 5.0 * f), raised=0.0) for f in range(4)]
    objects = read(table, rows)
    found = objects.poses()[:, -3:]
    right, down = found[objects.track_id_N == 1], found[objects.track_id_N == 2]
    np.testing.assert_allclose(right, [[0, 0, 0]] + [[2, 0, 2]] * 3, atol=1e-5)
    np.testing.assert_allclose(down, [[0, 0, 0]] + [[0, 1, 1]] * 3, atol=1e-5)


def test_after_a_gap_the_time_that_passed_counts_and_a_jump_is_cut_off(table: Path) -> None:
    rows = [row(0, 1, BOX, raised=0.0), row(4, 1, moved(40.0), raised=0.0)]
    rows += [row(0, 2, BOX, raised=0.0), row(4, 2, moved(-9000.0), raised=0.0)]
    found = read(table, rows).poses()[:, -3:]
    np.testing.assert_allclose(found, [[0] * 3, [0] * 3, [2, 0, 2], [-FASTEST, 0, FASTEST]], atol=1e-5)


def test_a_tiny_box_has_no_great_speed(table: Path) -> None:
    rows = [row(f, 1, (5.0 + f, 5.0, 5.5 + f, 5.5), raised=0.0) for f in range(2)]
    np.testing.assert_allclose(read(table, rows).poses()[1, -3:], [10 / 8, 0, 10 / 8], atol=1e-5)


def test_track_pose_needs_the_joints_of_coco(table: Path) -> None:
    with pytest.raises(DatasetError, match=r"no keypoints.*yolo11n-pose"):
        read(table, [row(0, 1, BOX)]).poses()
    with pytest.raises(DatasetError, match="have 2 keypoints"):
        read(table, [row(0, 1, BOX, keypoints=[1.0] * 6)]).poses()


def test_a_crowd_that_would_take_all_memory_is_refused(table: Path) -> None:
    rows = [row(0, t, BOX, raised=0.0) for t in range(tracked_objects.MOST_BODIES + 1)]
    with pytest.raises(DatasetError, match="301 bodies in a frame"):
        read(table, rows).poses()


def test_crops_are_the_boxes_frame_by_frame(table: Path) -> None:
    objects = read(table, [row(0, 7, moved(1)), row(0, 2, moved(2)), row(3, 7, moved(3))])
    crops = objects.crops(0.25)
    assert crops.margin == 0.25
    assert crops.boxes == {0: [list(moved(2)), list(moved(1))], 3: [list(moved(3))]}
    assert len(objects) == sum(map(len, crops.boxes.values()))
    assert "3 boxes of 2 tracks" in repr(objects)


def test_keypoints_that_blink_are_no_movement(table: Path) -> None:
    """Both wrists are lost in every second frame; described as they are, they jump to nothing and back."""
    rows = [row(f, 1, BOX, raised=0.5) for f in range(9)]
    whole = read(table, rows).poses(fill_seconds=1.0)
    for r in rows[1::2]:
        r["keypoints"][27:33] = [0.0] * 6
    blinking = read(table, rows)
    assert np.abs(blinking.poses() - whole).max() > 0.1
    np.testing.assert_allclose(blinking.poses(fill_seconds=1.0), whole, atol=1e-5)
