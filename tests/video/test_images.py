from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.video.clips import average_difference, picture
from vidlstm.errors import VideoError
from vidlstm.structures import FrameSize
from vidlstm.video.images import image_files
from vidlstm.video.reader import open_video


def save(path: Path, index: int = 0, size: tuple[int, int] = (48, 64)) -> Path:
    done, data = cv2.imencode(path.suffix, cv2.cvtColor(picture(index, *size), cv2.COLOR_RGB2BGR))
    assert done
    path.write_bytes(data.tobytes())
    return path


def test_images_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for index in (10, 2, 1, 33, 9):
        save(tmp_path / f"img{index}.png", index)
    with open_video(tmp_path, image_fps=10) as video:
        frames = list(video)
        assert (video.info.decoder, video.info.codec, video.info.claimed_frames) == ("images", "png", 5)
        assert video.truncated == "" and video.decoded_frames == 5
    for frame, index in zip(frames, (1, 2, 9, 10, 33), strict=True):
        assert np.array_equal(frame.image, picture(index, 48, 64))
    assert [frame.timestamp_seconds for frame in frames] == [i / 10 for i in range(5)]


def test_what_counts_as_an_image(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.JPEG", "c.png", "d.bmp", "e.webp", ".hidden.png"):
        save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "folder.png").mkdir()
    assert [f.name for f in image_files(tmp_path)] == ["a.jpg", "b.JPEG", "c.png", "d.bmp", "e.webp"]
    with open_video(tmp_path) as video:
        for frame in video:
            assert average_difference(frame.image, picture(0, 48, 64)) < 6


def test_only_wanted_images_are_decoded(tmp_path: Path) -> None:
    save(tmp_path / "1.png")
    (tmp_path / "2.png").write_text("no image")
    save(tmp_path / "3.png")
    with open_video(tmp_path, image_fps=1, wanted=lambda t: t != 1.0) as video:
        assert [frame.index for frame in video] == [0, 2] and video.decoded_frames == 3


def test_an_unreadable_image_is_named(tmp_path: Path) -> None:
    save(tmp_path / "1.png")
    (tmp_path / "2.png").write_text("no image")
    with (
        pytest.raises(VideoError, match=r"2\.png cannot be decoded") as caught,
        open_video(tmp_path) as video,
    ):
        list(video)
    assert (caught.value.reason, caught.value.frame) == ("unreadable", 1)
    (tmp_path / "0.png").touch()
    with pytest.raises(VideoError, match=r"0\.png cannot be decoded"):
        open_video(tmp_path)


def test_mixed_sizes_need_a_size(tmp_path: Path) -> None:
    save(tmp_path / "1.png")
    save(tmp_path / "2.png", size=(96, 128))
    with (
        pytest.raises(VideoError, match=r"2\.png is 96x128, the first is 48x64"),
        open_video(tmp_path) as video,
    ):
        list(video)
    with open_video(tmp_path, size=FrameSize(24, 24, "crop")) as video:
        first, second = video
    assert first.image.shape == (24, 24, 3) and average_difference(first.image, second.image) < 4


def test_an_empty_folder_and_a_wrong_rate(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"holds no image.*\.jpg") as caught:
        open_video(tmp_path)
    assert caught.value.reason == "unreadable"
    save(tmp_path / "1.png")
    for fps in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="image_fps"):
            open_video(tmp_path, image_fps=fps)
