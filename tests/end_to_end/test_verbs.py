"""The exact command lines a user types, on generated clips of two kinds of motion."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torchvision.models import squeezenet1_1

from vidlstm.cli.main import main
from vidlstm.render.table.action_tables import read_prediction_json
from vidlstm.video.writer import VideoWriter

if TYPE_CHECKING:
    from pathlib import Path

SIZE, FRAMES, FPS = 96, 16, 10


def write_clip(path: Path, label: str, seed: int, frames: int = FRAMES) -> None:
    """A bright square on a dark ground, or a dark one on a bright ground."""
    rng = np.random.default_rng(seed)
    dark, bright = (20, 220) if label == "bright" else (220, 20)
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, fps=FPS, height=SIZE, width=SIZE) as writer:
        for i in range(frames):
            image = np.full((SIZE, SIZE, 3), dark, dtype=np.uint8)
            top = int(rng.integers(0, SIZE - 40))
            image[top : top + 40, 2 * i : 2 * i + 40] = bright
            writer.write(image)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    rows = []
    for i in range(12):
        label = ("bright", "dark")[i % 2]
        write_clip(root / label / f"clip {i}.mp4", label, i)
        rows.append((f"{label}/clip {i}.mp4", label, f"group{i // 2}", (i // 2) % 3))
    with (root / "clips.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", "group", "fold"))
        writer.writerows(rows)
    torch.manual_seed(0)
    torch.save(squeezenet1_1().state_dict(), root / "weights.pth")
    write_clip(root / "long.mp4", "bright", 99, frames=60)
    return root


def flags(dataset: Path, *names: str) -> list[str]:
    """Some of the flags of the issue's command lines."""
    every = {
        "data": ["--data.format", "csv", "--data.root", dataset, "--data.annotations", dataset / "clips.csv"],
        "fold": ["--data.fold", 0],
        "name": ["--backbone.name", "squeezenet1_1"],
        "weights": ["--backbone.weights", dataset / "weights.pth"],
        "store": ["--store", dataset / "store"],
    }
    return [str(word) for name in names for word in every[name]]


@pytest.fixture(scope="module")
def run(dataset: Path) -> Path:
    out = dataset / "run"
    argv = ["train", "--task", "action", *flags(dataset, "data", "fold", "name", "weights", "store")]
    argv += ["--out", str(out), "--seed", "0", "--trainer.max_epochs", "2"]
    assert main([*argv, "--trainer.enable_progress_bar", "false"]) == 0
    return out


def test_train_leaves_a_checkpoint_and_metrics(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    assert 0 <= metrics["val_accuracy"] <= 1
    assert metrics["validation_clips"] == 4
    assert (run / "best.ckpt").is_file()
    assert (run / "last.ckpt").is_file()


def test_evaluate_takes_the_fold_that_was_held_out(dataset: Path, run: Path) -> None:
    out = dataset / "evaluation"
    argv = [
        "evaluate",
        str(run / "best.ckpt"),
        *flags(dataset, "data", "weights", "store"),
        "--out",
        str(out),
    ]
    assert main(argv) == 0
    report = json.loads((out / "report.json").read_text())
    metrics = json.loads((run / "metrics.json").read_text())
    assert report["clips"] == 4
    assert report["accuracy"] == pytest.approx(metrics["val_accuracy"])
    assert set(report["baselines"]) == {"majority_class", "logistic_regression_on_mean_features"}
    assert (out / "confusion.png").stat().st_size > 0
    with (out / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["group"] for row in rows} == {"group0", "group3"}


def test_predict_needs_the_checkpoint_the_video_and_the_weights_alone(dataset: Path, run: Path) -> None:
    out = dataset / "out"
    video = dataset / "long.mp4"
    argv = ["predict", str(run / "best.ckpt"), str(video), *flags(dataset, "weights"), "--out", str(out)]
    assert main(argv) == 0
    assert sorted(p.name for p in out.iterdir()) == ["long.csv", "long.json", "long.mp4", "long.png"]
    prediction = read_prediction_json(out / "long.json")
    assert prediction.segments[-1].end_seconds == pytest.approx(6.0, abs=0.11)
    assert len(prediction.window_start_seconds) > 3


def test_predict_goes_on_past_a_bad_file_and_says_so(
    dataset: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = dataset / "broken.mp4"
    bad.write_bytes(b"not a video")
    argv = ["predict", str(run / "best.ckpt"), str(bad), str(dataset / "long.mp4"), "--video", "false"]
    assert main([*argv, *flags(dataset, "weights"), "--out", str(dataset / "out2")]) == 1
    assert "broken.mp4" in capsys.readouterr().err
    assert (dataset / "out2" / "long.json").is_file()


def test_predict_refuses_other_weights(
    dataset: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(1)
    torch.save(squeezenet1_1().state_dict(), tmp_path / "other.pth")
    argv = ["predict", str(run / "best.ckpt"), str(dataset / "long.mp4"), "--out", str(tmp_path)]
    assert main([*argv, "--backbone.weights", str(tmp_path / "other.pth")]) == 2
    assert "weights_sha256" in capsys.readouterr().err


def test_predict_never_overwrites_its_input(
    dataset: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = dataset / "long.mp4"
    before = video.read_bytes()
    argv = ["predict", str(run / "best.ckpt"), str(video), *flags(dataset, "weights"), "--out", str(dataset)]
    assert main(argv) == 2
    assert "overwritten" in capsys.readouterr().err
    assert video.read_bytes() == before


def test_random_weights_must_be_asked_for_and_are_owned_up_to(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["train", *flags(dataset, "data", "fold", "name"), "--out", str(tmp_path / "run")]
    argv += ["--store", str(tmp_path / "store"), "--trainer.max_epochs", "1"]
    assert main([*argv, "--backbone.weights", "random"]) == 0
    predict = ["predict", str(tmp_path / "run" / "best.ckpt"), str(dataset / "long.mp4"), "--video", "false"]
    assert main([*predict, "--out", str(tmp_path / "out")]) == 0
    assert "random" in capsys.readouterr().out
    assert read_prediction_json(tmp_path / "out" / "long.json").produced_by["random_weights"] is True


def test_extract_lists_bad_files_and_exits_with_one(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "bad.mp4").write_bytes(b"")
    write_clip(tmp_path / "videos" / "good.mp4", "dark", 3)
    argv = [
        "extract",
        str(tmp_path / "videos"),
        *flags(dataset, "name", "weights"),
        "--store",
        str(tmp_path / "s"),
    ]
    assert main([*argv, "--failures", str(tmp_path / "failures.csv")]) == 1
    with (tmp_path / "failures.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["path"].rsplit("/", 1)[-1], row["reason"]) for row in rows] == [("bad.mp4", "unreadable")]
    assert main(argv) == 1  # the same again: the good one is there, the bad one still bad
