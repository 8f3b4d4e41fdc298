"""Frames come in order from a thread; what goes wrong there is told to whoever takes them."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.video.clips import make_clip
from vidlstm.errors import VideoError
from vidlstm.tracking.read_ahead import DEPTH, ReadAhead
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
