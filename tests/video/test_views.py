"""What a network is shown of each frame."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as arrays

from vidlstm.structures import Frame
from vidlstm.video.views import MOTION_GAIN, motion, with_views

IMAGES = arrays.arrays(np.uint8, (3, 4, 3))


def frames(count: int) -> list[Frame]:
    draw = np.random.default_rng(0)
    return [Frame(draw.integers(0, 255, (4, 6, 3), dtype=np.uint8), i / 10, i) for i in range(count)]


@given(IMAGES, IMAGES)
def test_motion_is_the_brightened_difference(before: np.ndarray, after: np.ndarray) -> None:
    wanted = np.minimum(255, MOTION_GAIN * np.abs(before.astype(int) - after.astype(int)))
    shown = motion(before, after)
    assert shown.dtype == np.uint8
    assert np.array_equal(shown, wanted)
    assert np.array_equal(shown, motion(after, before))


@pytest.mark.parametrize("count", [0, 1, 2, 5])
@pytest.mark.parametrize("views", [["picture"], ["motion"], ["picture", "motion"], ["motion", "picture"]])
def test_every_frame_comes_out_once_in_order_with_its_views(count: int, views: list[str]) -> None:
    given_frames = frames(count)
    out = list(with_views(given_frames, views))
    assert [frame.index for frame, _ in out] == list(range(count))
    for index, (frame, shown) in enumerate(out):
        follows = max(index, 1)  # the first is shown the motion of the second
        still = np.zeros_like(frame.image)
        moved = motion(given_frames[follows - 1].image, given_frames[follows].image) if count > 1 else still
        wanted = {"picture": frame.image, "motion": moved}
        assert np.array_equal(shown, np.concatenate([wanted[view] for view in views], axis=2))
        assert shown.flags["C_CONTIGUOUS"]


def test_motion_waits_for_no_more_than_one_frame() -> None:
    taken = []

    def source() -> object:
        for frame in frames(5):
            taken.append(frame.index)
            yield frame

    for frame, _ in with_views(source(), ["motion"]):  # type: ignore[arg-type]
        assert taken[-1] == max(1, frame.index)
