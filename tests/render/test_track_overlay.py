"""Tracks and forecasts drawn on frames: the right colours at the right places, at the frames' own times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars
import pytest

from tests.fakes.tracks import write_tracks
from vidlstm.errors import VideoError
from vidlstm.render.draw.forecast_overlay import MODES, ONE, STRAIGHT, ForecastDrawer, draw_forecasts
from vidlstm.render.draw.strokes import colour_of_track
from vidlstm.render.draw.track_overlay import TrackDrawer, draw_tracks
from vidlstm.structures import Frame, PathForecast
from vidlstm.video.reader import open_video

GREY = 90


def frames(count: int, *, start: float = 1.5, fps: float = 10.0) -> list[Frame]:
    image = np.full((240, 320, 3), GREY, np.uint8)
    return [Frame(image, start + i / fps, i) for i in range(count)]


def has(image: np.ndarray, colour: tuple[int, int, int], x: float, y: float, *, reach: int = 3) -> bool:
    """Whether the colour is within ``reach`` pixels of a place."""
    x, y = round(x), round(y)
    part = image[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1].astype(int)
    return bool((np.abs(part - np.array(colour)).max(-1) < 60).any())


@pytest.fixture
def table(tmp_path: Path) -> polars.DataFrame:
    """Boxes of 20 x 40 pixels that move right by 3 pixels a frame, one under the other."""
    return polars.read_parquet(write_tracks(tmp_path / "t.parquet", tracks=3, frames=60))


def forecast(track: int, frame: int, *, horizon: int = 4) -> PathForecast:
    """One path straight on, one that turns up, seen from a frame of :func:`table`, four frames a step."""
    x, y = 3.0 * frame + 10, 50.0 * track + 20
    ahead = 12.0 * np.arange(1, horizon + 1)
    size = np.tile([20.0, 40.0], (horizon, 1))
    straight = np.column_stack([x + ahead, np.full(horizon, y), size])
    path = np.column_stack([x + ahead, y + ahead, size])
    modes = np.stack([np.column_stack([x + 0 * ahead, y + ahead, size]), path])
    observed = np.column_stack([x + 12.0 * np.arange(-3, 1), np.full(4, y), size[:4]])
    return PathForecast(
        recording="v0.mp4",
        track_id=track,
        frame=frame,
        frame_step=4,
        seconds_per_step=0.4,
        unit="pixels",
        observed_TC=observed,
        path_PC=path,
        modes_KPC=modes,
        probabilities_K=np.array([0.6, 0.4]),
        spread_KPC=np.full((2, horizon, 4), 6.0),
        heading_radians=0.0,
        truth_PC=np.full((horizon, 4), np.nan),
        straight_PC=straight,
        moment_seconds=1.5 + frame / 10,
    )


def test_boxes_and_trails_are_where_the_table_says(table: polars.DataFrame) -> None:
    drawer = TrackDrawer(table)
    images = [drawer.draw(frame) for frame in frames(40)]
    for track in range(3):
        colour = colour_of_track(track)
        assert has(images[30], colour, 90, 50 * track + 20)
        assert has(images[30], colour, 110, 50 * track + 30)
        assert has(images[30], colour, 70, 50 * track + 40)  # where it stood ten frames before
    assert not has(images[0], colour_of_track(2), 110, 130, reach=6)
    assert (images[30][230:] == GREY).all()


def test_a_frame_without_objects_is_left_as_it_is(table: polars.DataFrame) -> None:
    drawer = TrackDrawer(table.filter(polars.col("frame") > 5))
    assert (drawer.draw(frames(1)[0]) == GREY).all()


def test_the_video_has_every_frame_at_its_time(tmp_path: Path, table: polars.DataFrame) -> None:
    uneven = [Frame(f.image, f.timestamp_seconds + 0.02 * (f.index % 2), f.index) for f in frames(12)]
    seen: list[int] = []
    assert draw_tracks(uneven, table, tmp_path / "o.mp4", fps=10.0, progress=seen.append) == 12
    assert seen == list(range(1, 13))
    with open_video(tmp_path / "o.mp4") as drawn:
        times = [f.timestamp_seconds for f in drawn]
    np.testing.assert_allclose(times, [f.timestamp_seconds - 1.5 for f in uneven], atol=1e-3)
    with pytest.raises(VideoError, match="no frame to draw on"):
        draw_tracks([], table, tmp_path / "none.mp4", fps=10.0)


def test_forecasts_start_at_the_feet_of_their_box(table: polars.DataFrame) -> None:
    drawer = ForecastDrawer(table, [forecast(1, 20)])
    image = drawer.draw(frames(30)[20])
    x, feet = 70.0, 90.0
    assert has(image, ONE, x + 36, feet + 36)
    assert has(image, MODES, x, feet + 40)
    assert has(image, STRAIGHT, x + 26, feet)
    assert has(image, (255, 255, 255), x - 30, feet)
    assert not has(image, ONE, x + 36, feet + 36 + 50, reach=8)


def test_a_forecast_is_shown_until_the_next_and_no_longer(table: polars.DataFrame) -> None:
    drawer = ForecastDrawer(table, [forecast(1, 20), forecast(1, 24), forecast(2, 20)])
    shown = {i: drawer.shown(1, 1.5 + i / 10) for i in (19, 20, 23, 24, 27, 31)}
    assert {i: f and f.frame for i, f in shown.items()} == {
        19: None,
        20: 20,
        23: 20,
        24: 24,
        27: 24,
        31: None,
    }
    assert drawer.shown(0, 3.5) is None
    other = drawer.shown(2, 3.5)
    assert other is not None and other.track_id == 2


def test_positions_in_metres_are_drawn_in_pixels(tmp_path: Path, table: polars.DataFrame) -> None:
    one = forecast(1, 20)
    points = {
        name: getattr(one, name)[..., :2] / 10
        for name in ("observed_TC", "path_PC", "straight_PC", "modes_KPC")
    }
    from dataclasses import replace

    metres = replace(one, **points, unit="metres", spread_KPC=one.spread_KPC / 10, truth_PC=points["path_PC"])
    drawer = ForecastDrawer(table, [metres], place=lambda p: 10 * p)
    assert has(drawer.draw(frames(21)[20]), ONE, 70 + 36, 70 + 36)
    assert (
        draw_forecasts(frames(3), table, [metres], tmp_path / "o.mp4", fps=10.0, place=lambda p: 10 * p) == 3
    )
