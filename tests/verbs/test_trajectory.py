"""Train, evaluate and predict on small made tracks; every shipped config is run."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
import torch
import yaml

import vidlstm
from tests.fakes.tracks import make_ethucy, write_tracks
from tests.verbs.test_train import StopAt, last
from vidlstm.cli.main import main
from vidlstm.datamodules.path_windows import cut_windows
from vidlstm.datamodules.trajectories import WindowDataset
from vidlstm.datasets.tracks import make_table
from vidlstm.errors import CheckpointError, DatasetError, SettingsError
from vidlstm.settings import TrajectoryDataSettings, TrajectoryModelSettings, TrajectoryOptimiserSettings
from vidlstm.structures import TrackForecasts
from vidlstm.tasks.trajectory.scores import score_baselines

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "trajectory").glob("*.yaml"))
QUIET = {"max_epochs": 2, "accelerator": "cpu", "enable_progress_bar": False, "logger": False}
TINY: dict[str, Any] = {"hidden_size": 8, "decoder_size": 16}


def train(root: Path, out: Path, *, epochs: int = 2, **more: Any) -> dict[str, Any]:
    return vidlstm.train(
        "trajectory",
        data=TrajectoryDataSettings(root=root, scene="zara1", batch_size=32, draws_per_epoch=128),
        model=TrajectoryModelSettings(**{"modes": 3, **TINY, **more.pop("model", {})}),
        optimiser=TrajectoryOptimiserSettings(average_decay=0.9),
        out=out,
        trainer={**QUIET, "max_epochs": epochs, **more.pop("trainer", {})},
        **more,
    )


def predict(checkpoint: Path, tracks: Path, **more: Any) -> TrackForecasts:
    (found,) = vidlstm.predict(checkpoint, tracks, **more).predictions
    assert isinstance(found, TrackForecasts)
    return found


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_ethucy(tmp_path_factory.mktemp("ethucy"), count=6)


@pytest.fixture(scope="module")
def trained(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    train(root, out)
    return out


def test_training_leaves_a_checkpoint_and_the_test_scenes_metrics(trained: Path) -> None:
    metrics = json.loads((trained / "metrics.json").read_text())
    assert (trained / "best.ckpt").is_file()
    assert (trained / "last.ckpt").is_file()
    assert metrics["side"] == "test"
    for key in ("ade", "fde", "min_ade", "min_fde"):
        assert 0 < metrics[key] < 10
    assert metrics["min_ade"] <= metrics["joint_ade"] + 1e-6
    assert metrics["min_fde"] <= metrics["joint_fde"]
    assert set(metrics["baselines"]) == {"constant_velocity", "least_squares"}
    # The walkers of the made test file go straight or turn steadily; the last step is exact.
    assert metrics["baselines"]["constant_velocity"]["ade"] < metrics["baselines"]["least_squares"]["ade"]
    assert metrics["validation"]["windows"] == 6 * 5


def test_the_same_seed_gives_the_same_numbers(root: Path, trained: Path, tmp_path: Path) -> None:
    again = train(root, tmp_path)
    assert again["ade"] == json.loads((trained / "metrics.json").read_text())["ade"]


def test_a_resumed_training_ends_where_an_undisturbed_one_does(root: Path, tmp_path: Path) -> None:
    """Stopped in its second epoch and in its third."""
    # Draws, their changes, the schedule, the annealing and the moving average of the weights: all go on.
    undisturbed = train(root, tmp_path / "a", epochs=3, seed=3)
    for stop in (1, 2):
        with pytest.raises(RuntimeError, match="stopped"):
            stopping = {"callbacks": [StopAt(stop)]}
            train(root, tmp_path / "b", epochs=3, seed=3, trainer=stopping, resume=stop > 1)
        assert last(tmp_path / "b")["epoch"] == stop - 1
    assert train(root, tmp_path / "b", epochs=3, seed=3, resume=True) == undisturbed
    ours, theirs = last(tmp_path / "b"), last(tmp_path / "a")
    assert ours["global_step"] == theirs["global_step"] == 3 * 4
    for name, weight in theirs["state_dict"].items():
        assert torch.equal(ours["state_dict"][name], weight), name


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"seed": 5}, "seed"),
        ({"model": {"modes": 2}}, "model"),
        ({"model": {"social": "grid"}}, "social"),
    ],
)
def test_a_training_with_other_settings_is_not_resumed(
    more: dict[str, Any], named: str, root: Path, trained: Path, tmp_path: Path
) -> None:
    shutil.copy(trained / "last.ckpt", tmp_path)
    with pytest.raises(CheckpointError, match=rf"(?s)other settings.*{named}"):
        train(root, tmp_path, resume=True, **more)


def test_other_paths_or_another_task_are_not_gone_on_with(
    root: Path, trained: Path, classifier: Path, tmp_path: Path
) -> None:
    shutil.copy(trained / "last.ckpt", tmp_path)
    data = TrajectoryDataSettings(root=root, scene="eth", batch_size=32, draws_per_epoch=128)
    model = TrajectoryModelSettings(modes=3, **TINY)
    with pytest.raises(CheckpointError, match=r"(?s)other settings.*scene"):
        vidlstm.train("trajectory", data=data, model=model, out=tmp_path, trainer=QUIET, resume=True)
    shutil.copy(classifier.parent / "last.ckpt", tmp_path)
    with pytest.raises(CheckpointError, match=r"(?s)other settings.*task"):
        train(root, tmp_path, resume=True)
    with pytest.raises(CheckpointError, match=r"last\.ckpt: no such checkpoint"):
        train(root, tmp_path / "none", resume=True)


def test_evaluate_repeats_what_training_measured(root: Path, trained: Path, tmp_path: Path) -> None:
    report = vidlstm.evaluate(trained / "best.ckpt", out=tmp_path)
    measured = json.loads((trained / "metrics.json").read_text())
    for key in ("ade", "min_fde", "kde_nll", "coverage_90"):
        assert report[key] == pytest.approx(measured[key]), key
    assert json.loads((tmp_path / "report.json").read_text())["ade"] == report["ade"]
    assert len(report["error_by_step"]) == 12
    assert report["error_by_step"][-1] == pytest.approx(report["fde"])
    for name in ("error_by_step.png", "paths.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_predict_writes_the_same_rows_three_times_and_a_picture(trained: Path, tmp_path: Path) -> None:
    tracks = write_tracks(tmp_path / "tracks.parquet", videos=2, frames=90)
    with pytest.warns(UserWarning, match="trained on metres"):
        report = predict(trained / "best.ckpt", tracks, out=tmp_path / "out")
    assert report.short_tracks == []
    frame = polars.read_parquet(tmp_path / "out" / "tracks.parquet")
    assert frame["recording"].unique().sort().to_list() == ["v0.mp4", "v1.mp4"]
    assert polars.read_csv(tmp_path / "out" / "tracks.csv").height == frame.height
    assert json.loads((tmp_path / "out" / "tracks.json").read_text())[0]["recording"] == "v0.mp4"
    assert sorted(p.name for p in (tmp_path / "out").glob("*.png")) == ["tracks_v0.png", "tracks_v1.png"]
    # 0.4 s a step at 10 frames a second is four frames.
    first = frame.row(0, named=True)
    assert first["frame_ahead"] - first["frame"] == 4
    assert first["seconds_ahead"] == pytest.approx(0.4)
    one = frame.filter(polars.col("mode") == -1)
    assert one.height == 12 * len(report.forecasts)
    sums = frame.filter((polars.col("mode") >= 0) & (polars.col("step") == 1))
    per_forecast = sums.group_by("recording", "track_id", "frame").agg(polars.col("probability").sum())
    assert per_forecast["probability"].to_list() == pytest.approx([1.0] * len(report.forecasts), abs=1e-5)


def test_predicted_truth_is_where_the_track_goes(trained: Path, tmp_path: Path) -> None:
    tracks = write_tracks(tmp_path / "tracks.parquet", frames=90)
    with pytest.warns(UserWarning):
        report = predict(trained / "best.ckpt", tracks, out=tmp_path / "out")
    for f in report.forecasts:
        ahead = f.frame + 4 * np.arange(1, 13)
        expected = np.where(ahead < 90, 3.0 * ahead + 10, np.nan)
        np.testing.assert_allclose(f.truth_PC[:, 0], expected)
        assert f.observed_TC[-1, 0] == pytest.approx(3.0 * f.frame + 10, rel=1e-12)
        assert f.heading_radians == pytest.approx(0.0, abs=0.05)
        assert math.hypot(*(f.path_PC[-1] - f.observed_TC[-1])) > 0
    assert max(f.frame for f in report.forecasts) == 88


def test_predict_says_why_not(trained: Path, tmp_path: Path) -> None:
    short = write_tracks(tmp_path / "short.parquet", frames=20)
    with pytest.warns(UserWarning), pytest.raises(DatasetError, match="no track lasts 8 steps"):
        predict(trained / "best.ckpt", short, out=tmp_path / "out")
    slow = write_tracks(tmp_path / "slow.parquet", frames=20, fps=1.0)
    with pytest.raises(DatasetError, match=r"too few for steps of 0\.4 s"):
        predict(trained / "best.ckpt", slow, out=tmp_path / "out")
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        predict(tmp_path / "none.ckpt", short, out=tmp_path)


def test_boxes_from_tracks_tables(trained: Path, tmp_path: Path) -> None:
    for side in ("train", "val"):
        (tmp_path / side).mkdir()
        write_tracks(tmp_path / side / "a.parquet", frames=60)
    data = TrajectoryDataSettings(
        format="tracks", root=tmp_path, frame_step=2, draws_per_epoch=64, batch_size=32
    )
    model = TrajectoryModelSettings(modes=2, **TINY)
    metrics = vidlstm.train("trajectory", data=data, model=model, out=tmp_path / "run", trainer=QUIET)
    assert metrics["side"] == "validation"
    assert metrics["unit"] == "pixels"
    assert 0 < metrics["iou"] <= 1
    assert metrics["baselines"]["constant_velocity"]["iou"] > 0.9
    tracks = write_tracks(tmp_path / "b.parquet", frames=60)
    report = predict(tmp_path / "run" / "best.ckpt", tracks, out=tmp_path / "out")
    assert report.forecasts[0].path_PC.shape == (12, 4)
    with pytest.raises(CheckpointError, match="2 values in metres"):
        vidlstm.evaluate(trained / "best.ckpt", data=data, out=tmp_path, side="train")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_every_config_trains(path: Path, root: Path, tmp_path: Path) -> None:
    config = yaml.safe_load(path.read_text())
    config["data"] |= {"draws_per_epoch": 32, "batch_size": 16, "root": root, "scene": "zara1"}
    if config["data"]["format"] == "tracks":
        for side in ("train", "val"):
            (tmp_path / side).mkdir()
            write_tracks(tmp_path / side / "a.parquet", frames=120)
        config["data"]["root"] = tmp_path
    metrics = vidlstm.train(
        "trajectory",
        data=TrajectoryDataSettings(**config["data"]),
        model=TrajectoryModelSettings(**{**config["model"], **TINY}),
        out=tmp_path / "run",
        trainer={**config["trainer"], **QUIET, "max_epochs": 1},
    )
    assert math.isfinite(metrics["ade"])


def test_people_side_by_side_do_not_collide_and_crossing_ones_do() -> None:
    # Relative to their own last places all three paths are alike or mirrored; only the world differs.
    rows = [(10 * t, 1, float(t), 0.0) for t in range(6)]
    rows += [(10 * t, 2, float(t), 5.0) for t in range(6)]
    rows += [(10 * t, 3, 9.0 - t, 0.0) for t in range(6)]
    table = make_table(
        "x", np.array(rows), np.arange(len(rows)), unit="metres", frame_step=10, seconds_per_step=0.4
    )
    windows = WindowDataset([table], cut_windows([table], steps=6), observed=2)
    assert score_baselines(windows)["constant_velocity"]["collision"] == pytest.approx(2 / 3)


def test_settings_that_cannot_work_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"data\.root"):
        vidlstm.train("trajectory", out=tmp_path)
    with pytest.raises(SettingsError, match="scene"):
        vidlstm.train("trajectory", data=tmp_path, out=tmp_path)


def test_the_verbs_from_the_command_line(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    debug = Path(__file__).parents[2] / "configs" / "debug" / "trajectory.yaml"
    where = ["--data.root", str(root), "--data.scene", "zara1"]
    quiet = ["--trainer.enable_progress_bar", "false"]
    assert main(["train", "--config", str(debug), *where, "--out", str(run), "--seed", "0", *quiet]) == 0
    printed = capsys.readouterr().out
    assert "constant velocity" in printed and "least squares" in printed and "min_fde" in printed
    checkpoint = str(run / "best.ckpt")
    assert main(["evaluate", checkpoint, *where, "--out", str(tmp_path / "e")]) == 0
    assert "least squares" in capsys.readouterr().out
    tracks = write_tracks(tmp_path / "tracks.parquet", frames=60)
    with pytest.warns(UserWarning, match="metres"):
        assert main(["predict", checkpoint, str(tracks), "--out", str(tmp_path / "p")]) == 0
    endings = (".csv", ".json", ".parquet", "_gaps.csv", "_scores.json", "_short_tracks.csv", "_v0.png")
    assert sorted(p.name for p in (tmp_path / "p").iterdir()) == [f"tracks{end}" for end in endings]
    assert main(["train", "--task", "trajectory", "--data.scen", "eth", "--out", str(run)]) == 2
    assert "data.scene" in capsys.readouterr().err
