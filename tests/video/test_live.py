"""Cameras and streams, played by a stand-in: no device and no network is touched."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.fakes.videos import write_video
from vidlstm.errors import VideoError
from vidlstm.video import opencv
from vidlstm.video.reader import open_video


class Camera:
    """What the OpenCV reader uses of ``cv2.VideoCapture``, giving three green frames."""

    opened_with: tuple[object, ...] = ()

    def __init__(self, *arguments: object) -> None:
        Camera.opened_with = arguments
        self.left, self.released = 3, False

    def isOpened(self) -> bool:
        return self.opened_with[0] != 9

    def grab(self) -> bool:
        self.left -= 1
        return self.left >= 0

    def retrieve(self) -> tuple[bool, np.ndarray]:
        return True, np.full((6, 8, 3), (0, 200, 10), np.uint8)

    def get(self, what: int) -> float:
        return -1.0

    def set(self, what: int, value: float) -> bool:
        return False

    def release(self) -> None:
        self.released = True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Real time, by hand: every look at the clock moves it by a quarter of a second."""
    looks: list[float] = []

    def look() -> float:
        looks.append(100 + len(looks) / 4)
        return looks[-1]

    monkeypatch.setattr(opencv.time, "monotonic", look)
    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    yield looks


@pytest.mark.parametrize("source", [0, "rtsp://camera/1", "HTTP://example/x.mp4"])
def test_a_live_source_gives_real_time(source: int | str, clock: list[float]) -> None:
    with open_video(source, decoder="opencv", newest=False) as video:
        frames = list(video)
        assert video.info.decoder == "opencv" and video.info.claimed_frames is None
        assert (video.info.height, video.info.width) == (6, 8)
    assert Camera.opened_with[0] == source
    assert [frame.timestamp_seconds for frame in frames] == [0.25, 0.5, 0.75]
    assert frames[0].image[0, 0].tolist() == [10, 200, 0]
    what = "camera" if source == 0 else "stream"
    assert video.truncated == f"the {what} stopped after 3 frames"


def test_a_file_behind_an_address_ends_as_a_file_does(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Camera, "get", lambda _, what: 3.0 if what == cv2.CAP_PROP_FRAME_COUNT else -1.0)
    with open_video("http://example/x.mp4", decoder="opencv", newest=False) as video:
        assert len(list(video)) == 3 and video.truncated == ""


def test_of_a_camera_the_newest_frame_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    with open_video(0) as video:
        given = [frame.index for frame in video]
        assert given[-1] == 2 and len(given) + video.dropped_frames == 3  # type: ignore[attr-defined]
        assert video.truncated == "the camera stopped after 3 frames"


def test_an_address_where_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(VideoError, match="refused") as caught:
        open_video(f"http://127.0.0.1:{port}/cam.mjpg")
    assert caught.value.reason == "unreadable"


def test_standard_input_is_read_from_its_first_frame_on(tmp_path: Path) -> None:
    """A pipe can be read once: what is looked at to know the format must not be lost."""
    path = tmp_path / "a.ts"
    write_video(path, frames=40, height=48, width=64, fps=20)
    reading, writing = os.pipe()
    kept = os.dup(0)
    os.write(writing, path.read_bytes())
    os.close(writing)
    os.dup2(reading, 0)
    try:
        with open_video("-", newest=False) as video, open_video(path) as whole:
            assert [f.timestamp_seconds for f in video] == [f.timestamp_seconds for f in whole]
            assert video.decoded_frames == 40 and video.truncated == ""
        with pytest.raises(VideoError, match="-:"):
            open_video("-")
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        os.close(reading)


def test_a_camera_that_is_not_there(clock: list[float]) -> None:
    with pytest.raises(VideoError, match="9: cannot be opened") as caught:
        open_video(9)
    assert caught.value.reason == "unreadable"
