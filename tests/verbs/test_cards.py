"""Cards of earlier versions are read as they were meant; damaged, newer and foreign ones are named."""

from __future__ import annotations

import json
import shutil
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.fakes.tracks import write_tracks
from tests.verbs.checkpoints import CARDS, content_of, rewrite, write
from tests.verbs.hostile import Payload
from tests.verbs.objects.conftest import posed, root  # noqa: F401 their fixtures
from tests.verbs.objects.runs import POSES
from tests.verbs.objects.runs import train as train_objects
from tests.verbs.runs import train_clips, train_paths
from vidlstm import predict
from vidlstm.cards import CARD, read_checkpoint
from vidlstm.cli.main import main
from vidlstm.errors import CheckpointError
from vidlstm.settings import ActionModelSettings, TrajectoryModelSettings
from vidlstm.tasks import open_checkpoint

LATER = {
    "action": {
        "model": ("absolute_difference", "fusion", "forget_bias", "orthogonal"),
        "data": ("max_seconds",),
    },
    "trajectory": {"model": ("forget_bias", "orthogonal"), "data": ("homography", "minimum_tracks")},
}
"""Settings that there was a first version without."""


@pytest.mark.parametrize("task", ["action", "object_action", "trajectory"])  # the others are younger
def test_a_card_of_version_1_says_the_same(task: str, tmp_path: Path) -> None:
    path = write(tmp_path / "now.ckpt", task)
    old = rewrite(path, tmp_path / "old.ckpt")
    assert torch.load(old, weights_only=True)[CARD]["version"] == 1
    now, then = open_checkpoint(path, task)[1], open_checkpoint(old, task)[1]
    assert then.card == now.card == CARDS[task]
    assert read_checkpoint(old).plain == read_checkpoint(path).plain
    assert (then.epoch, then.path) == (0, old)
    torch.testing.assert_close(then.model.state_dict(), now.model.state_dict(), rtol=0, atol=0)


def test_settings_that_did_not_exist_take_their_defaults(tmp_path: Path) -> None:
    for task, drop in LATER.items():
        old = rewrite(write(tmp_path / f"{task}.ckpt", task), tmp_path / "old.ckpt", drop)
        assert open_checkpoint(old)[1].card == CARDS[task]
    assert ActionModelSettings().fusion == "early" and TrajectoryModelSettings().forget_bias is None
    # The widths of the parts came with the late fusion, the rate of images and the data with evaluate.
    content = content_of("action")
    for name in ("part_dims", "image_fps", "weights_source", "data", "seed"):
        del content[CARD][name]
    torch.save({**content, CARD: {**content[CARD], "version": 1}}, tmp_path / "first.ckpt")
    card = open_checkpoint(tmp_path / "first.ckpt", "action")[1].card
    assert (card.widths, card.image_fps, card.seed) == ([6], 25.0, 0)


def test_an_old_classifier_predicts_evaluates_and_is_gone_on_with(
    clips: Path, classifier: Path, tmp_path: Path
) -> None:
    drop = LATER["action"]
    old = rewrite(classifier, tmp_path / "best.ckpt", drop)
    how: dict[str, Any] = {"store": clips / "store", "outputs": ["json"]}
    now, then = (
        predict(p, clips / "long.mp4", out=tmp_path / p.parent.name, **how) for p in (classifier, old)
    )
    assert then.predictions[0].segments == now.predictions[0].segments
    where = ["--data.root", str(clips / "data"), "--store", str(clips / "store")]
    assert main(["evaluate", str(old), *where, "--out", str(tmp_path / "e")]) == 0
    metrics = json.loads((classifier.parent / "metrics.json").read_text())
    report = json.loads((tmp_path / "e" / "report.json").read_text())
    assert report["accuracy"] == pytest.approx(metrics["val_accuracy"])
    rewrite(classifier.parent / "last.ckpt", tmp_path / "run" / "last.ckpt", drop)
    train_clips(clips, tmp_path / "run", "--resume", "true", "--trainer.max_epochs", "2")
    assert torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)["epoch"] == 1
    assert read_checkpoint(tmp_path / "run" / "last.ckpt").plain["version"] == 2


def test_an_old_forecaster_predicts_and_is_gone_on_with(
    ethucy: Path, forecaster: Path, tmp_path: Path
) -> None:
    drop = LATER["trajectory"]
    old = rewrite(forecaster, tmp_path / "old.ckpt", drop)
    tracks = write_tracks(tmp_path / "tracks.parquet", frames=60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # metres for pixels
        now, then = (predict(p, tracks, out=tmp_path / "o", outputs=["csv"]) for p in (forecaster, old))
    for ours, theirs in zip(then.predictions[0].forecasts, now.predictions[0].forecasts, strict=True):
        assert (ours.path_PC == theirs.path_PC).all()
    rewrite(forecaster.parent / "last.ckpt", tmp_path / "run" / "last.ckpt", drop)
    train_paths(ethucy, tmp_path / "run", "--resume", "true", "--trainer.max_epochs", "2")
    assert torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)["epoch"] == 1


def test_an_old_classifier_of_objects_is_known_and_gone_on_with(
    root: Path,  # noqa: F811
    posed: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    old = rewrite(posed, tmp_path / "old.ckpt")
    assert torch.load(old, weights_only=True)[CARD]["task"] == "action"
    task, opened = open_checkpoint(old, "object_action")
    assert task.name == "object_action" and opened.card == open_checkpoint(posed)[1].card
    rewrite(posed.parent / "last.ckpt", tmp_path / "run" / "last.ckpt", {"model": ("fusion",)})
    more = ["--resume", "true", "--trainer.max_epochs", "2"]
    train_objects(root, tmp_path / "run", *POSES, *more, tracks="poses.parquet")
    assert torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)["epoch"] == 1


DAMAGED: list[tuple[str, dict[str, Any], str]] = [
    ("action", {"fps": None}, "fps"),
    ("action", {"fps": "ten"}, "fps"),
    ("action", {"fps": float("nan")}, "fps"),
    ("action", {"fps": float("inf")}, "fps"),
    ("action", {"image_fps": -25.0}, "image_fps"),
    ("action", {"window_seconds": 0.0}, "window_seconds"),
    ("action", {"labels": [1, 2]}, "labels"),
    ("action", {"labels": [["a"], ["b"]]}, "labels"),
    ("action", {"labels": None}, "labels"),
    ("action", {"labels": []}, "labels"),
    ("action", {"labels": "ab"}, "labels"),
    ("action", {"labels": ["x"] * 1_000_000}, "labels"),
    ("action", {"labels": ["one"]}, "does not describe its weights"),
    ("action", {"backbone": None}, "backbone"),
    ("action", {"backbone": {}}, "its backbone has no name"),
    ("action", {"backbone": {"backbone": 3}}, "its backbone has no name"),
    ("action", {"feature_dim": 10**12}, "feature_dim"),
    ("action", {"feature_dim": "wide"}, "feature_dim"),
    ("action", {"feature_dim": 7}, "does not describe its weights"),
    ("action", {"part_dims": [1, 2]}, "do not make 6"),
    ("action", {"weights_source": Path("w")}, "would run code"),
    ("action", {"seed": torch.zeros(2)}, "cannot be read"),
    ("action", {"surprise": 1}, "surprise"),
    ("action", {"model.hidden_sise": 3}, "hidden_sise"),
    ("action", {"model.hidden_size": 5}, "does not describe its weights"),
    ("action", {"model.hidden_size": 8192}, "does not describe its weights"),
    ("action", {"model.hidden_size": 100_000}, "less than or equal to 8192"),
    ("action", {"model.num_layers": 10**9}, "num_layers"),
    ("action", {"model.dropout": 1.0}, "dropout"),
    ("action", {"model.bidirectional": 1}, "bidirectional"),
    ("action", {"model.cell": "none"}, "does not describe its weights"),
    ("action", {"data": 3}, "data"),
    ("action", {"data.tracks": "t.parquet"}, "tracks"),
    ("action", {"objects": {}}, "objects"),
    ("object_action", {"objects": None}, "objects"),
    (
        "object_action",
        {"objects": {"tracking": {}, "max_gap_seconds": -1.0, "minimum_seconds": 0.5}},
        "objects",
    ),
    ("trajectory", {"coordinates": 10**6}, "coordinates"),
    ("trajectory", {"coordinates": 3}, "coordinates"),
    ("trajectory", {"seconds_per_step": float("nan")}, "seconds_per_step"),
    ("trajectory", {"neighbours": -1}, "neighbours"),
    ("trajectory", {"unit": None}, "unit"),
    ("trajectory", {"model.modes": 1000}, "does not describe its weights"),
    ("trajectory", {"model.modes": 1_000_000}, "less than or equal to 1000"),
    ("trajectory", {"data.horizon": 0}, "horizon"),
    ("action", {"version": 3}, "a newer vidlstm wrote it"),
    ("action", {"version": "2"}, "damaged"),
    ("action", {"version": torch.zeros(3)}, "damaged"),
    ("action", {"version": 0}, "damaged"),
    ("action", {"task": "tagging"}, "which this vidlstm does not know"),
    ("action", {"task": None}, "damaged"),
    ("action", {"task": "trajectory"}, "damaged"),
]


@pytest.mark.parametrize(
    ("task", "change", "message"),
    [pytest.param(*case, id=f"{case[0]}-{str(case[1])[:40]}") for case in DAMAGED],
)
def test_a_damaged_card_is_named_in_a_sentence(
    task: str, change: dict[str, Any], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "c.ckpt", task, change)
    assert main(["predict", str(path), "video.mp4", "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("vidlstm predict: ") and "c.ckpt" in said and message in said
    assert len(said) < 2000 or "state_dict" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("where", ["labels", "task", "version", "backbone", "seed"])
def test_a_card_nested_ten_thousand_deep_is_damaged(
    where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = nested(write(tmp_path / "a.ckpt", "action", {where: "NESTED"}), tmp_path / "deep.ckpt")
    assert main(["predict", str(path), "video.mp4", "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "deep.ckpt is damaged" in said and len(said) < 1000


def nested(source: Path, target: Path, depth: int = 10_000) -> Path:
    """The checkpoint, with lists in lists in place of the text NESTED; pickle itself would not write them."""
    text = b"X\x06\x00\x00\x00NESTED"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as made:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith("data.pkl"):
                assert content.count(text) == 1
                content = content.replace(text, b"]" * depth + b"a" * (depth - 1))
            made.writestr(name, content)
    return target


def test_what_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.ckpt", "action")
    cut = tmp_path / "cut.ckpt"
    cut.write_bytes(whole.read_bytes()[:-500])
    content = content_of("action")
    files: dict[str, Any] = {
        "bare": content["state_dict"],
        "list": [1, 2],
        "stateless": {CARD: content[CARD]},
        "listed": {**content, CARD: [1]},
        "weightless": {**content, "state_dict": {}},
        "numbers": {**content, "state_dict": dict.fromkeys(content["state_dict"], 3)},
        "hostile": {**content, "epoch": Payload(tmp_path / "ran")},
    }
    for name, held in files.items():
        torch.save(held, tmp_path / f"{name}.ckpt")
    for path in (cut, *(tmp_path / f"{name}.ckpt" for name in files), tmp_path, tmp_path / "none.ckpt"):
        with pytest.raises(CheckpointError, match=path.name):
            open_checkpoint(path)
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_of_another_task_says_which(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "t.ckpt", "trajectory")
    with pytest.raises(CheckpointError, match=r"t\.ckpt was trained for 'trajectory'; this needs action"):
        open_checkpoint(path, "action")
    assert main(["inspect", "gates", str(path), "v.mp4", "--out", str(tmp_path / "out")]) == 2
    assert "was trained for 'trajectory'" in capsys.readouterr().err
    shutil.copy(path, tmp_path / "last.ckpt")
