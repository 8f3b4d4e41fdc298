"""Train, evaluate and predict on tracked objects, by the command line's own flags."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import polars
import pytest

from tests.backbones.networks import yolo_file
from tests.fakes.tracked_clips import DISC, SQUARE, make_clips, track, write_boxes, write_poses
from tests.fakes.videos import write_video
from tests.workflows.conftest import write_csv
from vidlstm.cli.main import main
from vidlstm.features.extract import ExtractionReport
from vidlstm.features.tracked_objects import POSE_DIM
from vidlstm.render.object_tables import read_object_actions_json
from vidlstm.settings import ActionDataSettings, BackboneSettings, SamplingSettings
from vidlstm.tasks.action import load_any_action_model
from vidlstm.video.reader import open_video
from vidlstm.workflows import object_data
from vidlstm.workflows.train_action import train_action

SMALL = ["--model.hidden_size", "8", "--model.num_layers", "1", "--model.projection", "8"]
SMALL += [
    "--trainer.max_epochs",
    "1",
    "--trainer.accelerator",
    "cpu",
    "--trainer.enable_progress_bar",
    "false",
]
CROPS = ["--backbone.name", "squeezenet1_1", "--backbone.weights", "random"]
POSES = ["--backbone.name", "track:pose"]


def one_is_busy(clip: Path, person: int) -> bool:
    """One of the two, in turn: who cannot tell them apart is right half of the time."""
    return (int(clip.stem) // 2 + person) % 2 == 0


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``clips``, the table ``tracks.parquet`` of their boxes, and ``poses.parquet`` with made-up joints."""
    root = tmp_path_factory.mktemp("objects")
    clips, boxes = make_clips(root / "clips")
    track(clips, boxes, root / "tracks.parquet")
    write_poses(root / "poses.parquet", clips, lambda clip, person: clip.parent.name == "a")
    write_poses(root / "one_busy.parquet", clips, one_is_busy)
    return root


def train(root: Path, out: Path, *more: str, tracks: str = "tracks.parquet", expect: int = 0) -> Path:
    argv = ["train", "--data.root", str(root / "clips"), "--data.tracks", str(root / tracks)]
    argv += ["--out", str(out), "--store", str(root / "store"), *SMALL, *more]
    assert main(argv) == expect
    return out / "best.ckpt"


@pytest.fixture(scope="module")
def trained(root: Path) -> Path:
    """On crops."""
    return train(root, root / "run", *CROPS)


@pytest.fixture(scope="module")
def posed(root: Path) -> Path:
    """On poses."""
    return train(root, root / "posed", *POSES, tracks="poses.parquet")


def evaluate(root: Path, checkpoint: Path, out: Path, *more: str, tracks: str = "tracks.parquet") -> int:
    argv = ["evaluate", str(checkpoint), "--data.root", str(root / "clips"), "--out", str(out)]
    argv += ["--store", str(root / "store"), *more]
    return main([*argv, "--data.tracks", str(root / tracks)] if tracks else argv)


@pytest.fixture(scope="module")
def new(root: Path) -> tuple[Path, Path]:
    """A longer video that nothing was trained on, and its boxes: other numbers than ever before."""
    drawn = write_video(root / "new.mp4", frames=40, seed=77)
    return root / "new.mp4", write_boxes(root / "new.txt", drawn, ids=(31, 17))


def test_crops_train_and_the_card_says_how(root: Path, trained: Path) -> None:
    metrics = json.loads((root / "run" / "metrics.json").read_text())
    assert metrics["train_clips"] + metrics["validation_clips"] == 8
    _, card = load_any_action_model(trained)
    assert card["objects"]["minimum_seconds"] == 0.5 and card["objects"]["max_gap_seconds"] == 0.5
    assert card["objects"]["tracking"]["tracker"] == "bytetrack"
    assert card["backbone"]["backbone"] == "squeezenet1_1" and card["backbone"]["crop_margin"] == 0.1
    assert card["feature_dim"] == 512
    (spec,) = (root / "store").glob("*/spec.json")
    assert json.loads(spec.read_text())["crop_margin"] == 0.1
    assert len(list((root / "store").rglob("*.safetensors"))) == 8


def test_a_second_run_extracts_nothing_anew(root: Path, trained: Path, tmp_path: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in (root / "store").rglob("*.safetensors")}
    seen: list[ExtractionReport] = []
    train_action(
        data=ActionDataSettings(root=root / "clips", tracks=root / "tracks.parquet"),
        out=tmp_path,
        store=root / "store",
        backbone=BackboneSettings(name="squeezenet1_1", weights="random"),
        sampling=SamplingSettings(workers=1),
        trainer={"max_epochs": 1, "accelerator": "cpu", "enable_progress_bar": False},
        progress=lambda report, total: seen.append(report),
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
    nobody.write_text("900,1,5,5,10,10,1,-1,-1,-1\n")  # beyond the end
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


def test_nobody_in_any_video_is_no_error(trained: Path, new: tuple[Path, Path], tmp_path: Path) -> None:
    nobody = tmp_path / "nobody.txt"
    nobody.write_text("900,1,5,5,10,10,1,-1,-1,-1\n")
    argv = ["predict", str(trained), str(new[0]), "--boxes", str(nobody), "--out", str(tmp_path / "out")]
    assert main(argv) == 0
    assert read_object_actions_json(tmp_path / "out" / "new.json").tracks == {}
    with open_video(tmp_path / "out" / "new.mp4") as drawn:
        assert sum(1 for _ in drawn) == 40


def test_poses_train_evaluate_and_predict_with_a_pose_network(
    root: Path, posed: Path, new: tuple[Path, Path], tmp_path: Path
) -> None:
    _, card = load_any_action_model(posed)
    assert card["feature_dim"] == POSE_DIM and card["backbone"]["backbone"] == "track:pose"
    assert "crops" not in card["backbone"]
    assert evaluate(root, posed, tmp_path, tracks="poses.parquet") == 0
    argv = ["predict", str(posed), str(new[0]), "--out", str(tmp_path / "out")]
    argv += ["--weights", str(yolo_file("yolo:pose")), "--image_size", "96", "--video", "false"]
    assert main(argv) == 0
    table = polars.read_parquet(tmp_path / "out" / "tracks.parquet")
    actions = read_object_actions_json(tmp_path / "out" / "new.json")
    assert len(table) and {*actions.tracks, *actions.short_tracks} == {*table["track_id"]}
    assert actions.scene.produced_by["random_weights"] is False


def test_poses_and_crops_stand_side_by_side(root: Path, tmp_path: Path) -> None:
    both = ["--backbone.name", "squeezenet1_1+track:pose", "--backbone.weights", "random"]
    checkpoint = train(root, tmp_path / "run", *both, "--data.crop_margin", "0", tracks="poses.parquet")
    model, card = load_any_action_model(checkpoint)
    assert card["feature_dim"] == POSE_DIM + 512
    assert model.sequences.norm.mean.shape == (POSE_DIM + 512,)
    assert card["backbone"]["crop_margin"] == 0 and card["backbone"]["crops"]["backbone"] == "squeezenet1_1"
    assert evaluate(root, checkpoint, tmp_path, tracks="poses.parquet") == 0


@pytest.fixture(scope="module")
def per_track(root: Path) -> Path:
    """Both people of every clip, of whom one has busy hands."""
    names = [f"{'ab'[i % 2]}/{i}.mp4" for i in range(8)]
    rows = [
        (name, person, "busy" if one_is_busy(Path(name), person) else "still", i % 4)
        for i, name in enumerate(names)
        for person in (1, 2)
    ]
    return write_csv(root / "clips" / "tracks.csv", "path,track_id,label,fold", rows)


def by_track(per_track: Path) -> list[str]:
    return ["--data.format", "csv", "--data.annotations", str(per_track), "--data.fold", "1"]


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


def test_an_unknown_track_names_the_clip_and_its_tracks(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [("a/0.mp4", 1, "x"), ("a/0.mp4", 9, "y"), ("b/1.mp4", 2, "x"), ("b/1.mp4", 1, "y")]
    file = write_csv(root / "clips" / "wrong.csv", "path,track_id,label", rows)
    train(root, tmp_path, *POSES, *by_track(file)[:4], tracks="poses.parquet", expect=2)
    assert "a/0.mp4 has no track 9; it has 1, 2" in capsys.readouterr().err


def test_track_numbers_without_a_table_are_refused(
    root: Path, per_track: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["train", "--data.root", str(root / "clips"), *by_track(per_track), "--out", str(tmp_path), *CROPS]
    assert main([*argv, *SMALL, "--store", str(tmp_path / "store")]) == 2
    assert "16 clips are labelled track by track" in (said := capsys.readouterr().err)
    assert "--data.tracks FILE" in said
    assert not list((tmp_path / "store").rglob("*.safetensors")), "refused before any work is done"


@pytest.mark.parametrize("name", ["track:pose", "track:pose+squeezenet1_1"])
def test_track_pose_without_a_table_is_refused(
    name: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["train", "--data.root", str(root / "clips"), "--backbone.name", name, "--out", str(tmp_path)]
    assert main([*argv, *SMALL, "--backbone.weights", "random"]) == 2
    assert "--data.tracks" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("--data.crop_margin", "-0.1"),
        ("--data.crop_margin", "nan"),
        ("--data.crop_margin", "1e9"),
        ("--data.max_gap_seconds", "-1"),
        ("--data.minimum_seconds", "-1"),
        ("--data.minimum_seconds", "nan"),
        ("--sampling.fps", "0"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    setting: str, value: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(root, tmp_path, *CROPS, setting, value, expect=2)
    assert setting.removeprefix("--") in capsys.readouterr().err


def test_a_window_that_cannot_be_is_refused_before_anything_is_tracked(
    trained: Path, new: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["predict", str(trained), str(new[0]), "--boxes", str(new[1]), "--out", str(tmp_path / "out")]
    assert main([*argv, "--window.stride_seconds", "-1"]) == 2
    assert "--window.stride_seconds" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_wrong_kind_of_checkpoint_is_refused(
    root: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(root, trained, tmp_path, tracks="") == 2
    assert "tracked objects" in (said := capsys.readouterr().err) and "--data.tracks FILE" in said
    argv = ["train", "--data.root", str(root / "clips"), "--out", str(tmp_path / "whole"), *CROPS, *SMALL]
    assert main([*argv, "--store", str(tmp_path / "store")]) == 0
    capsys.readouterr()
    assert evaluate(root, tmp_path / "whole" / "best.ckpt", tmp_path) == 2
    assert "leave out --data.tracks" in capsys.readouterr().err


def test_resuming_with_other_objects_is_refused(
    root: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(trained.parent, tmp_path / "run")
    again = ["--resume", "true", "--trainer.max_epochs", "2"]
    train(root, tmp_path / "run", *CROPS, *again, "--data.max_gap_seconds", "0.2", expect=2)
    assert "max_gap_seconds" in capsys.readouterr().err
    train(root, tmp_path / "run", *CROPS, *again)


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    """Clips and a table of their own, to be spoilt."""
    copies = [tmp_path / "clips" / f"{'ab'[i % 2]}" / f"{i}.mp4" for i in range(8)]
    for clip in copies:
        clip.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / "clips" / clip.parent.name / clip.name, clip)
    track(copies, [root / f"boxes{i}.txt" for i in range(8)], tmp_path / "tracks.parquet")
    shutil.copytree(root / "store", tmp_path / "store")
    return tmp_path


def test_a_clip_that_is_not_in_the_table_is_named(
    copy: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_video(copy / "clips" / "a" / "late.mp4", seed=50)
    train(copy, copy / "run", *CROPS, expect=2)
    said = capsys.readouterr().err
    assert "late.mp4" in said and "track it (vidlstm track)" in said and "skip_unreadable" in said
    with pytest.warns(UserWarning, match=r"late\.mp4"):
        train(copy, copy / "run", *CROPS, "--data.skip_unreadable", "true")


def test_a_clip_that_has_changed_since_it_was_tracked_is_named(
    copy: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_video(copy / "clips" / "a" / "0.mp4", seed=51)
    train(copy, copy / "run", *CROPS, expect=2)
    assert (
        "0.mp4: cannot be opened as a video: it has changed since it was tracked" in capsys.readouterr().err
    )


def test_a_clip_shorter_than_a_table_from_elsewhere_says_is_named(
    copy: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (copy / "tracks.json").unlink()
    write_video(copy / "clips" / "a" / "0.mp4", frames=5, seed=51)
    train(copy, copy / "run", *CROPS, expect=2)
    assert "fewer frames than the tracks say" in capsys.readouterr().err


@pytest.mark.parametrize(
    "ledger", ["", "[]", '{"videos": 3}', '{"videos": [{"video": 5, "sha256": "a\\u0000"}]}']
)
def test_a_ledger_that_is_none_is_not_believed(ledger: str, copy: Path, trained: Path) -> None:
    (copy / "tracks.json").write_text(ledger)
    train(copy, copy / "run", *CROPS)


def test_a_table_may_call_a_video_anything(copy: Path, trained: Path) -> None:
    table = polars.read_parquet(copy / "tracks.parquet")
    strange = table.filter(polars.col("frame") == 0)
    for name in ("\0", "", "x" * 5000, "../../etc/passwd", "\ud7ff"):
        table = polars.concat([table, strange.head(1).with_columns(polars.lit(name).alias("video"))])
    table.write_parquet(copy / "tracks.parquet")
    train(copy, copy / "run", *CROPS)


def test_a_table_without_anybody_teaches_nothing(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    polars.read_parquet(copy / "tracks.parquet").clear().write_parquet(copy / "tracks.parquet")
    train(copy, copy / "run", *POSES, expect=2)
    assert "in no clip is an object" in capsys.readouterr().err


def test_a_clip_without_anybody_is_told_and_trained_on(copy: Path) -> None:
    table = polars.read_parquet(copy / "tracks.parquet")
    table.filter(~polars.col("video").str.ends_with("3.mp4")).write_parquet(copy / "tracks.parquet")
    with pytest.warns(UserWarning, match=r"1 clips in which no object is tracked.*\n.*3\.mp4"):
        train(copy, copy / "run", *CROPS)


def test_a_table_made_in_another_way_is_warned_of(root: Path, trained: Path, tmp_path: Path) -> None:
    shutil.copy(root / "tracks.parquet", tmp_path / "tracks.parquet")
    ledger = json.loads((root / "tracks.json").read_text())
    ledger["settings"]["tracker"] = "botsort"
    (tmp_path / "tracks.json").write_text(json.dumps(ledger))
    argv = ["evaluate", str(trained), "--data.root", str(root / "clips"), "--out", str(tmp_path / "out")]
    with pytest.warns(UserWarning, match="tracker 'botsort', not 'bytetrack'"):
        assert (
            main([*argv, "--store", str(root / "store"), "--data.tracks", str(tmp_path / "tracks.parquet")])
            == 0
        )


def test_nothing_is_left_to_train_on(copy: Path, trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(f"{'ab'[i % 2]}/{i}.mp4", "ab"[i % 2], "validation" if i < 2 else "train") for i in range(8)]
    file = write_csv(copy / "clips" / "split.csv", "path,label,split", rows)
    table = polars.read_parquet(copy / "tracks.parquet")
    table.filter(polars.col("video").str.contains("/[01].mp4")).write_parquet(copy / "tracks.parquet")
    (copy / "tracks.json").unlink()
    more = ["--data.format", "csv", "--data.annotations", str(file), "--data.skip_unreadable", "true"]
    with pytest.warns(UserWarning, match="left out: 6 videos"):
        train(copy, copy / "run", *CROPS, *more, expect=2)
    assert "no clip is left to train on" in capsys.readouterr().err


def test_poses_need_keypoints(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(root, tmp_path, *POSES, expect=2)
    assert "no keypoints" in capsys.readouterr().err


def test_objects_found_by_another_network_are_warned_of(
    posed: Path, new: tuple[Path, Path], tmp_path: Path, root: Path
) -> None:
    """The ledger of the training's table names the network; a table from elsewhere names none."""
    ledger = {"settings": {"weights_sha256": "0" * 64, "confidence": 0.2}, "videos": []}
    shutil.copy(root / "poses.parquet", tmp_path / "poses.parquet")
    (tmp_path / "poses.json").write_text(json.dumps(ledger))
    (tmp_path / "clips").symlink_to(root / "clips")
    checkpoint = train(tmp_path, tmp_path / "run", *POSES, tracks="poses.parquet")
    argv = ["predict", str(checkpoint), str(new[0]), "--out", str(tmp_path / "out"), "--video", "false"]
    argv += ["--weights", str(yolo_file("yolo:pose")), "--image_size", "96"]
    with pytest.warns(UserWarning, match="is not the network that found the objects"):
        assert main(argv) == 0
    used = json.loads((tmp_path / "out" / "tracks.json").read_text())["settings"]
    assert used["confidence"] == 0.2, "as in training"


def test_another_process_looks_up_what_the_first_has_extracted(root: Path, trained: Path) -> None:
    from vidlstm.workflows.object_network import object_network

    backbone = BackboneSettings(name="squeezenet1_1", weights="random")
    done = object_data.objects_of(
        [root / "clips" / "a" / "0.mp4"],
        root / "tracks.parquet",
        object_network(backbone, crop_margin=0.1),
        store=root / "store",
        fps=10.0,
        max_gap_seconds=0.5,
        backbone=backbone,
        sampling=SamplingSettings(),
        extracted_elsewhere=True,
    )
    assert not done.failures
    assert [s.track_id for s in done.sequences[root / "clips" / "a" / "0.mp4"]] == [DISC, SQUARE]
