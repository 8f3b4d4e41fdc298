"""A forecaster and a video to forecasts drawn on it; boxes come from MOT text, so no weights are needed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars
import pytest

import vidlstm
from tests.fakes.tracks import make_ethucy, write_tracks
from tests.tracking.test_mot_boxes import det
from tests.video.clips import make_clip
from vidlstm.cli.main import main
from vidlstm.errors import CheckpointError
from vidlstm.settings import TrackingSettings, TrajectoryDataSettings, TrajectoryModelSettings

HIDDEN = tuple(f"{frame},-1,{10 + 3 * frame},20," for frame in range(15, 20))
QUIET = {"max_epochs": 1, "accelerator": "cpu", "enable_progress_bar": False, "logger": False}
TINY = TrajectoryModelSettings(modes=3, hidden_size=8, decoder_size=16)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five steps of 0.2 s are seen, four forecast, lengths in box heights."""
    root = tmp_path_factory.mktemp("trained")
    data = TrajectoryDataSettings(
        format="tracks",
        root=write_tracks(root / "tracks.parquet", frames=120),
        step_seconds=0.2,
        normalise="height",
        observed=5,
        horizon=4,
        draws_per_epoch=64,
        batch_size=32,
    )
    metrics = vidlstm.train("trajectory", data=data, model=TINY, out=root / "run", trainer=QUIET)
    assert metrics["unit"] == "box heights" and metrics["side"] == "test"
    # Boxes are about 40 pixels high.
    assert metrics["ade_pixels"] == pytest.approx(40 * metrics["ade"], rel=0.05)
    assert metrics["baselines"]["constant_velocity"]["fde_pixels"] < 0.5
    return root / "run" / "best.ckpt"


@pytest.mark.parametrize("fps", [10, 30])
def test_a_video_of_any_rate_is_forecast_at_the_same_seconds(
    tmp_path: Path, checkpoint: Path, fps: int, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = 3 * fps
    clip = make_clip(tmp_path / "a.mp4", size=(96, 320), frames=frames, fps=fps)
    boxes = det(tmp_path / "det.txt", frames=frames)
    out = tmp_path / "out"
    assert main(["predict", str(checkpoint), str(clip), "--boxes", str(boxes), "--out", str(out)]) == 0
    assert "constant velocity" in capsys.readouterr().out
    table = polars.read_parquet(out / "forecasts.parquet")
    # 3 seconds are 15 steps; the first 5 are needed to see.
    moments = np.unique(table["moment_seconds"].to_numpy().round(6))
    np.testing.assert_allclose(moments, 0.2 * np.arange(4, 16), atol=0.01)
    assert (table["frame"] == (table["moment_seconds"] * fps).round()).all()
    ahead = table.filter(polars.col("step") == 4)
    assert ahead["seconds_ahead"].unique().to_list() == [0.8]
    assert (ahead["frame_ahead"] - ahead["frame"]).unique().to_list() == [round(0.8 * fps)]
    assert set(table["mode"]) == {-2, -1, 0, 1, 2}
    assert set(polars.read_csv(out / "forecasts.csv")["mode"]) == {-2, -1}
    scores = json.loads((out / "forecasts_scores.json").read_text())
    # The tracker's boxes move by 3 pixels a frame as soon as it has seen a few.
    assert scores["constant_velocity"]["ade"] < 6 and scores["unit"] == "pixels"
    assert set(scores["box_heights"]) == {"network", "constant_velocity"}
    assert polars.read_csv(out / "forecasts_short_tracks.csv").height == 0
    assert (out / "a_forecast.mp4").stat().st_size > 1000


def test_short_tracks_are_listed_and_a_bad_video_is_told(tmp_path: Path, checkpoint: Path) -> None:
    clips = [make_clip(tmp_path / f"{n}.mp4", size=(192, 224), frames=30, fps=10) for n in range(2)]
    boxes = [det(tmp_path / f"{n}.txt", frames=30) for n in range(2)]
    # The first is not seen for half a second, and a third object is there for no longer than that.
    seen = [line for line in boxes[0].read_text().splitlines(True) if not line.startswith(HIDDEN)]
    boxes[0].write_text("".join(seen))
    with boxes[0].open("a") as text:
        text.writelines(f"{frame},-1,200,150,20,40,0.9\n" for frame in range(10, 16))
    clips[1].write_bytes(b"no video")
    settings = TrackingSettings(boxes=boxes)
    told = vidlstm.predict(checkpoint, clips, out=tmp_path / "out", tracking=settings, video=False)
    assert [f.path for f in told.failures] == [clips[1]]
    (report,) = told.predictions
    assert [(name, steps, needed) for name, _, steps, needed in report.short_tracks] == [
        (str(clips[0]), 3, 5)
    ]
    listed = polars.read_csv(tmp_path / "out" / "forecasts_short_tracks.csv")
    assert listed["track_id"].to_list() == [report.short_tracks[0][1]]
    assert [(track, filled) for _, track, _, _, filled in report.gaps] == [(1, True)]
    assert report.gaps[0][2:4] == pytest.approx((1.3, 1.9), abs=1e-3)
    assert polars.read_csv(tmp_path / "out" / "forecasts_gaps.csv").height == 1
    assert report.short_tracks[0][1] not in {f.track_id for f in report.forecasts}
    assert not list((tmp_path / "out").glob("*.mp4"))


def test_a_homography_brings_pixels_to_a_forecaster_in_metres(tmp_path: Path, checkpoint: Path) -> None:
    data = TrajectoryDataSettings(
        root=make_ethucy(tmp_path / "e"),
        scene="zara1",
        observed=5,
        horizon=4,
        draws_per_epoch=64,
        batch_size=32,
    )
    vidlstm.train("trajectory", data=data, model=TINY, out=tmp_path / "run", trainer=QUIET)
    clip, boxes = (
        make_clip(tmp_path / "a.mp4", size=(96, 160), frames=40, fps=10),
        det(tmp_path / "det.txt", frames=40),
    )
    matrix = tmp_path / "h.txt"
    matrix.write_text("0.02 0 0\n0 0.05 0\n0 0 1\n")
    how = {"out": tmp_path / "o", "tracking": {"boxes": [boxes]}, "homography": matrix}
    told = vidlstm.predict(tmp_path / "run" / "best.ckpt", clip, **how)
    first = told.predictions[0].forecasts[0]
    assert (first.unit, first.observed_TC.shape[1], first.seconds_per_step) == ("metres", 2, 0.4)
    np.testing.assert_allclose(np.diff(first.observed_TC[-3:, 0]), 0.02 * 12, atol=0.03)
    assert first.observed_TC[-1, 1] == pytest.approx(0.05 * 50, abs=0.1)  # the lower edge, 50 pixels down
    assert (tmp_path / "o" / "a_forecast.mp4").is_file()
    with pytest.raises(CheckpointError, match="forecasts boxes"):
        vidlstm.predict(checkpoint, clip, **how)
