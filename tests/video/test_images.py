from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.video.clips import average_difference, picture
from vidlstm.datasets.files import is_frame_folder
from vidlstm.errors import VideoError
from vidlstm.media import IMAGE_SUFFIXES, VIDEO_SUFFIXES, frames_in
from vidlstm.structures import FrameSize
from vidlstm.video.hashing import hash_video
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
    assert frames_in(tmp_path) == (["a.jpg", "b.JPEG", "c.png", "d.bmp", "e.webp"], [])
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


def test_mixed_sizes_take_that_of_the_first_as_in_a_file(tmp_path: Path) -> None:
    save(tmp_path / "1.png")
    save(tmp_path / "2.png", size=(96, 128))
    for size, shape in ((None, (48, 64, 3)), (FrameSize(24, 24, "crop"), (24, 24, 3))):
        with open_video(tmp_path, size=size) as video:
            first, second = video
        assert first.image.shape == second.image.shape == shape
        assert average_difference(first.image, second.image) < 4


@pytest.mark.parametrize("suffix", sorted(IMAGE_SUFFIXES))
def test_every_image_that_datasets_find_is_read(suffix: str, tmp_path: Path) -> None:
    for index in range(3):
        save(tmp_path / f"{index}.{suffix}", index)
    assert is_frame_folder(tmp_path)
    with open_video(tmp_path) as video:
        assert [average_difference(f.image, picture(f.index, 48, 64)) < 6 for f in video] == [True] * 3


@pytest.mark.parametrize(
    ("names", "frames", "left_out"),
    [
        (["img_2", "img_10", "flow_x_2", "flow_x_10", "flow_y_2"], ["img_2", "img_10"], 2),
        (["0002", "0001", "x_0001", "x_0002", "y_0001", "y_0002"], ["0001", "0002"], 2),
        (["frame1", "frame2", "cover"], ["frame1", "frame2"], 1),
        (["frame1", "frame2", "frame1_mask", "frame2_mask"], ["frame1", "frame2"], 1),
        (["flow_x_1", "flow_x_2"], ["flow_x_1", "flow_x_2"], 0),
        (["12-00-58", "12-00-59", "12-01-00"], ["12-00-58", "12-00-59", "12-01-00"], 0),
        (["b", "a", "c"], ["a", "b", "c"], 0),
        (["day1", "night2", "a"], ["a", "day1", "night2"], 0),
        (["a1", "a2", "b1", "b2"], None, 0),
        (["flow_x_1", "flow_x_2", "flow_y_1", "flow_y_2"], None, 0),
    ],
)
def test_a_folder_is_what_its_names_say(
    names: list[str], frames: list[str] | None, left_out: int, tmp_path: Path
) -> None:
    for name in names:
        save(tmp_path / f"{name}.png")
    if frames is None:
        for read in (open_video, hash_video):
            with pytest.raises(
                VideoError, match=r"2 sequences of images: .*\* \(2\), .*keep one in a folder"
            ):
                read(tmp_path)
        return
    with warnings.catch_warnings(record=True) as told, open_video(tmp_path) as video:
        assert video.info.claimed_frames == len(frames)
    assert len(told) == bool(left_out)
    found, others = frames_in(tmp_path)
    assert ([name.removesuffix(".png") for name in found], len(others)) == (frames, left_out)


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    for name in ("1.jpg", "2.jpg", "1.png", "flow_1.jpg", "flow_2.jpg"):
        save(tmp_path / name)
    with pytest.warns(UserWarning, match=r"left out: \*.png \(1\), flow_\*.jpg \(2\)$"):
        open_video(tmp_path)


@pytest.mark.parametrize(
    ("images", "others", "frames"),
    [
        (20, ["notes.txt"], True),
        (3, ["notes.txt"], True),
        (20, ["preview.mp4"], True),
        (3, ["clip.mp4"], False),
        (1, ["notes.txt"], False),
        (20, ["a.json", "b.json"], True),
        (10, ["a.json", "b.json"], False),
        (20, ["labels/"], False),
        (0, ["notes.txt"], False),
    ],
)
def test_one_foreign_file_does_not_change_what_a_folder_is(
    images: int, others: list[str], frames: bool, tmp_path: Path
) -> None:
    for name in [f"{n}.jpg" for n in range(images)] + others:
        (tmp_path / name).mkdir() if name.endswith("/") else (tmp_path / name).touch()
    assert is_frame_folder(tmp_path) == frames


@pytest.mark.parametrize("side", [12_000, 30_000])
def test_an_image_too_large_to_be_held_is_refused_by_its_header(side: int, tmp_path: Path) -> None:
    header = struct.pack(">II5B", side, side, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    (tmp_path / "1.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", len(header))
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + struct.pack(">I", 0)
        + b"IDAT"
        + struct.pack(">I", zlib.crc32(b"IDAT"))
    )
    with pytest.raises(VideoError, match=rf"1\.png.*({side}|{side * side})") as caught:
        open_video(tmp_path)
    assert caught.value.reason == "too_large"


def test_a_video_ends_like_one() -> None:
    assert {"mp4", "gif", "ts", "y4m"} <= VIDEO_SUFFIXES and not VIDEO_SUFFIXES & IMAGE_SUFFIXES


def test_an_empty_folder_and_a_wrong_rate(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"holds no image.*\.jpg") as caught:
        open_video(tmp_path)
    assert caught.value.reason == "unreadable"
    save(tmp_path / "1.png")
    for fps in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="image_fps"):
            open_video(tmp_path, image_fps=fps)
