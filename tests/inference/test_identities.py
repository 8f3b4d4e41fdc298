"""No forecast lands on another object's number: shuffled numbers shuffle the forecasts, and nothing else."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import polars
import pytest
import torch

from tests.fakes.tracks import write_crossing
from vidlstm.datasets.tracks_parquet import read_tracks_parquet
from vidlstm.inference.forecast_tracks import forecast_table
from vidlstm.models.forecaster import PathForecaster
from vidlstm.render.draw.forecast_overlay import ForecastDrawer
from vidlstm.render.table.forecast_tables import forecast_frame
from vidlstm.structures import Frame, PathForecast


def forecasts(path: Path, model: PathForecaster) -> list[PathForecast]:
    table = read_tracks_parquet(path, step_seconds=0.2, max_gap_seconds=0.5)[0]
    return forecast_table(model, table, observed=5, every=1, neighbours=3, by_height=True)


@pytest.fixture
def model() -> PathForecaster:
    torch.manual_seed(0)
    network = PathForecaster(horizon=6, coordinates=4, modes=3, hidden_size=8, decoder_size=16, social="grid")
    network.fit(0.1)
    return network.eval()


@pytest.fixture
def tracks(tmp_path: Path) -> Path:
    """Twelve objects that cross, come and go; some with gaps, and numbers taken up again by nobody."""
    return write_crossing(tmp_path / "tracks.parquet")


def shuffled(path: Path, out: Path, seed: int) -> dict[int, int]:
    """Writes the table with other numbers and its rows in another order; returns old to new number."""
    frame, rng = polars.read_parquet(path), np.random.default_rng(seed)
    old = frame["track_id"].unique().to_list()
    new = dict(zip(old, rng.choice(100_000, len(old), replace=False).tolist(), strict=True))
    renamed = frame.with_columns(polars.col("track_id").replace_strict(new))
    renamed[rng.permutation(len(renamed))].write_parquet(out)
    return new


@pytest.mark.parametrize("seed", range(3))
def test_shuffled_numbers_shuffle_the_forecasts_alone(
    tmp_path: Path, tracks: Path, model: PathForecaster, seed: int
) -> None:
    before = {(f.track_id, f.frame): f for f in forecasts(tracks, model)}
    new = shuffled(tracks, tmp_path / "s.parquet", seed)
    after = {(f.track_id, f.frame): f for f in forecasts(tmp_path / "s.parquet", model)}
    assert len(before) > 100
    assert {(new[track], frame) for track, frame in before} == set(after)
    for (track, frame), forecast in before.items():
        other = after[new[track], frame]
        for name in ("observed_TC", "path_PC", "modes_KPC", "spread_KPC", "truth_PC", "straight_PC"):
            np.testing.assert_allclose(getattr(forecast, name), getattr(other, name), rtol=1e-4, atol=1e-3)


def test_every_forecast_sets_out_from_its_own_objects_box(tracks: Path, model: PathForecaster) -> None:
    found = forecasts(tracks, model)
    rows = {(r["track_id"], r["frame"]): r for r in polars.read_parquet(tracks).iter_rows(named=True)}
    for f in found:
        frame = 2 * f.frame  # a step of 0.2 s is two frames
        if (f.track_id, frame) in rows:
            row = rows[f.track_id, frame]
            assert f.observed_TC[-1, 0] == pytest.approx((row["x1"] + row["x2"]) / 2, abs=1e-3)
        else:  # it was last seen a frame ago, and is carried on as it was moving
            last, before = (rows[f.track_id, frame - back] for back in (1, 2))
            place = 2 * (last["x1"] + last["x2"]) / 2 - (before["x1"] + before["x2"]) / 2
            assert f.observed_TC[-1, 0] == pytest.approx(place, abs=1e-3)
        for ahead, place in enumerate(f.truth_PC, start=1):
            if np.isfinite(place).all() and (f.track_id, 2 * (f.frame + ahead)) in rows:
                row = rows[f.track_id, 2 * (f.frame + ahead)]
                assert place[1] == pytest.approx((row["y1"] + row["y2"]) / 2, abs=1e-3)
    table = forecast_frame(found).filter(polars.col("step") == 1)
    assert set(table["track_id"]) == {f.track_id for f in found}


def test_what_is_drawn_at_a_box_is_its_own(tracks: Path, model: PathForecaster) -> None:
    table = polars.read_parquet(tracks)
    found = [dataclasses.replace(f, frame=2 * f.frame) for f in forecasts(tracks, model)]
    drawer, drawn = ForecastDrawer(table, found), 0
    for index in range(0, 80, 2):
        frame = Frame(np.zeros((240, 320, 3), np.uint8), index / 10, index)
        for track, box in drawer._tracks.boxes(frame).items():
            forecast = drawer.shown(track, frame.timestamp_seconds)
            if forecast is not None and forecast.frame == index:
                assert forecast.track_id == track
                assert forecast.observed_TC[-1, 0] == pytest.approx((box[0] + box[2]) / 2, abs=1e-3)
                drawn += 1
    assert drawn > 100
