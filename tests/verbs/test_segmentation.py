"""``segmentation`` through every verb, on small drawn videos; and what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import vidlstm
from tests.fakes.videos import write_video
from tests.verbs.checkpoints import write
from tests.verbs.runs import BACKBONE, QUIET
from vidlstm.cli.main import main
from vidlstm.errors import DatasetError, SettingsError
from vidlstm.tasks import TASKS
from vidlstm.tasks.predictor import Predictor

HEADER = ("path", "start_seconds", "end_seconds", "label", "fold")


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six videos of 4 s; a, then nothing, then b."""
    root = tmp_path_factory.mktemp("timed")
    rows = []
    for n in range(6):
        write_video(root / "v" / f"{n}.mp4", frames=40, seed=n)
        rows += [(f"{n}.mp4", 0, 1.5, "a", n % 3), (f"{n}.mp4", 2, 4, "b", n % 3)]
    with (root / "segments.csv").open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return root


def train(videos: Path, out: Path, *flags: str) -> int:
    argv = [
        "train",
        "--task",
        "segmentation",
        "--data.root",
        str(videos / "v"),
        "--store",
        str(videos / "store"),
    ]
    argv += ["--data.annotations", str(videos / "segments.csv"), "--out", str(out), *BACKBONE]
    return main([*argv, "--model.hidden_size", "8", "--data.window_seconds", "2", *QUIET, *flags])


@pytest.fixture(scope="module")
def trained(videos: Path) -> Path:
    assert train(videos, videos / "run", "--data.fold", "1", "--model.bidirectional", "false") == 0
    return videos / "run" / "best.ckpt"


def test_a_training_is_measured(trained: Path) -> None:
    metrics = json.loads(trained.with_name("metrics.json").read_text())
    assert (metrics["train_videos"], metrics["validation_videos"]) == (4, 2)
    last = metrics["last_epoch"]  # of one epoch, which so is the best
    assert last["val_error"] == pytest.approx(1 - last["val_macro_f1"])
    assert set(metrics) > {"val_accuracy", "val_edit", "val_f1@50", "val_map", "best_epoch"}


def test_an_evaluation_stands_beside_its_baselines_and_shows_every_video(
    trained: Path, videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["evaluate", str(trained), "--out", str(tmp_path), "--store", str(videos / "store")]
    assert main(argv) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert len(report["baselines"]) == 4
    assert (report["videos"], report["causal"], report["side"]) == (2, True, "validation")
    assert all(
        report["baselines"]["commonest_class"][name] is not None for name in ("accuracy", "edit", "map")
    )
    assert set(report["events"]) == {"a", "b"}
    assert sum(map(sum, report["confusion"])) == 2 * 35  # unlabelled steps are scored nowhere
    assert sorted(p.name for p in (tmp_path / "timelines").iterdir()) == ["1.png", "4.png"]
    assert (tmp_path / "confusion.png").is_file()
    with (tmp_path / "predictions.csv").open() as file:
        assert {row["path"] for row in csv.DictReader(file)} == {"1.mp4", "4.mp4"}
    told = capsys.readouterr().out
    assert all(name in told for name in ("class", "calibrated", "edit", "f1@50"))


def test_a_dataset_that_was_never_seen_needs_no_training_videos(
    trained: Path, videos: Path, tmp_path: Path
) -> None:
    """And its labels may lie elsewhere and have no folds."""
    other = tmp_path / "other.csv"
    other.write_text("path,start_seconds,end_seconds,label\n2.mp4,0,4,b\n")
    given = {"root": videos / "v", "annotations": other}
    report = vidlstm.evaluate(
        trained, out=tmp_path / "out", data=given, side="all", store=videos / "store", device="cpu"
    )
    assert (report["videos"], report["baselines"]) == (1, {})


def test_a_video_becomes_segments_and_step_probabilities(trained: Path, videos: Path, tmp_path: Path) -> None:
    argv = ["predict", str(trained), str(videos / "v" / "0.mp4"), "--out", str(tmp_path)]
    assert main([*argv, "--window.minimum_seconds", "0.3"]) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0.csv", "0.json", "0.mp4", "0.png"]
    said = json.loads((tmp_path / "0.json").read_text())
    assert len(said["windows"]) == 40
    assert said["windows"][1]["start_seconds"] == pytest.approx(0.1)
    assert said["produced_by"]["minimum_seconds"] == 0.3


def test_frames_and_features_and_steps_say_the_same_bit_for_bit(trained: Path, videos: Path) -> None:
    model = vidlstm.load(trained, device="cpu")
    assert isinstance(model, Predictor) and model.kind == "segmentation"
    frames = np.random.default_rng(0).integers(0, 255, (12, 48, 64, 3), np.uint8)
    whole = model.predict(frames, fps=10)
    again = model.predict(model.features(frames, fps=10))
    assert whole.window_probabilities.tolist() == again.window_probabilities.tolist()


def test_windows_have_no_effect_and_say_so(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["predict", str(trained), "a.mp4", "--out", "o", "--window.seconds", "2"]
    assert main(argv) == 2
    assert "--window.seconds has no effect on a checkpoint of segmentation" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"data": {"carry_state": True}}, r"`data\.carry_state` needs .*`model\.bidirectional false`"),
        ({"data": {"multi_label": True, "background": "none"}}, r"`data\.background` is not for"),
        ({"data": {"multi_label": True}, "model": {"boundary": True}}, r"`model\.boundary` cuts a video"),
        ({"data": {"background": "none"}}, r"`data\.annotations` is missing"),
        ({"data": {"window_seconds": 0}}, r"`data\.window_seconds` must be greater than 0"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, message, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=message):
        vidlstm.train("segmentation", out=tmp_path / "run", device="cpu", **settings)


def test_one_class_leaves_nothing_to_tell_apart(tmp_path: Path) -> None:
    for n in range(2):
        np.save(tmp_path / f"{n}.npy", np.zeros((20, 4), np.float32))
    rows = ["path,start_seconds,end_seconds,label,fold", "0.npy,0,1,fall,0", "1.npy,0,1,fall,1"]
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    data = {"annotations": tmp_path / "labels.csv", "format": "features", "features_fps": 10, "fold": 0}
    with pytest.raises(DatasetError, match=r"all labels are of one class, fall: .*`data\.background none`"):
        vidlstm.train("segmentation", out=tmp_path / "run", data=data, device="cpu")


@pytest.mark.parametrize(
    "change",
    [{"model.hidden_size": 9}, {"labels": ["a"]}, {"data.minimum_seconds": -1}],
    ids=str,
)
def test_a_damaged_card_is_named(
    change: dict[str, object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "x.ckpt", "segmentation", change)
    assert main(["predict", str(path), "a.mp4", "--out", str(tmp_path / "o")]) == 2
    assert "x.ckpt is damaged" in capsys.readouterr().err


@pytest.mark.parametrize("flags", [["--data.background", "none"], ["--data.multi_label", "true"]], ids=str)
def test_backgrounds_and_overlaps_run_through(flags: list[str], videos: Path, tmp_path: Path) -> None:
    """One epoch each, scored, and one video predicted."""
    assert train(videos, tmp_path / "run", "--data.fold", "0", *flags) == 0
    task, path = TASKS["segmentation"], tmp_path / "run" / "best.ckpt"
    report = vidlstm.evaluate(path, out=tmp_path / "e", store=videos / "store", device="cpu")
    assert report["labels"] == (["a", "b"] if "multi" in flags[0] else ["a", "b", "none"])
    assert "none" not in report["events"]
    assert task.summary(report)
    said = vidlstm.load(path, device="cpu").predict(videos / "v" / "0.mp4")
    assert said.window_probabilities.shape == (40, len(report["labels"]))
