"""Many sources at once: each with numbers of its own, and frames of any sizes through one network."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tests.tracking.test_mot_boxes import det
from vidlstm.settings import TrackingSettings
from vidlstm.structures import Detections, Frame
from vidlstm.tracking.live import LiveTracker, detected
from vidlstm.tracking.mot_boxes import read_mot_boxes


def frame(number: int, height: int = 120, width: int = 160) -> Frame:
    return Frame(np.zeros((height, width, 3), np.uint8), number / 10, number)


def test_each_source_has_numbers_of_its_own_and_none_comes_twice(tmp_path: Path) -> None:
    boxes = [read_mot_boxes(det(tmp_path / f"{n}.txt", frames=20)) for n in range(2)]
    tracker = LiveTracker(boxes, TrackingSettings(), 2)

    def numbers(sources: list[int], first: int) -> list[set[int]]:
        found = []
        for number in range(first, first + 5):
            of = tracker.step(sources, [frame(number) for _ in sources], [number / 10 for _ in sources])
            found = [set(tracked.track_id_N.tolist()) for _, tracked in of]
        return found

    assert numbers([0], 0) == [{1, 2}]
    assert numbers([1, 0], 5) == [{1, 2}, {1, 2}]  # another source that joins changes no number
    tracker.forget(0)
    assert numbers([0, 1], 10) == [{3, 4}, {1, 2}]
    tracker.close()


class Bright:
    """Finds the whole frame, as certain as it is bright, and keeps the sizes of its batches."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def prepare(self, image: np.ndarray) -> np.ndarray:
        return image[::2, ::2]

    def __call__(self, prepared_BHWC: np.ndarray, size: tuple[int, int]) -> list[Detections]:
        self.batches.append(len(prepared_BHWC))
        box = np.array([[0, 0, size[1], size[0]]], np.float32)
        sure = [np.array([one.mean() / 255], np.float32) for one in prepared_BHWC]
        return [Detections(box, s, np.zeros(1, np.int64), np.zeros((1, 0, 3), np.float32)) for s in sure]


def test_frames_of_one_size_share_a_batch_and_come_back_in_order() -> None:
    sizes = [(8, 8), (8, 12), (8, 8)]
    frames = [Frame(np.full((*size, 3), 50 * n, np.uint8), 0.0, 0) for n, size in enumerate(sizes, start=1)]
    network = Bright()
    found = detected(network, frames)  # type: ignore[arg-type]
    assert network.batches == [2, 1]
    with ThreadPoolExecutor(2) as pool:
        alone = detected(network, frames, pool)  # type: ignore[arg-type]
    for one in (found, alone):
        assert [tuple(d.boxes_N4[0, [3, 2]]) for d in one] == sizes
        np.testing.assert_allclose([d.confidence_N[0] for d in one], np.array([50, 100, 150]) / 255)
