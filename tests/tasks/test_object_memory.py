"""A table that moves along gives what the whole table gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars
import pytest

from tests.fakes.people import crowd
from vidlstm.features.read_tracks import StepCounter, numbered_steps, tracked_objects
from vidlstm.structures import Detections, Frame
from vidlstm.tasks.object_action.data import sequences_of
from vidlstm.tasks.object_action.live import WindowClock
from vidlstm.tasks.object_action.memory import ObjectMemory
from vidlstm.tasks.object_action.network import ObjectNetwork
from vidlstm.tracking.tracker import Tracked
from vidlstm.video.sampling import SteadySampler

KEPT, GAP = 3.0, 0.35


@pytest.mark.parametrize("fps", [10.0, 25.0])
def test_poses_in_the_last_seconds_are_those_of_the_whole_table(fps: float) -> None:
    rows = crowd(45, 3, seed=int(fps))
    table = polars.DataFrame(rows).with_columns(timestamp_seconds=polars.col("frame") / fps)
    network = ObjectNetwork(pose=True, crops=None, crop_margin=0.0)
    objects = tracked_objects(table, fps=10.0, source=Path("v"))["v.mp4"]
    whole = {
        (one.track_id, round(float(seconds), 6)): x_F
        for one in sequences_of(objects, network, np.zeros((len(objects), 0)), GAP)
        for seconds, x_F in zip(one.seconds_T, one.features_TF, strict=True)
    }
    memory = ObjectMemory(network, fps=10.0, keep_seconds=KEPT, max_gap_seconds=GAP)
    compared = 0
    for frame in range(45):
        for moment, _ in memory.take(*frame_of(rows, frame, frame / fps)):
            memory.add(moment)
            newest, features_NF = memory.newest()
            for track, x_F in zip(newest.track_id_N.tolist(), features_NF, strict=True):
                np.testing.assert_array_equal(x_F, whole[track, round(newest.seconds, 6)])
        for one in memory.sequences() if frame % 5 == 4 else []:
            for seconds, x_F in zip(one.seconds_T, one.features_TF, strict=True):
                if seconds > frame / fps - KEPT + 1.0:  # what came before tells which way somebody goes
                    np.testing.assert_array_equal(x_F, whole[one.track_id, round(float(seconds), 6)])
                    compared += 1
    assert compared > 50


def frame_of(rows: list[dict[str, object]], frame: int, seconds: float) -> tuple[object, ...]:
    """What a tracker says of one frame, in no order."""
    there = [row for row in rows if row["frame"] == frame][::-1]
    boxes = np.array([[row[c] for c in ("x1", "y1", "x2", "y2")] for row in there], np.float32).reshape(-1, 4)
    points = np.array([row["keypoints"] for row in there], np.float32).reshape(len(there), 17, 3)
    sure, kind = np.full(len(there), 0.9, np.float32), np.zeros(len(there), np.int64)
    ids = np.array([row["track_id"] for row in there], np.int64)
    tracked = Tracked(ids, boxes, sure, kind, np.arange(len(there)))
    image = np.zeros((8, 8, 3), np.uint8)
    return Frame(image, seconds, frame), seconds, Detections(boxes, sure, kind, points), tracked


@pytest.mark.parametrize("fps", [4.0, 10.0, 24.0, 29.97])
def test_steps_that_come_one_by_one_have_the_same_numbers(fps: float) -> None:
    seconds = 5 + np.arange(120) / fps
    seconds = np.delete(seconds, [40, 41, 42, 43, 44, 70])
    due, counter = SteadySampler(10.0), StepCounter(10.0)
    taken = [now for now in seconds.tolist() if due(now)]
    step_seconds, numbers = numbered_steps(np.array(taken), 10.0)
    assert [counter(now) for now in taken] == numbers.tolist()
    assert counter.step_seconds == pytest.approx(step_seconds, abs=1e-3)


def test_a_window_is_due_as_soon_as_no_frame_of_it_can_follow() -> None:
    clock = WindowClock(2.0, 1.0, 0.25)
    found = {round(2 + n / 10, 1): clock.due(2 + n / 10) for n in range(15)}
    ends = {now: round(window[1], 6) for now, window in found.items() if window}
    assert ends == {2.9: 3.0, 3.2: 3.25, 3.4: 3.5}
    assert clock.due(9.0) == (8.0, 9.0) and clock.due(9.05) is None  # after a pause the last one alone
