"""Tables, ledgers, settings and checkpoints that cannot be right are named, and what is odd is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars
import pytest

import vidlstm
from tests.backbones.networks import yolo_file
from tests.fakes.videos import write_video
from tests.verbs.conftest import write_csv
from tests.verbs.objects.runs import CROPS, POSES, SMALL, by_track, evaluate, train
from vidlstm.cli.main import main
from vidlstm.errors import SettingsError


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
    assert "--data.tracks FILE" in said and "--task object_action" in said
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


def test_tracks_without_their_task_name_the_task(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["train", "--data.root", str(root / "clips"), "--out", str(tmp_path / "run"), *CROPS, *SMALL]
    assert main([*argv, "--data.tracks", str(root / "tracks.parquet")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "--data.tracks" in said and "--task object_action" in said
    config = tmp_path / "config.yaml"
    config.write_text("data:\n  crop_margin: 0.2\n")
    assert main([*argv, "--config", str(config)]) == 2
    assert "--data.crop_margin; it belongs to --task object_action" in capsys.readouterr().err
    assert main([*argv, "--task", "object_action"]) == 2
    assert "--data.tracks FILE" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_settings_that_are_not_of_the_checkpoint_are_refused(
    root: Path, new: tuple[Path, Path], classifier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of whole frames: there is nothing to track."""
    assert evaluate(root, classifier, tmp_path / "out") == 2
    assert "--data.tracks has no effect on a checkpoint of action" in capsys.readouterr().err
    argv = ["predict", str(classifier), str(new[0]), "--out", str(tmp_path / "out")]
    assert main([*argv, "--boxes", str(new[1])]) == 2
    assert "--boxes has no effect on a checkpoint of action" in capsys.readouterr().err
    with pytest.raises(SettingsError, match="`boxes` has no effect"):
        vidlstm.predict(classifier, new[0], out=tmp_path / "out", tracking={"boxes": [new[1]]})
    assert not (tmp_path / "out").exists()


def test_evaluate_takes_the_table_of_the_training(root: Path, trained: Path, tmp_path: Path) -> None:
    assert evaluate(root, trained, tmp_path / "given") == 0
    assert evaluate(root, trained, tmp_path / "out", tracks="") == 0
    given, found = (json.loads((tmp_path / n / "report.json").read_text()) for n in ("given", "out"))
    assert found["data"]["tracks"] == str(root / "tracks.parquet")
    assert found == given


def test_resuming_with_other_objects_is_refused(
    root: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(trained.parent, tmp_path / "run")
    again = ["--resume", "true", "--trainer.max_epochs", "2"]
    train(root, tmp_path / "run", *CROPS, *again, "--data.max_gap_seconds", "0.2", expect=2)
    assert "max_gap_seconds" in capsys.readouterr().err
    train(root, tmp_path / "run", *CROPS, *again)


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


def test_objects_found_by_another_network_are_warned_of(posed: Path, tmp_path: Path, root: Path) -> None:
    """The ledger of the training's table names the network; a table from elsewhere names none."""
    ledger = {"settings": {"weights_sha256": "0" * 64, "confidence": 0.2}, "videos": []}
    shutil.copy(root / "poses.parquet", tmp_path / "poses.parquet")
    (tmp_path / "poses.json").write_text(json.dumps(ledger))
    (tmp_path / "clips").symlink_to(root / "clips")
    checkpoint = train(tmp_path, tmp_path / "run", *POSES, tracks="poses.parquet")
    clip = str(root / "clips" / "a" / "0.mp4")
    argv = ["predict", str(checkpoint), clip, "--out", str(tmp_path / "out"), "--video", "false"]
    argv += ["--weights", str(yolo_file("yolo:pose")), "--image_size", "96"]
    with pytest.warns(UserWarning, match="is not the network that found the objects"):
        assert main(argv) == 0
    used = json.loads((tmp_path / "out" / "tracks.json").read_text())["settings"]
    assert used["confidence"] == 0.2, "as in training"
