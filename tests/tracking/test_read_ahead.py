"""Frames come in order from a thread; what goes wrong there is told to whoever takes them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.video.clips import make_clip
from vidlstm.errors import VideoError
from vidlstm.structures import Frame
from vidlstm.tracking.read_ahead import DEPTH, ReadAhead, held_bytes
from vidlstm.video.reader import open_video


def test_every_frame_once_in_order(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", frames=3 * DEPTH)
    with ReadAhead(partial(open_video, clip), prepare=lambda image: image[::2]) as frames:
        pairs = list(frames)
    assert [f.index for f, _ in pairs] == list(range(3 * DEPTH))
    assert all(small.shape[0] == f.image.shape[0] // 2 for f, small in pairs)
    assert (frames.decoded_frames, frames.truncated, frames.info.codec) == (3 * DEPTH, "", "h264")


def test_errors_come_through_and_the_thread_ends(tmp_path: Path) -> None:
    with (
        pytest.raises(VideoError, match="no such file"),
        ReadAhead(partial(open_video, tmp_path / "x.mp4")) as frames,
    ):
        list(frames)
    clip = make_clip(tmp_path / "a.mp4", frames=3 * DEPTH)
    with ReadAhead(partial(open_video, clip)) as frames:
        next(iter(frames))
    assert not [t for t in threading.enumerate() if t.name == "decode"]


class Skipping:
    """A reader that decodes a frame whenever it is looked at, and wants the seventh."""

    info, truncated = "info", ""

    def __init__(self) -> None:
        self.decoded, self.wanted = 0, threading.Event()

    @property
    def decoded_frames(self) -> int:
        self.decoded += 1
        if self.decoded >= 7:
            self.wanted.set()
        return self.decoded

    def __enter__(self) -> Skipping:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def __iter__(self) -> Iterator[Frame]:
        self.wanted.wait()
        yield Frame(np.zeros((2, 2, 3), np.uint8), 0.0, 6)


def test_a_decoder_that_passes_over_frames_lives() -> None:
    opened: Any = Skipping
    with ReadAhead(opened, timeout_seconds=0.02) as frames:
        assert [frame.index for frame, _ in frames] == [6]


def test_pictures_nobody_looks_at_are_not_kept(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", frames=2)
    with ReadAhead(partial(open_video, clip), prepare=lambda i: i[::2], pictures=False) as frames:
        for frame, prepared in frames:
            assert frame.image.shape == (96, 128, 3) and held_bytes(frame) == 0
            assert prepared.any()


def test_a_video_that_gives_no_frame_is_given_up() -> None:
    hangs = threading.Event()

    def never() -> Any:
        hangs.wait()

    with (
        pytest.raises(VideoError, match="longer than allowed"),
        ReadAhead(never, timeout_seconds=0.1) as frames,
    ):
        list(frames)
    hangs.set()
