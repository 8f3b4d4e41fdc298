"""Names of outputs: one each, whatever the videos are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidlstm.errors import SettingsError
from vidlstm.render.names import output_stems, safe, short_names, with_ending


@pytest.mark.parametrize(
    ("paths", "stems"),
    [
        (["a/x.mp4", "b/y.mp4"], ["x", "y"]),
        (["a/x.mp4", "a/x.avi", "a/y.avi"], ["x.mp4", "x.avi", "y"]),
        (["a/x.mp4", "b/X.MP4"], ["a_x.mp4", "b_X.MP4"]),
        (["/p/a/x.mp4", "/q/a/x.mp4"], ["p_a_x.mp4", "q_a_x.mp4"]),
    ],
)
def test_videos_of_one_stem_are_told_apart(paths: list[str], stems: list[str]) -> None:
    assert list(output_stems([Path(p) for p in paths]).values()) == stems


def test_videos_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(SettingsError, match="`out`"):
        output_stems(
            [Path("a/b_x.mp4"), Path("a_b/x.mp4"), Path("c/b_x.mp4"), Path("c/x.mp4"), Path("A/B_x.mp4")]
        )


def test_names_of_files() -> None:
    assert with_ending(Path("out/a.v2"), "_gaps.csv") == Path("out/a.v2_gaps.csv")
    assert safe("my clip/../é.mp4") == "my_clip_.._é.mp4"
    assert safe("") == "video"


def test_short_names_are_safe_different_and_short() -> None:
    names = ["rtsp://camera/1", "/data/../x.mp4", "/data/x.mp4", ".", "é" * 100, "a/b", "A_b", "\udcff"]
    short = short_names(names)
    assert short[:4] == ["rtsp_camera_1", "data_x.mp4", "data_x.mp4_2", "video"]
    assert len({name.casefold() for name in short}) == len(names)
    assert max(len(name.encode()) for name in short) <= 82
