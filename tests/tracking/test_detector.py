"""Our batches of frames give what the library's ``predict`` gives one at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from tests.fakes.yolo import save_yolo, tiny_yolo
from tests.tracking.library import WEIGHTS, disagreements, library_model, predicted
from tests.video.clips import SHARED, needs_shared, picture
from vidlstm.backbones.yolo.model import load_yolo
from vidlstm.errors import SettingsError, WeightsError
from vidlstm.structures import Detections, Frame
from vidlstm.tracking.detector import Detector, class_numbers
from vidlstm.tracking.lanes import batches, detect_frames
from vidlstm.video.reader import open_video

UNSURE = 1e-4
"""What a drawn network still finds something at."""


@pytest.fixture(
    scope="module", params=[("detect", "11"), ("detect", "26"), ("pose", "11"), ("segment", "v8")], ids=str
)
def tiny(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    task, generation = request.param
    return save_yolo(tmp_path_factory.mktemp("w") / "tiny.pt", tiny_yolo(task, generation))


def test_agrees_with_the_library_on_drawn_frames(tiny: Path) -> None:
    images = [picture(i, 90, 130) for i in range(3)]
    detector = Detector(load_yolo(tiny), image_size=160, confidence=UNSURE)
    ours = detector(np.stack([detector.prepare(i) for i in images]), (90, 130))
    model = library_model(tiny)
    if model.task == "segment":
        pytest.skip("the library drops objects with an empty mask, which a drawn network's all are")
    theirs = predicted(model, images, conf=UNSURE, imgsz=160)
    assert sum(map(len, ours)) > 20
    for mine, their in zip(ours, theirs, strict=True):
        assert disagreements(mine, their) == []


@needs_shared
@pytest.mark.parametrize("name", ["yolo26n.pt", "yolo11n-pose.pt"])
def test_agrees_with_the_library_on_real_frames(name: str) -> None:
    with open_video(SHARED / "vtest.avi", wanted=lambda t: round(10 * t) % 200 == 0) as reader:
        frames = list(reader)
    detector = Detector(load_yolo(WEIGHTS / name), confidence=0.1)
    ours = [found for _, found in detect_frames([(f, detector.prepare(f.image)) for f in frames], detector)]
    theirs = predicted(library_model(WEIGHTS / name), [f.image for f in frames], conf=0.1)
    assert sum(map(len, ours)) > 5
    for mine, their in zip(ours, theirs, strict=True):
        assert disagreements(mine, their) == []
        if name == "yolo11n-pose.pt":
            np.testing.assert_allclose(mine.keypoints_NJ3[..., :2], their.keypoints.xy.numpy(), atol=0.5)
            np.testing.assert_allclose(mine.keypoints_NJ3[..., 2], their.keypoints.conf.numpy(), atol=0.01)


def test_a_frame_does_not_depend_on_its_batch(tiny: Path) -> None:
    frames = [Frame(picture(i, 90, 130), i / 10, i) for i in range(5)]
    detector = Detector(load_yolo(tiny), image_size=160, confidence=UNSURE)
    pairs = [(f, detector.prepare(f.image)) for f in frames]
    alone = [found for _, found in detect_frames(pairs, detector, batch_size=1)]
    together = list(detect_frames(pairs, detector, batch_size=3))
    assert [f.index for f, _ in together] == [0, 1, 2, 3, 4]
    for one, (_, many) in zip(alone, together, strict=True):
        assert len(one) == len(many)
        # By confidence, so two that are nearly alike may change places for the sake of the last bit.
        apart_NN = np.abs(one.boxes_N4[:, None] - many.boxes_N4[None]).max(-1)
        own, same = linear_sum_assignment(apart_NN + 1000 * (one.class_N[:, None] != many.class_N[None]))
        np.testing.assert_allclose(one.boxes_N4[own], many.boxes_N4[same], atol=0.05)
        assert (one.class_N[own] == many.class_N[same]).all()


def test_frames_of_another_size_start_another_batch() -> None:
    pairs = [
        (Frame(picture(i, h, 40), 0.0, i), np.zeros((h, 32, 3), np.uint8)) for i, h in enumerate([9, 9, 8, 9])
    ]
    assert [[f.index for f, _ in batch] for batch in batches(pairs, 3)] == [[0, 1], [2], [3]]
    assert [len(b) for b in batches(pairs[:2] * 3, 4)] == [4, 2]


def test_classes_by_name(tmp_path: Path) -> None:
    names = {0: "person", 1: "car", 2: "bus"}
    assert class_numbers(["bus", "person"], names) == [0, 2]
    with pytest.raises(SettingsError, match="did you mean 'person'"):
        class_numbers(["persn"], names)
    weights = save_yolo(tmp_path / "w.pt", tiny_yolo("detect"))
    image = picture(0, 90, 130)
    every = Detector(load_yolo(weights), image_size=160, confidence=UNSURE)
    found = every(every.prepare(image)[None], (90, 130))[0]
    kept = int(found.class_N[0])
    some = Detector(load_yolo(weights), image_size=160, confidence=UNSURE, classes=[every.names[kept]])
    filtered = some(some.prepare(image)[None], (90, 130))[0]
    assert set(filtered.class_N) == {kept}


def test_a_network_without_boxes_is_refused(tmp_path: Path) -> None:
    weights = save_yolo(tmp_path / "w.pt", tiny_yolo("classify", "v8"))
    with pytest.raises(WeightsError, match="classify"):
        Detector(load_yolo(weights))


def test_detections_check_themselves() -> None:
    with pytest.raises(ValueError, match="keypoints"):
        Detections(np.zeros((2, 4)), np.zeros(2), np.zeros(2), np.zeros((1, 0, 3)))
