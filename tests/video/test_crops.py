"""Cutting an object out: the exact pixels, grey beyond the frame, and boxes that no tracker would write."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidlstm.structures import FITS, FrameSize
from vidlstm.video.crops import cut
from vidlstm.video.fitting import GREY
from vidlstm.video.opencv import resized

HEIGHT, WIDTH = 40, 60


def picture(channels: int = 3) -> np.ndarray:
    """Every pixel another, and none of them grey."""
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, channels), dtype=np.uint8)
    image[image == GREY] = 0
    return image


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("channels", [1, 3, 6])
def test_a_box_of_the_wanted_size_is_its_own_pixels(fit: str, channels: int) -> None:
    image = picture(channels)
    shown = cut(image, [10, 5, 30, 25], 0.0, FrameSize(20, 20, fit))
    np.testing.assert_array_equal(shown, image[5:25, 10:30])
    shown[:] = 0
    assert image.any(), "the frame is shared by the crops of all its boxes"


def test_broken_pixels_are_shown_whole() -> None:
    image = picture()
    shown = cut(image, [10.9, 5.2, 29.1, 24.3], 0.0, FrameSize(20, 20))
    np.testing.assert_array_equal(shown, image[5:25, 10:30])


def test_a_margin_is_a_share_of_the_longer_side_and_grey_beyond_the_frame() -> None:
    image = picture()
    shown = cut(image, [10, 5, 20, 25], 0.1, FrameSize(24, 14))
    np.testing.assert_array_equal(shown, image[3:27, 8:22])
    shown = cut(image, [0, 0, 10, 10], 0.5, FrameSize(20, 20))
    np.testing.assert_array_equal(shown[5:, 5:], image[:15, :15])
    assert (shown[:5] == GREY).all() and (shown[:, :5] == GREY).all()
    shown = cut(image, [WIDTH - 10, HEIGHT - 10, WIDTH, HEIGHT], 0.5, FrameSize(20, 20))
    np.testing.assert_array_equal(shown[:15, :15], image[-15:, -15:])
    assert (shown[15:] == GREY).all() and (shown[:, 15:] == GREY).all()


def test_a_box_is_cut_off_at_the_edges() -> None:
    image = picture()
    shown = cut(image, [-7, -100, 20, 20], 0.0, FrameSize(20, 20))
    np.testing.assert_array_equal(shown, image[:20, :20])
    shown = cut(image, [-1e30, -np.inf, 1e30, np.inf], 0.0, FrameSize(HEIGHT, WIDTH))
    np.testing.assert_array_equal(shown, image)


@pytest.mark.parametrize(
    ("box", "pixel"),
    [
        ([-50, -50, -20, -20], (0, 0)),
        ([WIDTH + 5, HEIGHT + 5, WIDTH + 9, HEIGHT + 9], (HEIGHT - 1, WIDTH - 1)),
        ([30, 20, 10, 5], (20, 30)),  # the wrong way round
        ([30, 20, 30, 20], (20, 30)),
    ],
)
def test_a_box_without_a_pixel_of_the_frame_shows_the_nearest(
    box: list[float], pixel: tuple[int, int]
) -> None:
    image = picture()
    for fit in FITS:
        assert (cut(image, box, 0.0, FrameSize(8, 8, fit)) == image[pixel]).all()


def test_squash_letterbox_and_crop() -> None:
    image = picture()
    box = [10, 5, 30, 15]  # twice as wide as high
    part = image[5:15, 10:30]
    np.testing.assert_array_equal(cut(image, box, 0.0, FrameSize(12, 12)), resized(part, 12, 12))
    shown = cut(image, box, 0.0, FrameSize(12, 12, "letterbox"))
    np.testing.assert_array_equal(shown[3:9], resized(part, 6, 12))
    assert (shown[:3] == GREY).all() and (shown[9:] == GREY).all()
    shown = cut(image, box, 0.0, FrameSize(12, 12, "crop"))
    np.testing.assert_array_equal(shown, resized(image[5:15, 15:25], 12, 12))
    shown = cut(image, [10, 5, 20, 25], 0.0, FrameSize(12, 12, "crop"))
    np.testing.assert_array_equal(shown, resized(image[10:20, 10:20], 12, 12))


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", [(12, 12), (50, 50), (12, 50)])
def test_motion_beside_the_picture_is_cut_at_the_same_place(fit: str, size: tuple[int, int]) -> None:
    """Smaller, larger, and both: OpenCV takes no six channels where it averages."""
    image, box = picture(6), [5.0, 3.0, 35.0, 33.0]
    shown = cut(image, box, 0.2, FrameSize(*size, fit))
    assert shown.flags.c_contiguous
    for three in (slice(0, 3), slice(3, 6)):
        alone = cut(np.ascontiguousarray(image[..., three]), box, 0.2, FrameSize(*size, fit))
        np.testing.assert_array_equal(shown[..., three], alone)


corners = st.floats(-1e9, 1e9) | st.floats(-100, 200) | st.sampled_from([np.inf, -np.inf, 1e300])


@given(
    st.tuples(corners, corners, corners, corners),
    st.floats(0, 100),
    st.tuples(st.integers(1, 40), st.integers(1, 40), st.sampled_from(FITS)),
)
def test_any_box_gives_a_picture_of_the_wanted_size(
    box: tuple[float, ...], margin: float, size: tuple[int, int, str]
) -> None:
    shown = cut(picture(), box, margin, FrameSize(*size))
    assert shown.shape == (*size[:2], 3) and shown.dtype == np.uint8


@pytest.mark.parametrize("fit", FITS)
def test_no_box_takes_more_memory_than_a_few_frames(fit: str) -> None:
    image = np.zeros((2000, 2000, 3), np.uint8)
    size = FrameSize(224, 224, fit)
    tracemalloc.start()
    try:
        for box, margin in (([0, 0, 2000, 2000], 50.0), ([7, 0, 8, 2000], 0.0), ([0, 7, 2000, 8], 0.0)):
            cut(image, box, margin, size)
        assert tracemalloc.get_traced_memory()[1] < 3 * image.nbytes
    finally:
        tracemalloc.stop()
