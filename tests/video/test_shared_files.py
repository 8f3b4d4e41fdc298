"""The real files that decoders trip over: for each, the exact outcome, the same every time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import pytest

from tests.video.clips import SHARED, needs_shared
from vidlstm.errors import VideoError
from vidlstm.video.reader import open_video

pytestmark = needs_shared
HMDB = "hmdb51_Turnk_r_Pippi_Michel_cartwheel_f_cm_np2_le_med_6.avi"


@dataclass(frozen=True)
class Read:
    frames: int
    size: tuple[int, int]
    first: float
    last: float
    codec: str = "h264"
    rotation: int = 0
    truncated: str = ""
    opencv: bool = True


@dataclass(frozen=True)
class Fails:
    reason: str
    words: str = ""


OUTCOMES: dict[str, Read | Fails] = {
    "R6llTwEh07w.mp4": Read(303, (256, 340), 0.0, 302 / 30),
    "ac3.mp4": Fails("no_video_stream"),
    "av1_video.mkv": Read(125, (360, 640), 0.0, 4.96, "av1", opencv=False),
    "corrupted.mp4": Read(28, (720, 1280), 0.0, 2.7, truncated="after 28"),
    "h265_10bits.mp4": Read(30, (200, 200), 0.0, 29 / 30, "hevc"),
    HMDB: Read(83, (240, 320), 0.0, 82 / 30, "mpeg4"),
    "minimal.mp4": Read(1, (240, 320), 0.0, 0.0),
    "nasa_13013.mp4": Read(325, (180, 320), 0.0, 12.96),
    "nasa_13013_rotated.mp4": Read(17, (480, 270), 0.0, 16 * 1001 / 30000, rotation=270),
    "no_duration.webm": Read(74, (720, 1280), 0.0, 4.872, "vp9"),
    "test_non_zero_start.mp4": Read(12, (112, 200), 127995 / 15360, 133627 / 15360),
    "testsrc2_odd_height_and_width_444.mp4": Read(25, (241, 321), 0.0, 0.96),
    "testsrc2_vp9.webm": Read(30, (720, 1280), 0.0, 0.967, "vp9"),
    "video_90.mov": Read(3, (568, 320), 0.0, 2 / 30, rotation=90),
    "vtest.avi": Read(795, (576, 768), 0.0, 79.4, "msmpeg4v3"),
    "zero_empty_stsc.mp4": Fails("empty", "pyav: Invalid data found when processing input; opencv:"),
}


def outcome(name: str, decoder: str) -> object:
    """Everything a user can see of a file, converting one frame in fifty."""
    seen: list[float] = []
    try:
        with open_video(
            SHARED / name, decoder=decoder, wanted=lambda t: seen.append(t) or len(seen) % 50 == 1
        ) as video:
            shapes = {frame.image.shape for frame in video}
    except VideoError as error:
        return error.reason, str(error)
    return video.info, video.decoded_frames, video.truncated, tuple(seen), shapes


@pytest.mark.parametrize("decoder", ["auto", "opencv"])
@pytest.mark.parametrize("name", OUTCOMES)
def test_the_same_known_outcome_every_time(name: str, decoder: str) -> None:
    expected, got = OUTCOMES[name], outcome(name, decoder)
    assert outcome(name, decoder) == got
    if isinstance(expected, Fails):
        reason, message = got
        assert reason == expected.reason
        assert name in message and (decoder != "auto" or expected.words in message)
    elif decoder == "opencv" and not expected.opencv and got[0] == "empty":
        pass  # some of OpenCV's wheels hold a decoder for it and some do not; both are told truly
    else:
        check(expected, got, "pyav" if decoder == "auto" else decoder)


def check(expected: Read, got: object, decoder: str) -> None:
    info, decoded, truncated, times, shapes = got
    assert (decoded, len(times)) == (expected.frames, expected.frames)
    assert (info.height, info.width) == expected.size and shapes == {(*expected.size, 3)}
    assert times[0] == pytest.approx(expected.first, abs=1e-9)
    assert times[-1] == pytest.approx(expected.last, abs=1e-9)
    assert all(a < b for a, b in pairwise(times))
    assert expected.truncated in truncated and bool(expected.truncated) == bool(truncated)
    assert (info.codec, info.rotation_degrees, info.decoder) == (expected.codec, expected.rotation, decoder)


def test_every_shared_file_has_its_row() -> None:
    assert {file.name for file in SHARED.iterdir()} == set(OUTCOMES)
