"""Objects keep their numbers, as in the library's own tracking mode."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tracking.library import ON_CPU, WEIGHTS, library_model
from tests.video.clips import SHARED, needs_shared, picture
from vidlstm.backbones.yolo.model import load_yolo
from vidlstm.structures import Detections
from vidlstm.tracking.detector import Detector
from vidlstm.tracking.lanes import detect_frames
from vidlstm.tracking.tracker import TRACKERS, ObjectTracker
from vidlstm.video.reader import open_video

IMAGE = picture(0, 200, 300)


def found(*boxes: tuple[float, float, float, float], confidence: float = 0.9) -> Detections:
    n = len(boxes)
    array = np.array(boxes, np.float32).reshape(n, 4)
    return Detections(
        array, np.full(n, confidence, np.float32), np.zeros(n, np.int64), np.zeros((n, 0, 3), np.float32)
    )


@pytest.mark.parametrize("name", TRACKERS)
def test_two_that_walk_apart_keep_their_numbers(name: str) -> None:
    tracker = ObjectTracker(name)
    seen = []
    for t in range(12):
        boxes = [(100 - 5 * t, 50, 130 - 5 * t, 110), (150 + 5 * t, 60, 180 + 5 * t, 120)]
        tracked = tracker.update(found(*(boxes if t % 2 else boxes[::-1])), IMAGE, t / 10)
        left_first = np.argsort(tracked.boxes_N4[:, 0])
        seen.append(tuple(tracked.track_id_N[left_first]))
        np.testing.assert_allclose(tracked.boxes_N4[left_first], boxes, atol=6)
    assert set(seen) == {seen[0]} and len(set(seen[0])) == 2


@pytest.mark.parametrize("name", TRACKERS)
@pytest.mark.parametrize(("pause", "same"), [(0.5, True), (1.0, True), (1.2, False), (10.0, False)])
@pytest.mark.parametrize("step", [0.1, 0.04, 0.0334, 10.0])
def test_how_long_a_number_is_kept_is_counted_by_the_times_of_frames(
    step: float, pause: float, same: bool, name: str
) -> None:
    tracker = ObjectTracker(name, lost_seconds=1.0)
    box = (100.0, 50.0, 130.0, 110.0)
    before = [tracker.update(found(box), IMAGE, 8 + t / 25).track_id_N.tolist() for t in range(5)][-1]
    last = 8 + 4 / 25
    for t in range(1, round(pause / step)):  # none where the camera itself made a pause
        assert tracker.update(found(), IMAGE, last + t * step).track_id_N.tolist() == []
    again = [last + pause + t / 25 for t in range(3)]
    after = [tracker.update(found(box), IMAGE, seconds).track_id_N.tolist() for seconds in again][-1]
    assert (before == after) == same


@pytest.mark.parametrize(("start", "followed"), [(0.25, False), (0.15, True)])
def test_what_begins_a_track(start: float, followed: bool) -> None:
    tracker = ObjectTracker("bytetrack", start_confidence=start, weigh_overlap=False)
    box = (100.0, 50.0, 130.0, 110.0)
    seen = [tracker.update(found(box, confidence=0.2), IMAGE, t / 10).track_id_N.tolist() for t in range(6)]
    assert (seen[-1] == [1]) == followed


@pytest.mark.parametrize("weigh", [True, False])
def test_a_faint_one_that_moves_is_kept_where_overlap_alone_counts(weigh: bool) -> None:
    tracker = ObjectTracker("bytetrack", start_confidence=0.3, weigh_overlap=weigh)
    numbers: set[int] = set()
    for t in range(10):
        left = 20.0 + 9 * (t + t % 2)  # jerky, so that the filter cannot foresee it
        box = (left, 50, left + 40, 130)
        numbers |= set(tracker.update(found(box, confidence=0.35), IMAGE, t / 10).track_id_N.tolist())
    assert (len(numbers) == 1) == (not weigh)


def test_boxes_end_at_the_edge_and_have_a_size() -> None:
    tracker = ObjectTracker("bytetrack")
    for t in range(12):
        boxes = tracker.update(found((-20 - 4 * t, 50, 60 - 5 * t, 110)), IMAGE, t / 10).boxes_N4
        assert (boxes[:, 0] >= 0).all() and (boxes[:, 2] > boxes[:, 0]).all()


def test_an_unknown_tracker_is_named() -> None:
    with pytest.raises(ValueError, match="did you mean 'botsort'"):
        ObjectTracker("botsrt")


@needs_shared
@pytest.mark.parametrize("name", TRACKERS)
def test_tracks_are_those_of_the_library(name: str) -> None:
    with open_video(SHARED / "vtest.avi", wanted=lambda t: t < 0.8) as reader:
        frames = list(reader)
    weights = WEIGHTS / "yolo26n.pt"
    model = library_model(weights)
    detector = Detector(load_yolo(weights))
    tracker = ObjectTracker(name, lost_seconds=3.0)  # the library's 30 frames
    rows = 0
    for frame, detections in detect_frames([(f, detector.prepare(f.image)) for f in frames], detector):
        ours = tracker.update(detections, frame.image, frame.timestamp_seconds)
        image = np.ascontiguousarray(frame.image[..., ::-1])
        theirs = model.track(image, persist=True, conf=0.1, tracker=f"{name}.yaml", **ON_CPU)[0].boxes
        ids = theirs.id.numpy().astype(int) if theirs.id is not None else np.zeros(0, int)
        assert sorted(ours.track_id_N) == sorted(ids)
        for track_id, box in zip(ids, theirs.xyxy.numpy(), strict=True):
            np.testing.assert_allclose(ours.boxes_N4[ours.track_id_N == track_id][0], box, atol=0.1)
        rows += len(ids)
    assert rows > 20
