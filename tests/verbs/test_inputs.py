"""No verb writes over what it reads, whatever its kind: refused before any work, every byte as it was."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

import vidlstm
from tests.fakes.tracks import write_tracks
from tests.fakes.videos import write_video
from tests.tracking.test_mot_boxes import det
from tests.verbs.runs import BACKBONE, QUIET
from vidlstm.cli.main import main
from vidlstm.errors import OutputError
from vidlstm.files import OWNER, SCRATCH, held

Here = tuple[Path, Path, Path]
"""A folder, an action checkpoint and a forecaster."""


def video(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, frames=12)
    return path


def images(folder: Path) -> Path:
    folder.mkdir()
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((32, 32, 3), number, np.uint8))
    return folder


def text(path: Path, content: str = "x") -> Path:
    path.write_text(content)
    return path


def predict_over_the_video(here: Here) -> list[object]:
    folder, action, _ = here
    return ["predict", action, video(folder / "a.mp4"), "--out", folder]


def predict_among_the_images(here: Here) -> list[object]:
    folder, action, _ = here
    return ["predict", action, images(folder / "walk"), "--out", folder / "walk"]


def predict_over_the_homography(here: Here) -> list[object]:
    folder, _, forecaster = here
    table = write_tracks(folder / "t.parquet", frames=30)
    return ["predict", forecaster, table, "--homography", text(folder / "t_gaps.csv"), "--out", folder]


def predict_over_the_table(here: Here) -> list[object]:
    folder, _, forecaster = here
    return ["predict", forecaster, write_tracks(folder / "t.parquet", frames=30), "--out", folder]


def predict_over_the_tracks_with_forecasts(here: Here) -> list[object]:
    folder, _, forecaster = here
    table = write_tracks(folder / "forecasts.parquet", frames=30)
    return ["predict", forecaster, table, "--out", folder]


def predict_over_the_boxes(here: Here) -> list[object]:
    folder, _, forecaster = here
    boxes = det(folder / "tracks.json")
    return ["predict", forecaster, video(folder / "a.mp4"), "--boxes", boxes, "--out", folder]


def track_over_the_boxes(here: Here) -> list[object]:
    folder = here[0]
    boxes = det(folder / "t.json")
    return ["track", video(folder / "a.mp4"), "--boxes", boxes, "--out", folder / "t.parquet"]


def track_over_a_video(here: Here) -> list[object]:
    folder = here[0]
    videos = [video(folder / "a.mp4"), video(folder / "a_tracks.mp4")]
    boxes = [det(folder / "1.txt"), det(folder / "2.txt")]
    return ["track", *videos, "--boxes", *boxes, "--video", "--out", folder / "t.parquet"]


def track_among_the_images(here: Here) -> list[object]:
    folder = here[0]
    frames = images(folder / "walk")
    return ["track", frames, "--boxes", det(folder / "b.txt"), "--out", frames / "t.parquet"]


def evaluate_over_the_annotations(here: Here) -> list[object]:
    folder, action, _ = here
    clips = text(folder / "predictions.csv", "path,label\na.mp4,a\n")
    flags = ["--data.format", "csv", "--data.root", folder, "--data.annotations", clips]
    return ["evaluate", action, *flags, "--side", "all", "--out", folder]


def evaluate_over_the_weights(here: Here) -> list[object]:
    folder, action, _ = here
    return ["evaluate", action, "--backbone.weights", text(folder / "confusion.png"), "--out", folder]


def train_over_the_annotations(here: Here) -> list[object]:
    folder = here[0]
    clips = text(folder / "metrics.csv", "path,label\na.mp4,a\n")
    flags = ["--data.format", "csv", "--data.root", folder, "--data.annotations", clips]
    return ["train", *flags, *BACKBONE, *QUIET, "--out", folder]


def extract_over_the_video(here: Here) -> list[object]:
    folder = here[0]
    clip = video(folder / "a.mp4")
    return ["extract", clip, *BACKBONE, "--store", folder / "store", "--failures", clip]


def extract_over_the_weights(here: Here) -> list[object]:
    folder = here[0]
    weights = text(folder / "w.pth")
    flags = ["--backbone.weights", weights, "--store", folder / "store", "--failures", weights]
    return ["extract", video(folder / "a.mp4"), *flags]


def inspect_gates_over_the_truth(here: Here) -> list[object]:
    folder, action, _ = here
    truth = text(folder / "a.gates.npz", "start_seconds,end_seconds,label\n0,1,a\n")
    flags = ["--truth", truth, "--attribution", "false", "--out", folder]
    return ["inspect", "gates", action, video(folder / "a.mp4"), *flags]


def inspect_gates_over_a_picture(here: Here) -> list[object]:
    folder, action, _ = here
    truth = text(folder / "a.layer1.png", "start_seconds,end_seconds,label\n0,1,a\n")
    flags = ["--truth", truth, "--attribution", "false", "--out", folder]
    return ["inspect", "gates", action, video(folder / "a.mp4"), *flags]


def inspect_gates_among_the_images(here: Here) -> list[object]:
    folder, action, _ = here
    frames = images(folder / "walk")
    return ["inspect", "gates", action, frames, "--attribution", "false", "--out", frames / "new"]


def inspect_gradients_over_the_checkpoint(here: Here) -> list[object]:
    folder, action, _ = here
    shutil.copy(action, folder / "gradients.png")
    return ["inspect", "gradients", folder / "gradients.png", "--out", folder]


CASES: list[Callable[[Here], list[object]]] = [
    predict_over_the_video,
    predict_among_the_images,
    predict_over_the_homography,
    predict_over_the_table,
    predict_over_the_tracks_with_forecasts,
    predict_over_the_boxes,
    track_over_the_boxes,
    track_over_a_video,
    track_among_the_images,
    evaluate_over_the_annotations,
    evaluate_over_the_weights,
    train_over_the_annotations,
    extract_over_the_video,
    extract_over_the_weights,
    inspect_gates_over_the_truth,
    inspect_gates_over_a_picture,
    inspect_gates_among_the_images,
    inspect_gradients_over_the_checkpoint,
]


def files_in(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_no_verb_writes_over_what_it_reads(
    case: Callable[[Here], list[object]],
    classifier: Path,
    forecaster: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    argv = [str(word) for word in case((tmp_path, classifier, forecaster))]
    before = files_in(tmp_path)
    assert main(argv) == 2
    assert "of an input; choose another" in (said := capsys.readouterr().err) or "is an input" in said
    assert files_in(tmp_path) == before


def test_a_network_is_not_saved_over_its_backbones_weights(tmp_path: Path) -> None:
    weights = text(tmp_path / "w.pth")
    network = vidlstm.SequenceClassifier(4, 2, hidden_size=4, num_layers=1)
    backbone = object.__new__(vidlstm.Backbone)  # no more of it is looked at
    backbone.weights_source = str(weights)
    with pytest.raises(OutputError, match="is an input"):
        vidlstm.save_card(
            weights, network, labels=["a", "b"], backbone=backbone, window_seconds=1, overwrite=True
        )
    assert weights.read_text() == "x"


def test_two_runs_do_not_write_the_same_outputs(
    classifier: Path, forecaster: Path, clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip, boxes = video(tmp_path / "a.mp4"), det(tmp_path / "b.txt")
    runs = {
        "tracks.parquet": ["predict", forecaster, clip, "--boxes", boxes],
        "report.json": ["evaluate", classifier, "--store", clips / "store"],
    }
    for name, argv in runs.items():
        with held(tmp_path / "out" / name):
            assert main([*map(str, argv), "--out", str(tmp_path / "out")]) == 2
        assert f"{name}: another run is writing it" in capsys.readouterr().err
        assert not list((tmp_path / "out").iterdir())


def test_what_a_dead_run_left_in_a_folder_is_cleared_by_the_next(
    classifier: Path, clips: Path, tmp_path: Path
) -> None:
    clip = clips / "data" / "a" / "0.mp4"
    boxes, store = det(tmp_path / "b.txt"), ["--store", clips / "store"]
    runs: dict[str, list[object]] = {
        "predict": ["predict", classifier, clip, *store, "--outputs", "csv", "--out", tmp_path / "predict"],
        "track": ["track", clip, "--boxes", boxes, "--out", tmp_path / "track" / "t.parquet"],
        "evaluate": ["evaluate", classifier, *store, "--out", tmp_path / "evaluate"],
        "gradients": ["inspect", "gradients", "--steps", "2", "--out", tmp_path / "gradients"],
    }
    for name, argv in runs.items():
        dead = tmp_path / name / f"{SCRATCH}dead"
        dead.mkdir(parents=True)
        (dead / OWNER).touch()
        (dead / "half.csv").touch()
        assert main([str(word) for word in argv]) == 0
        assert not [p for p in (tmp_path / name).iterdir() if p.name.startswith(".")]
