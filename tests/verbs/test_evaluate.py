"""Which clips a checkpoint is scored on, and against which labels."""

from __future__ import annotations

import csv
import errno
import json
from pathlib import Path
from typing import Any

import pytest

import vidlstm
from tests.verbs.conftest import LABELS, SAMPLING, data, write_csv
from vidlstm.errors import CheckpointError, DatasetError, OutputError, SettingsError


def evaluate(trained: Path, root: Path, out: Path, annotations: str, **settings: Any) -> dict[str, Any]:
    return vidlstm.evaluate(
        trained / "best.ckpt",
        data={"root": root, "annotations": root / annotations, **settings.pop("data", {})},
        out=out,
        store=root / "store",
        sampling=SAMPLING,
        **settings,
    )


def clips_in(out: Path) -> list[str]:
    with (out / "predictions.csv").open() as file:
        return [row["path"] for row in csv.DictReader(file)]


def test_the_fold_of_the_training_is_held_out(trained: Path, root: Path, tmp_path: Path) -> None:
    report = evaluate(trained, root, tmp_path, "clips.csv")
    assert sorted(clips_in(tmp_path)) == sorted(f"{i}.mp4" for i in range(6, 12))
    assert report["accuracy"] == pytest.approx(
        json.loads((trained / "metrics.json").read_text())["val_accuracy"]
    )
    assert set(report["baselines"]) == {"majority_class", "logistic_regression_on_mean_features"}


def test_all_takes_every_clip_and_splits_nothing(trained: Path, root: Path, tmp_path: Path) -> None:
    report = evaluate(trained, root, tmp_path, "clips.csv", side="all")
    assert clips_in(tmp_path) == [f"{i}.mp4" for i in range(18)]
    assert report["baselines"] == {}


def test_annotations_of_test_clips_alone_can_be_scored(trained: Path, root: Path, tmp_path: Path) -> None:
    rows = [(f"{i}.mp4", LABELS[i % 3], "test") for i in range(3)]
    write_csv(root / "test.csv", "path,label,split", rows)
    report = evaluate(trained, root, tmp_path, "test.csv", side="all")
    assert (report["clips"], report["side"]) == (3, "all")
    with pytest.raises(DatasetError, match="side all"):
        evaluate(trained, root, tmp_path, "test.csv")


def test_a_table_without_folds_is_not_asked_for_one(trained: Path, root: Path, tmp_path: Path) -> None:
    rows = [(f"{i}.mp4", LABELS[i % 3], "val" if i < 3 else "train") for i in range(9)]
    write_csv(root / "split.csv", "path,label,split", rows)
    evaluate(trained, root, tmp_path, "split.csv")
    assert sorted(clips_in(tmp_path)) == ["0.mp4", "1.mp4", "2.mp4"]
    with pytest.raises(DatasetError, match="no clip has a fold"):
        evaluate(trained, root, tmp_path, "split.csv", data={"fold": 1})


@pytest.mark.parametrize("side", ["all", "validation"])
def test_some_of_the_labels_are_enough_and_keep_their_places(
    side: str, trained: Path, root: Path, tmp_path: Path
) -> None:
    rows = [(f"{i}.mp4", "c" if i % 2 else "b", "val" if i < 4 else "train") for i in range(8)]
    write_csv(root / "some.csv", "path,label,split", rows)
    report = evaluate(trained, root, tmp_path, "some.csv", side=side)
    assert report["labels"] == list(LABELS)
    truths = [sum(row) for row in report["confusion"]]
    assert truths == ([0, 4, 4] if side == "all" else [0, 2, 2])
    assert 0 <= report["mean_class_accuracy"] <= 1


@pytest.mark.parametrize("side", ["all", "auto"])
def test_a_label_the_checkpoint_does_not_know_is_an_error(
    side: str, trained: Path, root: Path, tmp_path: Path
) -> None:
    rows = [(f"{i}.mp4", "new" if i % 2 else "b", i // 4) for i in range(8)]
    write_csv(root / "new.csv", "path,label,fold", rows)
    with pytest.raises(CheckpointError, match=r"trained on the classes a, b, c; it cannot know new\. Leave"):
        evaluate(trained, root, tmp_path, "new.csv", side=side)
    assert not any(tmp_path.iterdir())


def test_what_is_not_given_is_as_in_the_training(trained: Path, root: Path, tmp_path: Path) -> None:
    """Format, folder, table, fold: without a word about the data it is the training's own."""
    usual = {"store": root / "store", "sampling": SAMPLING}
    report = vidlstm.evaluate(trained / "best.ckpt", out=tmp_path, **usual)
    assert sorted(clips_in(tmp_path)) == sorted(f"{i}.mp4" for i in range(6, 12))
    assert (report["task"], report["data"]["format"], report["data"]["fold"]) == ("action", "csv", 1)
    given = vidlstm.evaluate(trained / "best.ckpt", data=data(root, fold=1), out=tmp_path / "b", **usual)
    assert given["accuracy"] == report["accuracy"]
    other = vidlstm.evaluate(trained / "best.ckpt", data={"fold": 2}, out=tmp_path / "c", **usual)
    assert sorted(clips_in(tmp_path / "c")) == sorted(f"{i}.mp4" for i in range(12, 18))
    assert other["clips"] == 6


def test_settings_of_another_task_and_sides_of_none_are_refused(trained: Path, tmp_path: Path) -> None:
    def refused(**settings: Any) -> str:
        with pytest.raises(SettingsError) as caught:
            vidlstm.evaluate(trained / "best.ckpt", out=tmp_path / "out", **settings)
        return str(caught.value)

    assert "`data.tracks` has no effect" in refused(data={"tracks": "t.parquet"})
    assert "`data.scene` has no effect" in refused(data={"scene": "eth"})
    assert "did you mean 'fold'?" in refused(data={"flod": 1})
    assert "`side train` is not for action" in refused(side="train")
    assert "`data.batch_size` must be" in refused(data={"batch_size": 0})
    assert "cuda:99 is not on this machine" in refused(device="cuda:99")


def test_on_a_full_disk_there_is_a_sentence_and_no_empty_table(
    trained: Path, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: object) -> int:
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match=r"predictions\.csv: cannot be written: No space left on device"):
        evaluate(trained, root, tmp_path, "clips.csv")
    assert not list(tmp_path.iterdir())
