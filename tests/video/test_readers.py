"""One contract for all readers: the same frames at the same times, upright, whatever the file."""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
import pytest

from tests.video.clips import BLUE, RED, SHARED, average_difference, make_clip, needs_shared, picture
from vidlstm.errors import VideoError
from vidlstm.structures import Frame, FrameSize
from vidlstm.video import container
from vidlstm.video.reader import READERS, open_video

UNEVEN = [0.0, 0.011, 0.2, 0.25, 0.31, 0.9, 0.95, 1.4, 1.41, 2.0, 2.5, 2.6]
MILLISECONDS = Fraction(1, 1000)

CLIPS: dict[str, Callable[[Path], Path]] = {
    "plain": lambda d: make_clip(d / "x.mp4"),
    "b_frames": lambda d: make_clip(d / "x.mp4", options={"bf": "3", "b_strategy": "0"}),
    "uneven": lambda d: make_clip(d / "x.mp4", times=UNEVEN, options={"bf": "3", "b_strategy": "0"}),
    "uneven_late": lambda d: make_clip(d / "x.mkv", times=[t + 7.5 for t in UNEVEN], tick=MILLISECONDS),
    "starts_late": lambda d: make_clip(d / "x.mp4", times=[3 + i / 25 for i in range(12)]),
    "starts_before_zero": lambda d: make_clip(d / "x.mp4", times=[i / 10 - 0.5 for i in range(12)]),
    "slides": lambda d: make_clip(d / "x.mkv", times=[0.0, 10.0, 31.0], tick=MILLISECONDS),
    "rotated_90": lambda d: make_clip(d / "x.mp4", rotation=90),
    "rotated_180": lambda d: make_clip(d / "x.mp4", rotation=180),
    "rotated_270": lambda d: make_clip(d / "x.mp4", rotation=-90),
    "odd_size": lambda d: make_clip(d / "x.mp4", size=(95, 131), pixels="yuv444p"),
    "mpeg4_avi": lambda d: make_clip(d / "x.avi", codec="mpeg4"),
    "mpeg4_avi_b_frames": lambda d: make_clip(d / "x.avi", codec="mpeg4", options={"bf": "2"}),
    "h264_avi_b_frames": lambda d: make_clip(d / "x.avi", options={"bf": "3", "b_strategy": "0"}),
    "mjpeg_avi": lambda d: make_clip(d / "x.avi", codec="mjpeg", pixels="yuvj420p"),
    "mpeg_ts": lambda d: make_clip(d / "x.ts", codec="mpeg2video"),
    "raw_h264": lambda d: make_clip(d / "x.h264"),
    "vp9": lambda d: make_clip(d / "x.webm", codec="libvpx-vp9", options={"deadline": "realtime"}),
    "hevc": lambda d: make_clip(d / "x.mkv", codec="libx265", options={"x265-params": "log-level=none"}),
    "grey": lambda d: make_clip(d / "x.mkv", codec="ffv1", pixels="gray"),
    "grey_16_bit": lambda d: make_clip(d / "x.mkv", codec="ffv1", pixels="gray16le"),
    "alpha": lambda d: make_clip(d / "x.mkv", codec="ffv1", pixels="yuva420p"),
    "rgb_alpha": lambda d: make_clip(d / "x.mkv", codec="ffv1", pixels="bgra"),
    "bt709": lambda d: make_clip(d / "x.mp4", colorspace=1),
    "one_frame": lambda d: make_clip(d / "x.mp4", frames=1),
    "two_by_two": lambda d: make_clip(d / "x.mp4", size=(2, 2), frames=3),
}
BOTH_READ = [
    "R6llTwEh07w.mp4",
    "corrupted.mp4",
    "h265_10bits.mp4",
    "hmdb51_Turnk_r_Pippi_Michel_cartwheel_f_cm_np2_le_med_6.avi",
    "minimal.mp4",
    "nasa_13013.mp4",
    "nasa_13013_rotated.mp4",
    "no_duration.webm",
    "test_non_zero_start.mp4",
    "testsrc2_odd_height_and_width_444.mp4",
    "testsrc2_vp9.webm",
    "video_90.mov",
    "vtest.avi",
]
SIZES = [FrameSize(40, 40), FrameSize(30, 50, "crop"), FrameSize(50, 30, "letterbox"), FrameSize(150, 60)]
EQUAL_TO = 0.05
"""Full-size frames are equal where both wheels hold one FFmpeg; another build rounds here and there."""

AGREE_TO = 3.0
"""The readers shrink before or after converting colours: so far may they differ on average, of 255."""


def read(path: Path, decoder: str, size: FrameSize | None = None, most: int = 20) -> list[Frame]:
    with open_video(path, decoder=decoder, size=size) as video:
        assert video.info.decoder == decoder
        return [frame for frame, _ in zip(video, range(most), strict=False)]


def same(path: Path) -> None:
    """All frames and times equal; at other sizes, close."""
    times = {}
    for decoder in READERS:
        with open_video(
            path, decoder=decoder, wanted=lambda t, d=decoder: times.setdefault(d, []).append(t)
        ) as v:
            assert list(v) == []
            times[decoder].append((v.decoded_frames, v.info.height, v.info.width, bool(v.truncated)))
    first, *others = times.values()
    assert all(other == first for other in others)
    for a, b in zip(*(read(path, decoder) for decoder in READERS), strict=True):
        assert (a.timestamp_seconds, a.index) == (b.timestamp_seconds, b.index)
        assert average_difference(a.image, b.image) <= (1.0 if "10bit" in path.name else EQUAL_TO)
    for size in SIZES:
        for a, b in zip(*(read(path, decoder, size, 3) for decoder in READERS), strict=True):
            assert a.image.shape == (size.height, size.width, 3)
            assert average_difference(a.image, b.image) <= AGREE_TO


@pytest.mark.parametrize("clip", CLIPS)
def test_readers_agree_on_drawn_clips(clip: str, tmp_path: Path) -> None:
    same(CLIPS[clip](tmp_path))


@needs_shared
@pytest.mark.parametrize("name", BOTH_READ)
def test_readers_agree_on_real_files(name: str) -> None:
    same(SHARED / name)


@pytest.mark.parametrize("decoder", READERS)
def test_frames_are_what_was_drawn(decoder: str, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "x.mp4", pixels="yuv444p", options={"crf": "1", "bf": "3", "b_strategy": "0"})
    frames = read(path, decoder)
    assert [frame.index for frame in frames] == list(range(12))
    assert [frame.timestamp_seconds for frame in frames] == pytest.approx([i / 25 for i in range(12)])
    for index, frame in enumerate(frames):
        assert (
            frame.image.dtype == np.uint8 and frame.image.flags.c_contiguous and frame.image.flags.writeable
        )
        assert average_difference(frame.image, picture(index, 96, 128)) < 2


@pytest.mark.parametrize("decoder", READERS)
def test_colours_follow_the_tag(decoder: str, tmp_path: Path) -> None:
    tagged = make_clip(tmp_path / "x.mp4", colorspace=1, pixels="yuv444p", options={"crf": "1"})
    assert average_difference(read(tagged, decoder)[0].image, picture(0, 96, 128)) < 2


@pytest.mark.parametrize("decoder", READERS)
def test_uneven_times_are_kept(decoder: str, tmp_path: Path) -> None:
    frames = read(CLIPS["uneven_late"](tmp_path), decoder)
    assert [frame.timestamp_seconds for frame in frames] == pytest.approx([t + 7.5 for t in UNEVEN])


@pytest.mark.parametrize(
    ("size", "inside"),
    [
        (None, (16, 12)),
        (FrameSize(48, 36), (6, 4)),
        (FrameSize(48, 48, "crop"), (4, 6)),
        (FrameSize(40, 40, "letterbox"), (5, 8)),
    ],
)
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("decoder", READERS)
def test_frames_are_upright(
    decoder: str, rotation: int, size: FrameSize | None, inside: tuple[int, int], tmp_path: Path
) -> None:
    """The picture is stored turned, the container says so, and the red corner comes out at the top left."""
    # PyAV's angle is counter-clockwise: it undoes this turn.
    turned = np.ascontiguousarray(np.rot90(picture(0, 128, 96), -rotation // 90))
    path = make_clip(
        tmp_path / "x.mp4", draw=lambda *_: turned, size=turned.shape[:2], frames=1, rotation=rotation
    )
    with open_video(path, decoder=decoder, size=size) as video:
        (frame,) = video
        assert (video.info.height, video.info.width) == (128, 96)
        assert video.info.rotation_degrees == -rotation % 360
    height, width = (size.height, size.width) if size else (128, 96)
    assert frame.image.shape == (height, width, 3) and frame.image.flags.c_contiguous
    row, column = inside
    assert frame.image[row, column].tolist() == pytest.approx(RED, abs=8)
    assert frame.image[-1 - row, -1 - column].tolist() == pytest.approx(BLUE, abs=8)


@pytest.mark.parametrize("decoder", READERS)
def test_unwanted_frames_are_counted_and_not_converted(
    decoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    converted: list[int] = []
    reader = READERS[decoder]
    convert = reader._image
    monkeypatch.setattr(reader, "_image", lambda self, *a: converted.append(1) or convert(self, *a))
    asked: list[float] = []
    with open_video(
        make_clip(tmp_path / "x.mp4"),
        decoder=decoder,
        wanted=lambda t: asked.append(t) or len(asked) % 5 == 2,
    ) as video:
        taken = [frame.index for frame in video]
    assert taken == [1, 6, 11] and len(converted) == 3
    assert video.decoded_frames == len(asked) == 12


@pytest.mark.parametrize("decoder", READERS)
def test_size_changes_inside_a_video_come_out_as_the_first_size(decoder: str, tmp_path: Path) -> None:
    small = make_clip(tmp_path / "small.h264", size=(48, 64), frames=4)
    large = make_clip(tmp_path / "large.h264", size=(96, 128), frames=4)
    both = tmp_path / "both.h264"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    frames = read(both, decoder)
    assert [frame.image.shape for frame in frames] == [(48, 64, 3)] * 8
    assert average_difference(frames[0].image, frames[4].image) < 6


@pytest.mark.parametrize("decoder", READERS)
def test_a_reader_goes_on_where_it_stopped_and_closes_twice(decoder: str, tmp_path: Path) -> None:
    with open_video(make_clip(tmp_path / "x.mp4"), decoder=decoder) as video:
        for frame in video:
            if frame.index == 4:
                break
        assert video.decoded_frames == 5 and video.truncated == ""
        assert [frame.index for frame in video] == list(range(5, 12))
        assert list(video) == []
    video.close()


@pytest.mark.parametrize("decoder", READERS)
@pytest.mark.parametrize("name", [name for name in CLIPS if "_avi" in name])
def test_an_avi_begins_at_its_beginning(name: str, decoder: str, tmp_path: Path) -> None:
    with open_video(CLIPS[name](tmp_path), decoder=decoder) as video:
        times = [frame.timestamp_seconds for frame in video]
    np.testing.assert_allclose(times, np.arange(12) / 25, atol=1e-9)


@pytest.mark.parametrize("decoder", READERS)
def test_a_mirrored_picture_is_shown_as_players_show_it(decoder: str, tmp_path: Path) -> None:
    def of_track(a: int, d: int) -> bytes:
        return struct.pack(">9i", a << 16, 0, 0, 0, d << 16, 0, 0, 0, 1 << 30)

    data = make_clip(tmp_path / "x.mp4").read_bytes()
    place = data.index(of_track(1, 1), data.index(b"tkhd"))
    (tmp_path / "y.mp4").write_bytes(data[:place] + of_track(-1, 1) + data[place + 36 :])
    for size in (None, FrameSize(48, 64)):
        with open_video(tmp_path / "y.mp4", decoder=decoder, size=size) as video:
            image = next(iter(video)).image
            assert (video.info.mirrored, video.info.rotation_degrees) == (True, 0)
        assert average_difference(image[2:6, -6:-2], np.full((4, 4, 3), RED, np.uint8)) < 12
        assert average_difference(image[-6:-2, 2:6], np.full((4, 4, 3), BLUE, np.uint8)) < 12


@pytest.mark.parametrize("ending", ["ts", "mkv"])
def test_a_stream_without_a_picture_is_passed_over_and_told(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"two.{ending}"
    with av.open(str(path), "w") as out:
        streams = [out.add_stream("libx264", rate=25) for _ in range(2)]
        for stream in streams:
            stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv420p"
        out.start_encoding()
        for index in range(3):
            frame = av.VideoFrame.from_ndarray(picture(index, 96, 128), format="rgb24")
            frame = frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            out.mux(streams[1].encode(frame))
        out.mux(streams[1].encode(None))
    with (
        pytest.warns(UserWarning, match=f"two.{ending}: its first video stream gives no picture; the next"),
        open_video(path) as video,
    ):
        assert len(list(video)) == 3


@pytest.mark.parametrize("decoder", ["auto", *READERS])
def test_pictures_too_large_to_be_held_are_refused_by_their_size(
    decoder: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path / "x.mp4")
    monkeypatch.setattr(container, "MOST_PIXELS", 96 * 128 - 1)
    with pytest.raises(VideoError, match=r"too large .* 128 x 96 pixels are more than 12,287") as caught:
        open_video(clip, decoder=decoder)
    assert caught.value.reason == "too_large"


@pytest.mark.parametrize("decoder", ["pyav", "opencv"])
def test_frames_carry_a_picture_for_people_and_are_the_same(
    decoder: Literal["pyav", "opencv"], tmp_path: Path
) -> None:
    path = make_clip(tmp_path / "wide.mp4", size=(48, 64))
    size = FrameSize(20, 20)
    with open_video(path, decoder=decoder, size=size) as plain:
        alone = [frame.image for frame in plain]
    with open_video(path, decoder=decoder, size=size, picture_side=32) as looked_at:
        frames = list(looked_at)
    assert {frame.picture.shape for frame in frames if frame.picture is not None} == {(24, 32, 3)}
    assert all(np.array_equal(frame.image, one) for frame, one in zip(frames, alone, strict=True))
