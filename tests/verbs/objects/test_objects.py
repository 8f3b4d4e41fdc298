"""Train, evaluate and predict on tracked objects, by the command line's own flags."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import polars
import pytest

import vidlstm
from tests.backbones.networks import yolo_file
from tests.fakes.tracked_clips import DISC, SQUARE
from tests.verbs.objects.runs import CROPS, POSES, by_track, evaluate, train
from vidlstm.cli.main import main
from vidlstm.features.extract import ExtractionReport
from vidlstm.features.tracked_objects import POSE_DIM
from vidlstm.render.table.object_tables import read_object_actions_json
from vidlstm.settings import BackboneSettings, SamplingSettings
from vidlstm.structures import Progress
from vidlstm.tasks import open_checkpoint
from vidlstm.tasks.base import Run
from vidlstm.tasks.frames import How
from vidlstm.tasks.object_action.data import objects_of
from vidlstm.tasks.object_action.network import object_network
from vidlstm.video.reader import open_video

UNCERTAIN = "1,-1,5,5,10,10,0.01,-1,-1,-1\n"
"""A detection that is dropped for its confidence: nobody is followed."""


def test_crops_train_and_the_card_says_how(root: Path, trained: Path) -> None:
    metrics = json.loads((root / "run" / "metrics.json").read_text())
    assert metrics["train_clips"] + metrics["validation_clips"] == 8
    card = open_checkpoint(trained, "object_action")[1].card
    assert card.objects.minimum_seconds == 0.5 and card.objects.max_gap_seconds == 0.5
    assert card.objects.tracking["tracker"] == "bytetrack"
    assert card.backbone["backbone"] == "squeezenet1_1" and card.backbone["crop_margin"] == 0.1
    assert card.feature_dim == 512
    (spec,) = (root / "store").glob("*/spec.json")
    assert json.loads(spec.read_text())["crop_margin"] == 0.1
    assert len(list((root / "store").rglob("*.safetensors"))) == 8


def test_a_second_run_extracts_nothing_anew(root: Path, trained: Path, tmp_path: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in (root / "store").rglob("*.safetensors")}
    seen: list[ExtractionReport] = []
    vidlstm.train(
        "object_action",
        data={"root": root / "clips", "tracks": root / "tracks.parquet"},
        out=tmp_path,
        store=root / "store",
        backbone=BackboneSettings(name="squeezenet1_1", weights="random"),
        sampling=SamplingSettings(workers=1),
        max_epochs=1,
        trainer={"accelerator": "cpu", "enable_progress_bar": False},
        progress=Progress(extraction=lambda report, total: seen.append(report)),
    )
    assert seen[-1].found == 8 and seen[-1].extracted == seen[-1].features == 0
    assert {p: p.stat().st_mtime_ns for p in (root / "store").rglob("*.safetensors")} == before


def test_evaluate_agrees_with_training(root: Path, trained: Path, tmp_path: Path) -> None:
    assert evaluate(root, trained, tmp_path) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    metrics = json.loads((root / "run" / "metrics.json").read_text())
    assert report["clips"] == metrics["validation_clips"]
    assert report["accuracy"] == pytest.approx(metrics["val_accuracy"])
    assert set(report["baselines"]) == {"majority_class", "logistic_regression_on_mean_features"}
    assert (tmp_path / "confusion.png").stat().st_size > 0
    assert evaluate(root, trained, tmp_path, "--side", "all") == 0
    assert json.loads((tmp_path / "report.json").read_text())["clips"] == 8


def test_predict_leaves_everything_it_says(
    root: Path, trained: Path, new: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    argv = ["predict", str(trained), str(new[0]), "--boxes", str(new[1]), "--out", str(out)]
    argv += ["--window.seconds", "1"]
    assert main(argv) == 0
    assert sorted(p.name for p in out.iterdir()) == [
        *("new.csv", "new.json", "new.mp4", "new.png", "tracks.json", "tracks.parquet")
    ]
    actions = read_object_actions_json(out / "new.json")
    assert set(actions.tracks) == {17, 31} and actions.labels == ("a", "b")
    for prediction in actions.tracks.values():
        assert prediction.segments[0].start_seconds == 0.0
        assert prediction.segments[-1].end_seconds == pytest.approx(4.0, abs=0.11)
        assert len(prediction.window_start_seconds) > 8
        assert prediction.produced_by["random_weights"] is True
    with (out / "new.csv").open() as file:
        assert {r["track_id"] for r in csv.DictReader(file)} == {"", "17", "31"}
    with open_video(out / "new.mp4") as drawn:
        assert sum(1 for _ in drawn) == 40
    printed = capsys.readouterr().out
    assert "random" in printed and "track 17" in printed and "scene" in printed
    first = (out / "new.json").read_bytes()
    assert main([*argv, "--video", "false"]) == 0
    assert (out / "new.json").read_bytes() == first, "a second run says the same"


def test_one_bad_video_and_one_without_anybody_do_not_stop_the_rest(
    trained: Path, new: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And a video whose name is the table's own."""
    videos = [tmp_path / "bad.mp4", tmp_path / "empty.mp4", tmp_path / "tracks.mp4"]
    videos[0].write_bytes(b"no video")
    for video in videos[1:]:
        shutil.copy(new[0], video)
    nobody = tmp_path / "nobody.txt"
    nobody.write_text(UNCERTAIN)
    argv = ["predict", str(trained), *map(str, videos), "--out", str(tmp_path / "out"), "--video", "false"]
    assert main([*argv, "--boxes", str(new[1]), str(nobody), str(new[1])]) == 1
    said = capsys.readouterr()
    assert "bad.mp4" in said.err
    order = [line for line in said.out.splitlines() if line.endswith(".mp4")]
    assert order == list(map(str, videos[1:])), "as they were given"
    empty = read_object_actions_json(tmp_path / "out" / "empty.json")
    assert empty.tracks == {} and len(empty.scene.segments) == 1
    assert set(read_object_actions_json(tmp_path / "out" / "tracks.mp4.json").tracks) == {17, 31}
    assert "videos" in json.loads((tmp_path / "out" / "tracks.json").read_text()), "the table's ledger"


@pytest.mark.usefixtures("ray_cluster")
def test_a_cluster_tracks_and_predicts_what_one_machine_does(
    trained: Path, new: tuple[Path, Path], tmp_path: Path
) -> None:
    argv = [
        "predict",
        str(trained),
        str(new[0]),
        "--boxes",
        str(new[1]),
        "--video",
        "false",
        "--device",
        "cpu",
    ]
    assert main([*argv, "--out", str(tmp_path / "one")]) == 0
    assert main([*argv, "--out", str(tmp_path / "many"), "--engine", "ray"]) == 0
    one, many = ({p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in ("one", "many"))
    assert one == many
    assert "tracks.parquet" in many


def test_nobody_in_any_video_is_no_error(trained: Path, new: tuple[Path, Path], tmp_path: Path) -> None:
    nobody = tmp_path / "nobody.txt"
    nobody.write_text(UNCERTAIN)
    argv = ["predict", str(trained), str(new[0]), "--boxes", str(nobody), "--out", str(tmp_path / "out")]
    assert main(argv) == 0
    assert read_object_actions_json(tmp_path / "out" / "new.json").tracks == {}
    with open_video(tmp_path / "out" / "new.mp4") as drawn:
        assert sum(1 for _ in drawn) == 40


def test_poses_train_evaluate_and_predict_with_a_pose_network(
    root: Path, posed: Path, tmp_path: Path
) -> None:
    card = open_checkpoint(posed, "object_action")[1].card
    assert card.feature_dim == POSE_DIM and card.backbone["backbone"] == "track:pose"
    assert "crops" not in card.backbone
    assert evaluate(root, posed, tmp_path, tracks="poses.parquet") == 0
    argv = ["predict", str(posed), str(root / "clips" / "a" / "0.mp4"), "--out", str(tmp_path / "out")]
    argv += ["--weights", str(yolo_file("yolo:pose")), "--image_size", "96", "--video", "false"]
    assert main(argv) == 0
    table = polars.read_parquet(tmp_path / "out" / "tracks.parquet")
    actions = read_object_actions_json(tmp_path / "out" / "0.json")
    assert len(table) and {*actions.tracks, *actions.short_tracks} == {*table["track_id"]}
    assert actions.scene.produced_by["random_weights"] is False


def test_poses_and_crops_stand_side_by_side(root: Path, tmp_path: Path) -> None:
    store = ["--store", str(tmp_path / "store")]
    both = ["--backbone.name", "squeezenet1_1+track:pose", "--backbone.weights", "random", *store]
    checkpoint = train(root, tmp_path / "run", *both, "--data.crop_margin", "0", tracks="poses.parquet")
    opened = open_checkpoint(checkpoint, "object_action")[1]
    backbone = opened.card.backbone
    assert opened.card.feature_dim == POSE_DIM + 512
    assert opened.model.sequences.norm.mean.shape == (POSE_DIM + 512,)
    assert backbone["crop_margin"] == 0 and backbone["crops"]["backbone"] == "squeezenet1_1"
    assert evaluate(root, checkpoint, tmp_path, *store, tracks="poses.parquet") == 0


def test_labels_of_single_tracks(root: Path, per_track: Path, tmp_path: Path) -> None:
    more = ["--trainer.max_epochs", "30", "--optimiser.learning_rate", "0.01"]
    busy = {"tracks": "one_busy.parquet"}
    checkpoint = train(root, tmp_path / "run", *POSES, *by_track(per_track), *more, **busy)
    assert evaluate(root, checkpoint, tmp_path, *by_track(per_track), **busy) == 0
    with (tmp_path / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sorted((r["path"], r["track_id"], r["label"]) for r in rows) == [
        *(("b/1.mp4", "1", "still"), ("b/1.mp4", "2", "busy")),
        *(("b/5.mp4", "1", "still"), ("b/5.mp4", "2", "busy")),
    ]
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["accuracy"] == 1.0, "each is judged by its own hands"
    assert report["baselines"]["majority_class"]["accuracy"] == 0.5


def test_another_process_looks_up_what_the_first_has_extracted(root: Path, trained: Path) -> None:
    backbone = BackboneSettings(name="squeezenet1_1", weights="random")
    done = objects_of(
        [root / "clips" / "a" / "0.mp4"],
        root / "tracks.parquet",
        object_network(backbone, crop_margin=0.1),
        How(SamplingSettings(fps=10.0), backbone.batch_size),
        0.5,
        Run(root / "store", extracts=False),
    )
    assert not done.failures
    assert [s.track_id for s in done.sequences[root / "clips" / "a" / "0.mp4"]] == [DISC, SQUARE]


def test_clips_that_have_moved_are_known_by_their_bytes(copy: Path, trained: Path) -> None:
    (copy / "elsewhere").mkdir()
    (copy / "clips").rename(copy / "elsewhere" / "clips")
    (copy / "elsewhere" / "clips" / "a" / "0.mp4").rename(copy / "elsewhere" / "clips" / "a" / "other.mp4")
    train(copy / "elsewhere", copy / "run", *CROPS, tracks="../tracks.parquet")


def test_tracks_too_short_to_train_on_are_listed(copy: Path, trained: Path) -> None:
    with pytest.warns(UserWarning, match="tracks are left out, seen for less than 1.5 s"):
        train(copy, copy / "run", *CROPS, "--data.minimum_seconds", "1.5")
    listed = (copy / "run" / "short_tracks.csv").read_text().splitlines()
    # Clips of 12 to 19 frames, 10 a second, two tracks each.
    assert listed[0] == "path,track_id" and len(listed) == 1 + 2 * 3
