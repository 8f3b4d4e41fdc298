"""A camera pans over real people: boxes move as the pan says, numbers stay, and forecasts follow the pan."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import polars
import pytest

from tests.fakes.pan import Camera, film, photograph
from tests.video.clips import SHARED, needs_shared
from vidlstm.cli.main import main
from vidlstm.datasets.tracks_parquet import SCHEMA
from vidlstm.video.reader import open_video

WEIGHTS = SHARED.parents[1] / "weights" / "yolo26n.pt"
PHOTO = photograph("bus")
pytestmark = [needs_shared, pytest.mark.skipif(PHOTO is None, reason="ultralytics carries no photograph")]

PAN = Camera(left=12.0, top=8.0, pan=(40.0, 0.0), zoom=0.43)
ZOOM = Camera(left=170.0, top=80.0, pan=(0.0, 0.0), zoom=0.3, zoom_rate=1.07)
FPS = 10.0
FRAMES = {PAN: 60, ZOOM: 40}


def straight_tracks(path: Path, *, seed: int) -> Path:
    """Boxes that go straight on at all speeds and jitter: what a pan looks like to a detector."""
    rng, parts = np.random.default_rng(seed), []
    for track in range(60):
        height, seconds = rng.uniform(60, 240), np.arange(60) / FPS
        centre = rng.uniform(100, 500, 2) + seconds[:, None] * rng.normal(0, 40, 2)
        half = np.array([height / 5, height / 2])
        boxes = np.concatenate([centre - half, centre + half], 1)
        boxes += rng.normal(0, rng.uniform(0.002, 0.012) * height, boxes.shape)
        parts.append(np.column_stack([np.arange(60), seconds, np.full(60, track), boxes]))
    names = ["frame", "timestamp_seconds", "track_id", "x1", "y1", "x2", "y2"]
    table = polars.DataFrame(np.concatenate(parts), schema=names).with_columns(
        polars.lit("s.mp4").alias("video"),
        polars.lit("person").alias("class"),
        polars.lit(1.0).alias("confidence"),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    table.select(polars.col(n).cast(t) for n, t in SCHEMA.items()).write_parquet(path)
    return path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("straight")
    for seed, side in enumerate(("train", "val")):
        straight_tracks(root / side / "a.parquet", seed=seed)
    config = Path(__file__).parents[2] / "configs" / "trajectory" / "video_pixels.yaml"
    argv = ["train", "--config", str(config), "--data.root", str(root), "--out", str(root / "run")]
    argv += ["--data.step_seconds", "0.2", "--data.observed", "12", "--data.horizon", "8"]
    argv += ["--data.draws_per_epoch", "4096", "--data.batch_size", "64"]
    argv += ["--optimiser.learning_rate", "0.008", "--trainer.logger", "false"]
    argv += ["--trainer.max_epochs", "10", "--trainer.enable_progress_bar", "false"]
    argv += [
        "--model.decoding",
        "direct",
        "--model.modes",
        "3",
        "--model.hidden_size",
        "32",
        "--model.decoder_size",
        "64",
        "--seed",
        "0",
    ]
    assert main(argv) == 0
    return root / "run" / "best.ckpt"


def whole_tracks(table: polars.DataFrame, camera: Camera) -> dict[int, polars.DataFrame]:
    """The tracks that are there to the end and never touch the edge of the photograph, by number."""
    tracks = {int(k[0]): t.sort("frame") for k, t in table.group_by("track_id")}
    last = FRAMES[camera] - 1
    return {k: t for k, t in tracks.items() if t["frame"].max() == last and len(t) > 0.9 * last}


@pytest.fixture(scope="module")
def predict(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Camera], Path]:
    """What ``vidlstm predict`` makes of a camera's video; of each it is asked once."""

    @cache
    def of(camera: Camera) -> Path:
        assert PHOTO is not None
        folder = tmp_path_factory.mktemp("film")
        video = film(folder / "film.mp4", PHOTO, camera, frames=FRAMES[camera], fps=FPS)
        argv = ["predict", str(checkpoint), str(video), "--weights", str(WEIGHTS)]
        argv += ["--out", str(folder / "out")]
        assert main([*argv, "--classes", "person", "bus", "--confidence", "0.25", "--image_size", "512"]) == 0
        return folder / "out"

    return of


@pytest.mark.parametrize("camera", [PAN, ZOOM], ids=["pan", "zoom"])
def test_boxes_move_as_the_camera_says_and_numbers_stay(
    predict: Callable[[Camera], Path], camera: Camera
) -> None:
    out = predict(camera)
    whole = whole_tracks(polars.read_parquet(out / "tracks.parquet"), camera)
    # Whoever is seen at the start is seen at the end, under one number: three or four people and their bus.
    assert len(whole) >= 4
    assert {"person", "bus"} <= {track["class"][0] for track in whole.values()}
    for track in whole.values():
        boxes = track.select("x1", "y1", "x2", "y2").to_numpy()
        seconds = track["timestamp_seconds"].to_numpy()
        # Taken back to where they were in the first frame, all boxes of a track are one.
        pairs = list(zip(boxes, seconds, strict=True))[10:]
        first = np.stack([camera.boxes(box[None], s, 0.0)[0] for box, s in pairs])
        off = np.abs(first - np.median(first, axis=0))
        assert np.median((off[:, :2] + off[:, 2:]) / 2) < 2.0
        height = np.median(first[:, 3] - first[:, 1])
        assert np.median(off[:, 1::2]) < 0.03 * height
    with open_video(out / "film_forecast.mp4") as drawn:
        assert sum(1 for _ in drawn) == FRAMES[camera]


def test_forecasts_follow_the_pan_within_two_pixels(predict: Callable[[Camera], Path]) -> None:
    out = predict(PAN)
    whole = whole_tracks(polars.read_parquet(out / "tracks.parquet"), PAN)
    forecasts = polars.read_parquet(out / "forecasts.parquet")
    network, straight = (forecast_errors(forecasts, whole, PAN, mode) for mode in (-1, -2))
    assert len(network) > 50
    assert np.mean(network) < 2.0
    # The last step alone is a detector's jitter many times over.
    assert np.mean(network) < np.mean(straight) / 2


def forecast_errors(
    forecasts: polars.DataFrame, whole: dict[int, polars.DataFrame], camera: Camera, mode: int = -1
) -> list[float]:
    """Mean distance, pixels, of each forecast's path from where the camera takes the box it set out from."""
    errors = []
    for (track, frame), path in forecasts.filter(polars.col("mode") == mode).group_by("track_id", "frame"):
        if track in whole:
            box = (
                whole[int(track)]
                .filter(polars.col("frame") == frame)
                .select("x1", "y1", "x2", "y2")
                .to_numpy()
            )
            if not len(box):  # it was seen a frame ago, and has moved on since
                continue
            now = float(path["moment_seconds"][0])
            ahead = now + path["seconds_ahead"].to_numpy()
            places = np.concatenate([camera.boxes(box, now, s) for s in ahead])
            centres = (places[:, :2] + places[:, 2:]) / 2
            errors.append(float(np.linalg.norm(path.select("x", "y").to_numpy() - centres, axis=1).mean()))
    return errors
