"""Every shipped action config parses, and trains one epoch on generated clips with untrained weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.fakes.tracked_clips import write_poses
from tests.fakes.videos import write_video
from vidlstm.cli.main import main

CONFIGS = sorted((Path(__file__).parents[1] / "configs").rglob("*.yaml"))
TASKS = {c: yaml.safe_load(c.read_text())["task"] for c in CONFIGS}
SEGMENTATION = [c for c, task in TASKS.items() if task == "segmentation"]
GIVEN = [c for c in CONFIGS if (yaml.safe_load(c.read_text()).get("data") or {}).get("format") == "features"]
ACTION = [c for c, task in TASKS.items() if task in ("action", "object_action") and c not in GIVEN]

AT = ((0, 0.0), (1, 0.6))
"""When each of the two labels of a clip begins."""


def test_the_table_names_every_config() -> None:
    table = (Path(__file__).parents[1] / "configs" / "README.md").read_text()
    assert [c.name for c in CONFIGS if c.name not in table] == []


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Eight clips of two classes; what is extracted of them is kept beside them for the next config."""
    root = tmp_path_factory.mktemp("configs") / "clips"
    drawn = [root / ("a", "b")[i % 2] / f"{i}.mp4" for i in range(8)]
    for i, clip in enumerate(drawn):
        write_video(clip, seed=i)
    return drawn


@pytest.mark.parametrize("config", ACTION, ids=lambda c: c.stem)
def test_every_action_config_trains(config: Path, clips: list[Path], tmp_path: Path) -> None:
    root = clips[0].parents[1]
    argv = ["train", "--config", str(config), "--data.root", str(root)]
    argv += ["--out", str(tmp_path / "run"), "--store", str(root.with_name("store"))]
    argv += ["--trainer.max_epochs", "1", "--sampling.workers", "1"]
    # The smallest network stands in: what is tested is the config, and large ones take a minute.
    name = yaml.safe_load(config.read_text())["backbone"]["name"].replace("mobilenet_v2", "squeezenet1_1")
    assert ("track:" in name) == (TASKS[config] == "object_action")
    if "track:" in name:
        tracks = write_poses(tmp_path / "t.parquet", clips, lambda clip, person: clip.parent.name == "a")
        argv += ["--data.tracks", str(tracks), "--backbone.name", name]
        argv += ["--backbone.weights", "random"] if "+" in name else []
    else:
        argv += ["--backbone.name", "squeezenet1_1", "--backbone.weights", "random"]
    assert main(argv) == 0
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["validation_clips"] > 0


@pytest.mark.parametrize("config", GIVEN, ids=lambda c: c.stem)
def test_every_config_of_given_features_trains(config: Path, tmp_path: Path) -> None:
    lines = [f"{i}.npy,{'ab'[i % 2]}" for i in range(8)]
    for i in range(8):
        np.save(tmp_path / f"{i}.npy", np.full((5 + i, 6), i % 2, np.float32))
    (tmp_path / "labels.csv").write_text("\n".join(["path,label", *lines]))
    argv = ["train", "--config", str(config), "--data.annotations", str(tmp_path / "labels.csv")]
    assert main([*argv, "--out", str(tmp_path / "run"), "--trainer.max_epochs", "1"]) == 0
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["validation_clips"] > 0


@pytest.mark.parametrize("config", SEGMENTATION, ids=lambda c: c.stem)
def test_every_segmentation_config_trains(config: Path, clips: list[Path], tmp_path: Path) -> None:
    root = clips[0].parents[1]
    lines = [f"{clip.relative_to(root)},{at},{at + 0.6},{'ab'[i % 2]}" for clip in clips for i, at in AT]
    (tmp_path / "segments.csv").write_text("\n".join(["path,start_seconds,end_seconds,label", *lines]))
    argv = ["train", "--config", str(config), "--data.root", str(root), "--out", str(tmp_path / "run")]
    argv += ["--data.annotations", str(tmp_path / "segments.csv"), "--store", str(root.with_name("store"))]
    name = yaml.safe_load(config.read_text())["backbone"]["name"].replace("mobilenet_v2", "squeezenet1_1")
    weights = "+".join("random" for _ in name.split("+"))
    argv += ["--trainer.max_epochs", "1", "--backbone.name", name, "--backbone.weights", weights]
    assert main(argv) == 0
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["validation_videos"] > 0
