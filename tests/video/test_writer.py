from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from tests.video.clips import average_difference, picture
from vidlstm.errors import VideoError
from vidlstm.video import writer
from vidlstm.video.reader import READERS, open_video
from vidlstm.video.writer import VideoWriter

BLANK = np.zeros((8, 8, 3), np.uint8)


def write(path: Path, size: tuple[int, int], times: list[float | None], fps: float = 25) -> Path:
    with VideoWriter(path, fps=fps, height=size[0], width=size[1]) as video:
        for index, time in enumerate(times):
            video.write(picture(index, *size), time)
    return path


def times_of(path: Path) -> list[float]:
    with open_video(path) as video:
        times = [frame.timestamp_seconds for frame in video]
        assert video.truncated == "" and video.info.claimed_frames == len(times)
    return times


@pytest.mark.parametrize("size", [(64, 96), (65, 97), (2, 2), (1, 1)])
@pytest.mark.parametrize("decoder", READERS)
def test_written_frames_come_back(decoder: str, size: tuple[int, int], tmp_path: Path) -> None:
    path = write(tmp_path / "new" / "x.mp4", size, [None] * 5)
    height, width = size
    with open_video(path, decoder=decoder) as video:
        frames = list(video)
        assert (video.info.height, video.info.width) == (height + height % 2, width + width % 2)
    assert len(frames) == 5
    for index, frame in enumerate(frames):
        assert average_difference(frame.image[:height, :width], picture(index, *size)) < 6
    assert [f.name for f in path.parent.iterdir()] == ["x.mp4"]


def test_a_file_that_browsers_play(tmp_path: Path) -> None:
    path = write(tmp_path / "x.mp4", (64, 96), [None] * 3)
    data = path.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt, context.colorspace, context.color_range) == (
            "h264",
            "yuv420p",
            1,
            1,
        )


@pytest.mark.parametrize("fps", [0.5, 10, 23.976, 24000 / 1001, 25, 29.97, 30000 / 1001, 60, 240])
def test_untimed_frames_keep_the_rate(fps: float, tmp_path: Path) -> None:
    times = times_of(write(tmp_path / "x.mp4", (8, 8), [None] * 100, fps))
    assert times == pytest.approx([i / fps for i in range(100)], abs=1e-4)
    with open_video(tmp_path / "x.mp4") as video:
        assert video.info.claimed_fps == pytest.approx(fps, rel=1e-3)


def test_given_times_are_kept(tmp_path: Path) -> None:
    given = [8.333, 8.5, 8.501, 60.0, 3600.25]
    assert times_of(write(tmp_path / "x.mp4", (8, 8), given)) == pytest.approx(given, abs=1 / 90_000)
    assert times_of(write(tmp_path / "y.mp4", (8, 8), [1.0, None, 2.0, None])) == pytest.approx(
        [1, 1.04, 2, 2.04]
    )


def test_the_name_appears_with_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    with VideoWriter(path, fps=25, height=8, width=8) as video:
        video.write(BLANK)
        assert not path.exists()
    assert path.exists()


def test_wrong_frames_and_times(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="rise"),
        VideoWriter(tmp_path / "x.mp4", fps=25, height=8, width=8) as video,
    ):
        video.write(BLANK, 1.0)
        for wrong in (BLANK[:4], BLANK[..., 0], BLANK.astype(np.float32)):
            with pytest.raises(ValueError, match="frames are uint8"):
                video.write(wrong)
        with pytest.raises(ValueError, match="rise"):
            video.write(BLANK, 1.0)
        video.write(BLANK, 0.5)
    with (
        pytest.raises(ValueError, match="rise"),
        VideoWriter(tmp_path / "x.mp4", fps=25, height=8, width=8) as video,
    ):
        video.write(BLANK, -0.1)
    assert list(tmp_path.iterdir()) == []
    for fps, height in ((0, 8), (float("nan"), 8), (25, 0), (1e6, 8)):
        with pytest.raises(ValueError, match="size must be positive"):
            VideoWriter(tmp_path / "x.mp4", fps=fps, height=height, width=8)


def test_an_error_leaves_the_older_file(tmp_path: Path) -> None:
    path = write(tmp_path / "x.mp4", (8, 8), [None] * 3)
    before = path.read_bytes()
    with pytest.raises(ZeroDivisionError), VideoWriter(path, fps=25, height=8, width=8) as video:
        video.write(BLANK)
        raise ZeroDivisionError
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    write(path, (8, 8), [None] * 4)
    assert len(times_of(path)) == 4


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(VideoError) as caught:
        VideoWriter(tmp_path / "file" / "x.mp4", fps=25, height=8, width=8)
    assert caught.value.reason == "unwritable"
    with (
        pytest.raises(VideoError, match="cannot be written"),
        VideoWriter(tmp_path / "folder", fps=25, height=8, width=8) as video,
    ):
        video.write(BLANK)
    with (
        pytest.raises(VideoError, match="no frame"),
        VideoWriter(tmp_path / "x.mp4", fps=25, height=8, width=8),
    ):
        pass
    with pytest.raises(VideoError, match="cannot be written"):
        VideoWriter(tmp_path / "x.mp4", fps=25, height=40_000, width=40_000)
    assert {f.name for f in tmp_path.iterdir()} == {"file", "folder"}


def test_a_picture_lost_by_the_encoder_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encode = writer.VideoWriter._encode
    monkeypatch.setattr(writer.VideoWriter, "_encode", lambda self, frame: frame and encode(self, frame))
    with pytest.raises(VideoError, match="pictures for 3 frames"):
        write(tmp_path / "x.mp4", (8, 8), [None] * 3)
    assert list(tmp_path.iterdir()) == []


HANGS_SECONDS = 600
"""Far beyond what it takes: a program that hangs must fail the test, not stop it."""

FULL_DISK = """
import resource, sys
import numpy as np
from vidlstm.errors import VideoError
from vidlstm.video.writer import VideoWriter

resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
noise = np.random.default_rng(0)
try:
    with VideoWriter(sys.argv[1], fps=25, height=240, width=320) as video:
        for _ in range(int(sys.argv[2])):
            video.write(noise.integers(0, 255, (240, 320, 3), np.uint8))
except VideoError as error:
    print(error.reason)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
@pytest.mark.parametrize("frames", [1, 60])
def test_a_full_disk_leaves_nothing(frames: int, tmp_path: Path) -> None:
    run = [sys.executable, "-c", FULL_DISK, str(tmp_path / "x.mp4"), str(frames)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=HANGS_SECONDS)
    assert (done.stdout.strip(), done.stderr, done.returncode) == ("unwritable", "", 0)
    assert list(tmp_path.iterdir()) == []
