"""The frames that are drawn on: their rate, their size, and how many have been drawn."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars
import pytest

from tests.fakes.tracks import write_tracks
from vidlstm.render import footage as footage_module
from vidlstm.render.draw.forecast_overlay import LEGEND, ForecastDrawer, legend_strip
from vidlstm.render.footage import DrawingReport
from vidlstm.render.material import Material
from vidlstm.structures import Frame


class Video(list[Frame]):
    """Frames in memory, and what a header claims of them."""

    def __init__(
        self, count: int, *, step: float = 0.04, height: int = 48, width: int = 64, **claims: Any
    ) -> None:
        super().__init__(
            Frame(np.full((height, width, 3), 90, np.uint8), 8 + step * i, i) for i in range(count)
        )
        nothing = {"claimed_fps": None, "claimed_frames": None, "claimed_duration_seconds": None}
        self.info = SimpleNamespace(height=height, width=width, **{**nothing, **claims})


def of(video: Video, **more: Any) -> Any:
    return Material(open_video=lambda name: nullcontext(video), **more).footage("v.webm")


@pytest.mark.parametrize(
    ("video", "rate"),
    [
        (Video(30, claimed_fps=1000.0), 25.0),  # as browsers claim
        (Video(2, step=0.5, claimed_fps=30.0), 2.0),
        (Video(1, claimed_fps=30.0), 30.0),
        (Video(1), 25.0),
        (Video(0), 25.0),
        (Video(20, step=1e-6), 1000.0),
        (Video(3, step=1e6), 0.001),
    ],
)
def test_the_rate_is_that_of_the_frames(video: Video, rate: float) -> None:
    with of(video) as (frames, fps):
        assert fps == pytest.approx(rate)
        assert [frame.index for frame in frames] == list(range(len(video)))


@pytest.mark.parametrize(
    ("claims", "expected"),
    [({"claimed_frames": 4}, 4), ({"claimed_duration_seconds": 0.2}, 5), ({}, 0), ({"claimed_frames": 1}, 1)],
)
def test_who_waits_is_told_of_every_frame(claims: dict[str, Any], expected: int) -> None:
    seen: list[tuple[int, int]] = []

    def tell(report: DrawingReport, total: int) -> None:
        seen.append((report.frames, total))

    with of(Video(4, **claims), progress=tell) as (frames, _):
        list(frames)
    assert seen[0] == (1, max(expected, 2) if expected else 0)
    assert seen[-1] == (4, 4)
    assert len(seen) == 5


def test_large_frames_are_drawn_smaller_with_their_boxes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(footage_module, "LARGEST", 32)
    tracks = polars.read_parquet(write_tracks(tmp_path / "t.parquet", frames=3))
    tracks = tracks.with_columns(video=polars.lit("v.webm"))
    with pytest.warns(UserWarning, match=r"v\.webm: its frames of 64 x 48 pixels are drawn at 32 x 24"):
        footage = of(Video(2), tracks=tracks)
        with footage as (frames, _):
            assert {frame.image.shape for frame in frames} == {(24, 32, 3)}
            halved = Material(tracks=tracks).rows("v.webm", frames.scale)
    columns = ["x1", "y1", "x2", "y2"]
    np.testing.assert_allclose(halved.select(columns), tracks.select(columns).to_numpy() / 2)
    monkeypatch.setattr(footage_module, "LARGEST", 64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with of(Video(2)) as (frames, _):
            assert frames.scale == 1


@pytest.mark.parametrize("size", [(48, 64), (240, 320), (480, 640)])
def test_the_legend_of_forecasts_stands_under_the_picture(size: tuple[int, int], tmp_path: Path) -> None:
    table = polars.read_parquet(write_tracks(tmp_path / "t.parquet", frames=3)).clear()
    picture = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
    drawn = ForecastDrawer(table, []).draw(Frame(picture, 0.0, 0))
    np.testing.assert_array_equal(drawn[: size[0]], picture)
    strip = legend_strip(*size)
    np.testing.assert_array_equal(drawn[size[0] :], strip)
    for _, colour in LEGEND:
        assert (np.abs(strip.astype(int) - colour).max(-1) < 40).any()
    assert replace(Frame(picture, 0.0, 0), image=drawn).image.shape[1] == size[1]
