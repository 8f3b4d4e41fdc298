"""The annotated video: decoded again and looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.render.examples import HOSTILE, frames, labels, prediction
from vidlstm.errors import VideoError
from vidlstm.render.draw.action_overlay import OverlayDrawer, annotated, draw_action_overlay
from vidlstm.render.palette import colour_of
from vidlstm.structures import Segment
from vidlstm.video.reader import open_video


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with open_video(path) as video:
        shown = list(video)
    return np.stack([f.image for f in shown]), np.array([f.timestamp_seconds for f in shown])


def near(image: np.ndarray, colour: tuple[int, int, int], within: int = 40) -> np.ndarray:
    """Which pixels have the colour; within what chroma subsampling and compression change."""
    return np.abs(image.astype(int) - np.array(colour)).max(axis=-1) <= within


def test_the_file_has_every_frame_at_its_time(tmp_path: Path) -> None:
    seen: list[int] = []
    said = prediction(start=8.0)
    written = draw_action_overlay(
        frames(30, start=8.0), said, tmp_path / "o.mp4", fps=10.0, progress=seen.append
    )
    images, times = read(tmp_path / "o.mp4")
    to = OverlayDrawer(96, 128, said).layout
    assert written == 30
    assert seen == list(range(1, 31))
    assert images.shape == (30, to.height, to.width, 3)
    assert to.video_height == 360, "a small video is enlarged"
    np.testing.assert_allclose(times, np.arange(30) / 10, atol=1e-3)
    greys = images[:, 100:200, to.width // 2 - 50 : to.width // 2 + 50].mean(axis=(1, 2, 3))
    np.testing.assert_allclose(greys, 40 + 3 * np.arange(30), atol=4)


def test_uneven_times_are_kept(tmp_path: Path) -> None:
    from vidlstm.structures import Frame

    times = np.array([0.0, 0.1, 0.35, 0.4, 1.0])
    uneven = [Frame(np.zeros((64, 64, 3), np.uint8), float(t), i) for i, t in enumerate(times)]
    draw_action_overlay(uneven, prediction(), tmp_path / "o.mp4", fps=10.0)
    np.testing.assert_allclose(read(tmp_path / "o.mp4")[1], times, atol=1e-3)


def test_the_colour_beside_the_label_follows_the_segments() -> None:
    said = prediction()  # 0 to 5.5 s: sit_down, walk, sit_down
    drawer, colours = OverlayDrawer(96, 128, said), colour_of(said.labels)
    to = drawer.layout
    for seconds, label in ((0.5, "sit_down"), (2.7, "walk"), (5.0, "sit_down")):
        image = drawer.draw(np.zeros((96, 128, 3), np.uint8), seconds)
        patch = image[to.bars_top + to.unit, to.margin + 1]
        assert tuple(patch) == colours[label]


def test_the_playhead_moves_right_and_the_timeline_has_the_segments_colours() -> None:
    said = prediction()
    drawer, colours = OverlayDrawer(96, 128, said), colour_of(said.labels)
    to = drawer.layout
    row = to.strips_top + to.strip_height - 2
    heads = []
    for seconds in (0.5, 2.0, 4.0):
        image = drawer.draw(np.zeros((96, 128, 3), np.uint8), seconds)
        white = np.flatnonzero((image[row] == 255).all(axis=-1))
        heads.append(white.mean())
        third = to.strip_left + to.strip_width // 2
        assert tuple(image[row, third + 12]) == colours["walk"]
    expected = [to.strip_left + to.strip_width * s / 5.5 for s in (0.5, 2.0, 4.0)]
    np.testing.assert_allclose(heads, expected, atol=3)


def test_a_bar_is_as_long_as_its_probability() -> None:
    said = prediction(("a", "b"), windows=1)
    said.window_probabilities[0] = (0.25, 0.75)
    drawer, colours = OverlayDrawer(96, 128, said), colour_of(said.labels)
    to = drawer.layout
    image = drawer.draw(np.zeros((96, 128, 3), np.uint8), 1.0)
    panel = image[to.bars_top : to.strips_top, to.bars_left :]
    lengths = [near(panel, colours[name], 0).any(axis=0).sum() for name in ("a", "b")]
    assert lengths[1] == pytest.approx(3 * lengths[0], abs=3)


def test_the_truth_has_its_own_strip() -> None:
    said = prediction()
    truth = [Segment(0.0, 5.5, "stand_up", 1.0)]
    drawer = OverlayDrawer(96, 128, said, truth)
    to = drawer.layout
    image = drawer.draw(np.zeros((96, 128, 3), np.uint8), 0.0)
    row = to.strips_top + to.strip_step + to.strip_height - 2
    assert tuple(image[row, to.strip_left + to.strip_width // 2]) == colour_of(said.labels)["stand_up"]
    assert to.height > OverlayDrawer(96, 128, said).layout.height


@pytest.mark.parametrize(("height", "width"), [(240, 426), (1080, 1920), (720, 405), (17, 33), (101, 640)])
def test_the_video_itself_is_not_hidden(height: int, width: int) -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (height, width, 3), dtype=np.uint8)
    drawer = OverlayDrawer(height, width, prediction())
    to = drawer.layout
    image = drawer.draw(picture, 1.0)
    shown = image[: to.video_height, to.video_left : to.video_left + to.video_width]
    assert image.shape == (to.height, to.width, 3)
    if (to.video_height, to.video_width) == (height, width):
        np.testing.assert_array_equal(shown, picture)
    else:
        assert abs(shown.mean() - picture.mean()) < 4


@pytest.mark.parametrize("count", [1, 2, 5, 6, 101, 400])
def test_one_to_four_hundred_classes(count: int) -> None:
    drawn = list(annotated(frames(3, height=240, width=320), prediction(labels(count))))
    assert len(drawn) == 3
    assert len({image.shape for image in drawn}) == 1
    assert (drawn[0] != drawn[2]).any()


def test_hostile_labels_and_unknown_ones_in_the_truth(tmp_path: Path) -> None:
    said = prediction(HOSTILE)
    truth = [Segment(i * 0.5, (i + 1) * 0.5, label, 1.0) for i, label in enumerate((*HOSTILE, "not a class"))]
    draw_action_overlay(frames(4), said, tmp_path / "o.mp4", fps=10.0, truth=truth)
    assert len(read(tmp_path / "o.mp4")[0]) == 4


def test_a_prediction_without_windows_or_segments_is_drawn() -> None:
    assert len(list(annotated(frames(2), prediction(windows=0), truth=[]))) == 2


def test_a_frame_of_another_size_is_scaled(tmp_path: Path) -> None:
    mixed = [*frames(2), *frames(2, height=200, width=100, start=1.0)]
    assert draw_action_overlay(mixed, prediction(), tmp_path / "o.mp4", fps=10.0) == 4


def test_no_frame_at_all_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"clip\.avi"):
        draw_action_overlay([], prediction(), tmp_path / "o.mp4", fps=10.0)
    assert list(tmp_path.iterdir()) == []
