"""Training and predicting on YOLO features, by themselves and joined with a network that is shown motion."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.backbones.networks import yolo_file
from tests.fakes.videos import write_video
from vidlstm.cli.main import main

CONFIGS = Path(__file__).parents[2] / "configs" / "action"


@pytest.mark.parametrize(
    ("config", "name", "weights"),
    [
        ("yolo_objects", "yolo:objects", "{yolo}"),
        ("yolo_pose_motion", "yolo:pose+squeezenet1_1:motion", "{yolo}+random"),
    ],
)
def test_a_config_trains_and_its_checkpoint_finds_its_weights(
    config: str, name: str, weights: str, tmp_path: Path
) -> None:
    for i in range(8):
        write_video(tmp_path / "clips" / ("a", "b")[i % 2] / f"{i}.mp4", seed=i)
    yolo = yolo_file(name.partition("+")[0])
    argv = ["train", "--config", str(CONFIGS / f"{config}.yaml"), "--data.root", str(tmp_path / "clips")]
    argv += ["--out", str(tmp_path / "run"), "--store", str(tmp_path / "store"), "--trainer.max_epochs", "1"]
    argv += [
        "--backbone.name",
        name,
        "--backbone.weights",
        weights.format(yolo=yolo),
        "--backbone.size",
        "64",
        "--sampling.workers",
        "1",
    ]
    assert main(argv) == 0
    checkpoint = next((tmp_path / "run").rglob("*.ckpt"))
    out = tmp_path / "out"
    predict = ["predict", str(checkpoint), str(tmp_path / "clips" / "a" / "0.mp4"), "--out", str(out)]
    assert main([*predict, "--store", str(tmp_path / "store")]) == 0
    assert list(out.rglob("*.json"))
    spec = json.loads(next((tmp_path / "store").glob("*/spec.json")).read_text())
    assert spec["backbone"] == name


def test_other_weights_than_those_of_the_training_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i in range(4):
        write_video(tmp_path / "clips" / ("a", "b")[i % 2] / f"{i}.mp4", seed=i)
    argv = [
        "train",
        "--task",
        "action",
        "--data.root",
        str(tmp_path / "clips"),
        "--backbone.name",
        "yolo:embed",
    ]
    argv += ["--backbone.weights", str(yolo_file("yolo:embed")), "--backbone.size", "64"]
    argv += ["--out", str(tmp_path / "run"), "--store", str(tmp_path / "store"), "--trainer.max_epochs", "1"]
    assert main(argv) == 0
    checkpoint = next((tmp_path / "run").rglob("*.ckpt"))
    predict = ["predict", str(checkpoint), str(tmp_path / "clips" / "a" / "0.mp4"), "--out", str(tmp_path)]
    assert main([*predict, "--backbone.weights", str(yolo_file("yolo:embed", 1))]) == 2
    assert "weights_sha256" in capsys.readouterr().err
