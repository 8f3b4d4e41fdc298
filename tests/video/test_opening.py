"""The door: which reader is taken, what is refused, and in which words."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.video.clips import make_clip, make_sound
from vidlstm.errors import VideoError
from vidlstm.video import opencv
from vidlstm.video.pyav import PyAVReader
from vidlstm.video.reader import READERS, open_video

DECODERS = ("auto", *READERS)
HOSTILE_NAMES = [
    "concat:clip.mp4",
    "http:clip.mp4",
    "file:clip.mp4",
    "pipe:0",
    "subfile,,start,0,end,9,,:clip.mp4",
    "-i",
    "0",
    "img%03d.mp4",
    "a b;c|d&e.mp4",
    "line\nbreak.mp4",
    "žluť.mp4",
    "clip.mp4?x=1#y",
]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "clip.mp4", frames=4)


def reason_of(path: Path | str, decoder: str = "auto") -> str:
    with pytest.raises(VideoError) as caught:
        open_video(path, decoder=decoder)
    error = caught.value
    assert error.path == str(path) and str(path) in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 it crosses a process boundary
    return error.reason


@pytest.mark.parametrize("decoder", DECODERS)
def test_files_that_are_no_videos(decoder: str, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a video\n" * 100)
    (tmp_path / "nothing.mp4").touch()
    os.mkfifo(tmp_path / "pipe.mp4")
    assert reason_of(tmp_path / "absent.mp4", decoder) == "missing"
    assert reason_of(str(tmp_path / "nul\0.mp4"), decoder) == "missing"
    for name in ("text.mp4", "nothing.mp4", "pipe.mp4"):
        assert reason_of(tmp_path / name, decoder) == "unreadable"
    assert reason_of(make_sound(tmp_path / "sound.mp4"), decoder) == "no_video_stream"


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_video_cut_inside_its_first_frame_is_empty(decoder: str, tmp_path: Path, clip: Path) -> None:
    data = fast_start(tmp_path).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: data.index(b"mdat") + 20])
    assert reason_of(tmp_path / "cut.mp4", decoder) == "empty"


def fast_start(folder: Path) -> Path:
    options = {"movflags": "+faststart"}
    return make_clip(folder / "fast.mp4", frames=50, container_options=options, options={"g": "10"})


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_a_video_cut_in_the_middle_is_truncated(decoder: str, suffix: str, tmp_path: Path) -> None:
    codec = "mpeg4" if suffix == ".avi" else "libx264"
    path = (
        fast_start(tmp_path)
        if suffix == ".mp4"
        else make_clip(tmp_path / f"x{suffix}", frames=50, codec=codec)
    )
    with open_video(path, decoder=decoder) as video:
        assert len(list(video)) == 50 and video.truncated == ""
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with open_video(cut, decoder=decoder) as video:
        frames = list(video)
        assert 5 < len(frames) < 48 and video.truncated


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_name_is_only_a_name(decoder: str, name: str, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clip.parent)
    shutil.copy(clip, name)
    clip.unlink()
    with open_video(name, decoder=decoder) as video:
        assert len(list(video)) == 4


def test_a_name_that_is_no_text(clip: Path) -> None:
    odd = clip.with_name(os.fsdecode(b"caf\xe9.mp4"))
    try:
        clip.rename(odd)
    except OSError:
        pytest.skip("this file system wants UTF-8 names")
    with open_video(odd) as video:
        assert len(list(video)) == 4
    assert reason_of(odd, "opencv") == "unreadable"


@pytest.mark.parametrize("decoder", DECODERS)
def test_playlists_open_no_other_file(decoder: str, tmp_path: Path) -> None:
    make_clip(tmp_path / "part.ts", codec="mpeg2video")
    hls = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\npart.ts\n#EXT-X-ENDLIST\n"
    sdp = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
    concat = "ffconcat version 1.0\nfile part.ts\n"
    for name, text in {
        "a.m3u8": hls,
        "a.ts": hls,
        "a.ffconcat": concat,
        "a.mp4": concat,
        "a.sdp": sdp,
    }.items():
        (tmp_path / name).write_text(text)
        assert reason_of(tmp_path / name, decoder) == "unreadable"


def test_auto_takes_pyav_and_says_so(clip: Path) -> None:
    with open_video(clip) as video:
        assert video.info.decoder == "pyav" and isinstance(video, PyAVReader)


def test_auto_falls_back_on_opencv(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(READERS, "pyav", failing("unreadable"))
    with open_video(clip) as video:
        assert video.info.decoder == "opencv" and len(list(video)) == 4


def test_auto_tells_both_reasons(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(READERS, "pyav", failing("empty", "words of one"))
    monkeypatch.setitem(READERS, "opencv", failing("unreadable", "words of two"))
    with pytest.raises(VideoError, match=r"pyav: words of one; opencv: words of two") as caught:
        open_video(clip)
    assert caught.value.reason == "empty"


def failing(reason: str, detail: str = "") -> type[PyAVReader]:
    class Failing(PyAVReader):
        def __init__(self, path: str | Path, **_: object) -> None:
            raise VideoError(path, reason=reason, detail=detail)

    return Failing


def test_opencv_alone_reads_without_pyavs_header(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opencv, "_header", lambda _: None)
    with open_video(clip, decoder="opencv") as video:
        assert [frame.timestamp_seconds for frame in video] == pytest.approx([0, 0.04, 0.08, 0.12])
        assert (video.info.codec, video.info.claimed_frames, video.info.claimed_fps) == ("h264", 4, 25.0)


def test_wrong_arguments_are_value_errors(clip: Path) -> None:
    with pytest.raises(ValueError, match=r"auto.*pyav.*opencv"):
        open_video(clip, decoder="ffmpeg")
    with pytest.raises(ValueError, match="read by OpenCV"):
        open_video(0, decoder="pyav")


def test_the_environment_is_left_as_it_was(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;udp")
    open_video(clip, decoder="opencv").close()
    assert os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] == "rtsp_transport;udp"
    monkeypatch.delenv("OPENCV_FFMPEG_CAPTURE_OPTIONS")
    open_video(clip, decoder="opencv").close()
    assert "OPENCV_FFMPEG_CAPTURE_OPTIONS" not in os.environ


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp", ".tif", ".bmp"])
def test_a_picture_is_called_a_picture(ending: str, tmp_path: Path) -> None:
    picture = tmp_path / f"photo{ending}"
    Image.new("RGB", (32, 24)).save(picture)
    try:
        with open_video(picture) as video:
            assert len(list(video)) == 1
    except VideoError as error:
        assert "it is one picture; give a video, or a folder of pictures" in str(error)
